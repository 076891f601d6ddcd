"""Customers who are forgotten: nothing is left, and all is told once."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import orjson
import pytest

from stream.engine.questions import sizes_of
from stream.events.instant import parse_iso
from stream.events.text import id_hash
from stream.features import pool
from stream.features.base import FOREVER
from stream.plan import header
from stream.plan.plan import Plan
from tests.leaving import DELETED, in_order, latest, leaving, receipts, wish
from tests.shards import Driver, event, logs, plan_of, run, told, wire_time
from tests.shop import BUSY, LIFE, UNTIL, WISH


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Three dimensions with every kind of memory."""
    return plan_of(LIFE, BUSY, WISH)


# Asked for


def test_all_is_forgotten_and_the_receipt_says_what_they_were_in(plan: Plan) -> None:
    """A receipt with the segments left and the event that asked; sizes go down; tombstones for the row and the line."""
    driver = Driver(plan, logs([wish("ann", 1), wish("bo", 1), event("ann", DELETED, 5, id="gdpr")])).finish()
    assert [r[:4] for r in receipts(driver)] == [("ann", 5, "asked", "gdpr")]
    assert orjson.loads(receipts(driver)[0][4]) == {"life": "looks", "wish": "wishing"}
    assert driver.shard.sizes()["wish"]["wishing"] == 1
    assert driver.shard.describe("ann") is None
    assert driver.shard.explain("ann", 1000) is None
    assert latest(driver, "rows")[b"cann"] is None
    assert latest(driver, "customers")[b"ann"] is None
    assert latest(driver, "customers")[b"bo"] is not None
    assert driver.counts.balanced()
    assert driver.counts.applied == 3


def test_own_deadlines_up_to_the_request_come_first(plan: Plan) -> None:
    """As with any event of the customer; what would come later never does."""
    events = [event("ann", "Order Completed", 0, total=1), event("ann", DELETED, 50)]
    driver = Driver(plan, logs(events, UNTIL)).finish()
    assert in_order(driver.outputs, "ann")[-2:] == ["life: late", "asked"]
    soon = Driver(plan, logs([events[0], event("ann", DELETED, 49)], UNTIL)).finish()
    assert "life: late" not in in_order(soon.outputs, "ann")


def test_who_returns_is_new(plan: Plan) -> None:
    """From sequence 1, with nothing from before, and with ids of changes that were not there before."""
    first = [event("ann", "Order Completed", 1, total=30), wish("ann", 2)]
    again = [event("ann", "Product Viewed", 9, product_id="p", price=1)]
    driver = Driver(plan, logs([*first, event("ann", DELETED, 5), *again])).finish()
    at = in_order(driver.outputs, "ann").index("asked")
    assert in_order(driver.outputs, "ann")[at + 1 :] == ["life: looks", "wish: nothing", "busy: warm"]
    assert [c.sequence for c in driver.changes[at:]] == [1, 2, 3]
    assert len({c.id for c in driver.changes}) == len(driver.changes)
    alone = Driver(plan, logs(again)).finish()
    assert driver.shard.describe("ann") == alone.shard.describe("ann")
    assert latest(driver, "customers")[b"ann"] == latest(alone, "customers")[b"ann"]


def test_sizes_may_be_counted_while_everybody_is_forgotten(plan: Plan) -> None:
    """They are counted in a thread: who leaves between two instructions there is counted or not, and nothing fails."""
    rows = Driver(plan, logs([wish("ann", 1), wish("bo", 1)])).finish().shard.rows
    ints = rows.table.ints

    class Leaving(np.ndarray):
        def __ge__(self, other: Any) -> Any:
            inside = np.asarray(self) >= other
            ints[:, list(plan.layout.segment)] = -1
            return inside

    rows.table = rows.table._replace(ints=ints.view(Leaving))
    assert [sum(sizes.values()) for sizes in sizes_of(rows).values()] == [2, 0, 0]


def test_a_request_about_nobody_is_answered_too(plan: Plan) -> None:
    """Whoever asks waits for the receipt: it names no segments."""
    driver = Driver(plan, logs([event("who", DELETED, 5, id="x")])).finish()
    assert [(r[:4], r[4]) for r in receipts(driver)] == [(("who", 5, "asked", "x"), b"{}")]
    assert not driver.shard.rows.index


def test_a_retry_of_the_request_does_not_forget_who_came_back(plan: Plan) -> None:
    """Also after a restart; a second request does."""
    asked, back = event("ann", DELETED, 5, id="x"), wish("ann", 6)
    for events in ([asked, back, asked], [asked, asked, back]):
        driver = Driver(plan, logs(events))
        driver.offer(("clickstream", 0), 2)
        for source in driver.log:
            driver.prove(source)
        driver.drain()
        driver.open()
        driver.finish()
        assert len(receipts(driver)) == 1
        assert driver.shard.describe("ann") is not None
        assert (driver.counts.applied, driver.counts.duplicate) == (2, 1)
        assert driver.counts.balanced()
    twice = Driver(plan, logs([asked, back, event("ann", DELETED, 7, id="y")])).finish()
    assert [r[1] for r in receipts(twice)] == [5, 7]


