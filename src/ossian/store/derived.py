"""Models made from other models: a small file of JSON beside the model files, that says what it adds to which.

It names what it is made from and copies nothing, so many of them share one file of weights.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ossian.chat import Message
from ossian.errors import BadRequest, DiskRefused
from ossian.store.names import ModelName, read_name

FOLDER = "manifests"
ENDING = ".json"
BLOB_PREFIX = "sha256:"
TEXTS = ("base", "parent", "system", "license")


@dataclass(frozen=True, slots=True)
class Derived:
    """What a made model adds to the model file it stands on.

    base         the name or path of a model file, or sha256:… of an uploaded one; never another made model
    parent       the model that was named when it was made; empty for an uploaded file
    parameters   default options over those of the file
    messages     turns that stand before every conversation
    """

    base: str
    parent: str = ""
    system: str = ""
    license: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()

    @property
    def is_uploaded(self) -> bool:
        return self.base.startswith(BLOB_PREFIX)


def read_new_name(text: str) -> ModelName:
    """A name that a model can be given. Raises BadRequest for what belongs to the Hub or to a path, or is no name."""
    name = read_name(text)
    if name.registry != "ossian" or name.model.endswith(".gguf") or name.tag.endswith(".gguf"):
        raise BadRequest(f"invalid model name '{text}':", "a name for a new model is like mine, or mine:small.")
    return name


def manifest_path(models: Path, name: ModelName) -> Path:
    """Where a made model is written down; the parts of a ModelName cannot lead out of the folder."""
    return models / FOLDER / name.model / f"{name.tag}{ENDING}"


def is_manifest(path: Path) -> bool:
    return path.suffix == ENDING


def find_manifests(models: Path) -> Iterator[tuple[str, Path]]:
    """The made models: name and manifest. What lies there under an impossible name is left out."""
    for path in sorted((models / FOLDER).glob(f"*/*{ENDING}")):
        try:
            name = read_new_name(f"{path.parent.name}:{path.name.removesuffix(ENDING)}")
        except BadRequest:
            continue
        if manifest_path(models, name) == path:
            yield str(name), path


def write_derived(path: Path, derived: Derived) -> None:
    """Write a manifest whole or not at all. Raises DiskRefused."""
    beside = path.with_name(f"{path.name}.part")
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(dump(derived), encoding="utf-8")
        beside.replace(path)


def read_derived(path: Path) -> Derived:
    """Read a manifest. Raises BadRequest when it is damaged, OSError as `open`."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        messages = tuple(Message(turn["role"], turn["content"]) for turn in data["messages"])
        if not all(isinstance(data[name], str) for name in TEXTS) or not isinstance(data["parameters"], dict):
            raise ValueError("a value of the wrong kind")
        return Derived(**{name: data[name] for name in (*TEXTS, "parameters")}, messages=messages)
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest(
            f"the manifest {path.parent.name}/{path.name} is damaged ({error}).", "Create it again."
        ) from error


def dump(derived: Derived) -> str:
    """The manifest as text; the same for the same model."""
    turns = [{"role": turn.role, "content": turn.content} for turn in derived.messages]
    return json.dumps({**asdict(derived), "messages": turns}, ensure_ascii=False, indent=1) + "\n"


def digest_of(derived: Derived, file_digest: str) -> str:
    return hashlib.sha256(f"{file_digest} {dump(derived)}".encode()).hexdigest()


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Whatever the disk refuses here, in a sentence."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DiskRefused(f"{path} cannot be written ({reason}).", "OSSIAN_MODELS sets another folder.") from error
