"""The prefix cache: what is found again, what leaves, and what a restart or a damaged file does."""

import os
from pathlib import Path

import numpy as np
import pytest

from ossian.native.block_files import BlockFiles
from ossian.native.cache import BLOCK_TOKENS, CacheFull, Lease, PrefixCache
from ossian.native.weights import Shape
from ossian.store.cache_folder import CacheFolder

SHAPE = Shape(2, 64, 2, 1, 32, 2, 1, 64, 1000, 128, 4096, 1e-5, 1e4, 1.0, 4096)
BLOCK_BYTES = 2 * 2 * 32 * BLOCK_TOKENS * 2  # layers, keys and values, head, positions, bytes
MODEL = b"model"


def prompt(length: int, changed: int | None = None) -> list[int]:
    tokens = [i % 997 for i in range(length)]
    if changed is not None:
        tokens[changed] = 999
    return tokens


def read(cache: PrefixCache, tokens: list[int], mark: int = 1) -> Lease:
    """Read a whole prompt as an engine does, and write `mark` where its numbers would be."""
    lease = cache.start(tokens)
    cache.make_room(lease, len(tokens) - lease.known)
    for block in lease.blocks[lease.known // BLOCK_TOKENS :]:
        cache.numbers.keys[block], cache.numbers.values[block] = mark, mark + 1
    cache.add(lease, tokens[lease.known :])
    return lease


def test_a_known_beginning_is_found_by_whoever_sends_it() -> None:
    cache = PrefixCache(SHAPE, 16, MODEL)
    first = read(cache, prompt(300))
    assert (first.known, len(first.blocks)) == (0, 5)
    beside = read(cache, prompt(300))  # while the first still holds its blocks
    assert (beside.known, beside.blocks[:4]) == (256, first.blocks[:4])
    cache.release(first)
    cache.release(beside)
    assert read(cache, prompt(500)).known == 256


def test_a_change_costs_only_what_follows_it() -> None:
    cache = PrefixCache(SHAPE, 200, MODEL)
    cache.release(read(cache, prompt(6000)))
    known = cache.start(prompt(6000, changed=3000)).known
    assert 6000 - known <= 3064 and known <= 3000


def test_the_last_token_is_always_left_to_be_read() -> None:
    cache = PrefixCache(SHAPE, 16, MODEL)
    cache.release(read(cache, prompt(128)))
    assert cache.start(prompt(128)).known == 64
    assert cache.start(prompt(129)).known == 128


def test_another_model_shares_nothing() -> None:
    cache = PrefixCache(SHAPE, 16, MODEL)
    cache.release(read(cache, prompt(200)))
    cache._model = b"other"
    assert cache.start(prompt(200)).known == 0


def test_the_least_recently_used_leave_from_their_end_and_what_is_held_stays() -> None:
    cache = PrefixCache(SHAPE, 6, MODEL)
    held = read(cache, [1] * 70)
    for first in (2, 3):
        cache.release(read(cache, [first] * 129))
    assert (cache.start([3] * 129).known, cache.start([2] * 129).known) == (128, 64)
    assert np.all(cache.numbers.keys[held.blocks[0]] == 1)
    with pytest.raises(CacheFull):
        read(cache, prompt(400))


def test_blocks_come_back_after_a_restart(tmp_path: Path) -> None:
    files = BlockFiles(CacheFolder(tmp_path, 1 << 20), "kv")
    cache = PrefixCache(SHAPE, 16, MODEL, files)
    cache.release(read(cache, prompt(300), mark=7))
    files.close()
    again = PrefixCache(SHAPE, 16, MODEL, BlockFiles(CacheFolder(tmp_path, 1 << 20), "kv"))
    lease = again.start(prompt(300))
    assert lease.known == 256
    assert np.all(again.numbers.keys[lease.blocks] == 7) and np.all(again.numbers.values[lease.blocks] == 8)
    assert (tmp_path / "kv").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "longer", "foreign"])
def test_a_damaged_block_is_dropped_and_never_used(tmp_path: Path, damage: str) -> None:
    files = BlockFiles(CacheFolder(tmp_path, 1 << 20), "kv")
    cache = PrefixCache(SHAPE, 16, MODEL, files)
    cache.release(read(cache, prompt(100)))
    files.close()
    (path,) = tmp_path.glob("kv/*.kv")
    data = path.read_bytes()
    path.write_bytes(
        {
            "flipped": data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
            "cut": data[:-1],
            "empty": b"",
            "longer": data + b"x",
            "foreign": b"X" + data[1:],
        }[damage]
    )
    assert PrefixCache(SHAPE, 16, MODEL, BlockFiles(CacheFolder(tmp_path, 1 << 20), "kv")).start(prompt(100)).known == 0
    assert not path.exists()


