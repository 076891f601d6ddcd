"""Customers who leave: what is told of them, and histories in which many do."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson

from stream.engine.output import Output
from tests.shards import Driver, event
from tests.shop import history

DELETED = "User Deleted"
#: Who does nothing for so long (ms) is dormant.
LIFETIME = 60


def wish(customer: str, t: int, product: str = "p", **more: Any) -> dict[str, Any]:
    """Something put on the wishlist at 10."""
    return event(customer, "Product Added to Wishlist", t, product_id=product, price=10, **more)


def receipts(driver: Driver) -> list[tuple[Any, ...]]:
    """Who was forgotten, when and why, and from which segments, by customer and in order."""
    found = [one for out in driver.outputs for one in out.forgotten]
    rows = [(f.subject, f.at_ms, f.reason, f.message_id, orjson.dumps(f.segments, option=orjson.OPT_SORT_KEYS), f.id)
            for f in found]  # fmt: skip
    return sorted(rows, key=lambda row: row[:2])


def in_order(outputs: list[Output], customer: str) -> list[str]:
    """What became of a customer, as it is told."""
    told = [one for out in outputs for one in out.told() if one.subject == customer]
    return [getattr(one, "reason", None) or f"{one.dimension}: {one.to_segment}" for one in told]  # type: ignore[union-attr]


def latest(driver: Driver, of: str) -> dict[bytes, bytes | None]:
    """What a compacted topic keeps: ``rows`` or ``customers``."""
    return {key: value for out in driver.outputs for key, value in getattr(out, of)}


def leaving(seed: int) -> list[dict[str, Any]]:
    """A history in which customers ask to be forgotten now and then, and come back."""
    random, found = Random(seed), []
    for one in history(seed, customers=5, length=90):
        found.append(one)
        if random.random() < 0.1:
            found.append({**event(f"c{random.randrange(5)}", DELETED, 0), "timestamp": one["timestamp"],
                          "messageId": f"gone-{len(found)}"})  # fmt: skip
    return found
