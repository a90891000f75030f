"""All that was read and written, as token ids: what a caller can go on from. Knows nothing of conversations."""

from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby

from ossian.engines.steps import Piece

Tokenize = Callable[[str], Awaitable[list[int]]]


class Transcript:
    """Give it the prompt and the pieces; a second prompt holds what is worth keeping of the first and its answer."""

    def __init__(self) -> None:
        self.begin(())

    def begin(self, prompt: Sequence[int]) -> None:
        self._prompt = tuple(prompt)
        self._pieces: list[Piece] = []

    def take(self, piece: Piece) -> None:
        self._pieces.append(piece)

    async def tokens(self, tokenize: Tokenize) -> tuple[int, ...]:
        """The tokens.

        llama.cpp streams only the last token of a character that takes several; so what may hold such a character
        is tokenised again. Our own engine, which does not count, streams every one.
        """
        written: list[int] = []
        for is_whole, pieces in groupby(self._pieces, is_streamed_whole):
            if is_whole:
                written += [piece.token for piece in pieces]
            else:
                written += await tokenize("".join(piece.text for piece in pieces))
        return (*self._prompt, *written)


def is_streamed_whole(piece: Piece) -> bool:
    return piece.token >= 0 and (piece.written == 0 or piece.text.isascii())