def test_the_folder_keeps_to_its_bound(tmp_path: Path) -> None:
    files = BlockFiles(CacheFolder(tmp_path, 10 * BLOCK_BYTES), "kv")
    keys = np.zeros(BLOCK_BYTES // 4, np.uint16)
    for name in range(25):
        files.save(name.to_bytes(16, "big"), keys, keys)
    files.close()
    left = sorted(tmp_path.glob("kv/*.kv"))
    assert sum(path.stat().st_size for path in left) <= 10 * BLOCK_BYTES
    assert left[-1].stem == (24).to_bytes(16, "big").hex()


def test_models_share_one_bound_and_the_least_recently_used_leave_over_all(tmp_path: Path) -> None:
    bound = 11 * BLOCK_BYTES
    cache, keys = CacheFolder(tmp_path, bound), np.zeros(BLOCK_BYTES // 4, np.uint16)
    for model in ("old", "new"):
        files = BlockFiles(cache if model == "old" else CacheFolder(tmp_path, bound), model)
        for name in range(8):
            files.save(name.to_bytes(16, "big"), keys, keys)
        files.close()
        for path in tmp_path.glob("old/*.kv"):
            os.utime(path, (1, int(path.stem, 16)))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.kv")) <= bound
    assert len(list(tmp_path.glob("new/*.kv"))) == 8
    assert [int(path.stem, 16) for path in sorted(tmp_path.glob("old/*.kv"))] == [6, 7]


def test_what_is_larger_than_the_bound_is_not_kept_and_nothing_leaves_for_it(tmp_path: Path) -> None:
    cache, keys = CacheFolder(tmp_path, 3 * BLOCK_BYTES), np.zeros(BLOCK_BYTES, np.uint16)
    files = BlockFiles(cache, "kv")
    files.save(b"1" * 16, keys[: BLOCK_BYTES // 4], keys[: BLOCK_BYTES // 4])
    files.save(b"2" * 16, keys, keys)
    files.close()
    assert [path.stem for path in tmp_path.rglob("*.kv")] == [(b"1" * 16).hex()]


def test_foreign_files_in_the_folder_are_never_touched(tmp_path: Path) -> None:
    foreign = tmp_path / "kv" / "notes.txt"
    foreign.parent.mkdir()
    foreign.write_bytes(bytes(20 * BLOCK_BYTES))
    files = BlockFiles(CacheFolder(tmp_path, 10 * BLOCK_BYTES), "kv")
    keys = np.zeros(BLOCK_BYTES // 4, np.uint16)
    for name in range(25):
        files.save(name.to_bytes(16, "big"), keys, keys)
    files.close()
    assert foreign.exists() and list(tmp_path.rglob("*.kv"))


def test_a_write_that_was_cut_off_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "kv").mkdir()
    (tmp_path / "kv" / "half.part").write_bytes(b"x")
    BlockFiles(CacheFolder(tmp_path, 1 << 20), "kv")
    assert not list((tmp_path / "kv").iterdir())


@pytest.mark.skipif(os.name != "posix" or not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_costs_no_answer(tmp_path: Path) -> None:
    files = BlockFiles(CacheFolder(tmp_path, 1 << 20), "kv")
    name = (1).to_bytes(16, "big")
    (tmp_path / "kv" / f"{name.hex()}.part").symlink_to("/dev/full")
    cache = np.zeros(64, np.uint16)
    files.save(name, cache, cache)
    files.close()
    assert not list(tmp_path.glob("kv/*.kv"))


def test_what_stands_behind_the_last_full_block_is_found_as_far_as_it_agrees() -> None:
    cache = PrefixCache(SHAPE, 16, MODEL)
    first = read(cache, prompt(100), mark=5)
    cache.keep_tail(first)
    same, longer, changed = cache.start(prompt(100)), cache.start(prompt(300)), cache.start(prompt(100, changed=80))
    assert (same.known, longer.known, changed.known) == (99, 100, 80)
    assert len({lease.blocks[1] for lease in (first, same, longer, changed)}) == 4
    assert np.all(cache.numbers.keys[same.blocks[1]] == 5) and np.all(cache.numbers.values[same.blocks[1]] == 6)


def test_a_later_tail_takes_the_place_of_the_one_before() -> None:
    cache = PrefixCache(SHAPE, 16, MODEL)
    for length in (100, 90):
        lease = read(cache, prompt(length))
        cache.keep_tail(lease)
        cache.release(lease)
    assert cache.start(prompt(100)).known == 90


def test_a_tail_leaves_like_any_block_and_never_pushes_out_what_is_held() -> None:
    cache = PrefixCache(SHAPE, 2, MODEL)
    lease = read(cache, prompt(100))
    cache.keep_tail(lease)  # there is no room for it
    cache.release(lease)
    cache.keep_tail(read(cache, prompt(60)))
    assert cache.start([7] * 30).known == 0
    with pytest.raises(CacheFull):
        read(cache, [7] * 130)


@pytest.mark.parametrize("damage", [b"", b"x"])
def test_a_tail_comes_back_after_a_restart_unless_it_is_damaged(tmp_path: Path, damage: bytes) -> None:
    files = BlockFiles(CacheFolder(tmp_path, 1 << 20), "kv")
    cache = PrefixCache(SHAPE, 16, MODEL, files)
    for length in (100, 90):
        lease = read(cache, prompt(length), mark=length)
        cache.keep_tail(lease)
        cache.release(lease)
    files.close()
    for path in tmp_path.glob("kv/*.kv"):
        path.write_bytes(path.read_bytes() + damage)
    again = PrefixCache(SHAPE, 16, MODEL, BlockFiles(CacheFolder(tmp_path, 1 << 20), "kv"))
    lease = again.start(prompt(100))
    assert lease.known == (0 if damage else 90)
    assert damage or np.all(again.numbers.keys[lease.blocks[1]] == 90)
