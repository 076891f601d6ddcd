"""A customer at a limit degrades by the stated rule, and takes no more room however long it goes on."""

from __future__ import annotations

from typing import Any

import numpy as np

from stream.engine import rest
from stream.events.text import text_hash
from stream.features import pool
from tests.shards import Driver, event, logs, plan_of

START, MINUTE, LIMIT = 1_700_000_000_000, 60_000, 5
KINDS: dict[str, Any] = {
    "dimension": "limits",
    "features": {
        "bag": {"bag": "products", "add": "Product Added", "limit": LIMIT},
        "kinds": {"distinct": "category", "of": "Product Added", "up_to": 7},
        "lately": {"count": "Product Added", "within": "365d", "up_to": 20},
        "taste": {"favourite": "category", "of": "Product Added", "last": 6},
        "latest": {"latest": "category", "of": "Product Added"},
    },
    "segments": [
        {"segment": "a", "when": 'bag >= 5 and kinds >= 6 and latest != "x" and taste.share < 90% and lately > 9'}
    ],
    "otherwise": "b",
}


def added(k: int, count: int = 1) -> dict[str, Any]:
    """The k-th addition, of products that nobody has seen before."""
    products = [{"product_id": f"p{k * count + j}", "price": 5} for j in range(count)]
    return event("eve", "Product Added", START + k * MINUTE, products=products, category=f"c{k}", id=f"m{k}")


def held(driver: Driver) -> set[int]:
    """The products in the only bag."""
    rows = driver.shard.rows
    (p,) = driver.plan.layout.bags
    found, e = set(), int(rows.table.ints[0, p + pool.HEAD])
    while e != pool.NONE:
        found.add(int(rows.bags.entries[e, pool.PRODUCT]))
        e = int(rows.bags.entries[e, pool.NEXT])
    return found


def size_at_rest(driver: Driver) -> int:
    """Bytes of the only row."""
    ((_, value),) = rest.encode_rows(driver.shard.rows, np.arange(1), 1)
    return len(value or b"")


def test_new_products_without_end() -> None:
    """The oldest give way: the bag has the last ones, counts stop at their limits, the row is as long as it ever was.
    Found: the table of products grew with all that was ever put in."""
    plan = plan_of(KINDS)
    few = Driver(plan, logs([added(k) for k in range(200)]), limit=500).finish()
    many = Driver(plan, logs([added(k) for k in range(8_000)]), limit=500).finish()
    for driver, n in ((few, 200), (many, 8_000)):
        assert held(driver) == {text_hash(f"p{k}") for k in range(n - LIMIT, n)}
        found = driver.shard.features(0, START + n * MINUTE)
        assert (found["bag"], found["lately"], found["latest"]) == (LIMIT, 21, f"c{n - 1}")
        assert found["kinds"] >= 7
    assert size_at_rest(many) <= size_at_rest(few) + 40  # numbers of texts get longer, as far as there are names
    bags = many.shard.rows.bags
    assert len(bags.entries) <= 2048
    assert len(bags.table) <= 8192


def test_a_hundred_thousand_products_in_one_event() -> None:
    """The bag keeps as many as its limit, and so do the next ones."""
    driver = Driver(plan_of(KINDS), logs([added(0, 100_000), added(1, 3)])).finish()
    assert len(held(driver)) == LIMIT
    assert {text_hash(f"p{k}") for k in (3, 4, 5)} <= held(driver)
    assert size_at_rest(driver) < 1000
    driver.open()
    assert len(held(driver)) == LIMIT
