"""The shard: what a customer sees depends on nothing but what the customer did."""

from __future__ import annotations

from random import Random

import orjson
import pytest

from stream.plan.plan import Plan
from tests.shards import DOOMSDAY, Driver, Record, definitions, event, logs, plan_of, run, told, wire_time
from tests.shop import BUSY, LIFE, UNTIL, WISH, history


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Three dimensions with every kind of memory."""
    return plan_of(LIFE, BUSY, WISH)


@pytest.mark.parametrize("seed", range(12))
def test_batches_polling_and_restarts_do_not_matter(plan: Plan, seed: int) -> None:
    """Any cut into batches, any order of offers and proofs, restarts anywhere: the same changes, field by field."""
    log = logs(history(seed), UNTIL)
    plain = Driver(plan, log).finish()
    wandered = Driver(plan, log).wander(Random(seed), restarts=0.15)
    assert told(wandered.changes) == told(plain.changes)
    assert wandered.shard.sizes() == plain.shard.sizes()
    assert wandered.counts == plain.counts
    assert plain.counts.balanced()
    assert plain.counts.read == sum(len(r) for r in log.values()) - 1


@pytest.mark.parametrize("seed", range(3))
def test_the_books_are_kept_across_restarts(plan: Plan, seed: int) -> None:
    """What a shard's own row says of all its records is what became of them, however often it was opened again."""
    log = logs(history(seed), UNTIL)
    source = ("clickstream", 0)
    log[source].append(Record(len(log[source]), b"no JSON"))
    driver = Driver(plan, log).wander(Random(seed), restarts=0.3)
    driver.open()
    books = driver.shard.books
    assert books == {"read": driver.counts.read, **driver.counts.by_outcome()}
    assert books["read"] == sum(n for outcome, n in books.items() if outcome != "read")
    assert [n for outcome, n in books.items() if outcome.startswith("rejected_")] == [1]


@pytest.mark.parametrize("seed", range(3))
def test_a_restart_after_every_record(plan: Plan, seed: int) -> None:
    """All that a shard knows is in the rows it wrote."""
    log = logs(history(seed, length=25), UNTIL)
    plain = Driver(plan, log).finish()
    stepped = Driver(plan, log)
    for _ in range(80):
        for source, records in log.items():
            stepped.offer(source, len(records))
        for source in log:
            stepped.prove(source)
        stepped.step(1)
        stepped.open()
    assert told(stepped.finish().changes) == told(plain.changes)


@pytest.mark.parametrize("shards", [4, 8])
def test_the_number_of_partitions_does_not_matter(plan: Plan, shards: int) -> None:
    """Each customer's events on one of many shards, the products on all: the same changes."""
    events = history(5, customers=12, length=120)
    whole = run(plan, events, UNTIL)
    parts = []
    for shard in range(shards):
        mine = [e for e in events if "userId" not in e or int(e["userId"][1:]) % shards == shard]
        parts += run(plan, mine, UNTIL)
    assert told(parts) == told(whole)


def test_two_changes_of_one_sequence_have_ids_of_their_own_where_their_instants_differ(plan: Plan) -> None:
    """Who begins again at sequence 1 brings no id that was there before; a change told twice keeps its id."""
    changes = [run(plan, [event("ann", "Product Viewed", t)])[0] for t in (1, 1, 2)]
    assert {(c.sequence, c.dimension) for c in changes} == {(1, changes[0].dimension)}
    assert changes[0].id == changes[1].id != changes[2].id


def test_other_customers_do_not_matter(plan: Plan) -> None:
    """A customer alone in the world moves as among others."""
    events = history(6, customers=6, length=120)
    whole = run(plan, events, UNTIL)
    for customer in sorted({e["userId"] for e in events if "userId" in e}):
        alone = [e for e in events if e.get("userId", customer) == customer]
        assert told(run(plan, alone, UNTIL)) == told(whole, customer)


def test_a_retry_among_the_last_eight_is_dropped_and_the_ninth_is_not(plan: Plan) -> None:
    """design: Settled, messageId."""
    first = event("ann", "Order Completed", 1, total=1, id="again")
    between = [event("ann", "Product Viewed", 2 + k, id=f"b{k}") for k in range(8)]
    near = Driver(plan, logs([first, *between[:7], {**first, "timestamp": wire_time(20)}])).finish()
    far = Driver(plan, logs([first, *between, {**first, "timestamp": wire_time(20)}])).finish()
    assert (near.counts.applied, near.counts.duplicate) == (8, 1)
    assert (far.counts.applied, far.counts.duplicate) == (10, 0)


