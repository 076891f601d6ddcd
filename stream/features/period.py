"""How often something happened in the calendar period that it is now, and sum, mean, least or greatest of a property.

Kept is when the period of the latest event ends, and what came in it: exact however much that is.  Where all go by one
zone, that is an instant.  Where customers go by their own, it is a local day: an event belongs to the period of its
local day in the zone known when it came, and what was counted goes on to count until a later period begins in the zone
known now, also where the customer has travelled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from stream.events.leaf import leaf
from stream.features.base import FOREVER, NEVER, Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.calendar import PERIODS, Local, day_behind, day_of, day_start, next_period
from stream.features.combine import SUM, WORDS, add, told
from stream.features.own_zone import OwnZone

#: Before all days.
NO_DAY = -(1 << 40)


# Counts.


@leaf
def one_more(r: Any, p: int, end: int) -> None:
    """An event in the period with this end.  What happened in an earlier period does not count."""
    if end > r[p]:
        r[p] = end
        r[p + 1] = 1
    elif end == r[p]:
        r[p + 1] += 1


def fold_count(r: Any, f: Any, p: int, t: int, zone: Any, period: int) -> None:
    """Columns: the end of the period (an instant), the count."""
    one_more(r, p, next_period(zone, t, period))


def count(r: Any, f: Any, p: int, now: int) -> float:
    """The count, of nothing once the period is over."""
    return float(r[p + 1]) if now < r[p] else 0.0


def until_count(r: Any, f: Any, p: int, now: int, k: float) -> int:
    """The end of the period, where the count decides."""
    if now >= r[p] or k <= 0.0 or r[p + 1] < k:
        return FOREVER
    return int(r[p])


def fold_count_own(r: Any, f: Any, p: int, t: int, zone: Any, period: int) -> None:
    """Columns: the first local day behind the period, the count."""
    one_more(r, p, day_behind(zone, t, period))


def count_own(r: Any, f: Any, p: int, now: int, zone: Any) -> float:
    """The count, of nothing once the period is over."""
    return float(r[p + 1]) if day_of(zone, now) < r[p] else 0.0


def until_count_own(r: Any, f: Any, p: int, now: int, k: float, zone: Any) -> int:
    """The start of the day behind the period, where the count decides."""
    if day_of(zone, now) >= r[p] or k <= 0.0 or r[p + 1] < k:
        return FOREVER
    return int(day_start(zone, r[p]))


# Sums and the like.


@leaf
def one_with(r: Any, f: Any, p: int, x: float, end: int, how: int) -> None:
    """An event with this number in the period with this end."""
    if end > r[p]:
        r[p] = end
        r[p + 2] = 0
    if end == r[p]:
        f[p + 1] = add(how, f[p + 1], r[p + 2], x)
        r[p + 2] += 1


def fold(r: Any, f: Any, p: int, t: int, x: float, zone: Any, period: int, how: int) -> None:
    """Columns: the end of the period, what came to, how many; an event without the property is none."""
    if x == x:
        one_with(r, f, p, x, next_period(zone, t, period), how)


def value(r: Any, f: Any, p: int, now: int, how: int) -> float:
    """What it came to, of nothing once the period is over."""
    return told(how, f[p + 1], r[p + 2] if now < r[p] else 0)


@leaf
def decides(f: Any, p: int, k: float, how: int) -> bool:
    """Whether ``value >= k`` may differ when the period is over."""
    return not (how == SUM and (f[p + 1] >= k) == (k <= 0.0) and k == k)


def until(r: Any, f: Any, p: int, now: int, k: float, how: int) -> int:
    """The end of the period, where that decides."""
    return int(r[p]) if now < r[p] and decides(f, p, k, how) else FOREVER


def fold_own(r: Any, f: Any, p: int, t: int, x: float, zone: Any, period: int, how: int) -> None:
    """Columns: the first local day behind the period, what came to, how many."""
    if x == x:
        one_with(r, f, p, x, day_behind(zone, t, period), how)


def value_own(r: Any, f: Any, p: int, now: int, how: int, zone: Any) -> float:
    """What it came to, of nothing once the period is over."""
    return told(how, f[p + 1], r[p + 2] if day_of(zone, now) < r[p] else 0)


def until_own(r: Any, f: Any, p: int, now: int, k: float, how: int, zone: Any) -> int:
    """The start of the day behind the period, where that decides."""
    return int(day_start(zone, r[p])) if day_of(zone, now) < r[p] and decides(f, p, k, how) else FOREVER


def end_column(zone: Local) -> Column:
    """The column of the end of the period."""
    return Column("day behind", NO_DAY) if isinstance(zone, OwnZone) else Column("end", NEVER)


@dataclass(frozen=True)
class PeriodCount(Accumulator):
    """``{count: Order Completed, this: month}``; also day, week (from Monday), quarter, year."""

    word: ClassVar[str] = "count"
    of: tuple[str, ...]
    period: str
    zone: Local

    def columns(self) -> tuple[Column, ...]:
        return (end_column(self.zone), Column("count", 0))

    def constants(self) -> tuple[Constant, ...]:
        return (self.zone,) if isinstance(self.zone, OwnZone) else ()

    def reactions(self) -> dict[str, Reaction]:
        folding = fold_count_own if isinstance(self.zone, OwnZone) else fold_count
        return {name: Reaction(folding, constants=(self.zone, PERIODS[self.period])) for name in self.of}

    def views(self) -> dict[str, View]:
        if isinstance(self.zone, OwnZone):
            return {"": View(Kind.NUMBER, Shape.STEPS, count_own, until_count_own)}
        return {"": View(Kind.NUMBER, Shape.STEPS, count, until_count)}


@dataclass(frozen=True)
class PeriodTotal(Accumulator):
    """``{sum: total, of: Order Completed, this: year}``; also ``mean``, ``min``, ``max``."""

    word: ClassVar[str] = "sum"
    how: str
    path: str
    of: tuple[str, ...]
    period: str
    zone: Local
    kind: Kind = Kind.NUMBER

    def columns(self) -> tuple[Column, ...]:
        total = Column("total", math.nan if self.how != "sum" else 0.0, True)
        return (end_column(self.zone), total, Column("count", 0))

    def constants(self) -> tuple[Constant, ...]:
        return (WORDS[self.how], *((self.zone,) if isinstance(self.zone, OwnZone) else ()))

    def reactions(self) -> dict[str, Reaction]:
        constants = (self.zone, PERIODS[self.period], WORDS[self.how])
        folding = fold_own if isinstance(self.zone, OwnZone) else fold
        return {name: Reaction(folding, "number", self.path, constants) for name in self.of}

    def views(self) -> dict[str, View]:
        if isinstance(self.zone, OwnZone):
            return {"": View(self.kind, Shape.STEPS, value_own, until_own)}
        return {"": View(self.kind, Shape.STEPS, value, until)}
