"""The book of a customer's latest orders, which refunds and cancellations are matched with by the order's id.

The book keeps the ``last`` latest orders in ascending order: for each its key (the hash of the id), its instant, what
is left of its total, and what became of it.  An order that was cancelled or wholly refunded is gone: features take it
out where it stood.  A refund that no order in the book matches waits there for one that comes late, and meanwhile
lowers sums; so it does not matter which of the two comes first.

Features over a book (:mod:`stream.features.orders_total` and its neighbours) keep what each order brought beside it, in
columns that move along with those of the book.  An event is applied to a book and its features in this order:

1. :func:`place` says what will happen, and nothing has happened yet;
2. ``opens`` of each feature moves its columns and takes off what the order counted for so far;
3. ``fold`` of each feature, once for the event or for each of its products, adds what the event brings;
4. :func:`enter` writes the book;
5. ``closes`` of each feature counts the order for what it is now.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stream.events.leaf import leaf
from stream.features.base import NEVER, NO_TEXT, Accumulator, Column, Reaction, View
from stream.features.kept import move

#: What an order is: not in the book, standing, taken back wholly, or only known from refunds.
NONE, ALIVE, GONE, WAITING = range(4)
#: What an event does: it orders, it takes back what it says, it takes back everything.
ORDER, REFUND, CANCEL = range(3)
#: Bits of an order's state: it was told, its total is known, some of it was taken back, all of it was.
TOLD, KNOWN, PARTLY, WHOLLY = 1, 2, 4, 8
#: Columns of a product (:mod:`stream.plan.inputs`).
PRICE, QUANTITY = 1, 2
#: Always takes back the whole order, whatever amount stands beside it.
CANCELLED = "Order Cancelled"
#: The property that tells how much an order, or a refund, amounts to.
AMOUNT = "total"


@leaf
def amount(total: float, items: Any, first: int, stop: int) -> float:
    """What an order or a refund amounts to: its total, else what its products cost, where all of them say it."""
    if total == total or first == stop:
        return total
    found = 0.0
    for j in range(first, stop):
        if items[j, PRICE] < 0:
            return math.nan
        found += items[j, PRICE] * items[j, QUANTITY]
    return found


@leaf
def kind(total: float, first: int, stop: int) -> int:
    """A refund that names neither a total nor products is one of everything."""
    return CANCEL if total != total and first == stop else REFUND


@leaf
def became(state: int, left: float, amount: float, kind: int) -> tuple[int, float]:
    """The state of an order, and what is left of its total, after an event."""
    if kind == CANCEL:
        return state | WHOLLY, left
    if kind == ORDER:
        state |= TOLD
    if amount != amount:
        return state, left
    return (state | KNOWN, left + amount) if kind == ORDER else (state | PARTLY, left - amount)


@leaf
def status(state: int, left: float) -> int:
    """What an order in the book is."""
    if state & TOLD == 0:
        return WAITING
    spent = state & PARTLY != 0 and state & KNOWN != 0 and left <= 0.0
    return GONE if spent or state & WHOLLY != 0 else ALIVE


@leaf
def status_of(r: Any, f: Any, p: int, n: int, e: int) -> int:
    """The same of the e-th."""
    return status(r[p + 3 * n + e], f[p + 2 * n + e]) if r[p + n + e] != NEVER else NONE


@leaf
def find(r: Any, p: int, n: int, key: int, kind: int) -> int:
    """The latest with this key, or -1; an order finds only what waits for it."""
    if key == NO_TEXT:
        return -1
    for e in range(n - 1, -1, -1):
        if r[p + e] == key and r[p + n + e] != NEVER and (kind != ORDER or r[p + 3 * n + e] & TOLD == 0):
            return e
    return -1


@leaf
def position(r: Any, p: int, n: int, skipped: int, at: int, key: int) -> int:
    """Where an order belongs once the skipped one is away: of two at one instant the lesser key comes first."""
    found = 0
    for e in range(n):
        if e != skipped and (r[p + n + e] < at or (r[p + n + e] == at and r[p + e] < key)):
            found += 1
    return found


@leaf
def place(r: Any, f: Any, p: int, t: int, key: int, amount: float, kind: int, n: int) -> int:
    """What the event does to the book: what the order was and will be, and where (see :func:`parts`).

    One that the book has no room for, since it is older than all there, has the place n.
    """
    e = find(r, p, n, key, kind)
    if e >= 0:
        state, left = became(r[p + 3 * n + e], f[p + 2 * n + e], amount, kind)
        was, to = status_of(r, f, p, n, e), e
        if was == WAITING:
            to = position(r, p, n, e, t if kind == ORDER else max(t, r[p + n + e]), key)
        return ((was * 4 + status(state, left)) * 128 + e) * 128 + to
    state, left = became(0, 0.0, amount, kind)
    older = t < r[p + n] or (t == r[p + n] and key <= r[p])
    to = n if older else position(r, p, n, 0, t, key)
    return (status(state, left) * 128 + (n if older else 0)) * 128 + to


@leaf
def parts(o: int) -> tuple[int, int, int, int]:
    """What the order was, what it will be, where it was, where it will be."""
    return o >> 16, o >> 14 & 3, o >> 7 & 127, o & 127


@leaf
def matched(o: int) -> bool:
    """Whether the event concerns an order that was told before."""
    return o >> 16 == ALIVE or o >> 16 == GONE


@leaf
def unmatched(o: int, kind: int) -> int:
    """1 for a refund whose order is not in the book."""
    return 1 if kind != ORDER and not matched(o) else 0


@leaf
def enter(r: Any, f: Any, p: int, t: int, key: int, amount: float, kind: int, o: int, n: int) -> None:
    """Write the book."""
    was, _, e, to = parts(o)
    if to == n:
        return
    at, state, left = t, 0, 0.0
    if was != NONE:
        state, left = r[p + 3 * n + e], f[p + 2 * n + e]
        if was != WAITING:
            at = r[p + n + e]
        elif kind != ORDER:
            at = max(t, r[p + n + e])
    state, left = became(state, left, amount, kind)
    for block in range(4):
        move(r, p + block * n, e, to)
    r[p + to] = key
    r[p + n + to] = at
    f[p + 2 * n + to] = left
    r[p + 3 * n + to] = state


@dataclass(frozen=True)
class Orders(Accumulator):
    """The book of a customer's latest orders.  ``of``: the events that order; ``less``: those that take back; ``by``:
    the property that tells which order is meant."""

    word: ClassVar[str] = "orders"
    of: tuple[str, ...]
    less: tuple[str, ...]
    by: str
    last: int

    def columns(self) -> tuple[Column, ...]:
        ages = range(self.last - 1, -1, -1)
        return (
            *(Column(f"key-{k}", NO_TEXT, bits=True) for k in ages),
            *(Column(f"at-{k}", NEVER) for k in ages),
            *(Column(f"left-{k}", 0.0, real=True) for k in ages),
            *(Column(f"state-{k}", 0) for k in ages),
        )

    def identity(self) -> str:
        return repr(replace(self, last=0))

    def constants(self) -> tuple[int, ...]:
        return (self.last,)

    def reactions(self) -> dict[str, Reaction]:
        return {
            name: Reaction(enter, "key", self.by, also=(("number", AMOUNT),), orders=self)
            for name in (*self.of, *self.less)
        }

    def views(self) -> dict[str, View]:
        return {}
