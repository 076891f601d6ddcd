"""Orders that stand in a sliding window, since another event, or in a calendar period: how many, and sum, mean, least
or greatest of what they brought.

Worked out from the book whenever it is asked for, so a cancelled order is missing from the very instant on.  Exact as
long as no more orders lie in the span than the book keeps.  A period is that of the zone in which the customer is now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stream.events.leaf import leaf
from stream.features.after import mark
from stream.features.base import FOREVER, NEVER, Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.calendar import PERIODS, Local, next_period
from stream.features.combine import SUM, WORDS, add, told
from stream.features.filter import Filter
from stream.features.orders import NONE, WAITING, Orders, status_of
from stream.features.orders_kept import bring, clear, columns, counts, over_book, settle, turn

#: The first column of what the orders brought; before it, the other event.
WITH = 1


def opens(r: Any, f: Any, p: int, o: int, book: int, n: int) -> None:
    """Columns: the latest of the other events, what each order brought."""
    turn(r, f, p + WITH, o, n)


def fold(r: Any, f: Any, p: int, o: int, x: float, sign: float, n: int) -> None:
    """Add (or take off) what the event brings."""
    bring(f, p + WITH, o, x, sign)


def closes(r: Any, f: Any, p: int, o: int, book: int, t: int, n: int) -> None:
    """What the book has no room for lies in no span."""
    settle(f, p + WITH, o, n)
    clear(f, p + WITH, o, n)


@leaf
def joins(r: Any, f: Any, p: int, book: int, e: int, n: int, kept: int, how: int) -> bool:
    """Whether the e-th counts: it stands, or it is a refund without its order, which lowers sums that no filter has to
    ask the order for."""
    if counts(r, f, book, e, p + WITH, n, kept):
        return True
    waits = how == SUM and kept == 2 and status_of(r, f, book, n, e) == WAITING
    return waits and f[p + WITH + e] == f[p + WITH + e]


@leaf
def brought(f: Any, p: int, e: int, kept: int) -> float:
    """What the e-th brought."""
    return f[p + WITH + e] if kept else 1.0


@leaf
def combined(r: Any, f: Any, p: int, book: int, n: int, kept: int, how: int, bound: int) -> float:
    """What those later than the bound come to, from the latest to the oldest."""
    so_far, m = 0.0, 0
    for e in range(n - 1, -1, -1):
        if r[book + n + e] > bound and joins(r, f, p, book, e, n, kept, how):
            so_far = add(how, so_far, m, brought(f, p, e, kept))
            m += 1
    return told(how, so_far, m)


def within(r: Any, f: Any, p: int, now: int, book: int, n: int, kept: int, how: int, window: int) -> float:
    """In the window (now - window, now]."""
    return combined(r, f, p, book, n, kept, how, now - window)


def until(r: Any, f: Any, p: int, now: int, k: float, book: int, n: int, kept: int, how: int, window: int) -> int:
    """When an order leaves the window that decides; with k NaN, when the oldest inside leaves it."""
    holds = combined(r, f, p, book, n, kept, how, now - window) >= k
    found, so_far, m, before = FOREVER, 0.0, 0, FOREVER
    for e in range(n - 1, -1, -1):
        at = r[book + n + e]
        if at <= now - window or not joins(r, f, p, book, e, n, kept, how):
            continue
        missing = m == 0 and how != SUM
        if k != k or (at < before and (missing or (told(how, so_far, m) >= k) != holds)):
            found = at + window
        so_far, m, before = add(how, so_far, m, brought(f, p, e, kept)), m + 1, at
    return int(found)


def after(r: Any, f: Any, p: int, now: int, book: int, n: int, kept: int, how: int) -> float:
    """Since the other event."""
    return combined(r, f, p, book, n, kept, how, r[p])


def this(r: Any, f: Any, p: int, now: int, book: int, n: int, kept: int, how: int, zone: Any, period: int) -> float:
    """In the calendar period that it is now."""
    end, bound = next_period(zone, now, period), NEVER
    for e in range(n):
        at = r[book + n + e]
        if at != NEVER and next_period(zone, at, period) < end:
            bound = at
    return combined(r, f, p, book, n, kept, how, bound)


def until_this(
    r: Any, f: Any, p: int, now: int, k: float, book: int, n: int, kept: int, how: int, zone: Any, period: int
) -> int:
    """The end of the period, where it has an order."""
    end = next_period(zone, now, period)
    for e in range(n):
        if status_of(r, f, book, n, e) != NONE and next_period(zone, r[book + n + e], period) == end:
            return int(end)
    return FOREVER


@dataclass(frozen=True)
class OrderSpan(Accumulator):
    """``{count: Order Completed, within: 30d, less: Order Cancelled}``; also ``sum``, ``mean``, ``min``, ``max``, and
    ``after: OTHER`` or ``this: month`` instead of ``within``.

    ``how`` is that word; ``path`` is None for ``count``.  ``window`` (ms), ``others`` or ``period`` (in ``zone``) say
    which orders count.
    """

    word: ClassVar[str] = "count"
    how: str
    path: str | None
    orders: Orders
    window: int | None = None
    others: tuple[str, ...] = ()
    period: str = ""
    zone: Local | None = None
    kind: Kind = Kind.NUMBER
    where: Filter | None = None

    @property
    def kept(self) -> int:
        """What is kept beside each order: 0 nothing, 1 that the filter lets it through, 2 an amount, 3 both."""
        return 2 * (self.path is not None) + (self.where is not None)

    def columns(self) -> tuple[Column, ...]:
        return (Column("after", NEVER), *(columns(self.orders.last) if self.kept else ()))

    def identity(self) -> str:
        return repr(replace(self, orders=replace(self.orders, last=0)))

    def constants(self) -> tuple[Constant, ...]:
        span: tuple[Constant, ...] = (self.window,) if self.window is not None else ()
        if self.zone is not None:
            span = (self.zone, PERIODS[self.period])
        return (self.orders.last, self.kept, WORDS.get(self.how, SUM), *span)

    def book(self) -> Orders:
        return self.orders

    def counts_to(self) -> int | None:
        return self.orders.last - 1 if self.path is None else None

    def reactions(self) -> dict[str, Reaction]:
        marks = {name: Reaction(mark, filtered=False) for name in self.others}
        functions = (opens, fold, closes) if self.kept else (None, fold, None)
        return marks | over_book(self.orders, self.path, self.where, functions, (self.orders.last,))

    def views(self) -> dict[str, View]:
        if self.window is not None:
            return {"": View(self.kind, Shape.STEPS, within, until)}
        if self.zone is not None:
            return {"": View(self.kind, Shape.STEPS, this, until_this)}
        return {"": View(self.kind, Shape.CONSTANT, after)}
