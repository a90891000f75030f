"""Which files go when a model is deleted: never one that another model stands on, nor one that is not ours."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ossian.errors import BadRequest, ModelNotFound
from ossian.store.blobs import DIGEST, blob_path, sweep
from ossian.store.catalogue import Catalogue, find_path
from ossian.store.derived import BLOB_PREFIX, Derived, find_manifests, is_manifest, read_derived, told, write_derived


def files_of(name: str, catalogue: Catalogue, models: Path) -> tuple[Path, ...]:
    """What is on the disk for this model alone, the manifest first.

    Raises ModelNotFound, and BadRequest with what to do instead where nothing may be deleted.
    """
    known, path = catalogue.locate(name)
    if path is None:
        raise ModelNotFound(name)
    if is_manifest(path):
        return path, *unshared_blob(path, models)
    check_is_ours(name, path, models)
    if users := [made for made, _, derived in read_all(models) if catalogue.locate_file(derived.base)[1] == path]:
        raise BadRequest(
            f"'{known}' is not deleted, because {', '.join(users)} would lose its file:", f"delete {users[0]} first."
        )
    return (path,)


def unshared_blob(manifest: Path, models: Path) -> Iterator[Path]:
    """The uploaded file of a made model, unless another one names it too."""
    with suppress(BadRequest, OSError):  # a damaged manifest can be deleted all the same
        base = read_derived(manifest).base
        blob = blob_path(models, base)
        if base not in named_blobs(path for _, path in find_manifests(models) if path != manifest):
            yield blob


def named_blobs(manifests: Iterable[Path]) -> set[str]:
    """The digests that stand in manifests, also in damaged ones. Raises OSError when one cannot be read."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in manifests]
    return {f"{BLOB_PREFIX}{digest}" for text in texts for digest in DIGEST.findall(text)}


def tidy(models: Path) -> None:
    """Remove what killed uploads left behind. Where anything cannot be read, nothing is removed."""
    with suppress(OSError):
        sweep(models, named_blobs(path for _, path in find_manifests(models)))


def read_all(models: Path) -> Iterator[tuple[str, Path, Derived]]:
    """Every made model that can be read."""
    for name, path in find_manifests(models):
        with suppress(BadRequest, OSError):
            yield name, path, read_derived(path)


def check_is_ours(name: str, path: Path, models: Path) -> None:
    """Only what lies in the folder of models, and has a name there, is ours to delete."""
    if find_path(name) is None and path.parent.resolve().is_relative_to(models.resolve()):
        return
    raise BadRequest(f"'{name}' is not deleted:", what_to_do(path, name))


def what_to_do(path: Path, name: str) -> str:
    """How to be rid of a file that is not ours."""
    parts = path.parts
    if path.parent == Path(__file__).parent:
        return "it is a part of Ossian itself and takes 9 MB."
    if path.name.startswith("sha256-") or ".ollama" in parts:
        return "its file lies in the store of Ollama, where `ollama rm` deletes it."
    if repository := next((part for part in parts if part.startswith("models--")), ""):
        owner_and_name = repository.removeprefix("models--").replace("--", "/")
        return f"its file lies in the cache of the Hugging Face Hub. Try: hf cache rm model/{owner_and_name}"
    return f"{path} lies outside the folder of models; delete the file itself."


def write_model(manifest: Path, derived: Derived, models: Path) -> None:
    """Write a made model over an earlier one of its name, whose uploaded file goes where no other model has it."""
    earlier = tuple(unshared_blob(manifest, models))
    write_derived(manifest, derived)
    remove(tuple(blob for blob in earlier if not derived.is_uploaded or blob != blob_path(models, derived.base)))


def remove(files: tuple[Path, ...]) -> None:
    """Delete them, the manifest first, so that nothing is ever listed whose file is gone. Raises DiskRefused."""
    for path in files:
        with told(path):
            path.unlink(missing_ok=True)
