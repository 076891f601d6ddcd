"""Other definitions and other models: who is moved by them, when, and why."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson
import pytest

from stream.plan.plan import Plan
from tests.shards import CONTROL, Driver, Record, event, logs, plan_of, told, wire_time
from tests.shop import BUSY, CLUSTER, LIFE, UNTIL, WISH, history, model, with_versions


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Three dimensions with every kind of memory."""
    return plan_of(LIFE, BUSY, WISH)


@pytest.fixture(scope="module")
def learning() -> Plan:
    """A learned dimension, and one that reads other events than the learned one does."""
    return plan_of(CLUSTER, WISH)


def reworded(**changes: Any) -> dict[str, Any]:
    """The life dimension with other parts."""
    return {**LIFE, **changes}


def test_rows_of_another_layout_are_mapped_by_name(plan: Plan) -> None:
    """Other dimensions beside, segments in another order and number: everyone stays where they were."""
    log = logs(history(7), 200)
    driver = Driver(plan, log).finish()
    before = {c.subject: driver.shard.describe(c.subject) for c in driver.changes}
    spare = {"segment": "spare", "when": "orders < 0"}
    more = {"dimension": "aaa", "features": {"n": {"count": "Product Viewed"}}, "segments": [spare | {"when": "n < 0"}]}
    driver.open(plan_of(more, reworded(segments=[spare, *LIFE["segments"]]), BUSY, WISH))
    driver.drain()
    for customer, was in before.items():
        now = driver.shard.describe(customer)
        assert was is not None
        assert now is not None
        assert now["segments"] == was["segments"] | {"aaa": None}
        assert {k: v for k, v in now["features"].items() if k in was["features"]} == was["features"]


@pytest.mark.parametrize("limit", [1, 3, 1000])
@pytest.mark.parametrize("restart", [False, True])
def test_new_definitions_move_customers_for_that_reason(plan: Plan, limit: int, restart: bool) -> None:
    """Found: beyond the first slice a deadline moved customers, in their past, and also whoever a restart left over."""
    events = [event(f"c{k}", "Order Completed", 10 + k, total=5) for k in range(8)]
    driver = Driver(plan, logs(events, 20), limit=limit).finish()
    driver.changes.clear()
    segments = [{"segment": "any", "when": "orders >= 1"}, {"segment": "buys", "when": "orders >= 9"}]
    other = plan_of(reworded(segments=segments), WISH)
    driver.open(other)
    source = ("clickstream", 0)
    driver.log[source].append(Record(len(driver.log[source]), orjson.dumps(event("c7", "Product Viewed", 30))))
    driver.offer(source, 1)
    driver.prove((CONTROL, 0))
    driver.step()
    if restart:
        driver.open()
    driver.finish()
    life = [c for c in driver.changes if c.dimension == "life"]
    assert sorted(c.subject for c in life) == [f"c{k}" for k in range(8)]
    assert {(c.from_segment, c.to_segment, c.cause, c.at_ms) for c in life} == {("buys", "any", "definition", 20)}


def test_the_later_of_two_rows_of_different_layouts_wins(plan: Plan) -> None:
    """Found: in one piece of the changelog, a row of an older layout overwrote the newer one that followed it."""
    driver = Driver(plan, logs([event("ann", "Order Completed", 1, total=5)], 2)).finish()
    driver.open(plan_of(LIFE, BUSY))
    driver.log["purchases", 0].append(Record(1, orjson.dumps(event("ann", "Order Completed", 3, total=50))))
    driver.finish()
    was = driver.shard.describe("ann")
    driver.open()
    assert driver.shard.describe("ann") == was


@pytest.mark.parametrize("seed", range(12))
def test_versions_take_effect_at_their_instant_whatever_the_batches(learning: Plan, seed: int) -> None:
    """Found: versions polled together with events counted as late, and moved customers at another instant."""
    versions = [model(1, 30, [[0, 0], [2, 0]]), model(2, 90, [[9, 0], [2, 0]]), model(3, 100, [[1, 3], [2, 0]])]
    log = with_versions(logs(history(seed), UNTIL), *versions)
    plain = Driver(learning, log).finish()
    assert (plain.shard.versions.late, plain.shard.versions.skipped) == (0, 0)
    assert 30 in {c.at_ms for c in plain.changes if c.cause == "model"}
    driver = Driver(learning, log)
    driver.offer((CONTROL, 0), 3)
    wandered = driver.wander(Random(seed), restarts=0.15)
    assert told(wandered.changes) == told(plain.changes)


def test_a_late_version_takes_effect_at_once_and_is_counted(learning: Plan) -> None:
    """design: What else moves a shard."""
    log = logs([event("ann", "Order Completed", 50, total=5)])
    driver = Driver(learning, log).finish()
    log[CONTROL, 0] += [Record(0, model(1, 20, [[0, 0], [2, 0]]))]
    driver.finish()
    log["purchases", 0].append(Record(1, orjson.dumps(event("ann", "Order Completed", 60, total=5))))
    driver.finish()
    assert driver.shard.versions.late == 1
    assert [c.at_ms for c in driver.changes if c.cause == "model"] == [51]


def test_models_of_other_features_do_not_stop_a_shard(learning: Plan) -> None:
    """Found: a stored model with another number of features raised when the shard was opened."""
    log = with_versions(logs([event("ann", "Order Completed", 50, total=5)], 100), model(1, 20, [[0, 0], [2, 0]]))
    driver = Driver(learning, log).finish()
    longer = {**CLUSTER, "learn": {**CLUSTER["learn"], "vector": {**CLUSTER["learn"]["vector"], "more": "orders * 2"}}}
    driver.open(plan_of(longer, WISH))
    driver.drain()
    assert driver.shard.versions.slots.clusters[0] == 0
    driver.open(plan_of(WISH))
    driver.drain()


def test_a_restart_does_not_move_the_next_look_at_a_cluster(learning: Plan) -> None:
    """Found: an event that the learned dimension does not read moved its next look only after a restart."""
    events = [event("ann", "Order Completed", 5, total=5), event("ann", "Product Viewed", 12, product_id="p")]
    log = with_versions(logs(events), model(1, 1, [[1, 0], [1, 3]]))
    plain, restarted = Driver(learning, log).finish(), Driver(learning, log).finish()
    restarted.open()
    for driver in (plain, restarted):
        clock = {"type": "clock", "timestamp": wire_time(100)}
        driver.log = {**log, (CONTROL, 0): [*log[CONTROL, 0], Record(1, orjson.dumps(clock))]}
        driver.finish()
    assert told(restarted.changes) == told(plain.changes)
    assert [c.at_ms for c in plain.changes if c.dimension == "cluster"] == [5, 32]