def test_two_customers_may_be_asked_for_under_one_message_id(plan: Plan) -> None:
    """As where one person is known by two ids, or one job asks for many: message ids are each customer's own."""
    asked = [event(who, DELETED, 5, id="case-17") for who in ("ann", "bo", "ann")]
    driver = Driver(plan, logs([wish("ann", 1), wish("bo", 1), *asked])).finish()
    assert [r[:4] for r in receipts(driver)] == [("ann", 5, "asked", "case-17"), ("bo", 5, "asked", "case-17")]
    assert not driver.shard.rows.index
    assert driver.counts.duplicate == 1


def test_a_late_request_takes_all_there_is_at_the_latest_instant(plan: Plan) -> None:
    """What was kept cannot be told apart by when it came; nothing is backdated."""
    driver = Driver(plan, logs([wish("ann", 8), event("ann", DELETED, 3)])).finish()
    assert [r[1] for r in receipts(driver)] == [8]
    assert driver.shard.describe("ann") is None


def test_no_price_reaches_who_is_forgotten(plan: Plan) -> None:
    """Their entries lie on no product's list any more; those of others do."""
    drop = event("", "Product Updated", 9, product_id="p", price=5)
    events = [wish("ann", 1), wish("bo", 1), wish("cy", 1), event("bo", DELETED, 5), drop]
    driver = Driver(plan, logs(events)).finish()
    assert {c.subject for c in driver.changes if c.to_segment == "ready"} == {"ann", "cy"}


def test_definitions_that_count_the_request_do_not_keep_its_customer() -> None:
    """The settings say what the event means, whatever definitions make of it."""
    counting = plan_of(
        {
            "dimension": "d",
            "features": {"n": {"count": DELETED}, "x": {"sum": "total", "of": DELETED}},
            "segments": [{"segment": "s", "when": "n >= 1 or x > 1"}],
        }
    )
    driver = Driver(counting, logs([event("ann", DELETED, 5, total=5)])).finish()
    assert not driver.changes
    assert len(receipts(driver)) == 1


# Whatever the batches


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("lifetime", [None, 25])
def test_batches_polling_and_restarts_do_not_matter(plan: Plan, seed: int, lifetime: int | None) -> None:
    """The same changes and receipts, field by field; the same sizes; the same books."""
    log = logs(leaving(seed), UNTIL)
    plain = Driver(plan, log, dormant_after=lifetime).finish()
    wandered = Driver(plan, log, dormant_after=lifetime).wander(Random(seed), restarts=0.15)
    assert told(wandered.changes) == told(plain.changes)
    assert receipts(wandered) == receipts(plain)
    assert len(receipts(plain)) > 3
    assert wandered.shard.sizes() == plain.shard.sizes()
    assert wandered.counts == plain.counts
    assert plain.counts.balanced()
    for of in ("rows", "customers"):
        alive = {key for key, value in latest(wandered, of).items() if value is not None}
        assert alive == {key for key, value in latest(plain, of).items() if value is not None}
    assert alive == set(plain.shard.rows.index)


@pytest.mark.parametrize("seed", range(4))
def test_other_customers_do_not_matter(plan: Plan, seed: int) -> None:
    """A customer alone in the world is forgotten, and begins again, as among others."""
    events = leaving(seed)
    whole = Driver(plan, logs(events, UNTIL), dormant_after=40).finish()
    for customer in sorted({e["userId"] for e in events if "userId" in e}):
        mine = [e for e in events if e.get("userId", customer) == customer]
        alone = Driver(plan, logs(mine, UNTIL), dormant_after=40).finish()
        assert told(alone.changes) == told(whole.changes, customer)
        assert receipts(alone) == [r for r in receipts(whole) if r[0] == customer]


# Each life by itself


