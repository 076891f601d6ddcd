"""A product with many holders: they are told in bounded slices, and no customer can see that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

import pytest

from stream.engine import rest
from stream.engine.output import Counts
from stream.engine.rekey import Home
from stream.engine.shard import Shard
from stream.engine.versions import DefinitionsVersion
from tests.shards import Driver, Log, Published, Record, event, files_of, logs, plan_of, told
from tests.shop import WISH

CART: dict[str, Any] = {
    "dimension": "cart",
    "features": {
        "cart": {"bag": "products", "add": "Product Added", "remove": "Order Completed"},
        "wishes": {"bag": "products", "add": "Product Added to Wishlist"},
        "ago": {"since": "Product Added to Wishlist"},
    },
    "segments": [
        {"segment": "both", "when": "cart.cheaper >= 1 and wishes.cheaper >= 1"},
        {"segment": "back", "when": "wishes.back >= 1 or wishes.on_offer >= 1", "from": ["no", "cheap"], "for": "30ms"},
        {"segment": "cheap", "when": "cart.cheaper >= 1 or wishes.cheaper >= 1", "cooldown": "15ms"},
        {"segment": "stale", "when": "ago >= 40ms"},
    ],
    "otherwise": "no",
}
PLAN = plan_of(WISH, CART)


def shop(seed: int, customers: int) -> list[dict[str, Any]]:
    """Wishes of few products by many, changes to the products, and what else the customers do; some of it is late."""
    random = Random(seed)
    events = []
    for k in range(6 * customers):
        t = k // 3
        customer, product = f"c{random.randrange(customers)}", random.choice("pqr")
        what = random.random()
        if what < 0.55:
            name = random.choice(["Product Added", "Product Added to Wishlist"])
            events.append(event(customer, name, t, product_id=product, price=random.randint(5, 9), id=f"m{k}"))
        elif what < 0.7:
            products = [{"product_id": product}]
            events.append(event(customer, "Order Completed", t, total=9, products=products, id=f"m{k}"))
        else:
            late = t - random.choice([0, 0, 0, random.randrange(20)])
            events.append(_update(random, max(0, late), f"m{k}"))
    return events


def _update(random: Random, t: int, id: str) -> dict[str, Any]:
    products = [_state(random, product) for product in random.sample("pqr", random.randint(1, 3))]
    ends = {"offer_ends": f"1970-01-01T00:00:00.{t + 9:03d}Z"} if random.random() < 0.3 else {}
    return event("", "Product Updated", t, products=products, id=id, **ends)


def _state(random: Random, product: str) -> dict[str, Any]:
    return {"product_id": product, "price": random.randint(1, 9), "in_stock": random.random() < 0.7}


def written(driver: Driver) -> list[int]:
    """How many customers' rows each transaction wrote."""
    return [sum(key[:1] == rest.ROW for key, _ in out.rows) for out in driver.outputs]


def in_slices(log: Log, limit: int, *, killed: bool = False) -> Driver:
    """Everything offered, applied in steps of ``limit``; ``killed``: after each of them, the shard starts again."""
    driver = Driver(PLAN, log, limit=limit)
    while True:
        for source, records in log.items():
            driver.offer(source, len(records))
            driver.prove(source)
        if not driver.step():
            return driver
        if killed:
            driver.open()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("limit", [1, 7])
def test_slices_make_no_difference(seed: int, limit: int) -> None:
    """Changes, their ids and their evidence are those of telling all holders at once; so are the books."""
    log = logs(shop(seed, 40), until=400)
    whole = Driver(PLAN, log, limit=100_000).finish()
    sliced = in_slices(log, limit)
    assert told(sliced.changes) == told(whole.changes)
    assert {c.cause for c in whole.changes} == {"event", "deadline"}
    assert sliced.counts == whole.counts
    assert sliced.counts.balanced()
    assert max(written(sliced)) <= 5 * limit  # holders, deadlines, and the events of three topics


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("limit", [2, 5])
def test_a_shard_killed_between_slices_tells_again_and_nobody_hears_it_twice(seed: int, limit: int) -> None:
    """A kill after every single transaction: who was told before it has no further change, who was not gets theirs."""
    log = logs(shop(seed, 12), until=400)
    whole = Driver(PLAN, log, limit=100_000).finish()
    killed = in_slices(log, limit, killed=True)
    assert told(killed.changes) == told(whole.changes)
    ids = Counter(c.id for c in killed.changes)
    assert set(ids.values()) == {1}


