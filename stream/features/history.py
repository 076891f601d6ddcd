"""What a customer bought, as models of lifetimes take it: how often, when first and last, and what it was worth.

What is bought within one day (``merge``, counted from 1970 in UTC) is one purchase: two orders of one evening say
nothing about how soon somebody comes back.  The latest 62 such days are remembered, so that a late event finds whether
its day counts already; one from before them, on a day that is not the first, counts as a day of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from numba.extending import register_jitable

from stream.features.base import NEVER, Accumulator, Column, Constant, Purchases, Reaction, View
from stream.features.filter import Filter
from stream.features.orders import Orders
from stream.features.orders_kept import bring, clear, columns, counts, leaves, over_book, passed_by, settle, turn

#: Columns: how many days with a purchase, the first and the last instant, the latest days as bits (bit 0: the last).
COUNT, FIRST, LAST, DAYS = range(4)
#: Where worth is kept: that of the first day, and of all later ones.
FIRST_WORTH, WORTH = 4, 5
#: So many of the latest days are remembered.
REMEMBERED = 62
ALL = (1 << REMEMBERED) - 1


@register_jitable
def days(r: Any, p: int, t: int, merge: int) -> None:
    """One more purchase in count, first, last and the latest days."""
    day = t // merge
    if r[p + COUNT] == 0:
        r[p + COUNT], r[p + FIRST], r[p + LAST], r[p + DAYS] = 1, t, t, 1
        return
    ahead = day - r[p + LAST] // merge
    if ahead > 0:
        r[p + DAYS] = ((r[p + DAYS] & (ALL >> ahead)) << ahead) | 1 if ahead < REMEMBERED else 1
        r[p + COUNT] += 1
    elif -ahead < REMEMBERED:
        if (r[p + DAYS] >> -ahead) & 1 == 0:
            r[p + DAYS] |= 1 << -ahead
            r[p + COUNT] += 1
    elif day != r[p + FIRST] // merge:
        r[p + COUNT] += 1
    r[p + FIRST] = min(r[p + FIRST], t)
    r[p + LAST] = max(r[p + LAST], t)


@register_jitable
def include(r: Any, f: Any, p: int, t: int, x: float, merge: int, valued: int) -> None:
    """A purchase worth ``x``; one that does not say what it is worth brings nothing."""
    if valued and x == x:
        begun = r[p + COUNT] > 0
        day, first = t // merge, r[p + FIRST] // merge
        if begun and day > first:
            f[p + WORTH] += x
        elif begun and day == first:
            f[p + FIRST_WORTH] += x
        else:
            f[p + WORTH] += f[p + FIRST_WORTH]
            f[p + FIRST_WORTH] = x
    elif valued and r[p + COUNT] > 0 and t // merge < r[p + FIRST] // merge:
        f[p + WORTH] += f[p + FIRST_WORTH]
        f[p + FIRST_WORTH] = 0.0
    days(r, p, t, merge)


def fold(r: Any, f: Any, p: int, t: int, merge: int) -> None:
    """A purchase."""
    days(r, p, t, merge)


def fold_worth(r: Any, f: Any, p: int, t: int, x: float, merge: int) -> None:
    """A purchase worth ``x``."""
    include(r, f, p, t, x, merge, 1)


@dataclass(frozen=True)
class History(Accumulator):
    """What features of one population of customers go by; ``path``: the property that says what a purchase is worth
    (None: that is not kept)."""

    word: ClassVar[str] = "history"
    of: tuple[str, ...]
    merge: int
    path: str | None = None
    where: Filter | None = None

    def columns(self) -> tuple[Column, ...]:
        four = (Column("count", 0), Column("first", NEVER), Column("last", NEVER), Column("days", 0, bits=True))
        worth = (Column("first worth", 0.0, real=True), Column("worth", 0.0, real=True))
        return four if self.path is None else (*four, *worth)

    def reactions(self) -> dict[str, Reaction]:
        if self.path is None:
            one = Reaction(fold, constants=(self.merge,), where=self.where)
        else:
            one = Reaction(fold_worth, "number", self.path, (self.merge,), self.where)
        return dict.fromkeys(self.of, one)

    def purchases(self) -> Purchases:
        return _purchases(self)

    def views(self) -> dict[str, View]:
        return {}


def opens(r: Any, f: Any, p: int, o: int, book: int, n: int, kept: int, merge: int, valued: int) -> None:
    """The oldest order leaves the book for good."""
    width = 6 if valued else 4
    x = p + 2 * width
    if leaves(r, f, book, o, x, n, kept):
        include(r, f, p + width, r[book + n], f[x] if kept else 0.0, merge, valued)
    if kept:
        turn(r, f, x, o, n)


def fold_order(
    r: Any, f: Any, p: int, o: int, x: float, sign: float, n: int, kept: int, merge: int, valued: int
) -> None:
    """What an order brings, or a refund takes off."""
    if kept:
        bring(f, p + (12 if valued else 8), o, x, sign)


def closes(r: Any, f: Any, p: int, o: int, book: int, t: int, n: int, kept: int, merge: int, valued: int) -> None:
    """The history of those that stand: of the orders no longer in the book, and of those in it."""
    width = 6 if valued else 4
    x = p + 2 * width
    if kept:
        settle(f, x, o, n)
    if passed_by(f, o, x, n, kept):
        include(r, f, p + width, t, f[x + n] if kept else 0.0, merge, valued)
    if kept:
        clear(f, x, o, n)
    for k in range(width):
        r[p + k] = r[p + width + k]
    for e in range(n):
        if counts(r, f, book, e, x, n, kept):
            include(r, f, p, r[book + n + e], f[x + e] if kept else 0.0, merge, valued)


@dataclass(frozen=True)
class OrderHistory(Accumulator):
    """The same of orders that can be taken back: what is refunded wholly never was, what is refunded in part was worth
    less.  An order that does not say what it is worth is none, where that is kept."""

    word: ClassVar[str] = "history"
    orders: Orders
    merge: int
    path: str | None = None
    where: Filter | None = None

    @property
    def kept(self) -> int:
        """Whether something is kept beside each order."""
        return int(self.path is not None or self.where is not None)

    def columns(self) -> tuple[Column, ...]:
        now = History((), self.merge, self.path).columns()
        before = (replace(c, name=f"{c.name} before") for c in now)
        return (*now, *before, *(columns(self.orders.last) if self.kept else ()))

    def identity(self) -> str:
        return repr(replace(self, orders=replace(self.orders, last=0)))

    def constants(self) -> tuple[Constant, ...]:
        return (self.orders.last, self.kept, self.merge, int(self.path is not None))

    def book(self) -> Orders:
        return self.orders

    def reactions(self) -> dict[str, Reaction]:
        return over_book(self.orders, self.path, self.where, (opens, fold_order, closes), self.constants())

    def purchases(self) -> Purchases:
        return _purchases(self)

    def views(self) -> dict[str, View]:
        return {}


def of_purchases(history: History | OrderHistory) -> str:
    """Which purchases a history is of, whether it knows what they were worth or not."""
    return replace(history, path=None).identity()


def _purchases(history: History | OrderHistory) -> Purchases:
    return Purchases(of_purchases(history), COUNT, FIRST, LAST, None if history.path is None else WORTH)
