"""A model may be named by a path. The server runs in a folder of its own, so the path is made whole here."""

from pathlib import Path

from ossian.cli.port import is_here
from ossian.errors import BadRequest
from ossian.settings import Settings
from ossian.store.names import HUB_HOSTS

PATH_STARTS = (".", "~", "/", "\\")


def name_model(word: str, settings: Settings) -> str:
    """What to call a model at the server: a path becomes absolute, a name stays. Raises BadRequest for a wrong path.

    >>> name_model("gpt-oss:20b", Settings())
    'gpt-oss:20b'
    """
    if not is_here(settings.address[0]) or not looks_like_path(word):
        return word
    path = Path(word).expanduser().absolute()
    if not path.exists():
        raise BadRequest(f"there is no file {path}.", "`ossian list` shows the models that have a name.")
    if path.is_dir():
        files = sorted(file.name for file in path.glob("*.gguf"))
        hint = f"Name one: {path / files[0]}" if files else "There is no GGUF file in it."
        raise BadRequest(f"{path} is a folder.", hint)
    if path.suffix != ".gguf":
        raise BadRequest(f"{path} is not a model:", "the name of a model's file ends with .gguf.")
    return str(path)


def looks_like_path(word: str) -> bool:
    """Whether a person who types this means a file: it is spelt like one, or lies there."""
    if word.startswith(HUB_HOSTS):
        return False
    spelt = word.startswith(PATH_STARTS) or word.lower().endswith(".gguf")
    return spelt or ("/" in word and Path(word).exists())
