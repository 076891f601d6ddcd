"""The usual time between two events of one customer: their own cadence.

The mean gap is (last - first) / (n - 1).  It is believed from ``after`` events on; before, the default speaks.  Bounds
keep two orders on one evening from making a customer late the next morning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from stream.events.leaf import leaf
from stream.features.base import FOREVER, NEVER, Accumulator, Column, Constant, Kind, Reaction, Shape, View


def fold(r: Any, f: Any, p: int, t: int) -> None:
    """Columns: count, first, last."""
    r[p] += 1
    if r[p + 1] == NEVER or t < r[p + 1]:
        r[p + 1] = t
    r[p + 2] = max(r[p + 2], t)


@leaf
def value(r: Any, f: Any, p: int, now: int, after: int, default: float, least: float, most: float) -> float:
    """The usual gap in milliseconds."""
    if r[p] < after:
        return default
    gap = (r[p + 2] - r[p + 1]) / (r[p] - 1)
    return float(min(max(gap, least), most))


@dataclass(frozen=True)
class Gap(Accumulator):
    """``{gap: Order Completed, default: 45d, after: 3, min: 7d, max: 180d}``."""

    word: ClassVar[str] = "gap"
    of: tuple[str, ...]
    default: int
    after: int = 3
    least: int = 0
    most: int = FOREVER

    def columns(self) -> tuple[Column, ...]:
        return (Column("count", 0), Column("first", NEVER), Column("last", NEVER))

    def constants(self) -> tuple[Constant, ...]:
        return (self.after, float(self.default), float(self.least), float(self.most))

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.DURATION, Shape.CONSTANT, value)}
