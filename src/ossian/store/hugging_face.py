"""Fetch a model file from the Hugging Face Hub: resumable, with progress, its digest checked.

`huggingface_hub` does the transfer; HF_ENDPOINT, HF_TOKEN, HF_HOME and HF_HUB_OFFLINE mean what they mean there.
"""

import hashlib
import queue
import shutil
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError
from tqdm import tqdm

from ossian.errors import ModelNotFound, OssianError, PullFailed
from ossian.store.names import ModelName, read_name

GB = 1_000_000_000
CHUNK_BYTES = 1 << 22
PREFERRED = ("MXFP4", "Q4_K_M", "Q8_0")  # which file of a repository, where a name does not say


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository on the Hub."""

    repository: str
    file: str


KNOWN = {"gpt-oss:20b": HubFile("ggml-org/gpt-oss-20b-GGUF", "gpt-oss-20b-mxfp4.gguf")}


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a pull. `total` and `completed` are bytes; `digest` is the file's sha256, where it is known."""

    status: str
    digest: str = ""
    total: int = 0
    completed: int = 0


def name_of(hub_file: HubFile) -> str:
    """What people call a file of the Hub."""
    for name, known in KNOWN.items():
        if (known.repository, known.file) == (hub_file.repository, hub_file.file):
            return name
    return f"hf.co/{hub_file.repository}:{hub_file.file.removesuffix('.gguf')}"


def find_cached(hub_file: HubFile) -> Path | None:
    """The file in the Hub's own cache on this disk, if it was fetched by whatever program."""
    found = try_to_load_from_cache(hub_file.repository, hub_file.file)
    return Path(found) if isinstance(found, str) else None


def pull(name: str, models: Path, check_fits: Callable[[int], None]) -> Generator[Progress, None, None]:
    """Fetch a model; the last status is "success". Closing the iterator stops the transfer; the next one resumes.

    `check_fits` is handed the size in bytes before anything is downloaded, and raises when the machine is too small.
    Raises ModelNotFound, PullFailed.
    """
    yield Progress("pulling manifest")
    hub_file = resolve(read_name(name))
    if find_cached(hub_file):
        yield Progress("already in the cache of the Hub; used where it lies")
        yield Progress("success")
        return
    size, digest = fetch_size_and_digest(hub_file)
    check_fits(size)
    folder = models / hub_file.repository
    check_disk(folder, size)
    yield from transfer(hub_file, folder, size, digest)
    yield Progress("verifying sha256 digest", digest, size, size)
    check_digest(folder / hub_file.file, digest)
    yield Progress("success")


def resolve(name: ModelName) -> HubFile:
    """Which file a name means. Asks the Hub only where the name leaves it open."""
    if name.registry == "ossian":
        if str(name) not in KNOWN:
            raise PullFailed(
                f"there is no model named '{name}' to pull.", f"Try {', '.join(KNOWN)}, or hf.co/owner/repository."
            )
        return KNOWN[str(name)]
    repository = f"{name.owner}/{name.model}"
    files = [file for file in asked(HfApi().list_repo_files, repository) if file.endswith(".gguf")]
    for wanted in (name.tag,) if name.tag else (*PREFERRED, ""):
        for file in files:
            if wanted.lower() in file.lower():
                return HubFile(repository, file)
    raise PullFailed(f"{repository} has no GGUF file '{name.tag}'.", f"It has: {', '.join(files) or 'none'}.")


def fetch_size_and_digest(hub_file: HubFile) -> tuple[int, str]:
    """Bytes and sha256 (empty where the Hub does not tell it) of a file."""
    metadata = asked(get_hf_file_metadata, hf_hub_url(hub_file.repository, hub_file.file))
    digest = metadata.etag or ""
    return metadata.size or 0, digest if len(digest) == hashlib.sha256().digest_size * 2 else ""


def asked(ask: Callable[..., Any], *arguments: str) -> Any:
    """Ask the Hub, with its many errors told in one sentence."""
    try:
        return ask(*arguments)
    except (RepositoryNotFoundError, EntryNotFoundError) as error:
        raise ModelNotFound(arguments[0]) from error
    except Exception as error:
        raise PullFailed(
            f"the Hugging Face Hub could not be reached ({type(error).__name__}).",
            "Check the connection, or set HF_ENDPOINT to a mirror.",
        ) from error


def check_disk(folder: Path, size: int) -> None:
    """Refuse before the download what the disk cannot hold. What is there of an earlier try counts."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = sum(part.stat().st_size for part in folder.glob("**/*.incomplete"))
    free = shutil.disk_usage(folder).free
    if size - begun > free:
        raise PullFailed(
            f"the file has {size / GB:.1f} GB and the disk of {folder.name} has {free / GB:.1f} GB free.",
            "Free some space, or set OSSIAN_MODELS to a folder on another disk.",
        )


def transfer(hub_file: HubFile, folder: Path, size: int, digest: str) -> Iterator[Progress]:
    """Download in a thread, and tell the progress here."""
    steps: queue.Queue[int | BaseException | None] = queue.Queue()
    stopped = threading.Event()

    class Bar(tqdm[Any]):
        """huggingface_hub's progress bar, made to report here and to stop when nobody listens any more."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            options.pop("name", None)
            self.completed = int(options.get("initial") or 0)
            super().__init__(*arguments, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            self.completed += int(n or 0)
            steps.put(self.completed)
            if stopped.is_set():
                raise InterruptedError("nobody waits for this download any more")
            return None

    def download() -> None:
        try:
            hf_hub_download(hub_file.repository, hub_file.file, local_dir=folder, tqdm_class=Bar)
            steps.put(None)
        except BaseException as error:
            steps.put(error)

    threading.Thread(target=download, daemon=True).start()
    status = f"pulling {digest[:12] or hub_file.file}"
    try:
        while (step := steps.get()) is not None:
            if isinstance(step, BaseException):
                raise broken_off(step) from step
            yield Progress(status, f"sha256:{digest}" if digest else "", size, step)
    finally:
        stopped.set()


def broken_off(error: BaseException) -> OssianError:
    """What to say when a transfer ended early."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return PullFailed(f"the download broke off ({reason}).", "What has come is kept: pull again and it goes on there.")


def check_digest(path: Path, digest: str) -> None:
    """Compare a fetched file with its published sha256; a wrong one is removed. Raises PullFailed."""
    if not digest:
        return
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            found.update(chunk)
    if found.hexdigest() != digest:
        path.unlink()
        raise PullFailed("the file came damaged: its sha256 is not the published one.", "It was removed. Pull again.")
