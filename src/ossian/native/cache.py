"""What has been read is never read again: keys and values in blocks of 64 tokens, known by the tokens before them.

A full block's name is a hash over the model and every token up to its end, so whoever sends the same beginning finds
it, in this process or, through `BlockFiles`, in one that starts next week. A block is first in memory; the least
recently used leave. What of a prompt stands behind its last full block is kept as well, in a copy: such a tail is known
by what stands before it, and found again as far as its tokens agree.
"""

import contextlib
import hashlib
import math
import mmap
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ossian.native.model import KeysAndValues
from ossian.native.weights import Shape

BLOCK_TOKENS = 64

Name = bytes
Halves = NDArray[np.uint16]
Tokens = NDArray[np.int32]


class CacheFull(Exception):
    """Every block is held by an answer that is being written."""


class Shelf(Protocol):
    """Where blocks are kept that memory has no room for."""

    def load(self, name: Name, keys: Halves, values: Halves) -> Tokens | None:
        """Fill in a block and tell the tokens kept with it; None when it is not there, or is damaged."""
        ...

    def save(self, name: Name, keys: Halves, values: Halves, tokens: Tokens | None = None) -> None:
        """Keep a block. With tokens it is a tail, and takes the place of an earlier one."""
        ...

    def close(self) -> None:
        """Write what waits."""
        ...


class NoShelf:
    """Memory only."""

    def load(self, name: Name, keys: Halves, values: Halves) -> Tokens | None:
        return None

    def save(self, name: Name, keys: Halves, values: Halves, tokens: Tokens | None = None) -> None:
        return None

    def close(self) -> None:
        return None


@dataclass(slots=True)
class Lease:
    """One conversation's place in the cache: its tokens that have been read, and the blocks that hold them.

    `known` of them were found and not read for this answer. `chain` names the last full block.
    """

    blocks: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    known: int = 0
    chain: Name = b""


def allocate(*shape: int) -> Halves:
    """Zeros whose memory is taken as it is used, in large pages where the system has them: half a million small ones
    are what 10,000 tokens from the disk cost most.
    """
    memory = mmap.mmap(-1, max(1, math.prod(shape) * np.dtype(np.uint16).itemsize))
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint16, math.prod(shape)).reshape(shape)


def name_block(before: Name, tokens: Sequence[int]) -> Name:
    """The name of a full block: a hash over the name of the one before it and its own tokens."""
    return hashlib.blake2b(before + np.asarray(tokens, "<i4").tobytes(), digest_size=16).digest()


def name_tail(before: Name) -> Name:
    """The name of what stands behind a block and fills none."""
    return hashlib.blake2b(before, digest_size=16, person=b"tail").digest()


