"""Customers who are silent for too long: forgotten at that very millisecond, by time alone."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from stream.cli.view.explained import draw
from stream.engine.explain import Explanation
from stream.features.base import FOREVER
from stream.plan.plan import Plan
from tests.leaving import LIFETIME, receipts, wish
from tests.shards import Driver, event, logs, plan_of, wire_time
from tests.shop import BUSY, CLUSTER, LIFE, UNTIL, WISH, model, with_versions


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Three dimensions with every kind of memory."""
    return plan_of(LIFE, BUSY, WISH)


@pytest.mark.parametrize("gap", [LIFETIME - 1, LIFETIME, LIFETIME + 1])
def test_dormant_from_the_very_millisecond_on(plan: Plan, gap: int) -> None:
    """Gone from the latest event plus the lifetime on: an event then finds a new row, one before it the old one."""
    events = [wish("ann", 10), event("ann", "Product Viewed", 10 + gap, product_id="q", price=1)]
    driver = Driver(plan, logs(events), dormant_after=LIFETIME).finish()
    gone = [r[:4] for r in receipts(driver)]
    assert gone == ([("ann", 10 + LIFETIME, "dormant", None)] if gap >= LIFETIME else [])
    assert driver.shard.segments(driver.shard.rows.index[b"ann"])["wish"] == ("nothing" if gone else "wishing")


def test_time_alone_forgets_and_what_is_due_later_never_comes(plan: Plan) -> None:
    """The clock passes: deadlines before come, those at and after the instant do not."""
    events = [event("ann", "Order Completed", 0, total=1), event("bo", "Order Completed", 1, total=1)]
    for lifetime, late in ((51, ["ann", "bo"]), (50, []), (49, [])):
        driver = Driver(plan, logs(events, UNTIL), dormant_after=lifetime).finish()
        assert [c.subject for c in driver.changes if c.to_segment == "late"] == late
        assert [r[:3] for r in receipts(driver)] == [("ann", lifetime, "dormant"), ("bo", 1 + lifetime, "dormant")]
        assert not driver.shard.rows.index
        assert not driver.shard.rows.is_due(FOREVER - 1)


def test_a_price_does_not_reach_who_is_gone_but_not_yet_removed(plan: Plan) -> None:
    """The product's event comes at the instant of which the clock only knows afterwards."""
    drop = event("", "Product Updated", 10 + LIFETIME, product_id="p", price=5)
    for limit in (1, 1000):
        log = logs([wish("ann", 10), wish("bo", 11), drop], UNTIL)
        driver = Driver(plan, log, dormant_after=LIFETIME, limit=limit).finish()
        assert [c.subject for c in driver.changes if c.to_segment == "ready"] == ["bo"]


def test_a_retry_of_an_event_from_before_is_an_event_of_somebody_new(plan: Plan) -> None:
    """Nothing is remembered, message ids neither, whether the clock was there first or not."""
    first = wish("ann", 10, id="x")
    for between in ([], [wish("bo", 100)]):
        driver = Driver(plan, logs([first, *between, {**first, "timestamp": "1970-01-01T00:00:00.100Z"}]))
        driver.dormant_after = LIFETIME
        driver.open()
        driver.finish()
        assert driver.counts.duplicate == 0
        assert [r[:3] for r in receipts(driver)] == [("ann", 10 + LIFETIME, "dormant")]


@pytest.mark.parametrize(("effective", "moved"), [(10 + LIFETIME - 1, True), (10 + LIFETIME, False)])
def test_no_version_moves_who_is_gone_at_its_instant(effective: int, moved: bool) -> None:
    """Gone before all else that the instant brings, be it found by the clock or by the next event."""
    learning = plan_of(LIFE, CLUSTER)
    order = event("ann", "Order Completed", 10, total=1)
    for later in ([], [event("ann", "Product Viewed", 200, product_id="p", price=1)]):
        log = with_versions(logs([order, *later], UNTIL), model(1, effective, [[0, 0], [9, 9]]))
        driver = Driver(learning, log, dormant_after=LIFETIME).finish()
        told = [c.at_ms for c in driver.changes if c.cause == "model"]
        assert told == ([effective] if moved else [])
        assert receipts(driver)[0][:2] == ("ann", 10 + LIFETIME)