def lives(events: list[dict[str, Any]], customer: str, lifetime: int) -> list[tuple[list[dict[str, Any]], int]]:
    """A customer's events, cut where they ask to be forgotten and where they are silent for too long; and the last
    instant of each life.  Worked out from the file alone; events are in order, each at an instant of its own."""
    found: list[tuple[list[dict[str, Any]], int]] = []
    life: list[dict[str, Any]] = []
    recent: list[str] = []
    latest = 0
    for one in events:
        t = parse_iso(one["timestamp"])
        if life and t >= latest + lifetime:
            found.append((life, latest + lifetime - 1))
            life, recent = [], []
        if one.get("userId") != customer:
            continue
        if one["event"] == DELETED:
            found.append((life, t))
            life, recent = [], []
        elif one["messageId"] not in recent[-8:]:
            life.append(one)
            recent.append(one["messageId"])
            latest = t
    return [*found, (life, latest + lifetime - 1)] if life else found


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("lifetime", [15, 40])
def test_each_life_is_that_of_a_customer_who_never_was_before(plan: Plan, seed: int, lifetime: int) -> None:
    """The changes of a history with forgetting are those of its lives, each run alone without any, up to its end."""
    random = Random(seed)
    events, t = [], 0
    for one in leaving(seed):
        t += random.choice([1, 1, 2, 3, 9])
        events.append({**one, "timestamp": wire_time(t)})
    until = t + lifetime
    whole = Driver(plan, logs(events, until), dormant_after=lifetime).finish()
    products = [one for one in events if "userId" not in one]
    found = {r[0] for r in receipts(whole)}
    for customer in {e["userId"] for e in events if "userId" in e}:
        expected: list[Any] = []
        for life, end in lives(events, customer, lifetime):
            alone = run(plan, sorted([*life, *products], key=lambda one: str(one["timestamp"])), until)
            expected += [(c.sequence, c.dimension, c.to_segment, c.at_ms, c.cause, c.evidence, c.id)
                         for c in alone if c.at_ms <= end]  # fmt: skip
        mine = [(c.sequence, c.dimension, c.to_segment, c.at_ms, c.cause, c.evidence, c.id)
                for c in whole.changes if c.subject == customer]  # fmt: skip
        assert mine == expected
        assert customer in found


# Nothing is left


def test_no_byte_of_them_is_left_in_memory_and_rows_are_used_again(plan: Plan) -> None:
    """Neither in the row, nor in the pool, nor in the index; and a thousand comings and goings take one row."""
    driver = Driver(plan, logs([wish("ann", 1, "p"), wish("ann", 2, "q"), event("ann", DELETED, 3)])).finish()
    rows = driver.shard.rows
    (i,) = rows.free
    np.testing.assert_array_equal(rows.table.ints[i], plan.layout.blank())
    assert not rows.bags.entries[:, : pool.SAVED].any()
    assert not rows.bags.table[:, 1].clip(pool.NONE + 1).any()
    assert id_hash(b"ann") not in rows.table.ints
    assert b"ann" not in rows.keys
    many = [one for k in range(300) for one in (wish(f"c{k}", 10 * k), event(f"c{k}", DELETED, 10 * k + 1))]
    driver = Driver(plan, logs(many), limit=2).finish()
    assert len(driver.shard.rows) <= 2
    assert int(driver.shard.rows.bags.meta[pool.USED]) <= 2
    assert len(receipts(driver)) == 300


def test_recovery_meets_tombstones_in_any_order(plan: Plan) -> None:
    """Rows and tombstones of one customer one behind the other, in one batch or in several: who is there is there."""
    events = [wish("ann", 1), event("ann", DELETED, 2), wish("ann", 3, "q"), wish("bo", 3), event("bo", DELETED, 4)]
    driver = Driver(plan, logs(events), limit=1).finish()
    assert [value is None for key, value in driver.changelog if key == b"cann"] == [False, True, False]
    before = driver.shard.describe("ann")
    driver.open()
    assert driver.shard.describe("ann") == before
    assert set(driver.shard.rows.index) == {b"ann"}
    one_by_one = Driver(plan, logs([]))
    for key, value in driver.changelog:
        one_by_one.shard.restore([key], [value])
    assert one_by_one.shard.restored()
    assert one_by_one.shard.describe("ann") == before
    assert set(one_by_one.shard.rows.index) == {b"ann"}
    assert one_by_one.shard.sizes() == driver.shard.sizes()


def test_who_was_forgotten_does_not_come_back_under_other_definitions(plan: Plan) -> None:
    """Rows of nobody move to no version and are in no segment, whatever plan they are mapped to."""
    driver = Driver(plan, logs([wish("ann", 1), wish("bo", 1), event("ann", DELETED, 5)])).finish()
    changes = len(driver.changes)
    driver.shard.adopt(plan_of(LIFE, {**WISH, "otherwise": "none-at-all"}))
    driver.drain()
    assert {c.subject for c in driver.changes[changes:]} <= {"bo"}
    assert sum(driver.shard.sizes()["wish"].values()) == 1
    assert int(driver.shard.rows.table.counters[header.LIFETIME]) == FOREVER


def test_rows_of_nobody_are_given_out_under_other_definitions_too(plan: Plan) -> None:
    """What is free stays free."""
    driver = Driver(plan, logs([wish("ann", 1), wish("bo", 2), event("ann", DELETED, 5)])).finish()
    driver.shard.adopt(plan_of(LIFE, WISH))
    driver.drain()
    assert [driver.shard.rows.find([b"cy"]).tolist(), len(driver.shard.rows)] == [[0], 2]
