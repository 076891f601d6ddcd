"""Versions of definitions, cuts and clusters in one chain: what a customer sees depends on them and on nothing else."""

from __future__ import annotations

from random import Random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.engine.change import Change
from tests.scenes import control, everything, publish, reworded, scene, some_dimensions, some_versions
from tests.shards import CONTROL, Driver, Published, logs, plan_of, told, wire_time
from tests.shop import LIFE, UNTIL, WISH, history

MANY = settings(max_examples=40, deadline=None)


@MANY
@given(st.integers(0, 1 << 40), st.sampled_from([0.0, 0.3]), st.booleans())
def test_batches_polling_and_restarts_do_not_matter(seed: int, late: float, late_versions: bool) -> None:
    """Any batches, order of polling, slices, restarts and time to compile; also with late events and late versions."""
    one = scene(seed, late=late, late_versions=late_versions)
    plain = one.driver().finish()
    wandered = one.driver(delay=one.random.randrange(3), limit=one.random.choice([1, 2, 1000]))
    wandered.wander(one.random, restarts=0.15)
    changes, standing, sizes, *counted = everything(plain)
    assert told(wandered.changes) == changes
    assert everything(wandered)[1:3] == (standing, sizes)
    assert plain.counts == wandered.counts
    assert late_versions or counted == [0, counted[1]]


@pytest.mark.parametrize("seed", range(8))
def test_a_restart_after_every_step(seed: int) -> None:
    """All that a shard knows of versions is at rest: also in the middle of a move, and of definitions it waits for."""
    one = scene(seed, late=0.2, late_versions=seed % 2 == 1)
    plain = one.driver().finish()
    stepped = one.driver(delay=1)
    for _ in range(150):
        for source, records in stepped.log.items():
            stepped.offer(source, len(records))
        for source in stepped.log:
            stepped.prove(source)
        stepped.step(1)
        stepped.open()
    assert told(stepped.finish().changes) == told(plain.changes)
    assert everything(stepped)[1:3] == everything(plain)[1:3]


@pytest.mark.parametrize("seed", range(6))
def test_the_number_of_partitions_does_not_matter(seed: int) -> None:
    """Customers on one shard or on four, products and versions on all: the same changes."""
    random = Random(seed)
    events, versions, plan = (
        history(seed, customers=9, length=110),
        some_versions(random),
        plan_of(*some_dimensions(random)),
    )
    parts = []
    for shards in (1, 4):
        found: list[Change] = []
        for shard in range(shards):
            mine = [e for e in events if "userId" not in e or int(e["userId"][1:]) % shards == shard]
            log = logs(mine)
            log[CONTROL, 0] = control(*versions, UNTIL)
            found += Driver(plan, log, plans=Published()).finish().changes
        parts.append(told(found))
    assert parts[0] == parts[1]


@pytest.mark.parametrize("seed", range(8))
def test_versions_of_different_kinds_may_come_in_any_order(seed: int) -> None:
    """Within a kind they rise; across kinds only their instants count."""
    one = scene(seed)
    by_kind: dict[str, list[bytes]] = {}
    for record in one.log[CONTROL, 0][:-1]:
        by_kind.setdefault(orjson.loads(record.value or b"")["type"], []).append(record.value or b"")
    plain = one.driver().finish()
    mixed: list[bytes] = []
    while any(by_kind.values()):
        mixed.append(one.random.choice([kind for kind in by_kind.values() if kind]).pop(0))
    one.log[CONTROL, 0] = control(*mixed, UNTIL)
    assert told(one.driver().finish().changes) == told(plain.changes)


@pytest.mark.parametrize("seed", range(8))
def test_each_instant_is_judged_by_the_definitions_in_force(seed: int) -> None:
    """Before the effective instant by the old ones only, from it on by the new ones only."""
    random = Random(seed)
    events, old, new = history(seed), some_dimensions(random), some_dimensions(random)
    log = logs(events)
    log[CONTROL, 0] = control(publish(1, 100, *new), UNTIL)
    changes = Driver(plan_of(*old), log, plans=Published()).finish().changes
    for at, plan in ((range(100), plan_of(*old)), (range(100, UNTIL + 1), plan_of(*new))):
        versions = {d.version for d in plan.definitions.dimensions}
        assert {c.definition for c in changes if c.at_ms in at} <= versions
    before = Driver(plan_of(*old), logs([e for e in events if e["timestamp"] < wire_time(100)], 99)).finish()
    assert told([c for c in changes if c.at_ms < 100]) == told(before.changes)
    assert {c.cause for c in changes if c.definition not in {d.version for d in plan_of(*old).definitions.dimensions}
            and c.at_ms == 100} <= {"definition", "event"}  # fmt: skip


RULES = [
    {"segment": "late", "when": "ago >= 2 * gap"},
    {"segment": "rich", "when": "spend >= 25"},
    {"segment": "buys", "when": "orders >= 1"},
]
OTHER_RULES = [
    {"segment": "buys", "when": "orders >= 3 or spend >= 30"},
    {"segment": "late", "when": "ago >= gap"},
]


@pytest.mark.parametrize("seed", range(8))
def test_new_rules_over_the_same_features_equal_a_fresh_replay(seed: int) -> None:
    """From their instant on, customers are where they would be had the rules held from the beginning."""
    old, new = reworded(LIFE, segments=RULES), reworded(LIFE, segments=OTHER_RULES)
    log = logs(history(seed))
    fresh = Driver(plan_of(new, WISH), {**log, (CONTROL, 0): control(UNTIL)}).finish()
    log[CONTROL, 0] = control(publish(1, 100, new, WISH), UNTIL)
    driver = Driver(plan_of(old, WISH), log, plans=Published()).finish()

    def where(changes: list[Change], at: int) -> dict[tuple[str, str], str | None]:
        return {(c.subject, c.dimension): c.to_segment for c in changes if c.at_ms <= at}

    for at in range(100, UNTIL + 1, 5):
        assert where(driver.changes, at) == where(fresh.changes, at)
    later = [[(c.subject, c.dimension, c.to_segment, c.at_ms, c.cause) for c in d.changes if c.at_ms > 100]
             for d in (driver, fresh)]  # fmt: skip
    assert sorted(later[0], key=str) == sorted(later[1], key=str)
    assert driver.shard.sizes() == fresh.shard.sizes()
