"""How often something happened in the calendar period that it is now, and sum, mean, least or greatest of a property.

Kept is when the period of the latest event ends, and what came in it: exact however much that is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from stream.features.base import FOREVER, NEVER, Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.calendar import PERIODS, Zone, next_period
from stream.features.combine import SUM, WORDS, add, told


def fold_count(r: Any, f: Any, p: int, t: int, zone: Any, period: int) -> None:
    """Columns: the end of the period, the count.  What happened in an earlier period does not count."""
    end = next_period(zone, t, period)
    if end > r[p]:
        r[p] = end
        r[p + 1] = 1
    elif end == r[p]:
        r[p + 1] += 1


def count(r: Any, f: Any, p: int, now: int) -> float:
    """The count, of nothing once the period is over."""
    return float(r[p + 1]) if now < r[p] else 0.0


def until_count(r: Any, f: Any, p: int, now: int, k: float) -> int:
    """The end of the period, where the count decides."""
    if now >= r[p] or k <= 0.0 or r[p + 1] < k:
        return FOREVER
    return int(r[p])


def fold(r: Any, f: Any, p: int, t: int, x: float, zone: Any, period: int, how: int) -> None:
    """Columns: the end of the period, what came to, how many; an event without the property is none."""
    if x != x:
        return
    end = next_period(zone, t, period)
    if end > r[p]:
        r[p] = end
        r[p + 2] = 0
    if end == r[p]:
        f[p + 1] = add(how, f[p + 1], r[p + 2], x)
        r[p + 2] += 1


def value(r: Any, f: Any, p: int, now: int, how: int) -> float:
    """What it came to, of nothing once the period is over."""
    return told(how, f[p + 1], r[p + 2] if now < r[p] else 0)


def until(r: Any, f: Any, p: int, now: int, k: float, how: int) -> int:
    """The end of the period, where that decides."""
    if now >= r[p] or (how == SUM and (f[p + 1] >= k) == (k <= 0.0) and k == k):
        return FOREVER
    return int(r[p])


@dataclass(frozen=True)
class PeriodCount(Accumulator):
    """``{count: Order Completed, this: month}``; also day, week (from Monday), quarter, year."""

    word: ClassVar[str] = "count"
    of: tuple[str, ...]
    period: str
    zone: Zone

    def columns(self) -> tuple[Column, ...]:
        return (Column("end", NEVER), Column("count", 0))

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold_count, constants=(self.zone, PERIODS[self.period])) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.NUMBER, Shape.STEPS, count, until_count)}


@dataclass(frozen=True)
class PeriodTotal(Accumulator):
    """``{sum: total, of: Order Completed, this: year}``; also ``mean``, ``min``, ``max``."""

    word: ClassVar[str] = "sum"
    how: str
    path: str
    of: tuple[str, ...]
    period: str
    zone: Zone
    kind: Kind = Kind.NUMBER

    def columns(self) -> tuple[Column, ...]:
        return (Column("end", NEVER), Column("total", math.nan if self.how != "sum" else 0.0, True), Column("count", 0))

    def constants(self) -> tuple[Constant, ...]:
        return (WORDS[self.how],)

    def reactions(self) -> dict[str, Reaction]:
        constants = (self.zone, PERIODS[self.period], WORDS[self.how])
        return {name: Reaction(fold, "number", self.path, constants) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(self.kind, Shape.STEPS, value, until)}
