"""The least or the greatest of what the orders that stand brought, ever."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stream.events.leaf import leaf
from stream.features.base import Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.filter import Filter
from stream.features.orders import Orders
from stream.features.orders_kept import bring, clear, columns, counts, leaves, over_book, passed_by, settle, turn

#: The first column of what the orders brought.
WITH = 2


@leaf
def better(best: float, x: float, side: float) -> float:
    """The greater (side 1) or the lesser (-1) of two numbers, of which the first may be missing."""
    return x if best != best or side * x > side * best else best


def opens(r: Any, f: Any, p: int, o: int, book: int, n: int, side: float) -> None:
    """Columns: the extreme, that of orders no longer in the book, what each order brought."""
    if leaves(r, f, book, o, p + WITH, n, 1):
        f[p + 1] = better(f[p + 1], f[p + WITH], side)
    turn(r, f, p + WITH, o, n)


def fold(r: Any, f: Any, p: int, o: int, x: float, sign: float, n: int, side: float) -> None:
    """Add (or take off) what the event brings."""
    bring(f, p + WITH, o, x, sign)


def closes(r: Any, f: Any, p: int, o: int, book: int, t: int, n: int, side: float) -> None:
    """The best of those that stand."""
    settle(f, p + WITH, o, n)
    if passed_by(f, o, p + WITH, n, 1):
        f[p + 1] = better(f[p + 1], f[p + WITH + n], side)
    clear(f, p + WITH, o, n)
    best = f[p + 1]
    for e in range(n):
        if counts(r, f, book, e, p + WITH, n, 1):
            best = better(best, f[p + WITH + e], side)
    f[p] = best


def value(r: Any, f: Any, p: int, now: int, book: int, n: int, side: float) -> float:
    """The least or greatest; missing where no order stands."""
    return float(f[p])


@dataclass(frozen=True)
class OrderExtreme(Accumulator):
    """``{max: total, of: Order Completed, less: [Order Refunded, Order Cancelled]}``, or ``min``."""

    word: ClassVar[str] = "max"
    path: str
    orders: Orders
    greatest: bool = True
    kind: Kind = Kind.NUMBER
    where: Filter | None = None

    def columns(self) -> tuple[Column, ...]:
        best = (Column("extreme", math.nan, real=True), Column("extreme before", math.nan, real=True))
        return (*best, *columns(self.orders.last))

    def identity(self) -> str:
        return repr(replace(self, orders=replace(self.orders, last=0)))

    def constants(self) -> tuple[Constant, ...]:
        return (self.orders.last, 1.0 if self.greatest else -1.0)

    def book(self) -> Orders:
        return self.orders

    def reactions(self) -> dict[str, Reaction]:
        return over_book(self.orders, self.path, self.where, (opens, fold, closes), self.constants())

    def views(self) -> dict[str, View]:
        return {"": View(self.kind, Shape.CONSTANT, value)}
