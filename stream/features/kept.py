"""The latest few events of a customer: what several accumulators keep, and work everything out from.

``n`` instants in ascending order lie in columns p .. p + n - 1, what came with each (a hash, or a float64) in the n
columns behind.  Of two at one instant the one with less comes first, so the order in which they came does not matter.
"""

from __future__ import annotations

from typing import Any

from stream.events.leaf import leaf
from stream.features.base import NEVER, Column


@leaf
def keep(r: Any, p: int, n: int, t: int, x: int) -> None:
    """Keep the n latest; one that is older than all of them is not needed."""
    if t < r[p] or (t == r[p] and x <= r[p + n]):
        return
    k = p
    while k < p + n - 1 and (r[k + 1] < t or (r[k + 1] == t and r[k + 1 + n] < x)):
        r[k] = r[k + 1]
        r[k + n] = r[k + 1 + n]
        k += 1
    r[k] = t
    r[k + n] = x


@leaf
def keep_number(r: Any, f: Any, p: int, n: int, t: int, x: float) -> None:
    """The same with a float64."""
    if t < r[p] or (t == r[p] and x <= f[p + n]):
        return
    k = p
    while k < p + n - 1 and (r[k + 1] < t or (r[k + 1] == t and f[k + 1 + n] < x)):
        r[k] = r[k + 1]
        f[k + n] = f[k + 1 + n]
        k += 1
    r[k] = t
    f[k + n] = x


@leaf
def keep_instant(r: Any, p: int, n: int, t: int) -> None:
    """Keep the n latest instants alone, also equal ones."""
    if t <= r[p]:
        return
    k = p
    while k < p + n - 1 and r[k + 1] < t:
        r[k] = r[k + 1]
        k += 1
    r[k] = t


@leaf
def first_after(r: Any, p: int, n: int, bound: int) -> int:
    """The column of the first of n instants that is later than ``bound``; p + n where none is."""
    k = p + n
    while k > p and r[k - 1] > bound:
        k -= 1
    return k


@leaf
def move(r: Any, p: int, start: int, stop: int) -> None:
    """Move what is in column ``start`` of those from p on to ``stop``, and what lies between by one."""
    x = r[p + start]
    for k in range(p + start, p + stop):
        r[k] = r[k + 1]
    for k in range(p + start, p + stop, -1):
        r[k] = r[k - 1]
    r[p + stop] = x


def instants(n: int, *, dated: bool = False) -> tuple[Column, ...]:
    """Columns of n instants; their names count back from the latest, so that a longer memory takes over a shorter."""
    return tuple(Column(f"latest-{n - 1 - i}", NEVER, dated=dated) for i in range(n))


def pairs(n: int, initial: float = 0, *, real: bool = False) -> tuple[Column, ...]:
    """Columns of n instants and of what came with them."""
    return (*instants(n), *(Column(f"with-{n - 1 - i}", initial, real) for i in range(n)))
