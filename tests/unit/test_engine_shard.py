"""The shard: what a customer sees depends on nothing but what the customer did."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson
import pytest

from stream.engine.shard import Shard
from stream.plan.plan import Plan
from tests.shards import CONTROL, DOOMSDAY, Driver, Log, Record, definitions, event, logs, plan_of, run, told, wire_time

LIFE: dict[str, Any] = {
    "dimension": "life",
    "features": {
        "orders": {"count": "Order Completed"},
        "ago": {"since": "Order Completed"},
        "gap": {"gap": "Order Completed", "default": "25ms", "after": 2},
        "spend": {"sum": "total", "of": "Order Completed", "less": "Order Refunded"},
    },
    "segments": [
        {"segment": "late", "when": "ago >= 2 * gap", "topic": "late"},
        {"segment": "back", "when": "orders >= 2", "from": ["late"], "for": "20ms"},
        {"segment": "rich", "when": "spend >= 25"},
        {"segment": "buys", "when": "orders >= 1"},
    ],
    "otherwise": "looks",
}
BUSY: dict[str, Any] = {
    "dimension": "busy",
    "features": {
        "near": {"count": ["Product Viewed", "Product Added to Wishlist"], "within": "15ms"},
        "rate": {"rate": "Product Viewed", "half_life": "10ms"},
    },
    "segments": [
        {"segment": "hot", "when": 'near >= 2 and segment.life != "late"', "leave": "near < 1"},
        {"segment": "warm", "when": "rate > 0.3"},
    ],
}
WISH: dict[str, Any] = {
    "dimension": "wish",
    "features": {
        "wishes": {
            "bag": "products",
            "add": "Product Added to Wishlist",
            "remove": "Order Completed",
            "visit": "Product Viewed",
            "limit": 3,
        }
    },
    "segments": [
        {"segment": "ready", "when": "wishes.cheaper >= 1 or wishes.on_offer >= 1 or wishes.visits >= 2"},
        {"segment": "full", "when": "wishes >= 3"},
        {"segment": "wishing", "when": "wishes >= 1"},
    ],
    "otherwise": "nothing",
}
CLUSTER: dict[str, Any] = {
    "dimension": "cluster",
    "features": {"orders": {"count": "Order Completed"}, "ago": {"since": "Order Completed"}},
    "learn": {"clusters": 2, "every": "20ms", "vector": {"orders": "orders", "ago": "ago / 10ms"}},
}
NAMES = ["Product Viewed", "Product Viewed", "Product Added to Wishlist", "Order Completed", "Order Refunded"]
UNTIL = 400


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Three dimensions with every kind of memory."""
    return plan_of(LIFE, BUSY, WISH)


@pytest.fixture(scope="module")
def learning() -> Plan:
    """A learned dimension, and one that reads other events than the learned one does."""
    return plan_of(CLUSTER, WISH)


def history(seed: int, customers: int = 4, length: int = 60) -> list[dict[str, Any]]:
    """A history in order of time, with ties and retries."""
    random = Random(seed)
    found: list[dict[str, Any]] = []
    for k, t in enumerate(sorted(random.randrange(200) for _ in range(length))):
        product = {"product_id": random.choice("pqrst"), "price": random.choice([5, 10, 15])}
        if random.random() < 0.12:
            ends = {"offer_ends": wire_time(t + 20)} if random.random() < 0.5 else {}
            found.append(event("", "Product Updated", t, **product, **ends, id=f"m{k}"))
        elif found and random.random() < 0.1:
            again = random.choice(found)
            found.append({**again, "timestamp": wire_time(t)})
        else:
            name = random.choice(NAMES)
            told_of = {"total": random.choice([5, 10, 20]), "products": [product]} if "Order" in name else product
            found.append(event(f"c{random.randrange(customers)}", name, t, **told_of, id=f"m{k}"))
    return found


def model(version: int, effective: int, centroids: list[list[float]], features: list[str] | None = None) -> bytes:
    """A version of the clusters, as the trainer publishes it."""
    return orjson.dumps(
        {
            "type": "model",
            "dimension": "cluster",
            "version": version,
            "effective": effective,
            "features": features or ["orders", "ago"],
            "mean": [0, 0],
            "scale": [1, 1],
            "centroids": centroids,
            "names": ["a", "b"],
            "learned": 1,
            "cursor": {},
        }
    )


def with_versions(log: Log, *versions: bytes) -> Log:
    """The log with these versions in front of its closing clock record."""
    clock = log[CONTROL, 0]
    log[CONTROL, 0] = [Record(k, value) for k, value in enumerate([*versions, *(c.value or b"" for c in clock)])]
    return log


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
    assert driver.shard.versions.known == []
    driver.open(plan_of(WISH))
    driver.drain()


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


def test_a_tombstone_is_refused(plan: Plan) -> None:
    """Customers are not deleted yet; a missing row must not pass for one."""
    shard = Shard(plan, 0, [("a", 0)])
    with pytest.raises(ValueError, match="tombstone"):
        shard.restore([b"cann"], [None])


def test_definitions_do_not_depend_on_the_order_of_files() -> None:
    """The layout of rows and the order of dimensions follow from names."""
    one, other = definitions(LIFE, BUSY, WISH), definitions(WISH, BUSY, LIFE)
    assert [d.version for d in one.dimensions] == [d.version for d in other.dimensions]


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
