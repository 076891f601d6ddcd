"""New definitions while a shard runs: who moves, what is written, what begins empty, and what is waited for."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from stream.engine import rest
from stream.engine.versions import CutsVersion, DefinitionsVersion
from stream.errors import UserError
from stream.plan.plan import Plan
from tests.scenes import VALUE, Dimension, control, publish, reworded
from tests.shards import CONTROL, Driver, Published, Record, event, logs, plan_of, wire_time


def ordered(count: int, total: int = 5) -> list[dict[str, Any]]:
    """An order of each of so many customers, at 10 ms; every tenth is large."""
    return [event(f"c{k}", "Order Completed", 10, total=total * (6 if k % 10 == 0 else 1)) for k in range(count)]


SPENDERS: Dimension = {
    "dimension": "spenders",
    "features": {"spend": {"sum": "total", "of": "Order Completed"}},
    "segments": [{"segment": "big", "when": "spend >= 50"}],
    "otherwise": "small",
}
LOWER = reworded(SPENDERS, segments=[{"segment": "big", "when": "spend >= 25"}])


@pytest.mark.parametrize("limit", [7, 1000])
def test_only_who_changes_is_written_and_in_slices(limit: int) -> None:
    """A hundred customers of whom ten move: ten rows, at most ``limit`` customers looked at in a step."""
    log = logs(ordered(100))
    log[CONTROL, 0] = control(20)
    driver = Driver(plan_of(SPENDERS), log, plans=Published()).finish()
    driver.limit = limit
    before = len(driver.outputs)
    log[CONTROL, 0] += [Record(k + 1, r.value) for k, r in enumerate(control(publish(1, 30, LOWER), 40))]
    driver.finish()
    steps = driver.outputs[before:]
    moved = [c for out in steps for c in out.changes]
    assert {(c.from_segment, c.to_segment, c.at_ms, c.cause) for c in moved} == {("small", "big", 30, "definition")}
    assert sorted(c.subject for c in moved) == sorted(f"c{k}" for k in range(0, 100, 10))
    assert [key[1:] for out in steps for key, _ in out.rows if key[:1] == rest.ROW] == [c.customer for c in moved]
    assert len(steps) >= 100 // limit
    written = len(driver.changelog)
    driver.open()
    driver.drain()
    assert [key for key, _ in driver.changelog[written:] if key[:1] == rest.ROW] == []


def test_the_next_change_names_a_segment_that_is_no_more() -> None:
    """Also after a restart in the middle of the moves, and in the sizes until then."""
    gone = reworded(SPENDERS, segments=[{"segment": "huge", "when": "spend >= 500"}], otherwise="any")
    log = logs(ordered(20), 20)
    driver = Driver(plan_of(SPENDERS), log, plans=Published(), limit=6).finish()
    log[CONTROL, 0] += [Record(1, publish(1, 30, gone)), Record(2, control(40)[0].value)]
    driver.offer((CONTROL, 0), 2)
    for source in log:
        driver.prove(source)
    sizes = []
    for _ in range(8):
        driver.step()
        sizes.append(driver.shard.sizes()["spenders"])
        driver.open()
        driver.offer((CONTROL, 0), 2)
        for source in log:
            driver.prove(source)
    driver.drain()
    assert any(0 < found.get("small", 0) < 20 and found["any"] for found in sizes)
    found = [(c.from_segment, c.to_segment) for c in driver.changes if c.at_ms == 30]
    assert sorted(found) == [("small", "any")] * 20


def test_new_features_begin_empty_and_say_so() -> None:
    """``warming`` names them from their instant on: until their window is full, or for good where they have none."""
    more = reworded(
        SPENDERS,
        features=SPENDERS["features"]
        | {"near": {"count": "Order Completed", "within": "30ms"}, "orders": {"count": "Order Completed"}},
        segments=[{"segment": "many", "when": "orders >= 1 and near >= 1"}],
    )
    log = logs([*ordered(1), event("c0", "Order Completed", 60, total=1)])
    log[CONTROL, 0] = control(publish(1, 50, more), 70)
    driver = Driver(plan_of(SPENDERS), log, plans=Published()).finish()
    for _ in range(2):  # also after a restart
        known = driver.shard.describe("c0")
        assert known is not None
        assert known["warming"] == {"near": {"since": wire_time(50)}, "orders": {"since": wire_time(50)}}
        assert (known["features"]["orders"], known["features"]["spend"]) == (1, 31)
        driver.open()
    log[CONTROL, 0].append(Record(2, control(80)[0].value))
    known = driver.finish().shard.describe("c0")
    assert known is not None
    assert known["warming"] == {"orders": {"since": wire_time(50)}}


def test_a_feature_that_was_dropped_comes_back_empty_also_from_rest() -> None:
    """Who did nothing meanwhile has the old layout at rest, with what it knew: that must not come back for them."""
    counts = reworded(
        SPENDERS, features={"n": {"count": "Order Completed"}}, segments=[{"segment": "one", "when": "n == 1"}]
    )
    log = logs([*ordered(3), event("c1", "Order Completed", 35, total=1)])
    log[CONTROL, 0] = control(publish(1, 20, counts), publish(2, 40, SPENDERS), 60)
    driver = Driver(plan_of(SPENDERS), log, plans=Published()).finish()
    values = []
    for _ in range(2):
        values.append([(driver.shard.describe(f"c{k}") or {})["features"]["spend"] for k in range(3)])
        driver.open()
    assert values == [[0, 0, 0]] * 2


def test_a_shard_waits_for_a_plan_and_says_so() -> None:
    """Nothing from the instant on is applied before the definitions are compiled; what comes before it is."""
    log = logs(
        [*ordered(2), event("c0", "Order Completed", 40, total=60), event("c1", "Order Completed", 20, total=60)]
    )
    log["purchases", 0].sort(key=lambda record: orjson.loads(record.value or b"")["timestamp"])
    log["purchases", 0] = [Record(k, record.value) for k, record in enumerate(log["purchases", 0])]
    log[CONTROL, 0] = control(publish(1, 30, LOWER), 50)
    driver = Driver(plan_of(SPENDERS), log, plans=Published(delay=10**9))
    for source, records in log.items():
        driver.offer(source, len(records))
        driver.prove(source)
    while driver.step():
        pass
    assert driver.shard.blocked_by() == ("compiling", 1)
    assert not driver.shard.more_due()
    assert [c.at_ms for c in driver.changes if c.at_ms > 10] == [20]
    assert driver.shard.waiting(("purchases", 0)) == 1
    driver.plans = driver.shard.plans = Published()
    driver.drain()
    assert driver.shard.blocked_by() is None
    assert [(c.at_ms, c.definition) for c in driver.changes if c.at_ms > 20] == [
        (30, plan_of(LOWER).definitions.dimensions[0].version)
    ]


def test_definitions_without_a_plan_are_left_out_and_counted() -> None:
    """A broken version never replaces a good one; the next good one does."""
    broken = DefinitionsVersion(1, 30, {"a.yaml": "dimension: a\nsegments: 7\n"}).to_json()
    log = logs(ordered(10))
    log[CONTROL, 0] = control(broken, publish(2, 40, LOWER), 60)
    driver = Driver(plan_of(SPENDERS), log, plans=Published()).finish()
    assert driver.shard.versions.skipped == 1
    assert [(c.subject, c.at_ms) for c in driver.changes if c.cause == "definition"] == [("c0", 40)]
    assert (driver.shard.memory.own.published, driver.shard.versions.definitions) == (2, DefinitionsVersion.from_json(
        publish(2, 40, LOWER)))  # fmt: skip


def test_a_shard_that_waited_for_a_plan_that_cannot_be_compiled_goes_on() -> None:
    """Only compiling shows it: the shard is no longer held up, and takes the next good version."""

    class Uncompilable(Published):
        """The first version is waited for a while, and then found to have no plan."""

        def plan_of(self, version: DefinitionsVersion) -> Plan | None:
            plan = super().plan_of(version)
            if version.version == 1 and plan is not None:
                raise UserError("cannot be compiled")
            return plan

    log = logs(ordered(10))
    log[CONTROL, 0] = control(publish(1, 30, reworded(LOWER, otherwise="none")), 35)
    driver = Driver(plan_of(SPENDERS), log, plans=Uncompilable(delay=2)).finish()
    assert (driver.shard.versions.skipped, driver.shard.compiling, driver.shard.blocked_by()) == (1, None, None)
    log[CONTROL, 0] += [Record(k + 2, record.value) for k, record in enumerate(control(publish(2, 40, LOWER), 60))]
    driver.finish()
    assert [(c.subject, c.at_ms) for c in driver.changes if c.cause == "definition"] == [("c0", 40)]


def test_cuts_move_only_who_compares_with_them() -> None:
    """Unknown cuts compare false; a version moves its dimension at its instant, and one that says the same nobody."""
    plan = plan_of(VALUE, SPENDERS)
    spend = next(m for m in plan.measures if "spend" in m)
    log = logs(ordered(10))
    versions = [CutsVersion(k + 1, 20 + 10 * k, [(spend, 0.8, v)]) for k, v in enumerate((20e6, 20e6, 40e6))]
    log[CONTROL, 0] = control(*(v.to_json() for v in versions), 60)
    changes = Driver(plan, log, plans=Published()).finish().changes
    moved = [(c.subject, c.dimension, c.to_segment, c.at_ms, c.cause) for c in changes if c.at_ms > 10]
    assert moved == [("c0", "value", "top", 20, "model"), ("c0", "value", "rest", 40, "model")]


def test_files_that_changed_while_the_shard_was_closed_are_not_known_to_have_been_published() -> None:
    """They hold from where the shard stopped on; published ones win over files at the next opening."""
    driver = Driver(plan_of(SPENDERS), logs(ordered(10), 20), plans=Published()).finish()
    driver.open(plan_of(LOWER))
    driver.drain()
    assert [(c.subject, c.at_ms) for c in driver.changes if c.cause == "definition"] == [("c0", 20)]
    driver.log[CONTROL, 0] += [Record(1, publish(1, 30, SPENDERS)), Record(2, control(40)[0].value)]
    driver.finish()
    for _ in range(2):
        assert (
            driver.shard.plan.definitions.dimensions[0].version == plan_of(SPENDERS).definitions.dimensions[0].version
        )
        assert [(c.subject, c.at_ms) for c in driver.changes if c.cause == "definition"] == [("c0", 20), ("c0", 30)]
        driver.open()
        driver.drain()


def test_who_moved_right_before_the_definitions_is_written_in_their_own_words() -> None:
    """One step fires a deadline and adopts a plan that has no such segment; a restart follows before they moved."""
    features = {"ago": {"since": "Order Completed"}}
    old = {"dimension": "d", "features": features, "segments": [{"segment": "late", "when": "ago >= 15ms"}]}
    new = old | {"segments": [{"segment": "lost", "when": "ago >= 1h"}], "otherwise": "here"}
    log = logs(ordered(3))
    log[CONTROL, 0] = control(publish(1, 30, new), 40)
    driver = Driver(plan_of(old), log, plans=Published(), limit=3)
    while len(driver.changes) < 6:
        for source, records in log.items():
            driver.offer(source, len(records))
            driver.prove(source)
        driver.step()
        driver.open()
    found = [(c.from_segment, c.to_segment, c.at_ms, c.cause) for c in driver.changes]
    assert found == [(None, "late", 25, "deadline")] * 3 + [("late", "here", 30, "definition")] * 3
