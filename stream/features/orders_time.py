"""How many orders of a customer stand, the time since the last or the first of them, and their usual gap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stream.events.leaf import leaf
from stream.features import gap, since
from stream.features.base import FOREVER, NEVER, Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.filter import Filter
from stream.features.orders import Orders
from stream.features.orders_kept import bring, clear, columns, counts, leaves, over_book, passed_by, settle, turn

#: The first column of what the orders brought; before it: count, first, last; the same of orders no longer in the book.
WITH = 6


@leaf
def include(r: Any, p: int, t: int) -> None:
    """One more order in count, first, last."""
    r[p] += 1
    if r[p + 1] == NEVER or t < r[p + 1]:
        r[p + 1] = t
    r[p + 2] = max(r[p + 2], t)


def opens(r: Any, f: Any, p: int, o: int, book: int, n: int, kept: int) -> None:
    """The oldest order leaves the book for good."""
    if leaves(r, f, book, o, p + WITH, n, kept):
        include(r, p + 3, r[book + n])
    if kept:
        turn(r, f, p + WITH, o, n)


def fold(r: Any, f: Any, p: int, o: int, x: float, sign: float, n: int, kept: int) -> None:
    """An order that the filter lets through."""
    if kept:
        bring(f, p + WITH, o, x, sign)


def closes(r: Any, f: Any, p: int, o: int, book: int, t: int, n: int, kept: int) -> None:
    """Count, first and last of those that stand."""
    if kept:
        settle(f, p + WITH, o, n)
    if passed_by(f, o, p + WITH, n, kept):
        include(r, p + 3, t)
    if kept:
        clear(f, p + WITH, o, n)
    for k in range(3):
        r[p + k] = r[p + 3 + k]
    for e in range(n):
        if counts(r, f, book, e, p + WITH, n, kept):
            include(r, p, r[book + n + e])


def count(r: Any, f: Any, p: int, now: int, book: int, n: int, kept: int) -> float:
    """How many orders stand."""
    return float(r[p])


def since_last(r: Any, f: Any, p: int, now: int, book: int, n: int, kept: int) -> float:
    """Milliseconds since the last order that stands; missing where none does."""
    return since.value(r, f, p + 2, now)


def since_first(r: Any, f: Any, p: int, now: int, book: int, n: int, kept: int) -> float:
    """Milliseconds since the first order that stands; missing where none does."""
    return since.value(r, f, p + 1, now)


def usual_gap(
    r: Any,
    f: Any,
    p: int,
    now: int,
    book: int,
    n: int,
    kept: int,
    after: int,
    default: float,
    least: float,
    most: float,
) -> float:
    """The usual gap in milliseconds."""
    return gap.value(r, f, p, now, after, default, least, most)


@dataclass(frozen=True)
class OrderTimes(Accumulator):
    """What the times of the orders that stand are kept by: how many, the first and the last."""

    word: ClassVar[str] = "since"
    orders: Orders
    where: Filter | None = None

    @property
    def kept(self) -> int:
        """Whether something is kept beside each order: whether the filter lets it through."""
        return int(self.where is not None)

    def columns(self) -> tuple[Column, ...]:
        three = (Column("count", 0), Column("first", NEVER), Column("last", NEVER))
        before = (replace(c, name=f"{c.name} before") for c in three)
        return (*three, *before, *(columns(self.orders.last) if self.kept else ()))

    def identity(self) -> str:
        return repr(replace(self, orders=replace(self.orders, last=0)))

    def constants(self) -> tuple[Constant, ...]:
        return (self.orders.last, self.kept)

    def book(self) -> Orders:
        return self.orders

    def reactions(self) -> dict[str, Reaction]:
        constants = (self.orders.last, self.kept)
        return over_book(self.orders, None, self.where, (opens, fold, closes), constants)

    def views(self) -> dict[str, View]:
        return {}


@dataclass(frozen=True)
class OrderCount(OrderTimes):
    """``{count: Order Completed, less: [Order Refunded, Order Cancelled]}``."""

    word: ClassVar[str] = "count"

    def views(self) -> dict[str, View]:
        return {"": View(Kind.NUMBER, Shape.CONSTANT, count)}


@dataclass(frozen=True)
class OrderSince(OrderTimes):
    """``{since: Order Completed, less: Order Cancelled}``; ``{since first: ...}``: since the first."""

    first: bool = False

    def views(self) -> dict[str, View]:
        return {"": View(Kind.DURATION, Shape.LINEAR, since_first if self.first else since_last)}


@dataclass(frozen=True)
class OrderGap(OrderTimes):
    """``{gap: Order Completed, less: Order Cancelled, default: 45d, after: 3, min: 7d, max: 180d}``."""

    word: ClassVar[str] = "gap"
    default: int = 0
    after: int = 3
    least: int = 0
    most: int = FOREVER

    def constants(self) -> tuple[Constant, ...]:
        bounds = (float(self.default), float(self.least), float(self.most))
        return (*super().constants(), self.after, *bounds)

    def views(self) -> dict[str, View]:
        return {"": View(Kind.DURATION, Shape.CONSTANT, usual_gap)}
