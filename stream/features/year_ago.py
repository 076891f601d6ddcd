"""How often something happened in the same calendar week, month or quarter of the year before.

Kept is how often it happened in each period of the last year and a little, so it is exact however often that is (up to
32,767 times in one).  A week is that of ISO 8601 (it begins on Monday): in week 7 of a year the one asked for is week 7
of the year before; for a week 53 there may be none, and then nothing happened in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from stream.events.leaf import leaf
from stream.features.base import FOREVER, Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.calendar import PERIODS, Local, date_of, day_number, day_of, day_start

WEEK, MONTH = PERIODS["week"], PERIODS["month"]
#: How many periods are kept: a year, the present one, and two more for whoever travels.
KEPT = {"week": 56, "month": 16, "quarter": 8}
#: Four counts share a column, each below its share's highest bit.
EACH, BITS, MOST = 4, 16, 0x7FFF
#: No period.
NONE = -(1 << 40)


@leaf
def number_of(day: int, period: int) -> int:
    """The number of the period in which a day lies, one after the other."""
    if period == WEEK:
        return (day + 3) // 7
    year, month, _ = date_of(day)
    return year * 12 + month - 1 if period == MONTH else year * 4 + (month - 1) // 3


@leaf
def first_day(number: int, period: int) -> int:
    """The first day of a period."""
    if period == WEEK:
        return number * 7 - 3
    if period == MONTH:
        return day_number(number // 12, number % 12 + 1, 1)
    return day_number(number // 4, number % 4 * 3 + 1, 1)


@leaf
def year_before(number: int, period: int) -> int:
    """The same period of the year before; NONE for a week 53 where that year has none."""
    if period == MONTH:
        return number - 12
    if period != WEEK:
        return number - 4
    thursday = number * 7
    year = date_of(thursday)[0]
    fourth = day_number(year - 1, 1, 4)  # it lies in week 1
    found = (fourth + 3) // 7 + (thursday - day_number(year, 1, 1)) // 7
    return found if date_of(found * 7)[0] == year - 1 else NONE


@leaf
def held(r: Any, p: int, place: int) -> int:
    """The count in a place."""
    return int(r[p + 1 + place // EACH] >> place % EACH * BITS) & MOST


@leaf
def count_of(r: Any, p: int, number: int, kept: int) -> int:
    """How often it happened in a period; 0 in those that are not kept."""
    return held(r, p, number % kept) if r[p] - kept < number <= r[p] else 0


@leaf
def add(r: Any, p: int, place: int, by: int) -> None:
    """Count some more in a place."""
    r[p + 1 + place // EACH] += by << place % EACH * BITS


def fold(r: Any, f: Any, p: int, t: int, zone: Any, period: int, kept: int) -> None:
    """Columns: the number of the latest period, then counts by number, round and round."""
    number = number_of(day_of(zone, t), period)
    if number > r[p]:
        for gone in range(max(r[p] + 1, number - kept + 1), number + 1):
            add(r, p, gone % kept, -held(r, p, gone % kept))
        r[p] = number
    if r[p] - kept < number and held(r, p, number % kept) < MOST:
        add(r, p, number % kept, 1)


def value(r: Any, f: Any, p: int, now: int, zone: Any, period: int, kept: int) -> float:
    """How often it happened in the period a year before that of now."""
    return float(count_of(r, p, year_before(number_of(day_of(zone, now), period), period), kept))


def until(r: Any, f: Any, p: int, now: int, k: float, zone: Any, period: int, kept: int) -> int:
    """The start of the next period before which, a year ago, it happened another number of times."""
    number = number_of(day_of(zone, now), period)
    count = count_of(r, p, year_before(number, period), kept)
    for later in range(number + 1, number + kept + 1):
        other = count_of(r, p, year_before(later, period), kept)
        if (other != count) if k != k else ((other >= k) != (count >= k)):
            return int(day_start(zone, first_day(later, period)))
    return FOREVER


@dataclass(frozen=True)
class YearAgo(Accumulator):
    """``{count: Order Completed, year_ago: week}``; also month, quarter."""

    word: ClassVar[str] = "count"
    of: tuple[str, ...]
    period: str
    zone: Local

    def columns(self) -> tuple[Column, ...]:
        counts = (Column(f"counts-{k}", 0) for k in range(KEPT[self.period] // EACH))
        return (Column("latest period", NONE), *counts)

    def constants(self) -> tuple[Constant, ...]:
        return (self.zone, PERIODS[self.period], KEPT[self.period])

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold, constants=self.constants()) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.NUMBER, Shape.STEPS, value, until)}
