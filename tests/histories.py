"""The words in which histories of customers are told: what somebody does on numbered days, and where that leads.

Day 0 is Thursday, 1 January 2026, at midnight UTC; fractions of a day are hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

DAY_MS = 86_400_000
#: 2026-01-01T00:00:00Z
BEGINS_MS = 1_767_225_600_000
HOUR = 1 / 24
MINUTE = HOUR / 60


@dataclass(frozen=True)
class Step:
    """One event of a history."""

    day: float
    name: str
    properties: dict[str, Any]


@dataclass(frozen=True)
class History:
    """What one customer does, and the segment of the dimension that they are in on some days."""

    dimension: str
    steps: tuple[Step, ...]
    expected: dict[float, str]


def told(dimension: str, *steps: list[Step], **expected: str) -> History:
    """A history; ``day_12="champions"`` says where it leads (``day_12_5``: at noon of that day)."""
    days = {float(key.removeprefix("day_").replace("_", ".")): segment for key, segment in expected.items()}
    return History(dimension, tuple(chain.from_iterable(steps)), days)


def did(name: str, *days: float, **properties: Any) -> list[Step]:
    """The same event on several days."""
    return [Step(day, name, properties) for day in days]


def ordered(*days: float, total: float = 50, **properties: Any) -> list[Step]:
    """Orders."""
    return did("Order Completed", *days, **{"total": total, **properties})


def bought(day: float, *brands: str, **properties: Any) -> list[Step]:
    """One order of a product of each brand."""
    products = [{"product_id": f"p-{brand}", "brand": brand, "price": 10, "quantity": 1} for brand in brands]
    return ordered(day, products=products, **properties)


def viewed(*days: float, category: str = "shoes", product: str = "p1") -> list[Step]:
    """Views of a product."""
    return did("Product Viewed", *days, product_id=product, category=category, price=20)


def identified(day: float, **traits: Any) -> list[Step]:
    """What the profile says from that day on."""
    return did("Identify", day, **traits)


def wished(day: float, product: str, price: float = 20) -> list[Step]:
    """A product is put on the wishlist at this price."""
    return did("Product Added to Wishlist", day, product_id=product, price=price)


def updated(day: float, product: str, price: float = 20, **properties: Any) -> list[Step]:
    """A product, not a customer: what it costs, whether it is on an offer or sold out."""
    return did("Product Updated", day, product_id=product, price=price, **properties)


def played(
    day: float, title: str, *, genre: str = "crime", ends: bool = True, pauses: int = 0, skips: int = 0
) -> list[Step]:
    """A title is started, at times paused or skipped through, and perhaps watched to its end half an hour later."""
    return [
        *did("Video Content Started", day, asset_id=title, genre=genre),
        *did("Video Playback Paused", *(day + (k + 1) * MINUTE for k in range(pauses)), content_asset_id=title),
        *did("Video Playback Seek Completed", *(day + (k + 1) * MINUTE for k in range(skips)), content_asset_id=title),
        *(did("Video Content Completed", day + HOUR / 2, asset_id=title, genre=genre) if ends else []),
    ]
