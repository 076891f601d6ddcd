"""Where room, slices and restarts meet: nothing is lost, left over, or worked out from a time that was not."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from stream.engine import rest, shard
from tests.shards import CONTROL, Driver, Record, event, logs, plan_of, told, wire_time
from tests.shop import LIFE

BOLD: dict[str, Any] = {
    "dimension": "bold",
    "features": {"near": {"count": "Product Viewed", "within": "1m"}},
    "segments": [{"segment": "many", "when": "near >= 6"}],
    "otherwise": "few",
}


def bag(dimension: str, limit: int) -> dict[str, Any]:
    """A dimension with a bag of its own."""
    return {
        "dimension": dimension,
        "features": {"held": {"bag": "products", "add": "Product Added", "limit": limit}},
        "segments": [{"segment": "some", "when": "held >= 1"}],
    }


def test_one_event_may_feed_many_bags() -> None:
    """The pool makes room for an entry in each of them."""
    events = [event(f"c{k}", "Product Added", 1, product_id=f"p{k}") for k in range(1500)]
    driver = Driver(plan_of(*(bag(f"d{n}", n + 5) for n in range(4))), logs(events), limit=10_000).finish()
    assert len(driver.changes) == 4 * 1500
    rows = driver.shard.rows
    assert rows.bags.entries.shape[0] >= rows.bags.meta[1]


def test_slices_that_change_nothing_do_not_end_the_draining() -> None:
    """More due rows than one step takes, the first of which change nothing."""
    quiet = {**LIFE, "segments": [{"segment": "late", "when": "ago >= 30ms and spend >= 5"}], "otherwise": "no"}
    events = [event(f"c{k}", "Order Completed", 1, total=0 if k < 60 else 10) for k in range(100)]
    for limit in (1000, 50, 7):
        driver = Driver(plan_of(quiet), logs(events, until=100), limit=limit).finish()
        assert sum(c.to_segment == "late" for c in driver.changes) == 40


def test_a_threshold_that_moves_keeps_what_was_counted() -> None:
    """The window's instants are carried over to the new layout, as far as it needs them."""
    views = [event("ann", "Product Viewed", t) for t in range(7)]
    for k in (5, 7):  # seven were kept, one more than the six that were asked for
        driver = Driver(plan_of(BOLD), logs(views)).finish()
        before = len(driver.changes)
        driver.open(plan_of({**BOLD, "segments": [{"segment": "many", "when": f"near >= {k}"}]}))
        driver.drain()
        assert driver.changes[before:] == []


def test_a_layout_is_described_before_its_rows() -> None:
    """Reading back may end anywhere, and rows must be readable by then."""
    driver = Driver(plan_of(BOLD), logs([event("ann", "Product Viewed", 1)])).finish()
    letters = [key[:1] for key, _ in driver.changelog]
    assert letters.index(rest.LAYOUT) < letters.index(rest.ROW)


def test_a_restart_does_not_judge_by_a_rule_before_it_was() -> None:
    """New definitions that move nobody leave no change for the next restart to find in the past."""
    rule = {**LIFE, "segments": [{"segment": "late", "when": "ago >= 30ms"}], "otherwise": "no"}
    longer = {**rule, "segments": [{"segment": "late", "when": "ago >= 32ms"}]}
    driver = Driver(plan_of(rule), logs([event("ann", "Order Completed", 0, total=1)], until=35)).finish()
    assert [c.to_segment for c in driver.changes] == ["no", "late"]
    for _ in range(2):
        driver.open(plan_of(longer))
        driver.finish()
    assert [c.to_segment for c in driver.changes] == ["no", "late"]


def test_ids_that_are_too_long_are_rejected() -> None:
    """An id is written several times over: one of a megabyte would stop the shard that it came to."""
    long = [
        event("x" * 2000, "Order Completed", 1, total=1),
        event("ann", "Order Completed", 1, total=1, id="m" * 2000),
    ]
    counts = Driver(plan_of(LIFE), logs(long)).finish().counts
    assert counts.rejected == {"too-long": 2}
    assert counts.balanced()


def test_clock_records_do_not_make_versions_late() -> None:
    """They say how late it is, not what has happened."""
    log = logs([event("ann", "Order Completed", 1, total=1)])
    log[CONTROL, 0].append(Record(0, orjson.dumps({"type": "clock", "timestamp": wire_time(50)})))
    driver = Driver(plan_of(LIFE), log).finish()
    assert driver.shard.position == 50
    assert driver.shard._events_position(CONTROL) == 1


def test_a_segment_that_comes_and_goes_by_itself_ends_no_step_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found: `for` and `from` that swap a customer every second made one transaction of all nights together."""
    swap = {
        "dimension": "swap",
        "features": {"orders": {"count": "Order Completed"}},
        "segments": [
            {"segment": "a", "when": "orders >= 1", "from": ["b"], "for": "5ms"},
            {"segment": "b", "when": "orders >= 1"},
        ],
    }
    plan = plan_of(swap)
    events = [event(f"c{k}", "Order Completed", 10, total=5) for k in range(3)]
    whole = Driver(plan, logs(events, 5_000)).finish()
    assert len(whole.changes) > 2_000
    monkeypatch.setattr(shard, "MOST_CHANGES", 100)
    monkeypatch.setattr("stream.engine.judge.ROOM", 16)
    sliced = Driver(plan, logs(events, 5_000)).finish()
    assert max(len(out.changes) for out in sliced.outputs) < 130
    assert told(sliced.changes) == told(whole.changes)
