"""What happens to a product reaches everyone who holds it: once, in whatever bag, and the latest word counts."""

from __future__ import annotations

from typing import Any

import orjson

from tests.shards import Driver, Record, event, logs, plan_of
from tests.shop import WISH

HELD: dict[str, Any] = {
    "dimension": "held",
    "features": {
        "cart": {"bag": "products", "add": "Product Added"},
        "wishes": {"bag": "products", "add": "Product Added to Wishlist"},
    },
    "segments": [
        {"segment": "both", "when": "cart.cheaper >= 1 and wishes.cheaper >= 1"},
        {"segment": "one", "when": "cart.cheaper >= 1 or wishes.cheaper >= 1"},
    ],
    "otherwise": "no",
}


def told(driver: Driver) -> list[tuple[str, str | None, int]]:
    """Customer, segment entered, instant."""
    return [(c.subject, c.to_segment, c.at_ms) for c in driver.changes]


def test_a_product_in_two_bags_is_judged_once() -> None:
    """One price change is one instant: nobody passes through a segment that held at no time."""
    events = [
        event("ann", "Product Added", 1, product_id="p", price=10),
        event("ann", "Product Added to Wishlist", 2, product_id="p", price=10),
        event("", "Product Updated", 3, product_id="p", price=5),
    ]
    assert told(Driver(plan_of(HELD), logs(events)).finish()) == [("ann", "no", 1), ("ann", "both", 3)]


def test_the_latest_word_on_an_offer_counts() -> None:
    """An update that comes late does not take a newer offer back."""
    log = logs([event("ann", "Product Added to Wishlist", 1, product_id="p", price=10)], until=100)
    for t, ends in ((10, 40), (5, 20)):
        update = event(
            "", "Product Updated", t, product_id="p", price=10, offer_ends=f"1970-01-01T00:00:00.{ends:03d}Z"
        )
        source = ("products", 0)
        log[source].append(Record(len(log[source]), orjson.dumps(update)))
    assert told(Driver(plan_of(WISH), log).finish()) == [
        ("ann", "wishing", 1),
        ("ann", "ready", 10),
        ("ann", "wishing", 40),
    ]


def test_an_update_of_several_products_reaches_the_holders_of_each() -> None:
    """Also where the room for changes runs out in the middle of one of them."""
    holders = {product: [f"{product}{k}" for k in range(5000)] for product in "pq"}
    wishes = [
        event(customer, "Product Added to Wishlist", 1, product_id=product, price=10)
        for product, customers in holders.items()
        for customer in customers
    ]
    products = [{"product_id": product, "price": 5} for product in holders]
    driver = Driver(plan_of(WISH), logs([*wishes, event("", "Product Updated", 2, products=products)]), limit=100_000)
    ready = [c.subject for c in driver.finish().changes if c.to_segment == "ready"]
    assert sorted(ready) == sorted(holders["p"] + holders["q"])


def test_when_conditions_were_looked_at_leaves_no_trace() -> None:
    """A late event finds the customer at their latest event or change, however often the clock looked in between."""
    quick: dict[str, Any] = {
        "dimension": "quick",
        "features": {
            "near": {"count": "Order Completed", "within": "43ms", "up_to": 60},
            "ago": {"since": "Order Completed"},
        },
        "segments": [{"segment": "a", "when": "near >= 2 * (ago / 1ms)"}],
        "otherwise": "b",
    }
    late = event("ann", "Order Completed", 0, total=1, id="late")
    driver = Driver(plan_of(quick), logs([event("ann", "Order Completed", 0, total=1)], until=71)).finish()
    assert told(driver) == [("ann", "a", 0), ("ann", "b", 1)]
    driver.log["purchases", 0].append(Record(1, orjson.dumps(late)))
    assert told(driver.finish())[2:] == [("ann", "a", 1), ("ann", "b", 2)]
