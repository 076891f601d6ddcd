"""Whole days until a date returns, as it does every year: a birthday, or the day of an earlier purchase."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stream.events.leaf import leaf
from stream.features.base import FOREVER, NEVER, Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.calendar import DAY, Local, date_of, day_number, day_of
from stream.features.countdown import next_change
from stream.features.kept import first_after, keep, pairs

#: No countdown is longer: from 1 March to 28 February of the year after next, where that is a leap year's.
MOST = 366


def fold_date(r: Any, f: Any, p: int, t: int, x: float, n: int) -> None:
    """Keep the dates of the n latest events that bring one."""
    if x == x:
        keep(r, p, n, t, int(x))


def fold_time(r: Any, f: Any, p: int, t: int, n: int, zone: Any) -> None:
    """Keep the local days of the n latest events."""
    keep(r, p, n, t, day_of(zone, t))


@leaf
def days_left(today: int, day: int, later: int) -> int:
    """Days until a day returns; with ``later`` its own year does not count.  29 February is 28 February elsewhere."""
    year = date_of(today)[0]
    first, month, of_month = date_of(day)
    while True:
        leap = month == 2 and of_month == 29
        back = day_number(year, 3, 1) - 1 if leap else day_number(year, month, of_month)
        if back >= today and (later == 0 or year > first):
            return back - today
        year += 1


@leaf
def least_left(r: Any, p: int, today: int, n: int, later: int) -> int:
    """Days until the first of the kept dates returns; -1 where there is none."""
    least = -1
    for k in range(first_after(r, p, n, NEVER), p + n):
        left = days_left(today, r[k + n], later)
        if least < 0 or left < least:
            least = left
    return least


def value(r: Any, f: Any, p: int, now: int, n: int, later: int, zone: Any) -> float:
    """The time left in whole days, 0 on the day; missing where no date is known."""
    left = least_left(r, p, day_of(zone, now), n, later)
    return float(left * DAY) if left >= 0 else math.nan


def until(r: Any, f: Any, p: int, now: int, k: float, n: int, later: int, zone: Any) -> int:
    """The local midnight at which the countdown passes k, or begins anew."""
    today = day_of(zone, now)
    left = least_left(r, p, today, n, later)
    if left < 0:
        return FOREVER
    return next_change(zone, today, left, today + left + 1, k, MOST)


@dataclass(frozen=True)
class Anniversary(Accumulator):
    """``{anniversary: birthday, of: Identify}``; ``{anniversary: time, of: Order Completed, last: 10}``.

    ``path`` None: the events' own days, which return a year later at the earliest.
    """

    word: ClassVar[str] = "anniversary"
    path: str | None
    of: tuple[str, ...]
    zone: Local
    last: int = 1

    def columns(self) -> tuple[Column, ...]:
        return pairs(self.last)

    def identity(self) -> str:
        return repr(replace(self, last=0))

    def constants(self) -> tuple[Constant, ...]:
        return (self.last, 1 if self.path is None else 0, self.zone)

    def reactions(self) -> dict[str, Reaction]:
        if self.path is None:
            return {name: Reaction(fold_time, constants=(self.last, self.zone)) for name in self.of}
        return {name: Reaction(fold_date, "date", self.path, (self.last,)) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.DURATION, Shape.STEPS, value, until)}
