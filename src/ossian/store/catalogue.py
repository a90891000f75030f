"""Which models are on this disk: what was made here, the demo, what was pulled, the Hub's own cache, any GGUF by path.

A file is read once, and again only when its size or time changes.
"""

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ossian.chat import Message
from ossian.errors import BadRequest
from ossian.store.blobs import blob_path
from ossian.store.derived import BLOB_PREFIX, Derived, digest_of, find_manifests, is_manifest, read_derived
from ossian.store.gguf import read_header
from ossian.store.hugging_face import KNOWN, Hub, HubFile, choose_file, find_cached, find_cached_by_name, name_of
from ossian.store.names import ModelName, read_name

log = logging.getLogger(__name__)

DEMO = Path(__file__).parent / "demo.gguf"
TEMPLATE = "tokenizer.chat_template"
TOOLS_IN_TEMPLATE = re.compile(r"\btools\b")
THINKING_IN_TEMPLATE = re.compile(r"think>|enable_thinking|reasoning_content|\[THINK\]|START_THINKING")
GAP_KEYS = (
    ("fim_pre_token_id", "fim_suf_token_id", "fim_mid_token_id"),
    ("prefix_token_id", "suffix_token_id", "middle_token_id"),
)
Place = tuple[str, Path]
"""A name and where what it means lies."""
HEAD_BYTES = 1 << 20
LARGEST_NUMBER = 1 << 31
RANK_POOLING = 4  # llama.cpp's LLAMA_POOLING_TYPE_RANK: the model gives a score, not a vector
# What memory and context are worked out from, after the architecture's name.
NUMBERS = (
    "context_length",
    "block_count",
    "embedding_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.sliding_window",
)


@dataclass(frozen=True, slots=True)
class GapTokens:
    """The tokens that a model was taught to fill a gap by: before the code that precedes it, follows it, and it."""

    prefix: int
    suffix: int
    middle: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model on this disk.

    name             as people type it: "gpt-oss:20b", "demo", or the path it was asked by
    size             bytes of the file
    digest           64 hex characters that stay the same as long as the file does (of its head, size and name)
    metadata         the GGUF's key-value pairs without the tokenizer's long arrays
    capabilities     of chat.MODEL_CAPABILITIES: all four of "completion", "tools", "insert", "thinking" for gpt-oss
    parameters       default options, in Ollama's names: {"temperature": 1.0}
    vocabulary       how many tokens it knows; 0: the file does not say
    messages         turns that stand before every conversation
    derived          what it adds to its file, where it was made from another model
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
    vocabulary: int = 0
    messages: tuple[Message, ...] = ()
    derived: Derived | None = None

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

    @property
    def has_template(self) -> bool:
        """It converses by a template of its own; gpt-oss speaks harmony."""
        return bool(self.template) and not self.is_gpt_oss and "completion" in self.capabilities

    @property
    def gap_tokens(self) -> GapTokens | None:
        return find_gap_tokens(self.metadata)


