"""What each order in a customer's book brought to a feature: a float64 beside each (:mod:`stream.features.orders`).

Missing is what an order did not bring, and an order that the feature's filter keeps out.  A feature that has neither a
property nor a filter keeps nothing (``kept`` 0).  One more column, the last, is empty between events: it holds what an
order brings that the book has no room for, or what was waiting for one that comes late.
"""

from __future__ import annotations

import math
from typing import Any

from stream.events.leaf import leaf
from stream.features.base import Column, Reaction
from stream.features.filter import Filter
from stream.features.kept import move
from stream.features.orders import ALIVE, NONE, WAITING, Orders, matched, parts, status_of


def columns(n: int) -> tuple[Column, ...]:
    """Beside n orders; the names count back from the latest, as in the book."""
    return (*(Column(f"with-{n - 1 - i}", math.nan, real=True) for i in range(n)), Column("spare", math.nan, real=True))


@leaf
def turn(r: Any, f: Any, x: int, o: int, n: int) -> None:
    """Move along with the book; ``x`` is the first column.  What was waiting for an order steps aside."""
    was, will, e, to = parts(o)
    if to < n:
        move(r, x, e, to)
    if was == WAITING and will != WAITING:
        f[x + n] = f[x + to]
    if was == NONE or (was == WAITING and will != WAITING):
        f[x + to] = math.nan


@leaf
def bring(f: Any, x: int, o: int, number: float, sign: float) -> None:
    """Add what the event brings (sign 1), or take it off (-1): of an order that brought nothing there is nothing to
    take."""
    _, _, _, to = parts(o)
    if number == number and (f[x + to] == f[x + to] or sign > 0 or not matched(o)):
        f[x + to] = (f[x + to] if f[x + to] == f[x + to] else 0.0) + sign * number


@leaf
def settle(f: Any, x: int, o: int, n: int) -> None:
    """What was waiting for an order is taken off what that brought; where it brought nothing, it is forgotten."""
    was, will, _, to = parts(o)
    if was == WAITING and will != WAITING:
        if f[x + n] == f[x + n]:
            f[x + to] += f[x + n]
        f[x + n] = math.nan


@leaf
def clear(f: Any, x: int, o: int, n: int) -> None:
    """The last column is empty between events."""
    if o & 127 == n:
        f[x + n] = math.nan


@leaf
def counts(r: Any, f: Any, book: int, e: int, x: int, n: int, kept: int) -> bool:
    """Whether the e-th order stands and the feature has heard of it."""
    return status_of(r, f, book, n, e) == ALIVE and (kept == 0 or f[x + e] == f[x + e])


@leaf
def leaves(r: Any, f: Any, book: int, o: int, x: int, n: int, kept: int) -> bool:
    """Whether the event takes the oldest order out of the book for good, and that counts."""
    was, _, _, to = parts(o)
    return was == NONE and to < n and counts(r, f, book, 0, x, n, kept)


@leaf
def passed_by(f: Any, o: int, x: int, n: int, kept: int) -> bool:
    """Whether the event is an order that counts and is older than all in the book."""
    _, will, _, to = parts(o)
    return to == n and will == ALIVE and (kept == 0 or f[x + n] == f[x + n])


def over_book(
    orders: Orders, path: str | None, where: Filter | None, functions: tuple[Any, Any, Any], constants: Any
) -> dict[str, Reaction]:
    """The reactions of a feature over a book: orders bring the property, or 1, and the others take it off."""
    first, fold, last = functions
    reads = None if path is None else "number"

    def reaction(sign: float) -> Reaction:
        rest = (sign, *constants)
        return Reaction(fold, reads, path or "", rest, where, orders=orders, opens=first, closes=last)

    return {name: reaction(1.0) for name in orders.of} | {name: reaction(-1.0) for name in orders.less}