def test_an_explanation_says_when_who_stays_silent_is_forgotten(plan: Plan) -> None:
    """The instant is known ahead; what would come after it is not foretold; one too far off is not told."""
    events = [event("ann", "Order Completed", 0, total=1)]
    driver = Driver(plan, logs(events, 10), dormant_after=LIFETIME).finish()
    told = driver.shard.explain("ann", 1000)
    assert told["forgotten"] == wire_time(LIFETIME)
    assert [one["to"] for d in told["dimensions"] for one in d["next"]] == ["late"]
    assert driver.shard.explain("ann", 20)["forgotten"] is None
    forever = Driver(plan, logs(events, 10)).finish()
    assert forever.shard.explain("ann", 1000)["forgotten"] is None
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(draw(msgspec.convert(told, Explanation)))
    assert "forgotten, if nothing comes: 1970-01-01" in console.export_text()


def test_who_falls_silent_while_a_product_s_many_holders_are_told(plan: Plan) -> None:
    """Telling them takes several steps, also after a restart in between; who is gone by then is passed over, and nobody
    is told twice or left out."""
    wishes = [wish(f"c{k}", 10 if k % 3 else 2) for k in sorted(range(40), key=lambda k: k % 3 != 0)]
    drop = event("", "Product Updated", 2 + LIFETIME, product_id="p", price=5)
    for limit in (1, 3, 7, 1000):
        for reopened in (False, True):
            driver = Driver(plan, logs([*wishes, drop], UNTIL), dormant_after=LIFETIME)
            for source, records in driver.log.items():
                driver.offer(source, len(records))
            for source in driver.log:
                driver.prove(source)
            steps = 0
            while driver.step(limit):
                steps += 1
                if reopened and steps % 5 == 0:
                    driver.open()
                    for source, records in driver.log.items():
                        driver.offer(source, len(records))
                    for source in driver.log:
                        driver.prove(source)
            ready = [c.subject for c in driver.changes if c.to_segment == "ready"]
            assert sorted(ready) == sorted(f"c{k}" for k in range(40) if k % 3)
            assert sorted(r[:2] for r in receipts(driver)) == sorted(
                (f"c{k}", LIFETIME + (10 if k % 3 else 2)) for k in range(40)
            )
            assert not driver.shard.rows.index


def test_definitions_that_move_nobody_keep_nobody_either(plan: Plan) -> None:
    """A dimension less: no row is judged anew, and each still ends when it would have."""
    driver = Driver(plan, logs([wish("ann", 10), wish("bo", 30, "q")], UNTIL), dormant_after=LIFETIME)
    driver.offer(("clickstream", 0), 2)
    for source in (source for source in driver.log if source[0] != "control"):
        driver.prove(source)
    driver.shard.merge.known_until(31)
    driver.drain()
    assert set(driver.shard.rows.index) == {b"ann", b"bo"}
    driver.shard.adopt(plan_of(LIFE, WISH))
    driver.finish()
    assert [r[:3] for r in receipts(driver)] == [("ann", 70, "dormant"), ("bo", 90, "dormant")]


def test_a_flood_of_the_dormant_is_drained_in_slices(plan: Plan) -> None:
    """As deadlines are: not all in one step, each once, and new rows go where the old ones were."""
    customers = [f"c{k}" for k in range(3000)]
    log = logs([*(wish(c, 1) for c in customers), wish("late", 500)], UNTIL)
    driver = Driver(plan, log, dormant_after=LIFETIME, limit=700).finish()
    gone = [len(out.forgotten) for out in driver.outputs if out.forgotten]
    assert sum(gone) == 3001 - (UNTIL < 500 + LIFETIME)
    assert max(gone) <= 700
    assert len({r[0] for r in receipts(driver)}) == sum(gone)
    assert set(driver.shard.rows.index) == {b"late"}
