"""A small shop for tests of the engine: dimensions with every kind of memory, histories, and versions of clusters."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson

from tests.shards import CONTROL, Log, Record, event, wire_time

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
