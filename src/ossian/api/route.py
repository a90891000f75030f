"""One row of the table of doors, as app.py has it and as the OpenAPI document reads it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from ossian.api.dialects import OLLAMA, Dialect
from ossian.api.shapes import Shape

Answer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table.

    body        the shape of what is sent, for the OpenAPI document
    manages     it changes which models there are, and is not for everybody who may ask them
    anthropics  the dialect for clients of Anthropic, where the path is theirs too
    """

    method: str
    path: str
    answer: Answer
    dialect: Dialect = OLLAMA
    body: type[Shape] | None = None
    manages: bool = False
    anthropics: Dialect | None = None

    @property
    def shown_path(self) -> str:
        """The path as people write it."""
        return self.path.replace(":path}", "}")

    @property
    def name(self) -> str:
        return f"{self.method} {self.shown_path}"

    @property
    def meaning(self) -> tuple[str, str]:
        """What it does, in the words of the function that answers: the first sentence, and all others."""
        first, _, others = (self.answer.__doc__ or "").partition("\n")[0].partition(". ")
        return (f"{first}." if others else first), others