def wishers(count: int, product: str = "p") -> list[dict[str, Any]]:
    """So many customers who wish for a product."""
    return [event(f"w{k}", "Product Added to Wishlist", 1, product_id=product, price=10) for k in range(count)]


def test_the_source_goes_on_behind_the_event_only_when_all_have_been_told() -> None:
    """Its offset is what makes a shard that was killed tell the others; progress and books count it then, once."""
    events = [*wishers(25), event("", "Product Updated", 2, product_id="p", price=5)]
    driver = Driver(PLAN, logs(events), limit=10)
    source = ("products", 0)
    for other, records in driver.log.items():
        driver.offer(other, len(records))
        driver.prove(other)
    seen = []
    while driver.step():
        ready = sum(c.to_segment == "ready" for c in driver.changes)
        out = driver.outputs[-1]
        seen.append((ready, out.offsets[source], driver.shard.waiting(source), driver.counts.applied))
    assert seen[-3:] == [(10, 0, 1, 25), (20, 0, 1, 25), (25, 1, 0, 26)]


def test_the_event_that_was_begun_goes_on_before_whatever_comes_in() -> None:
    """Also before an event that is older: those who were told and those who were not must not differ by it."""
    events = [*wishers(30), event("", "Product Updated", 50, product_id="p", price=5)]
    driver = Driver(PLAN, logs(events), limit=10)
    for source, records in driver.log.items():
        driver.offer(source, len(records))
        driver.prove(source)
    while driver.shard.merge.begun is None:
        assert driver.step()
    bought = {"total": 5, "products": [{"product_id": "p"}]}
    late = [event(f"w{k}", "Order Completed", 40, **bought) for k in range(30)]
    for source, records in logs(late).items():
        driver.log[source] += [Record(len(driver.log[source]) + k, r.value) for k, r in enumerate(records)]
    driver.finish()
    moved = Counter((c.to_segment, c.at_ms) for c in driver.changes if c.dimension == "wish")
    assert moved == {("wishing", 1): 30, ("ready", 50): 30, ("nothing", 50): 30}


def test_what_was_taken_but_not_applied_is_sent_on_once() -> None:
    """An event under a wrong key, behind a product that is told in slices, is not sent on by every slice."""
    events = [*wishers(30), event("", "Product Updated", 2, product_id="p", price=5)]
    events.append(event("stranger", "Order Completed", 2, total=3))
    log = logs(events)
    shard = Shard(PLAN, 0, list(log), home=Home(0, lambda key: int(key == b"stranger"), "rekeyed"))
    driver = Driver(PLAN, log, limit=10)
    driver.shard = shard
    for source in log:
        shard.start(source, 0)
    driver.finish()
    assert [sent.key for out in driver.outputs for sent in out.rekeyed] == [b"stranger"]
    assert driver.counts == Counts(read=32, applied=31, rekeyed=1)


def test_definitions_that_take_effect_right_after_wait_for_all_who_are_told() -> None:
    """Everyone hears of the product under the old definitions, as they would in one piece."""
    files = files_of(WISH, {**CART, "segments": [CART["segments"][0], CART["segments"][3]]})
    log = _with_version([*wishers(25), event("", "Product Updated", 30, product_id="p", price=5)], files)
    whole = Driver(PLAN, log, limit=100_000, plans=Published()).finish()
    sliced = Driver(PLAN, log, limit=3, plans=Published()).finish()
    assert told(sliced.changes) == told(whole.changes)
    assert {c.cause for c in whole.changes} >= {"event", "definition"}


def _with_version(events: Iterable[Mapping[str, Any]], files: dict[str, str]) -> Log:
    log = logs(events, until=400)
    published = DefinitionsVersion(1, 31, files)
    log["control", 0].insert(0, Record(0, published.to_json()))
    log["control", 0] = [Record(k, r.value) for k, r in enumerate(log["control", 0])]
    return log
