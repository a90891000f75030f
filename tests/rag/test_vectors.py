"""Nearest vectors: all of them, in lists, and while they come and go."""

import numpy
import pytest

from ossian.rag.vectors import Floats, Vectors, unit

WIDTH = 16


def some(count: int, seed: int = 0) -> Floats:
    """Vectors around a few directions, as those of texts are."""
    chance = numpy.random.default_rng(seed)
    near = chance.normal(size=(20, WIDTH))[chance.integers(20, size=count)]
    return unit((near + 0.4 * chance.normal(size=(count, WIDTH))).astype(numpy.float32))


def held(vectors: Floats, *, in_lists: bool) -> Vectors:
    return Vectors(numpy.arange(len(vectors)), vectors.astype(numpy.float16), in_lists=in_lists)


def exact(vectors: Floats, question: Floats, count: int) -> list[int]:
    return numpy.argsort(-(vectors @ question), kind="stable")[:count].tolist()


@pytest.mark.parametrize("in_lists", [False, True])
def test_the_nearest_come_first_with_their_cosines(in_lists: bool) -> None:
    vectors = some(500)
    found = held(vectors, in_lists=in_lists).nearest(vectors[7], 5)
    assert next(iter(found)) == 7
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert numpy.allclose(list(found.values()), vectors[list(found)] @ vectors[7], atol=2e-3)


def test_all_are_looked_at_where_they_are_few() -> None:
    vectors = some(500).astype(numpy.float16).astype(numpy.float32)
    for question in some(20, seed=1):
        assert list(held(vectors, in_lists=False).nearest(question, 10)) == exact(vectors, question, 10)


def test_lists_find_nearly_all_of_the_nearest() -> None:
    vectors = some(20_000)
    index = held(vectors, in_lists=True)
    shares = [
        len({*index.nearest(question, 10)} & {*exact(vectors, question, 10)}) / 10 for question in some(50, seed=1)
    ]
    assert numpy.mean(shares) > 0.95


@pytest.mark.parametrize("in_lists", [False, True])
def test_what_came_is_found_and_what_went_is_not(in_lists: bool) -> None:
    vectors = some(600)
    index = held(vectors[:500], in_lists=in_lists)
    gone, replaced, new = set(range(0, 500, 3)), list(range(1, 500, 51)), list(range(500, 600))
    index.replace(gone, [*replaced, *new], numpy.concatenate([vectors[replaced][:, ::-1], vectors[new]]))
    now = vectors.copy()
    now[replaced] = vectors[replaced][:, ::-1]
    there = sorted(set(range(600)) - gone)
    assert len(index) == len(there)
    question = some(1, seed=2)[0]
    assert set(index.nearest(question, 1_000)) <= set(there)
    cosines = index.cosines(question, range(700))
    assert sorted(cosines) == there
    assert numpy.allclose([cosines[key] for key in there], now[there] @ question, atol=2e-3)
    keys, rows = index.rows()
    assert sorted(keys.tolist()) == there
    assert numpy.allclose(rows, now[keys], atol=2e-3)


def test_lists_are_wanted_where_vectors_are_many_and_again_when_many_have_changed() -> None:
    vectors = some(400)
    assert not held(vectors, in_lists=False).wants_lists(lists_from=401)
    assert held(vectors, in_lists=False).wants_lists(lists_from=400)
    index = held(vectors, in_lists=True)
    assert not index.wants_lists(lists_from=300)
    index.replace(range(50), [*range(400, 450)], some(50, seed=3))
    assert index.wants_lists(lists_from=300)


@pytest.mark.parametrize("in_lists", [False, True])
def test_unknown_keys_change_nothing(in_lists: bool) -> None:
    index = held(some(50), in_lists=in_lists)
    index.replace([1_000, -1], [], numpy.empty((0, WIDTH), numpy.float32))
    assert len(index) == 50
    assert index.cosines(some(1)[0], [1_000]) == {}


def test_a_vector_without_length_stays_as_it_is() -> None:
    assert unit(numpy.array([[3, 4], [0, 0]], numpy.float32)).tolist() == [
        [pytest.approx(0.6), pytest.approx(0.8)],
        [0, 0],
    ]