def test_the_books_balance_over_all_outcomes(plan: Plan) -> None:
    """read = applied + duplicate + rejected + ignored."""
    log = logs([event("ann", "Product Viewed", 1, id="x"), event("ann", "Product Viewed", 1, id="x")])
    log["clickstream", 0] += [Record(2, b"{"), Record(3, None), Record(4, orjson.dumps(event("ann", "Unheard", 2)))]
    log["products", 0].append(Record(0, orjson.dumps(event("", "Product Updated", 3, product_id="p", price=1))))
    driver = Driver(plan, log).finish()
    books = driver.counts
    assert (books.read, books.applied, books.duplicate, books.ignored) == (6, 2, 1, 1)
    assert books.rejected == {"not-json": 1, "empty": 1}
    assert books.balanced()
    dead = [letter for out in driver.outputs for letter in out.dead]
    assert [(d.reason, d.topic, d.offset) for d in dead] == [
        ("not-json", "clickstream", 2),
        ("empty", "clickstream", 3),
    ]


def test_more_customers_and_changes_than_there_was_room_for(plan: Plan) -> None:
    """Rows, bags and the kernel's output grow or are emptied in between; nothing is lost."""
    customers = [f"c{k}" for k in range(3000)]
    wishes = [event(c, "Product Added to Wishlist", 1, product_id="p", price=10) for c in customers]
    others = [event(c, "Product Added to Wishlist", 1, product_id="q", price=10) for c in customers[::2]]
    drop = event("", "Product Updated", 5, product_id="p", price=5)
    orders = [event(c, "Order Completed", 6, total=1) for c in customers]
    driver = Driver(plan, logs([*wishes, *others, drop, *orders], UNTIL), limit=100_000).finish()
    ready = [c for c in driver.changes if c.to_segment == "ready"]
    assert sorted(c.subject for c in ready) == sorted(customers)
    assert {c.at_ms for c in ready} == {5}
    assert max(len(out.changes) for out in driver.outputs) > 8192
    assert {c.subject for c in driver.changes if c.to_segment == "late"} == set(customers)
    sequences: dict[str, list[int]] = {}
    for change in driver.changes:
        sequences.setdefault(change.subject, []).append(change.sequence)
    assert all(found == list(range(1, len(found) + 1)) for found in sequences.values())


def test_a_fan_out_larger_than_the_room_reaches_everyone_once(plan: Plan) -> None:
    """One price change with more changes than one call of the kernel can write."""
    customers = [f"c{k}" for k in range(9000)]
    wishes = [event(c, "Product Added to Wishlist", 1, product_id="p", price=10) for c in customers]
    drop = event("", "Product Updated", 2, product_id="p", price=5)
    driver = Driver(plan, logs([*wishes, drop]), limit=100_000).finish()
    assert sorted(c.subject for c in driver.changes if c.to_segment == "ready") == sorted(customers)


def test_a_price_drop_reaches_exactly_the_wishers(plan: Plan) -> None:
    """Not who took it off, bought it, never wished for it, or wishes for another; and only a lower price counts."""
    events = [
        event("ann", "Product Added to Wishlist", 1, product_id="p", price=10),
        event("bo", "Product Added to Wishlist", 1, product_id="q", price=10),
        event("cy", "Product Added to Wishlist", 1, product_id="p", price=10),
        event("di", "Product Added to Wishlist", 1, product_id="p", price=4),
        event("cy", "Order Completed", 2, total=10, products=[{"product_id": "p"}]),
        event("", "Product Updated", 3, product_id="p", price=5),
    ]
    assert [c.subject for c in run(plan, events) if c.to_segment == "ready"] == ["ann"]


def test_at_the_limit_the_oldest_wish_gives_way(plan: Plan) -> None:
    """A wishlist of three: the fourth pushes the first out, and a drop of its price moves nobody."""
    wishes = [event("ann", "Product Added to Wishlist", t, product_id=p, price=10) for t, p in enumerate("pqrs")]
    first = [*wishes, event("", "Product Updated", 9, product_id="p", price=1)]
    second = [*wishes, event("", "Product Updated", 9, product_id="q", price=1)]
    assert "ready" not in {c.to_segment for c in run(plan, first)}
    assert "ready" in {c.to_segment for c in run(plan, second)}


