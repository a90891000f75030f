"""Which models are on this disk: the demo, what was pulled, the Hub's own cache, any GGUF by path.

A file is read once and again only when its size or time changes.
"""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ossian.errors import BadRequest
from ossian.store.gguf import read_header
from ossian.store.hugging_face import KNOWN, HubFile, find_cached, name_of
from ossian.store.names import ModelName, read_name

log = logging.getLogger(__name__)

DEMO = Path(__file__).parent / "demo.gguf"
HEAD_BYTES = 1 << 20
APACHE_2 = "Apache License 2.0"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model on this disk.

    name             as people type it: "gpt-oss:20b", "demo", or the path it was asked by
    size             bytes of the file
    digest           64 hex characters that stay the same as long as the file does (of its head, size and name)
    metadata         the GGUF's key-value pairs without the tokenizer's long arrays
    capabilities     of chat.MODEL_CAPABILITIES, "completion", "tools", "thinking" for gpt-oss
    parameters       default options, in Ollama's names: {"temperature": 1.0}
    """

    name: str
    path: Path
    size: int
    digest: str
    modified_at: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict)
    parameter_count: int = 0
    quantization: str = ""
    capabilities: tuple[str, ...] = ("completion",)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    license: str = ""
    system: str = ""
    template: str = ""

    @property
    def architecture(self) -> str:
        return str(self.metadata.get("general.architecture", ""))

    @property
    def context_length(self) -> int:
        """Tokens of context the model was trained for."""
        return int(self.metadata.get(f"{self.architecture}.context_length", 0))

    @property
    def is_gpt_oss(self) -> bool:
        return self.architecture == "gpt-oss"


def capabilities_of(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """What a model of this architecture can do here."""
    architecture = str(metadata.get("general.architecture", ""))
    if architecture == "gpt-oss":
        return ("completion", "tools", "thinking")
    return ("embedding",) if f"{architecture}.pooling_type" in metadata else ("completion",)


def parameters_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The sampling a model's maker recommends; for gpt-oss OpenAI's: temperature 1, nothing cut."""
    if "general.sampling.temp" in metadata:
        return {"temperature": round(float(metadata["general.sampling.temp"]), 3)}
    return {"temperature": 1.0} if metadata.get("general.architecture") == "gpt-oss" else {}


def read_model(name: str, path: Path) -> ModelFile:
    """Read what a GGUF file says of itself. Raises BadRequest when it is damaged."""
    status = path.stat()
    header = read_header(path)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    digest = hashlib.sha256(head + f"{path.name} {status.st_size}".encode()).hexdigest()
    return ModelFile(
        name=name,
        path=path,
        size=status.st_size,
        digest=digest,
        modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
        metadata=header.metadata,
        parameter_count=header.parameter_count,
        quantization=header.quantization,
        capabilities=capabilities_of(header.metadata),
        parameters=parameters_of(header.metadata),
        license=str(header.metadata.get("general.license", "")),
        template=str(header.metadata.get("tokenizer.chat_template", "")),
    )


class Catalogue:
    """The models of this machine, looked up afresh at each call."""

    def __init__(self, models: Path, demo: Path = DEMO) -> None:
        self._models = models
        self._demo = demo
        self._read: dict[tuple[Path, int, int], ModelFile] = {}

    def list(self) -> list[ModelFile]:
        """Every model that needs no path, newest first. A damaged file is left out, with a line in the log."""
        found: dict[str, ModelFile] = {}
        for name, path in self._places():
            try:
                found.setdefault(name, self._model(name, path))
            except (BadRequest, OSError) as error:
                log.warning("%s is left out: %s", name, error)
        return sorted(found.values(), key=lambda model: model.modified_at, reverse=True)

    def find(self, name: str) -> ModelFile | None:
        """The model a name or the path of a GGUF file means. Raises BadRequest when the name or the file is no good."""
        if name.endswith(".gguf") and Path(name).expanduser().is_file():
            return replace(self._model(name, Path(name).expanduser().resolve()), name=name)
        wanted = str(read_name(name))
        path = next((path for known, path in self._places() if known.lower() == wanted.lower()), None)
        return None if path is None else self._model(wanted, path)

    def _places(self) -> Iterator[tuple[str, Path]]:
        """Each name and the file it means, the first of a name winning."""
        if self._demo.is_file():
            yield "demo", self._demo
        for path in sorted(self._models.glob("**/*.gguf")):
            if not any(part.startswith(".") for part in path.relative_to(self._models).parts):
                yield self._name_in_folder(path), path
        for name, hub_file in KNOWN.items():
            if cached := find_cached(hub_file):
                yield name, cached

    def _name_in_folder(self, path: Path) -> str:
        """models/owner/repo/file.gguf has its Hub name, models/file.gguf the file's own."""
        parts = path.relative_to(self._models).parts
        if len(parts) == 3:
            return name_of(HubFile(f"{parts[0]}/{parts[1]}", parts[2]))
        try:
            return str(read_name(path.stem))
        except BadRequest:
            return str(ModelName("ossian", "library", path.stem, "latest"))

    def _model(self, name: str, path: Path) -> ModelFile:
        status = path.stat()
        key = (path, status.st_size, status.st_mtime_ns)
        if key not in self._read:
            self._read[key] = read_model(name, path)
        return self._read[key]
