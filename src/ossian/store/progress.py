"""What is told while a model is fetched."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a pull. `total` and `completed` are bytes; `digest` is "sha256:…", where it is known."""

    status: str
    digest: str = ""
    total: int = 0
    completed: int = 0
