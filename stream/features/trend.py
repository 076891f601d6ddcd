"""Whether something happens more often than before: the count in a sliding window against that in the window before it.

Twice ``up_to`` instants are kept: exact as long as both windows together hold no more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stream.features.base import FOREVER, Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.kept import first_after, instants, keep_instant


def fold(r: Any, f: Any, p: int, t: int, n: int) -> None:
    """Keep the n latest instants."""
    keep_instant(r, p, n, t)


def recent(r: Any, f: Any, p: int, now: int, n: int, window: int) -> float:
    """How many lie in the window."""
    return float(p + n - first_after(r, p, n, now - window))


def before(r: Any, f: Any, p: int, now: int, n: int, window: int) -> float:
    """How many lie in the window before it."""
    return float(first_after(r, p, n, now - window) - first_after(r, p, n, now - 2 * window))


def value(r: Any, f: Any, p: int, now: int, n: int, window: int) -> float:
    """This window less the one before."""
    middle = first_after(r, p, n, now - window)
    return float(p + n - 2 * middle + first_after(r, p, n, now - 2 * window))


def ratio(r: Any, f: Any, p: int, now: int, n: int, window: int) -> float:
    """This window by the one before; missing where nothing happened then."""
    middle = first_after(r, p, n, now - window)
    earlier = middle - first_after(r, p, n, now - 2 * window)
    return (p + n - middle) / earlier if earlier else math.nan


def until(r: Any, f: Any, p: int, now: int, k: float, n: int, window: int) -> int:
    """When the next of the kept leaves one of the windows."""
    middle, first = first_after(r, p, n, now - window), first_after(r, p, n, now - 2 * window)
    soonest = FOREVER
    if middle < p + n:
        soonest = r[middle] + window
    if first < middle:
        soonest = min(soonest, r[first] + 2 * window)
    return int(soonest)


@dataclass(frozen=True)
class Trend(Accumulator):
    """``{trend: Product Viewed, within: 30d, up_to: 20}``; views ``.now``, ``.before`` and ``.ratio``."""

    word: ClassVar[str] = "trend"
    of: tuple[str, ...]
    window: int
    up_to: int = 20

    def columns(self) -> tuple[Column, ...]:
        return instants(2 * self.up_to)

    def identity(self) -> str:
        return repr(replace(self, up_to=0))

    def constants(self) -> tuple[Constant, ...]:
        return (2 * self.up_to, self.window)

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold, constants=(2 * self.up_to,)) for name in self.of}

    def views(self) -> dict[str, View]:
        return {
            "": View(Kind.NUMBER, Shape.STEPS, value, until),
            "now": View(Kind.NUMBER, Shape.STEPS, recent, until),
            "before": View(Kind.NUMBER, Shape.STEPS, before, until),
            "ratio": View(Kind.NUMBER, Shape.STEPS, ratio, until),
        }
