"""The merge: one order, whatever the polling; nothing before what might come first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.engine.merge import GapError, Merge, Source
from stream.events.batch import CONTROL, Batch
from stream.events.columns import CustomerIds

Logs = dict[Source, list[int]]
SOURCES: list[Source] = [("a", 0), ("b", 0), ("c", 0)]
LATE = 1 << 40

logs = st.fixed_dictionaries({source: st.lists(st.integers(0, 12), max_size=8) for source in SOURCES})


def batch(source: Source, instants: list[int], lo: int, at_ms: int = 0, hi: int | None = None) -> Batch:
    """Records at these instants, from offset ``lo`` on."""
    n = len(instants)
    none = np.zeros(n, np.int64)
    return Batch(
        *source,
        lo,
        lo + n if hi is None else hi,
        np.arange(lo, lo + n),
        none,
        np.array(instants, np.int64),
        none,
        CustomerIds.none(n),
        [""] * n,
        [""] * n,
        np.zeros((n, 1)),
        np.zeros((n, 1), np.int64),
        np.zeros(n + 1, np.int64),
        np.zeros((0, 4), np.int64),
        none,
        none,
        at_ms,
    )


def in_order(records: Logs) -> list[tuple[Source, int]]:
    """The order that the design asks for: the greatest time so far, then topic, then offset."""
    keyed = [
        (max(instants[: offset + 1]), source, offset)
        for source, instants in records.items()
        for offset in range(len(instants))
    ]
    return [(source, offset) for _, source, offset in sorted(keyed)]


def take(merge: Merge, count: int = 100) -> list[tuple[Source, int]]:
    """The next records in the order in which they apply."""
    pieces = merge.take(count)
    found = [
        (int(p.keys[i]), (p.batch.topic, p.batch.partition), int(p.batch.offsets[i]))
        for p in pieces
        for i in range(p.start, p.stop)
    ]
    return [(source, offset) for _, source, offset in sorted(found, key=lambda entry: entry[0])]


def take_all(merge: Merge) -> list[tuple[Source, int]]:
    """Everything that can be taken."""
    found: list[tuple[Source, int]] = []
    while got := take(merge):
        found += got
    return found


@settings(max_examples=150, deadline=None)
@given(logs, st.data())
def test_any_batches_and_any_interleaving_give_one_order(records: Logs, data: st.DataObject) -> None:
    """Batches, their overlaps, proofs and takes in any order: the sequence is the design's."""
    merge = Merge(SOURCES)
    found: list[tuple[Source, int]] = []
    wall = 1
    while any(merge.inputs[s].expected < len(r) for s, r in records.items()):
        source = data.draw(st.sampled_from(SOURCES))
        one, instants = merge.inputs[source], records[source]
        what = data.draw(st.sampled_from(["offer", "offer", "prove", "take"]))
        wall += 1
        if what == "offer":
            lo = data.draw(st.integers(max(0, one.expected - 2), one.expected))
            hi = data.draw(st.integers(lo, len(instants)))
            one.offer(batch(source, instants[lo:hi], lo, wall))
        elif what == "prove":
            merge.prove(source, len(instants), wall)
        else:
            found += take(merge, data.draw(st.integers(1, 3)))
    for source in SOURCES:
        merge.prove(source, len(records[source]), LATE)
    assert found + take_all(merge) == in_order(records)
    assert [merge.inputs[s].applied for s in SOURCES] == [len(records[s]) for s in SOURCES]
    assert all(one.waiting == 0 for one in merge.inputs.values())


@settings(max_examples=200, deadline=None)
@given(logs)
def test_nothing_is_applied_before_what_might_come_first(records: Logs) -> None:
    """With one source silent and unproven, nothing is taken; once it speaks, only what cannot come after it."""
    merge = Merge(SOURCES)
    silent = SOURCES[1]
    for source in SOURCES:
        if source != silent:
            merge.inputs[source].offer(batch(source, records[source], 0, 5))
            merge.prove(source, len(records[source]), LATE)
    assert take_all(merge) == []
    merge.prove(silent, 0, 4)  # an answer older than what waits proves nothing
    assert take_all(merge) == []
    merge.inputs[silent].offer(batch(silent, [6], 0, 5))
    everything = {**records, silent: [6]}
    first = [(s, k) for s, k in in_order(everything) if (max(everything[s][: k + 1]), s) <= (6, silent)]
    assert take_all(merge) == first


