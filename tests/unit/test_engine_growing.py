"""Arrays grow where they are; where the system does not reserve so much, they are copied, and hold the same."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import pytest

from stream.engine import growing
from stream.engine.adopt import adopt_rows
from stream.engine.growing import Growing
from stream.engine.rows import MOST_GROWN, Rows
from stream.features.base import FOREVER
from stream.plan import header
from tests.shards import plan_of
from tests.shop import BUSY, LIFE

PLAN = plan_of(LIFE)


def test_rows_stay_where_they_are_as_others_come() -> None:
    """A former array shares its rows with the one that it grew into: nothing was copied."""
    room: Growing[np.int64] = Growing()
    first = room.grown(np.arange(6).reshape(3, 2), 4)
    second = room.grown(first, 1000)
    first[0, 0] = 7
    assert second[:3].tolist() == [[7, 1], [2, 3], [4, 5]]
    assert second.shape == (1000, 2)


def test_an_array_of_others_is_copied() -> None:
    """What was not given out last is copied, and is not written to by what grows."""
    room: Growing[np.int64] = Growing()
    room.grown(np.arange(3), 10)
    other = np.arange(5)
    grown = room.grown(other, 10)
    grown[0] = 9
    assert other.tolist() == [0, 1, 2, 3, 4]
    assert grown[:5].tolist() == [9, 1, 2, 3, 4]


def test_more_than_was_reserved_is_reserved_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """An array that outgrows its room keeps what it holds."""
    monkeypatch.setattr(growing, "RESERVED", 4096)
    room: Growing[np.int64] = Growing()
    array = room.grown(np.arange(10), 400)
    array[10:] = 5
    larger = room.grown(array, 100_000)
    assert larger[:400].tolist() == [*range(10), *[5] * 390]


@pytest.mark.parametrize("advice", [9_999, None])
def test_a_kernel_without_large_pages_gives_small_ones(monkeypatch: pytest.MonkeyPatch, advice: int | None) -> None:
    """It refuses the advice, or knows none, and nothing else."""
    monkeypatch.setattr(growing, "_HUGE", advice)
    monkeypatch.setattr(growing, "LARGE", 1)
    room: Growing[np.int64] = Growing()
    assert room.grown(np.arange(3), 10, 8).tolist() == [0, 1, 2, *[8] * 7]


@pytest.mark.parametrize("dear", [0.0, 1.0])
def test_large_pages_are_asked_for_as_long_as_they_come_quickly(monkeypatch: pytest.MonkeyPatch, dear: float) -> None:
    """The first piece is tried with them; where that took too long the next ones are in small ones, ever more of them
    before another is tried.  What is in the array is the same."""
    asked: list[tuple[int | None, int, int]] = []
    monkeypatch.setattr(Growing, "_advise", lambda _, pages, first, last: asked.append((pages, first, last)))
    monkeypatch.setattr(growing, "DEAR", dear)
    monkeypatch.setattr(growing, "LARGE", 1)
    monkeypatch.setattr(growing, "FIRST_PAUSE", 1)
    monkeypatch.setattr(growing, "LAST_PAUSE", 2)
    room: Growing[np.int64] = Growing()
    pieces, words = 9, growing.LARGE_PAGE // 8
    array = room.grown(np.zeros(0, np.int64), pieces * words, 7)
    assert (array == 7).all()
    large = range(pieces) if dear else [0, 2, 5, 8]
    assert asked == [(growing._HUGE if k in large else growing._SMALL, k, k + 1) for k in range(pieces)]


def test_without_address_space_arrays_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit on address space (ulimit -v) costs time, and nothing else."""

    def refuse(*_: Any, **__: Any) -> mmap.mmap:
        raise OSError("Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", refuse)
    room: Growing[np.int64] = Growing()
    array = np.arange(4)
    for rows in (8, 100, 101, 5000):
        before = array.copy()
        array = room.grown(array, rows)
        assert array[: len(before)].tolist() == before.tolist()
        array[len(before) :] = 1


def test_new_rows_are_empty_and_old_ones_stay() -> None:
    """However many come: later rows are blank, without a deadline and untouched, and those before are as they were."""
    rows = Rows(PLAN, capacity=1)
    rng, told = np.random.default_rng(1), 0
    while told < 3 * MOST_GROWN:
        more = int(rng.integers(1, MOST_GROWN))
        found = rows.find([b"c%d" % k for k in range(told, told + more)])
        table = rows.table
        fresh = table.ints[found]
        fresh[:, header.CUSTOMER] = rows.blank[header.CUSTOMER]
        assert (fresh == rows.blank).all()
        assert (table.expiry[found] == FOREVER).all()
        assert (table.deadline[found] == FOREVER).all()
        assert not table.marks[found].any()
        assert (table.ints[:told, header.SEEN] == np.arange(told)).all()
        table.ints[found, header.SEEN] = found
        table.deadline[found] = found
        rows.bounded()
        told += more
    assert rows.due(told // 2).tolist() == list(range(told // 2 + 1))
    assert np.shares_memory(rows.table.ints, rows.table.floats)


@pytest.mark.parametrize("other", [[{**LIFE, "otherwise": "nobody"}], [LIFE, BUSY]], ids=["same columns", "others"])
def test_rows_stay_where_they_are_after_other_definitions_too(other: list[dict[str, object]]) -> None:
    """What a switch has taken over, or made anew, grows on: the next customer has nothing copied."""
    rows = Rows(PLAN)
    rows.find([b"c%d" % k for k in range(3000)])
    moved = adopt_rows(rows, plan_of(*other))
    before = moved.table
    assert (len(other) == 1) == np.shares_memory(rows.table.ints, before.ints)
    moved.find([b"more%d" % k for k in range(50_000)])
    for name in ("ints", "expiry", "deadline", "coarse", "marks", "touched"):
        assert np.shares_memory(getattr(before, name), getattr(moved.table, name)), name
