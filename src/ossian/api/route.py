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
    """

    method: str
    path: str
    answer: Answer
    dialect: Dialect = OLLAMA
    body: type[Shape] | None = None
    manages: bool = False

    @property
    def shown_path(self) -> str:
        """The path as people write it."""
        return self.path.replace(":path}", "}")

    @property
    def summary(self) -> str:
        """What it does, in the first sentence of the function that answers."""
        return (self.answer.__doc__ or "").partition("\n")[0]