def test_idle_topics_let_deadlines_fire_up_to_the_least_proof(plan: Plan) -> None:
    """With the wall clock: not before every topic is proven, and not beyond the oldest of the proofs."""
    driver = Driver(plan, logs([event("ann", "Order Completed", 10, total=5)]), wall_clock=True)
    driver.offer(("purchases", 0), 1)
    for source in driver.log:
        driver.prove(source, 20)
    driver.drain()
    assert [c.to_segment for c in driver.changes if c.dimension == "life"] == ["buys"]
    for source in driver.log:
        if source != ("products", 0):
            driver.prove(source, 500)
    driver.drain()
    assert driver.shard.clock_ms == 20
    driver.prove(("products", 0), 59)
    driver.drain()
    assert [c.to_segment for c in driver.changes if c.dimension == "life"] == ["buys"]
    driver.prove(("products", 0), 60)
    driver.drain()
    late = driver.changes[-1]
    assert (late.to_segment, late.at_ms, late.cause, driver.shard.clock_ms) == ("late", 60, "deadline", 60)


def test_whose_purchase_waits_is_never_declared_late(plan: Plan) -> None:
    """The worker was down: the purchase is in the topic, unread, while all others are read to their end."""
    log = logs([event("ann", "Order Completed", 10, total=5), event("bo", "Order Completed", 10, total=5)])
    driver = Driver(plan, log, wall_clock=True)
    driver.offer(("purchases", 0), 2)
    for source in log:
        driver.prove(source, 20)
    driver.drain()
    driver.open()
    log["purchases", 0].append(Record(2, orjson.dumps(event("ann", "Order Completed", 55, total=5))))
    for source in log:
        if source != ("purchases", 0):
            driver.prove(source, DOOMSDAY)
    driver.drain()
    assert "late" not in {c.to_segment for c in driver.changes}
    driver.offer(("purchases", 0), 1, at_ms=2000)
    driver.drain()
    driver.prove(("purchases", 0), 100)
    driver.drain()
    assert [(c.subject, c.at_ms) for c in driver.changes if c.to_segment == "late"] == [("bo", 60)]


def test_disorder_holds_the_clock_back(plan: Plan) -> None:
    """Deadlines wait for as long as an event may be late."""
    events = [event("ann", "Order Completed", 10, total=5), event("bo", "Product Viewed", 64)]
    driver = Driver(plan, logs(events), disorder=5).finish()
    assert driver.shard.clock_ms == 59
    assert "late" not in {c.to_segment for c in driver.changes}


def test_a_flood_of_deadlines_is_drained_in_slices(plan: Plan) -> None:
    """At most ``limit`` customers a step, and none is forgotten."""
    events = [event(f"c{k}", "Order Completed", 1, total=5) for k in range(50)]
    driver = Driver(plan, logs(events, UNTIL), limit=1000)
    for source, records in driver.log.items():
        driver.offer(source, len(records))
    for source in driver.log:
        driver.prove(source)
    driver.limit = 7
    driver.drain()
    sizes = [sum(c.cause == "deadline" for c in out.changes) for out in driver.outputs]
    assert max(sizes) <= 7
    assert {c.subject for c in driver.changes if c.to_segment == "late"} == {f"c{k}" for k in range(50)}


def test_nothing_to_do_is_none(plan: Plan) -> None:
    """A worker at rest writes nothing."""
    driver = Driver(plan, logs(history(1), UNTIL)).finish()
    assert driver.shard.step(10, None) is None


def test_a_tombstone_of_anything_but_a_customer_is_set_aside(plan: Plan) -> None:
    """What a shard knows of itself is never deleted."""
    driver = Driver(plan, logs(history(1), UNTIL)).finish()
    before, books = driver.shard.clock_ms, driver.shard.books
    driver.changelog.append((b"s", None))
    driver.open()
    assert (driver.shard.clock_ms, driver.shard.books) == (before, books)
    assert "tombstone" in str(driver.shard.poison[0])


def test_definitions_do_not_depend_on_the_order_of_files() -> None:
    """The layout of rows and the order of dimensions follow from names."""
    one, other = definitions(LIFE, BUSY, WISH), definitions(WISH, BUSY, LIFE)
    assert [d.version for d in one.dimensions] == [d.version for d in other.dimensions]
