"""What the orders that stand come to, and their mean, ever: refunds and cancellations taken off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from stream.features.base import Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.filter import Filter
from stream.features.orders import ALIVE, WAITING, Orders, parts
from stream.features.orders_kept import bring, clear, columns, over_book, settle, turn
from stream.features.total import Total

#: The first column of what the orders brought.
WITH = 3


def opens(r: Any, f: Any, p: int, o: int, book: int, n: int, alone: int) -> None:
    """Columns: the sum, how many orders, the sum of refunds without their order (negative), what each order brought.
    What the order counted for is taken off."""
    was, _, e, _ = parts(o)
    x = f[p + WITH + e]
    if x == x and was == ALIVE:
        f[p] -= x
        r[p + 1] -= 1
    elif alone and x == x and was == WAITING:
        f[p + 2] -= x
    turn(r, f, p + WITH, o, n)


def fold(r: Any, f: Any, p: int, o: int, x: float, sign: float, n: int, alone: int) -> None:
    """Add (or take off) what the event brings.  ``alone``: a refund whose order is not known lowers the sum, since no
    filter has to ask the order."""
    bring(f, p + WITH, o, x, sign)


def closes(r: Any, f: Any, p: int, o: int, book: int, t: int, n: int, alone: int) -> None:
    """The order counts for what it is now."""
    settle(f, p + WITH, o, n)
    _, will, _, to = parts(o)
    x = f[p + WITH + to]
    if x == x and will == ALIVE:
        f[p] += x
        r[p + 1] += 1
    elif alone and x == x and will == WAITING:
        f[p + 2] += x
    clear(f, p + WITH, o, n)


def value(r: Any, f: Any, p: int, now: int, book: int, n: int, alone: int) -> float:
    """The sum, less refunds without their order; 0 where nothing came yet."""
    return float(f[p] + f[p + 2])


def mean(r: Any, f: Any, p: int, now: int, book: int, n: int, alone: int) -> float:
    """The mean of the orders that stand; missing where none does."""
    return float(f[p] / r[p + 1]) if r[p + 1] > 0 else float("nan")


@dataclass(frozen=True)
class OrderTotal(Accumulator):
    """``{sum: total, of: Order Completed, less: [Order Refunded, Order Cancelled]}``; ``spend.mean`` is the mean, and
    ``{mean: total, ...}`` that alone."""

    word: ClassVar[str] = "sum"
    how: str
    path: str
    orders: Orders
    kind: Kind = Kind.NUMBER
    where: Filter | None = None

    def columns(self) -> tuple[Column, ...]:
        lost = Column("without order", 0.0, real=True)
        return (Column("sum", 0.0, real=True), Column("count", 0), lost, *columns(self.orders.last))

    def identity(self) -> str:
        """That of sums before there were books, so that rows from then are taken over."""
        found = repr(Total(self.path, self.orders.of, self.orders.less, self.kind))
        return found if self.where is None else f"{found} where {self.where!r}"

    def constants(self) -> tuple[Constant, ...]:
        return (self.orders.last, int(self.where is None))

    def book(self) -> Orders:
        return self.orders

    def reactions(self) -> dict[str, Reaction]:
        return over_book(self.orders, self.path, self.where, (opens, fold, closes), self.constants())

    def views(self) -> dict[str, View]:
        if self.how == "mean":
            return {"": View(self.kind, Shape.CONSTANT, mean)}
        return {"": View(self.kind, Shape.CONSTANT, value), "mean": View(self.kind, Shape.CONSTANT, mean)}
