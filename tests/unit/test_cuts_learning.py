"""When the learner of cuts publishes, and what: once every shard has told something new, and only what differs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import msgspec
import numpy as np
import pytest

from stream.cuts.measuring import Pace
from stream.cuts.summary import ShardSummary, summarize_shard
from stream.engine.shard import Shard
from stream.learners.cuts import next_version
from stream.learners.gathering import USED, Gathered, key_of

MEASURES, CUTS = ["rfm: spend"], [(0, 0.5)]


def told(partition: int, at: int, *spends: float) -> ShardSummary:
    return summarize_shard(partition, at, MEASURES, CUTS, np.array(spends, np.float64).reshape(-1, 1))


def take(gathered: Gathered[ShardSummary], *summaries: ShardSummary) -> None:
    for summary in summaries:
        gathered.take(key_of(summary), summary.encode())


def test_a_version_is_due_when_every_shard_has_told_something_new() -> None:
    """The cuts of half of the customers would be wrong for all."""
    gathered = Gathered(2, ShardSummary.decode)
    take(gathered, told(0, 1_000, 1, 2), told(0, 2_000, 1, 2))
    assert not gathered.due()
    take(gathered, told(1, 1_500, 3, 4))
    version = next_version(gathered, None, lead_ms=100)
    assert version is not None
    assert (version.version, version.effective, version.cuts) == (1, 2_100, [("rfm: spend", 0.5, 2.0)])
    assert version.customers == {"rfm: spend": 4}
    assert not gathered.due()
    take(gathered, told(0, 3_000, 9))
    assert not gathered.due()
    take(gathered, told(1, 1_500, 9))
    assert not gathered.due(), "the very summary that was learned from before"
    take(gathered, told(1, 2_500, 9))
    assert gathered.due()


def test_cuts_that_have_not_changed_are_not_published_again() -> None:
    """A version moves nobody for nothing."""
    gathered = Gathered(1, ShardSummary.decode)
    take(gathered, told(0, 1, 5, 6, 7))
    first = next_version(gathered, None, lead_ms=0)
    take(gathered, told(0, 2, 5, 6, 70))
    assert gathered.due()
    assert next_version(gathered, first, lead_ms=0) is None
    assert not gathered.due()


def test_numbers_and_instants_rise() -> None:
    """Also where a worker whose clock is behind takes over."""
    gathered = Gathered(1, ShardSummary.decode)
    take(gathered, told(0, 1_000, 5))
    first = next_version(gathered, None, lead_ms=10)
    take(gathered, told(0, 1_000 - 7, 6))
    gathered.used = {}
    version = next_version(gathered, first, lead_ms=10)
    assert version is not None
    assert (version.version, version.effective) == (2, 1_011)


def test_while_definitions_change_from_shard_to_shard_nothing_is_published() -> None:
    gathered = Gathered(2, ShardSummary.decode)
    other = summarize_shard(1, 9, ["rfm: orders"], CUTS, np.ones((1, 1)))
    take(gathered, told(0, 9, 1), other)
    assert gathered.due()
    assert next_version(gathered, None, lead_ms=0) is None
    take(gathered, told(1, 10, 2))
    assert next_version(gathered, None, lead_ms=0) is not None


def test_a_learner_that_starts_anew_knows_what_was_used() -> None:
    """The note is written in the transaction of the version."""
    gathered = Gathered(1, ShardSummary.decode)
    take(gathered, told(0, 5, 1))
    gathered.take(USED, msgspec.json.encode({0: 5}))
    assert not gathered.due()


def test_summaries_of_partitions_that_are_not_there_any_more_do_not_count() -> None:
    gathered = Gathered(1, ShardSummary.decode)
    take(gathered, told(3, 5, 1))
    assert gathered.latest == {}


@pytest.mark.parametrize(("key", "value"), [(USED, b"[]"), (USED, None), (b"0", b"x"), (b"0", None)])
def test_broken_records_are_one_sentence(key: bytes, value: bytes | None) -> None:
    with pytest.raises(ValueError, match="broken"):
        Gathered(1, ShardSummary.decode).take(key, value)


class Clocked:
    """What is asked of a shard to know whether its summaries are due."""

    def __init__(self, known: bool) -> None:
        self.plan = SimpleNamespace(cuts=CUTS)
        self.versions = SimpleNamespace(newest={"cuts": (1, 5)} if known else {})
        self.clock_ms: int | None = None


def looks(pace: Pace, shard: Clocked, *clocks: int | None) -> list[bool]:
    """Whether summaries are due when the clock stands so, one look after the other."""
    found = []
    for shard.clock_ms in clocks:
        found.append(pace.due(cast(Shard, shard)))
    return found


def test_a_shard_tells_of_its_customers_when_its_clock_passes_a_multiple() -> None:
    """Once a multiple, however many it has passed at once; a clock that stands still tells nothing new."""
    assert looks(Pace(10), Clocked(known=True), None, 8, 9, 10, 10, 19, 45, 49, 50) == [
        *(False, False, False, True, False, False, True, False, True)
    ]


def test_a_shop_without_any_cuts_does_not_wait_for_the_first_multiple() -> None:
    assert looks(Pace(10), Clocked(known=False), None, 8, 9) == [False, True, False]


def test_a_multiple_that_passed_while_the_shard_was_closed_is_told_of() -> None:
    """Found: a worker that was restarted over midnight told nothing until the next one."""
    assert looks(Pace(10), Clocked(known=True), 8) == [False]
    assert looks(Pace(10), Clocked(known=True), 23) == [True]


def test_new_definitions_are_told_of_at_once() -> None:
    """They may ask for cuts that nobody has."""
    pace, shard = Pace(10), Clocked(known=True)
    assert looks(pace, shard, 8, 9) == [False, False]
    shard.plan = SimpleNamespace(cuts=CUTS)
    assert looks(pace, shard, 9, 9) == [True, False]


def test_without_cuts_there_is_nothing_to_tell() -> None:
    shard = Clocked(known=False)
    shard.plan = SimpleNamespace(cuts=())
    assert looks(Pace(10), shard, 8, 19) == [False, False]
