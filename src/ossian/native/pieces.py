"""What one step reads: a piece of each answer, and the rows they make."""

from dataclasses import dataclass

import numpy as np

from ossian.native.jobs import Job
from ossian.native.model import Batch


@dataclass(frozen=True, slots=True)
class Piece:
    """What a step reads for one answer: so many tokens that wait and, behind the last of them, a guess at the next."""

    job: Job
    count: int
    guess: tuple[int, ...] = ()

    def __len__(self) -> int:
        return self.count + len(self.guess)


def arrange(pieces: list[Piece]) -> Batch:
    """The rows of one step. Asked for is what follows a job's last waiting token, and each one of a guess."""
    tokens: list[int] = []
    positions: list[int] = []
    conversations: list[int] = []
    wanted: list[int] = []
    widest = max(len(piece.job.lease.blocks) for piece in pieces if piece.job.lease)
    tables = np.zeros((len(pieces), widest), np.int32)
    for index, piece in enumerate(pieces):
        job = piece.job
        assert job.lease is not None
        start = len(job.lease.tokens)
        tokens += [*job.waiting[: piece.count], *piece.guess]
        positions += range(start, start + len(piece))
        conversations += [index] * len(piece)
        tables[index, : len(job.lease.blocks)] = job.lease.blocks
        if piece.count == len(job.waiting):
            wanted += range(len(tokens) - len(piece.guess) - 1, len(tokens))
    return Batch(
        tokens=np.array(tokens, np.int32),
        positions=np.array(positions, np.int32),
        conversations=np.array(conversations, np.int32),
        tables=tables,
        wanted=np.array(wanted, np.int32),
    )
