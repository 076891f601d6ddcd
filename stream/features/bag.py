"""A bag of products: what is on the wishlist, what lies in the cart.

Entries live in the shard's pool (:mod:`stream.features.pool`); the row holds the head of the bag, its size, and when it
was last cleared.  A bag has a limit: the oldest entry gives way.  An addition older than the last clearing is ignored,
so that a late event does not fill a cart that was already paid for.  A single removal is not remembered: an addition
that comes after the removal that it precedes in time stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from stream.features import pool
from stream.features.base import FOREVER, NEVER, Accumulator, Column, Kind, Reaction, Shape, View
from stream.features.pool import (
    ADDED,
    BACK,
    CLEARED,
    DROPPED,
    HEAD,
    IN_STOCK,
    NEXT,
    NONE,
    OFFER_AT,
    OFFER_ENDS,
    PRICE_ADDED,
    PRICE_AT,
    PRICE_LAST,
    PRODUCT,
    SIZE,
    SOLD_OUT,
    STOCK,
    STOCK_AT,
    VISITS,
)

# Folds of bags: ``fold(r, f, p, t, bags, row, items, first, last, limit)``; ``items[first:last]`` are the products of
# the event, one a line: hash of the product id (0: none), price in micros (-1: unknown), quantity, and whether it is in
# stock (-1: unknown).


def add(r: Any, f: Any, p: int, t: int, bags: Any, row: int, items: Any, first: int, last: int, limit: int) -> None:
    """Put the event's products in; one that is there already stays as it is."""
    if t < r[p + CLEARED]:
        return
    for i in range(first, last):
        product = items[i, 0]
        if product == 0 or pool.find(bags, r, p, product) != NONE:
            continue
        if r[p + SIZE] >= limit:
            oldest = pool.oldest(bags, r, p)
            if t < bags.entries[oldest, ADDED]:
                continue
            pool.unlink(bags, r, p, oldest)
            bags.meta[DROPPED] += 1
        e = pool.take(bags)
        entries = bags.entries
        entries[e, PRODUCT] = product
        entries[e, ADDED] = t
        entries[e, PRICE_ADDED] = items[i, 1]
        entries[e, PRICE_LAST] = items[i, 1]
        entries[e, PRICE_AT] = t
        entries[e, OFFER_ENDS] = NEVER
        entries[e, OFFER_AT] = NEVER
        entries[e, VISITS] = 0
        entries[e, STOCK] = SOLD_OUT if items[i, 3] == 0 else IN_STOCK
        entries[e, STOCK_AT] = t
        pool.link(bags, r, p, row, e)


def remove(r: Any, f: Any, p: int, t: int, bags: Any, row: int, items: Any, first: int, last: int, limit: int) -> None:
    """Take the event's products out."""
    for i in range(first, last):
        e = pool.find(bags, r, p, items[i, 0])
        if e != NONE and bags.entries[e, ADDED] <= t:
            pool.unlink(bags, r, p, e)


def clear(r: Any, f: Any, p: int, t: int, bags: Any, row: int, items: Any, first: int, last: int, limit: int) -> None:
    """Take out all that was put in up to this instant."""
    r[p + CLEARED] = max(r[p + CLEARED], t)
    e = r[p + HEAD]
    while e != NONE:
        after = bags.entries[e, NEXT]
        if bags.entries[e, ADDED] <= t:
            pool.unlink(bags, r, p, e)
        e = after


def visit(r: Any, f: Any, p: int, t: int, bags: Any, row: int, items: Any, first: int, last: int, limit: int) -> None:
    """The customer looked at these products: one visit more to each that is in the bag, and price and stock seen."""
    for i in range(first, last):
        e = pool.find(bags, r, p, items[i, 0])
        if e != NONE and bags.entries[e, ADDED] <= t:
            bags.entries[e, VISITS] += 1
            pool.see_price(bags.entries, e, t, items[i, 1])
            pool.see_stock(bags.entries, e, t, items[i, 3])


def size(r: Any, f: Any, p: int, now: int, bags: Any) -> float:
    """How many products are in the bag."""
    return float(r[p + SIZE])


def cheaper(r: Any, f: Any, p: int, now: int, bags: Any) -> float:
    """How many of them cost less now than when they were put in."""
    n = 0
    e = r[p + HEAD]
    while e != NONE:
        if 0 <= bags.entries[e, PRICE_LAST] < bags.entries[e, PRICE_ADDED]:
            n += 1
        e = bags.entries[e, NEXT]
    return float(n)


def back(r: Any, f: Any, p: int, now: int, bags: Any) -> float:
    """How many of them were sold out since they were put in, or then, and can be had again."""
    n = 0
    e = r[p + HEAD]
    while e != NONE:
        if bags.entries[e, STOCK] == BACK:
            n += 1
        e = bags.entries[e, NEXT]
    return float(n)


def visits(r: Any, f: Any, p: int, now: int, bags: Any) -> float:
    """How often the most visited of them was looked at since it was put in."""
    n = 0
    e = r[p + HEAD]
    while e != NONE:
        n = max(n, bags.entries[e, VISITS])
        e = bags.entries[e, NEXT]
    return float(n)


def on_offer(r: Any, f: Any, p: int, now: int, bags: Any) -> float:
    """How many of them are on an offer that has not ended."""
    n = 0
    e = r[p + HEAD]
    while e != NONE:
        if bags.entries[e, OFFER_ENDS] > now:
            n += 1
        e = bags.entries[e, NEXT]
    return float(n)


def offer_ends(r: Any, f: Any, p: int, now: int, k: float, bags: Any) -> int:
    """When the next offer ends."""
    soonest = FOREVER
    e = r[p + HEAD]
    while e != NONE:
        ends = bags.entries[e, OFFER_ENDS]
        if now < ends < soonest:
            soonest = ends
        e = bags.entries[e, NEXT]
    return int(soonest)


@dataclass(frozen=True)
class Bag(Accumulator):
    """``{bag: products, add: Product Added, remove: Product Removed, clear: Order Completed, limit: 100}``.

    Views: ``wishlist.size``, ``.cheaper``, ``.visits``, ``.on_offer``, ``.back``; the bare name is the size.
    """

    word: ClassVar[str] = "bag"
    add: tuple[str, ...]
    remove: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()
    visit: tuple[str, ...] = ()
    limit: int = 100

    def columns(self) -> tuple[Column, ...]:
        return (Column("head", NONE), Column("size", 0), Column("cleared", NEVER))

    def reactions(self) -> dict[str, Reaction]:
        found: dict[str, Reaction] = {}
        for names, fold in ((self.visit, visit), (self.add, add), (self.remove, remove), (self.clear, clear)):
            found |= {name: Reaction(fold, "items", constants=(self.limit,)) for name in names}
        return found

    def views(self) -> dict[str, View]:
        return {
            "": View(Kind.NUMBER, Shape.CONSTANT, size),
            "size": View(Kind.NUMBER, Shape.CONSTANT, size),
            "cheaper": View(Kind.NUMBER, Shape.CONSTANT, cheaper),
            "back": View(Kind.NUMBER, Shape.CONSTANT, back),
            "visits": View(Kind.NUMBER, Shape.CONSTANT, visits),
            "on_offer": View(Kind.NUMBER, Shape.STEPS, on_offer, offer_ends),
        }
