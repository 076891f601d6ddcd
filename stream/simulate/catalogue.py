"""What the shop sells: products with prices that drop for a while, offers that end, and shelves that run empty."""

from __future__ import annotations

from math import log
from random import Random
from typing import Any

from stream.events.instant import iso
from stream.simulate.personas import Gaps

#: category -> a typical price in units of the currency, and its brands
ASSORTMENT: dict[str, tuple[float, tuple[str, ...]]] = {
    "shoes": (80, ("Pelloria", "Stridewell", "Kanto", "Umbra")),
    "dresses": (60, ("Linnea", "Solveig", "Pelloria")),
    "jackets": (120, ("Nordwand", "Kanto", "Fjellby")),
    "bags": (95, ("Umbra", "Marlow", "Linnea")),
    "books": (16, ("Papierhaus", "Quill", "Oldgate")),
    "games": (35, ("Dicehall", "Quill", "Tinkerton")),
    "toys": (25, ("Tinkerton", "Bramble")),
    "kitchen": (45, ("Kupfer", "Hearth", "Marlow")),
    "garden": (40, ("Bramble", "Greenrow")),
    "audio": (150, ("Vellum", "Nocturne", "Orbis")),
    "phones": (480, ("Orbis", "Nocturne")),
    "beauty": (22, ("Solveig", "Dew", "Marigold")),
}

DROPS = Gaps(30, 1.0)
DROP_LASTS = Gaps(4, 0.5)
STOCK_OUTS = Gaps(60, 1.0)
STOCK_OUT_LASTS = Gaps(2, 0.6)
#: How many of the price drops are offers that say when they end.
OFFERS = 0.4


class Product:
    """One product: prices and what it costs the shop are whole cents; ``card`` is what an event tells of it now."""

    __slots__ = (
        "base_cents",
        "brand",
        "card",
        "category",
        "cents",
        "cost_cents",
        "currency",
        "id",
        "in_stock",
        "offer_ends",
    )

    def __init__(self, number: int, category: str, brand: str, cents: int, currency: str) -> None:
        self.id = f"p{number}"
        self.category = category
        self.brand = brand
        self.base_cents = cents
        self.cost_cents = cents * (50 + 3 * (number % 10)) // 100
        self.currency = currency
        self.in_stock = True
        self.offer_ends: int | None = None
        self.price_at(cents)

    def price_at(self, cents: int) -> None:
        """Sets the price."""
        self.cents = cents
        self.card: dict[str, Any] = {
            "product_id": self.id,
            "price": cents / 100,
            "currency": self.currency,
            "category": self.category,
            "brand": self.brand,
        }

    def update(self) -> dict[str, Any]:
        """The properties of Product Updated."""
        return {
            "product_id": self.id,
            "price": self.cents / 100,
            "currency": self.currency,
            "offer_ends": None if self.offer_ends is None else iso(self.offer_ends),
            "in_stock": self.in_stock,
        }


class Catalogue:
    """All products, by number and by category."""

    def __init__(self, size: int, currency: str, random: Random) -> None:
        self.products: list[Product] = []
        self.categories = list(ASSORTMENT)[:size]
        self._by_category: dict[str, list[Product]] = {category: [] for category in self.categories}
        for number in range(size):
            category = self.categories[number % len(self.categories)]
            typical, brands = ASSORTMENT[category]
            cents = max(199, round(100 * random.lognormvariate(log(typical), 0.5)))
            product = Product(number, category, random.choice(brands), cents - cents % 10 + 9, currency)
            self.products.append(product)
            self._by_category[category].append(product)

    def pick(self, tastes: tuple[str, ...], random: Random) -> Product:
        """A product to look at: mostly of the categories that a customer likes, the first of each the best known."""
        draw = random.random()
        shelf = self._by_category[tastes[int(draw * 5)]] if draw * 5 < len(tastes) else self.products
        popular = random.random()
        return shelf[int(popular * popular * len(shelf))]

    def drop(self, product: Product, at: int, random: Random) -> int:
        """Lowers a price, perhaps as an offer with an end; the instant at which it is over."""
        ends = at + DROP_LASTS.draw_ms(random)
        share = 0.6 + 0.3 * random.random()
        product.price_at(max(99, int(product.base_cents * share)))
        product.offer_ends = ends if random.random() < OFFERS else None
        return ends