def capabilities_of(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """What a model of this architecture can do here."""
    architecture = str(metadata.get("general.architecture", ""))
    if architecture == "gpt-oss":
        return ("completion", "tools", "insert", "thinking")
    match metadata.get(f"{architecture}.pooling_type"):
        case None:
            return ("completion", *abilities_of(metadata))
        case pooling:
            return ("rerank",) if pooling == RANK_POOLING else ("embedding",)


def abilities_of(metadata: Mapping[str, Any]) -> Iterator[str]:
    """What the template in a file knows, told by its words, and whether there are tokens for a gap in code."""
    template = "".join(str(text) for key, text in metadata.items() if key.startswith(TEMPLATE))
    if TOOLS_IN_TEMPLATE.search(template):
        yield "tools"
    if find_gap_tokens(metadata):
        yield "insert"
    if THINKING_IN_TEMPLATE.search(template):
        yield "thinking"


def find_gap_tokens(metadata: Mapping[str, Any]) -> GapTokens | None:
    for keys in GAP_KEYS:
        ids = [token for key in keys if type(token := metadata.get(f"tokenizer.ggml.{key}")) is int]
        if len(ids) == len(keys):
            return GapTokens(*ids)
    return None


def parameters_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The sampling a model's maker recommends; for gpt-oss OpenAI's: temperature 1, nothing cut."""
    temperature = metadata.get("general.sampling.temp")
    if isinstance(temperature, (int, float)):
        return {"temperature": round(float(temperature), 3)}
    return {"temperature": 1.0} if metadata.get("general.architecture") == "gpt-oss" else {}


def check_numbers(path: Path, metadata: Mapping[str, Any]) -> None:
    """Refuse a file whose sizes cannot be meant. A size that differs from layer to layer is a list."""
    for key in (f"{metadata.get('general.architecture', '')}.{number}" for number in NUMBERS):
        given = metadata.get(key, 1)
        by_layer = isinstance(given, list) and given and not key.endswith(".context_length")
        values = given if by_layer else [given]
        least = 0 if key.endswith((".attention.sliding_window", ".attention.head_count_kv")) else 1
        if not all(type(value) is int and least <= value < LARGEST_NUMBER for value in values):
            raise BadRequest(f"{path.name} is not a usable GGUF file ({key} is {given!r:.40}).", "Fetch it again.")


def read_model(name: str, path: Path) -> ModelFile:
    """Read what a GGUF file says of itself. Raises BadRequest when it is damaged, OSError when it cannot be read."""
    status = path.stat()
    header = read_header(path)
    check_numbers(path, header.metadata)
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
        template=str(header.metadata.get(TEMPLATE, "")),
        vocabulary=header.vocabulary,
    )


def add_derived(file: ModelFile, derived: Derived, manifest: Path) -> ModelFile:
    """The file with what a made model adds to it."""
    return replace(
        file,
        digest=digest_of(derived, file.digest),
        modified_at=datetime.fromtimestamp(manifest.stat().st_mtime, UTC),
        parameters={**file.parameters, **derived.parameters},
        license=derived.license or file.license,
        system=derived.system or file.system,
        messages=derived.messages,
        derived=derived,
    )


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes when a file does."""

    size: int
    modified_ns: int


class Catalogue:
    """The models of this machine, looked up afresh at each call."""

    def __init__(self, models: Path, demo: Path = DEMO, hub: Hub | None = None) -> None:
        self._models = models
        self._demo = demo
        self._cache = (hub or Hub()).cache
        self._read: dict[Path, tuple[Stamp, ModelFile | BadRequest]] = {}

    def list(self) -> list[ModelFile]:
        """Every model that needs no path, newest first. A damaged file is left out, with a line in the log."""
        found: dict[str, ModelFile] = {}
        for name, path in (*find_manifests(self._models), *self._files()):
            try:
                found.setdefault(name, self._model(name, path))
            except (BadRequest, OSError) as error:
                log.debug("%s is left out: %s", name, error)
        return sorted(found.values(), key=lambda model: model.modified_at, reverse=True)

    def find(self, name: str) -> ModelFile | None:
        """The model a name or the path of a GGUF file means. Raises BadRequest when the name or the file is no good."""
        known, path = self.locate(name)
        if path is None:
            return None
        try:
            return self._model(known, path)
        except OSError as error:
            raise BadRequest(f"{path} cannot be read ({error.strerror}).", "Are its permissions right?") from error

    def locate(self, name: str) -> tuple[str, Path | None]:
        """The full name of what somebody asks for and where it lies: a model file, or the manifest of a made model."""
        return self._locate(name, [*find_manifests(self._models), *self._files()])

    def locate_file(self, base: str) -> tuple[str, Path | None]:
        """The same for what a made model stands on, which is never another made model."""
        if base.startswith(BLOB_PREFIX):
            blob = blob_path(self._models, base)
            return base, blob if blob.is_file() else None
        return self._locate(base, [*self._files()])

    def _locate(self, name: str, known_places: Sequence[Place]) -> tuple[str, Path | None]:
        if path := find_path(name):
            return name, path
        places = {known.lower(): (known, path) for known, path in reversed(known_places)}
        if found := places.get(name.strip().lower()):
            return found
        wanted = read_name(name)
        if wanted.registry == "hugging_face":
            return str(wanted), self._find_from_hub(wanted)
        return places.get(str(wanted).lower(), (str(wanted), None))

    def _find_from_hub(self, name: ModelName) -> Path | None:
        """What was pulled from a repository, or lies in the Hub's cache, chosen as a pull would."""
        folder = self._models / name.owner / name.model
        chosen = choose_file([path.name for path in folder.glob("*.gguf")], name.tag)
        return folder / chosen if chosen else find_cached_by_name(name, self._cache)

    def _files(self) -> Iterator[Place]:
        """Each name of a model file, the first of a name winning."""
        if self._demo.is_file():
            yield "demo", self._demo
        for path in sorted(self._models.glob("**/*.gguf")):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(self._models).parts):
                yield self._name_in_folder(path), path
        for name, hub_file in KNOWN.items():
            if cached := find_cached(hub_file, self._cache):
                yield name, cached

    def _name_in_folder(self, path: Path) -> str:
        """models/owner/repo/file.gguf has its Hub name, every other file its own."""
        parts = path.relative_to(self._models).parts
        if len(parts) == 3:
            return name_of(HubFile(f"{parts[0]}/{parts[1]}", parts[2]))
        try:
            return str(read_name(path.stem))
        except BadRequest:
            return path.stem

    def _model(self, name: str, path: Path) -> ModelFile:
        """The model of a place."""
        return self._made(name, path) if is_manifest(path) else self._stored(name, path)

    def _made(self, name: str, manifest: Path) -> ModelFile:
        """A made model: its file with what it adds. Raises BadRequest when that file is not here any more."""
        derived = read_derived(manifest)
        _, path = self.locate_file(derived.base)
        if path is None:
            raise BadRequest(
                f"'{name}' is made from '{derived.base}', which is not on this machine.",
                f"Try: ossian pull {derived.base}, or ossian rm {name}",
            )
        return add_derived(self._stored(name, path), derived, manifest)

    def _stored(self, name: str, path: Path) -> ModelFile:
        """What the file says, from memory as long as the file stays as it is."""
        status = path.stat()
        stamp = Stamp(status.st_size, status.st_mtime_ns)
        before, model = self._read.get(path, (None, None))
        if model is None or before != stamp:
            model = self._read_afresh(name, path)
            self._read[path] = (stamp, model)
        if isinstance(model, BadRequest):
            raise model
        return replace(model, name=name)

    def _read_afresh(self, name: str, path: Path) -> ModelFile | BadRequest:
        try:
            return read_model(name, path)
        except BadRequest as error:
            log.warning("%s is left out of the models: %s", path, error)
            return error


def find_path(name: str) -> Path | None:
    """The file, where a name is the path of a GGUF."""
    if not name.endswith(".gguf"):
        return None
    try:
        path = Path(name).expanduser()
        return path.resolve() if path.is_file() else None
    except (OSError, RuntimeError, ValueError):  # too long, a home that nobody has, a NUL in it
        return None
