"""What the Hugging Face Hub offers, and what its own cache on this disk holds already. Fetches no model: pull.py does.

`huggingface_hub` asks; HF_ENDPOINT, HF_TOKEN, HF_HOME and HF_HUB_OFFLINE mean what they mean there.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from huggingface_hub import HfApi, constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from ossian.errors import NothingToPull, OssianError, PullFailed
from ossian.store.names import PART, ModelName

ANSWER_SECONDS = 10.0
SHA256 = r"[0-9a-f]{64}"
PREFERRED = ("MXFP4", "Q4_K_M", "Q8_0")  # which file of a repository, where a name does not say
NOT_A_MODEL = r"mmproj.*|.*-\d{5}-of-\d{5}"  # a picture reader beside a model; a model split over several files
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Hub:
    """Where the Hub is and where its cache lies, as the environment says."""

    endpoint: str = field(default_factory=lambda: os.environ.get("HF_ENDPOINT", "").rstrip("/") or constants.ENDPOINT)
    cache: Path = field(default_factory=lambda: Path(constants.HF_HUB_CACHE))


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository on the Hub."""

    repository: str
    file: str


@dataclass(frozen=True, slots=True)
class Published:
    """What the Hub says of a file: where it is, its bytes, and its sha256 where it is told (else empty)."""

    url: str
    size: int
    digest: str


MINILM = "all-minilm"
KNOWN = {
    "gpt-oss:20b": HubFile("ggml-org/gpt-oss-20b-GGUF", "gpt-oss-20b-mxfp4.gguf"),
    MINILM: HubFile("second-state/All-MiniLM-L6-v2-Embedding-GGUF", "all-MiniLM-L6-v2-Q8_0.gguf"),
}


def name_of(hub_file: HubFile) -> str:
    """What people call a file of the Hub."""
    for name, known in KNOWN.items():
        if known == hub_file:
            return name
    return f"hf.co/{hub_file.repository}:{hub_file.file.removesuffix('.gguf')}"


def choose_file(files: Sequence[str], tag: str) -> str | None:
    """The file of a repository that a tag means: its name, or the first with the tag as a word in it.

    >>> files = ["tiny-BF16.gguf", "tiny-F16.gguf", "tiny-Q4_K_M.gguf"]
    >>> choose_file(files, "f16"), choose_file(files, ""), choose_file(files, "Q8_0")
    ('tiny-F16.gguf', 'tiny-Q4_K_M.gguf', None)
    """
    usable = [file for file in sorted(files) if is_model(file)]
    stems = {file.removesuffix(".gguf").lower(): file for file in usable}
    if not tag:
        return next((found for wanted in PREFERRED if (found := choose_file(usable, wanted))), next(iter(usable), None))
    wanted = tag.lower().removesuffix(".gguf")
    if wanted in stems:
        return stems[wanted]
    word = re.compile(rf"(?<![a-z0-9]){re.escape(wanted)}(?![a-z0-9])")
    return next((file for stem, file in stems.items() if word.search(stem)), None)


def is_model(file: str) -> bool:
    """Whether a file of a repository is one whole model that can be named. Also keeps out every path with a folder."""
    stem = file.removesuffix(".gguf")
    return stem != file and re.fullmatch(PART, stem) is not None and re.fullmatch(NOT_A_MODEL, stem) is None


def find_cached(hub_file: HubFile, cache: Path) -> Path | None:
    """The file in the Hub's own cache on this disk, if it was fetched by whatever program."""
    found = try_to_load_from_cache(hub_file.repository, hub_file.file, cache_dir=cache)
    return Path(found) if isinstance(found, str) else None


def find_cached_by_name(name: ModelName, cache: Path) -> Path | None:
    """The same for a name that leaves the file open, as `hf.co/owner/repository` does."""
    folder = cache / f"models--{name.owner}--{name.model}" / "snapshots"
    chosen = choose_file([path.name for path in folder.glob("*/*.gguf")], name.tag)
    return None if chosen is None else find_cached(HubFile(f"{name.owner}/{name.model}", chosen), cache)


def resolve(name: ModelName, hub: Hub) -> HubFile:
    """Which file a name means. Asks the Hub only where the name leaves it open."""
    if name.registry == "ossian":
        if str(name) in KNOWN:
            return KNOWN[str(name)]
        hint = f"Try {', '.join(KNOWN)}, or hf.co/owner/repository."
        raise NothingToPull(f"there is no model named '{name}' to pull.", hint)
    repository = f"{name.owner}/{name.model}"
    files = fetch_files(repository, hub)
    chosen = choose_file(files, name.tag)
    if chosen is None:
        offered = ", ".join(sorted(file for file in files if is_model(file))) or "none that is one whole file"
        wanted = f"GGUF file '{name.tag}'" if name.tag else "GGUF file"
        raise NothingToPull(f"{repository} has no {wanted} to pull.", f"It has: {offered}.")
    return HubFile(repository, chosen)


def fetch_files(repository: str, hub: Hub) -> list[str]:
    """The names of a repository's files."""
    api = HfApi(endpoint=hub.endpoint)
    info = asked(lambda: api.model_info(repository, timeout=ANSWER_SECONDS), repository, hub)
    return [sibling.rfilename for sibling in info.siblings or ()]


def fetch_published(hub_file: HubFile, hub: Hub) -> Published:
    """Where a file is, its size and its sha256."""
    url = hf_hub_url(hub_file.repository, hub_file.file, endpoint=hub.endpoint)
    ask = lambda: get_hf_file_metadata(url, timeout=ANSWER_SECONDS, endpoint=hub.endpoint)  # noqa: E731
    metadata = asked(ask, f"{hub_file.repository}/{hub_file.file}", hub)
    if not metadata.size:
        raise PullFailed(f"{hub.endpoint} does not tell the size of {hub_file.file}.", "Is it a Hub? See HF_ENDPOINT.")
    digest = metadata.etag or ""
    return Published(url, metadata.size, digest if re.fullmatch(SHA256, digest) else "")


def asked(ask: Callable[[], Answer], what: str, hub: Hub) -> Answer:
    """Ask the Hub, with its many errors told in one sentence."""
    try:
        return ask()
    except Exception as error:
        raise explain(error, what, hub) from error


def explain(error: Exception, what: str, hub: Hub) -> OssianError:
    """The sentence for an error of huggingface_hub."""
    match error:
        case OfflineModeIsEnabled():
            return PullFailed("HF_HUB_OFFLINE is set, so the Hugging Face Hub is not asked.", "Unset it to pull.")
        case GatedRepoError():
            return PullFailed(f"{what} wants its terms accepted.", "Accept them on its page, and set HF_TOKEN.")
        case RepositoryNotFoundError() | EntryNotFoundError():
            return NothingToPull(f"{what} is not on {hub.endpoint}, or is private.", "For a private one set HF_TOKEN.")
        case HfHubHTTPError():
            return explain_status(error.response.status_code, what, hub)
    return PullFailed(
        f"the Hugging Face Hub at {hub.endpoint} could not be reached ({type(error).__name__}).",
        "Check the connection, or set HF_ENDPOINT to a mirror.",
    )


def explain_status(status: int, what: str, hub: Hub) -> OssianError:
    """The sentence for an answer of the Hub that says no more than a number; unknown names are 401 as often as 404."""
    if status in (401, 403, 404):
        return NothingToPull(f"{what} is not on {hub.endpoint}, or is private.", "For a private one set HF_TOKEN.")
    return PullFailed(f"{hub.endpoint} answered with status {status} for {what}.", "Try again in a while.")
