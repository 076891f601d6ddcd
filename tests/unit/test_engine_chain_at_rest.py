"""The chain of versions at rest: whatever is to come, no record is large, and a restart goes on where it was."""

from __future__ import annotations

from random import Random

from stream.engine.chain_at_rest import ChainAtRest
from stream.engine.models import Versions
from stream.engine.versions import CutsVersion
from stream.features.base import NEVER
from tests.shards import plan_of

PLAN = plan_of(
    {
        "dimension": "worth",
        "features": {"spend": {"sum": "total", "of": "Order Completed"}},
        "segments": [{"segment": "top", "when": "spend in top 20%"}],
    }
)


def cuts(version: int) -> CutsVersion:
    """A version of the plan's one cut."""
    return CutsVersion(version, 10 * version, [(PLAN.measures[0], 0.8, float(version))], {})


def told(versions: Versions) -> list[tuple[int, int, int]]:
    """What is to come, in order."""
    return [(e.effective, e.ordinal, e.version.version) for e in versions.chain]


def test_a_shard_that_was_away_for_months_writes_small_records() -> None:
    """Found live: thousands of versions read ahead were one record, which no broker takes."""
    versions, rest = Versions(PLAN), ChainAtRest()
    for k in range(1, 4001):
        versions.add(cuts(k), NEVER)
    records = rest.write(versions)
    assert len(records) == 4001
    assert max(len(value) for _, value in records if value is not None) < 1000
    versions.promote()
    versions.promote()
    again = rest.write(versions)
    assert len(again) <= 5, "the head, the two that are over, and those that have a place now"
    assert sum(value is None for _, value in again) == 2


def test_a_restart_has_the_chain_as_it_was() -> None:
    """Written after any step, in part again and again, compacted: the same versions in the same order."""
    random = Random(3)
    versions, rest = Versions(PLAN), ChainAtRest()
    topic: dict[bytes, bytes] = {}
    number = 0
    for _ in range(200):
        if random.random() < 0.6:
            number += 1
            versions.add(cuts(number), NEVER)
        elif versions.chain:
            versions.promote()
        for key, value in rest.write(versions):
            topic.pop(key, None) if value is None else topic.__setitem__(key, value)
        restored, reader = Versions(PLAN), ChainAtRest()
        for key, value in topic.items():
            reader.read(key, value)
        reader.restore(restored)
        restored.planned(PLAN)
        assert told(restored) == told(versions)
        assert (restored.cuts, restored.newest) == (versions.cuts, versions.newest)
        assert restored.slots.version[0] == versions.slots.version[0]
        assert restored.slots.effective.tolist() == versions.slots.effective.tolist()
        assert len(reader.write(restored)) == 1, "only the head is written where nothing has changed"