def count_same(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two texts begin with alike."""
    same = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        same += 1
    return same


class PrefixCache:
    """Blocks of keys and values, lent to conversations. Not safe for more than one thread."""

    def __init__(self, shape: Shape, blocks: int, model: bytes, shelf: Shelf | None = None) -> None:
        self.numbers = KeysAndValues(
            keys=allocate(blocks, shape.layers, shape.key_heads, shape.head, BLOCK_TOKENS),
            values=allocate(blocks, shape.layers, shape.key_heads, BLOCK_TOKENS, shape.head),
        )
        self._model = model
        self._shelf = shelf or NoShelf()
        self._free = list(range(blocks))[::-1]  # the last freed is taken first: its memory is there already
        self._holders = [0] * blocks
        self._names: list[Name] = [b""] * blocks
        self._known: OrderedDict[Name, int] = OrderedDict()  # the least recently used first
        self._tails: dict[Name, Tokens] = {}

    def close(self) -> None:
        self._shelf.close()

    def start(self, tokens: Sequence[int]) -> Lease:
        """A lease that begins with the longest known beginning of a prompt, as far as there is room to fetch it.

        At least its last token is left to be read.
        """
        lease = Lease(chain=self._model)
        with contextlib.suppress(CacheFull):
            self._follow(lease, tokens, self._find)
            self._start_with_tail(lease, tokens[len(lease.tokens) : -1])
        lease.known = len(lease.tokens)
        return lease

    def go_on(self, lease: Lease, waiting: Sequence[int]) -> int:
        """Take over what others have read since of the tokens that come next; how many need not be read any more."""
        before = len(lease.tokens)
        if len(lease.blocks) * BLOCK_TOKENS == before:
            self._follow(lease, [*lease.tokens, *waiting], self._known.get)
        return len(lease.tokens) - before

    def _follow(self, lease: Lease, tokens: Sequence[int], find: Callable[[Name], int | None]) -> None:
        while len(lease.tokens) + BLOCK_TOKENS < len(tokens):
            piece = tokens[len(lease.tokens) : len(lease.tokens) + BLOCK_TOKENS]
            name = name_block(lease.chain, piece)
            block = find(name)
            if block is None:
                return
            self._holders[block] += 1
            lease.blocks.append(block)
            lease.tokens += piece
            lease.chain = name

    @property
    def room(self) -> int:
        """Blocks that nobody holds."""
        return self._holders.count(0)

    def _start_with_tail(self, lease: Lease, rest: Sequence[int]) -> None:
        """Copy what is known of the tokens that come next, as far as they are those of the tail."""
        if not rest or (tail := self._find(name_tail(lease.chain))) is None:
            return
        name = self._names[tail]
        if same := count_same(rest, self._tails[name].tolist()):
            self._holders[tail] += 1  # or its own place could be the one that is taken
            try:
                block = self._take()
            finally:
                self._holders[tail] -= 1
            self.numbers.keys[block], self.numbers.values[block] = self.numbers.keys[tail], self.numbers.values[tail]
            self._holders[block] = 1
            lease.blocks.append(block)
            lease.tokens += rest[:same]

    def keep_tail(self, lease: Lease) -> None:
        """Keep a copy of what stands behind the last full block, where there is room for it."""
        place = len(lease.tokens) // BLOCK_TOKENS * BLOCK_TOKENS
        name, tail = name_tail(lease.chain), np.asarray(lease.tokens[place:], np.int32)
        if len(tail) == 0:
            return
        block = self._known.pop(name, None)
        if block is None:
            try:
                block = self._take()
            except CacheFull:
                return
        own = lease.blocks[place // BLOCK_TOKENS]
        self.numbers.keys[block], self.numbers.values[block] = self.numbers.keys[own], self.numbers.values[own]
        self._known[name], self._names[block], self._tails[name] = block, name, tail
        self._shelf.save(name, self.numbers.keys[block], self.numbers.values[block], tail)

    def make_room(self, lease: Lease, count: int) -> None:
        """Blocks for so many more tokens. Raises CacheFull, and then nothing has changed but that blocks are kept."""
        while len(lease.blocks) * BLOCK_TOKENS < len(lease.tokens) + count:
            block = self._take()
            self._holders[block] = 1
            lease.blocks.append(block)

    def add(self, lease: Lease, tokens: Sequence[int]) -> None:
        """Note that tokens have been read into their places; blocks that are now full become known to all."""
        for token in tokens:
            lease.tokens.append(token)
            if len(lease.tokens) % BLOCK_TOKENS == 0:
                self._publish(lease)

    def release(self, lease: Lease) -> None:
        """Give every block back. Full ones stay known until their memory is needed, a prompt's end before its start."""
        for block in reversed(lease.blocks):
            self._holders[block] -= 1
            if self._names[block]:
                self._known.move_to_end(self._names[block])
            elif self._holders[block] == 0:
                self._free.append(block)
        lease.blocks.clear()

    def _publish(self, lease: Lease) -> None:
        last = len(lease.tokens) // BLOCK_TOKENS - 1
        block, piece = lease.blocks[last], lease.tokens[last * BLOCK_TOKENS :]
        lease.chain = name_block(lease.chain, piece)
        if lease.chain not in self._known:
            self._known[lease.chain] = block
            self._names[block] = lease.chain
            self._shelf.save(lease.chain, self.numbers.keys[block], self.numbers.values[block])

    def _find(self, name: Name) -> int | None:
        """A known block, from memory or else from the shelf."""
        if name in self._known:
            self._known.move_to_end(name)
            return self._known[name]
        block, tokens = self._take(), None
        try:
            tokens = self._shelf.load(name, self.numbers.keys[block], self.numbers.values[block])
        finally:
            if tokens is None:
                self._free.append(block)
        if tokens is None:
            return None
        self._tails |= {name: tokens} if len(tokens) else {}
        self._known[name], self._names[block] = block, name
        return block

    def _take(self) -> int:
        """A block to write into: a free one, or the least recently used that nobody holds."""
        if self._free:
            return self._free.pop()
        for name, block in self._known.items():
            if self._holders[block] == 0:
                del self._known[name]
                self._tails.pop(name, None)
                self._names[block] = b""
                return block
        raise CacheFull