def test_equal_keys_go_by_topic_then_offset() -> None:
    """Ties do not depend on which topic was polled first."""
    merge = Merge(SOURCES)
    for source in reversed(SOURCES):
        merge.inputs[source].offer(batch(source, [7, 7], 0))
    for source in SOURCES:
        merge.prove(source, 2, LATE)
    assert take_all(merge) == [(source, k) for source in SOURCES for k in range(2)]


def test_a_gap_is_an_error_that_names_what_to_read_again() -> None:
    """Records between two batches may not be lost in silence."""
    merge = Merge(SOURCES)
    merge.inputs["a", 0].offer(batch(("a", 0), [1, 2], 0))
    with pytest.raises(GapError) as error:
        merge.inputs["a", 0].offer(batch(("a", 0), [4], 3))
    assert (error.value.source, error.value.expected, error.value.got) == (("a", 0), 2, 3)


def test_positions_move_over_records_that_are_not_there() -> None:
    """Control records of transactions leave gaps in the offsets; an empty batch moves the position."""
    merge = Merge([("a", 0)])
    one = merge.inputs["a", 0]
    one.offer(batch(("a", 0), [], 0, hi=3))
    assert (one.expected, one.applied) == (3, 3)
    one.offer(batch(("a", 0), [5], 3, hi=9))
    assert take_all(merge) == [(("a", 0), 3)]
    assert one.applied == 9


def test_a_proof_ends_with_the_next_batch() -> None:
    """After new records the end is unknown again."""
    merge = Merge(SOURCES[:2])
    merge.inputs["a", 0].offer(batch(("a", 0), [9], 0, 1))
    merge.prove(("b", 0), 0, 2)
    merge.inputs["b", 0].offer(batch(("b", 0), [3], 0, 3))
    merge.prove(("b", 0), 0, 4)  # stale: more was offered since
    merge.prove(("a", 0), 1, 4)
    assert take_all(merge) == [(("b", 0), 0)]
    assert merge.blocked_by() == ("b", 0)


@pytest.mark.parametrize(
    ("prepare", "blocker"),
    [
        (lambda m: None, None),
        (lambda m: m.inputs["a", 0].offer(batch(("a", 0), [5], 0)), ("b", 0)),
        (lambda m: m.inputs["b", 0].offer(batch(("b", 0), [5], 0)), ("a", 0)),
    ],
)
def test_who_blocks_is_named(prepare: Callable[[Merge], None], blocker: Source | None) -> None:
    """Nobody where nothing waits, else the source that is furthest behind."""
    merge = Merge(SOURCES[:2])
    prepare(merge)
    assert merge.blocked_by() == blocker


def test_a_known_floor_releases_what_lies_below_it() -> None:
    """A file knows what is still to come; at equal keys the lower topic's unknown record would come first."""
    merge = Merge(SOURCES)
    merge.inputs["b", 0].offer(batch(("b", 0), [3, 5, 6], 0))
    merge.known_until(5)
    assert take_all(merge) == [(("b", 0), 0)]
    merge.known_until(6)
    assert take_all(merge) == [(("b", 0), 1)]


@settings(max_examples=100, deadline=None)
@given(logs, st.sets(st.integers(0, 7)), st.integers(1, 4))
def test_a_version_comes_alone(records: Logs, marked: set[int], count: int) -> None:
    """Nothing that was polled beside a version is taken with it, and the order stays."""
    merge = Merge(SOURCES)
    for source in SOURCES:
        made = batch(source, records[source], 0)
        if source == ("b", 0):
            versions = [i for i in marked if i < len(made)]
            made.codes = made.codes.copy()
            made.codes[versions] = CONTROL
            made.controls = dict.fromkeys(versions, "a version")
        merge.inputs[source].offer(made)
        merge.prove(source, len(records[source]), LATE)
    found: list[tuple[Source, int]] = []
    while got := take(merge, count):
        assert len(got) == 1 or not any(source == ("b", 0) and offset in marked for source, offset in got)
        found += got
    assert found == in_order(records)


def test_the_answer_that_brought_records_proves_ends_too() -> None:
    """What one answer says of two topics was looked at together, so its own records need no later one; an earlier
    answer, or one to another consumer, proves an end only where it was asked for after the records had come."""
    for answer, proves in [((1, 5), True), ((1, 6), True), ((1, 4), False), ((2, 9), False), ((0, 0), False)]:
        merge = Merge(SOURCES[:2])
        came = batch(("a", 0), [9], 0, 100)
        came.answer = (1, 5)
        merge.inputs["a", 0].offer(came)
        merge.prove(("b", 0), 0, 99, answer)
        assert bool(take_all(merge)) is proves, answer
    merge.prove(("b", 0), 0, 100, (2, 10))
    assert take_all(merge) == [(("a", 0), 0)]
