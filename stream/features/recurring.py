"""How long until a customer's usual hour, weekday or month: the one in which most of the last few events fell."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stream.events.leaf import leaf
from stream.features.base import FOREVER, NEVER, Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.calendar import (
    DAY,
    HOUR,
    PARTS,
    Local,
    date_of,
    day_number,
    day_of,
    line_of,
    local_time,
    part,
)
from stream.features.countdown import next_change, whole
from stream.features.kept import first_after, instants, keep_instant

#: An instant and its part of local time share a column; no part is as large.
PLACES = 32
HOUR_OF_DAY, WEEKDAY = PARTS["hour"], PARTS["weekday"]
HOURS, WEEK, YEAR = 24, 7, 366


def fold(r: Any, f: Any, p: int, t: int, n: int, which: int, zone: Any) -> None:
    """Keep the n latest events, each with its hour, weekday or month."""
    keep_instant(r, p, n, t * PLACES + part(zone, t, which))


def fold_first(r: Any, f: Any, p: int, t: int, n: int, which: int, zone: Any) -> None:
    """The same of the first event of each local day, for the n latest days."""
    first, today = first_after(r, p, n, NEVER), day_of(zone, t)
    for k in range(first, p + n):
        if day_of(zone, r[k] // PLACES) == today:
            if t < r[k] // PLACES:
                r[k] = t * PLACES + part(zone, t, which)
            return
    keep_instant(r, p, n, t * PLACES + part(zone, t, which))


@leaf
def how_many(r: Any, first: int, stop: int, usual: int) -> int:
    """How many events fell into a part of local time."""
    many = 0
    for k in range(first, stop):
        if r[k] % PLACES == usual:
            many += 1
    return many


@leaf
def usual_of(r: Any, first: int, stop: int) -> int:
    """The part into which most events fell: of several, that of the latest event."""
    best, most = 0, 0
    for k in range(stop - 1, first - 1, -1):
        many = how_many(r, first, stop, r[k] % PLACES)
        if many > most:
            best, most = r[k] % PLACES, many
    return int(best)


@leaf
def next_month(today: int, month: int) -> tuple[int, int]:
    """The first day, not before today, that lies in a month (January: 0), and the first day behind that month."""
    year, now, _ = date_of(today)
    if now - 1 == month:
        return today, day_number(year, now + 1, 1)
    first = year if now - 1 < month else year + 1
    return day_number(first, month + 1, 1), day_number(first, month + 2, 1)


def value(r: Any, f: Any, p: int, now: int, n: int, which: int, zone: Any) -> float:
    """The time until it begins, in whole hours or days, 0 inside; missing where nothing happened."""
    first = first_after(r, p, n, NEVER)
    if first == p + n:
        return math.nan
    usual = usual_of(r, first, p + n)
    if which == HOUR_OF_DAY:
        return float((usual - part(zone, now, which)) % HOURS * HOUR)
    if which == WEEKDAY:
        return float((usual - part(zone, now, which)) % WEEK * DAY)
    today = day_of(zone, now)
    return float((next_month(today, usual)[0] - today) * DAY)


@leaf
def next_hour(zone: Any, now: int, left: int, k: float) -> int:
    """As for days, by the clock: hours are counted anew where the clock is set."""
    if k <= 0.0 or k > HOURS * HOUR:
        return FOREVER
    hours = 1
    if k == k:
        asked = whole(k, HOUR)
        hours = left - asked + 1 if left >= asked else left + 1
    line = line_of(zone, now)
    found = now - local_time(zone, now) % HOUR + hours * HOUR
    return int(min(found, zone[line + 1, 0]) if line + 1 < zone.shape[0] else found)


def until(r: Any, f: Any, p: int, now: int, k: float, n: int, which: int, zone: Any) -> int:
    """The start of the local hour or day at which the countdown passes k, or begins anew."""
    first = first_after(r, p, n, NEVER)
    if first == p + n:
        return FOREVER
    usual = usual_of(r, first, p + n)
    if which == HOUR_OF_DAY:
        return next_hour(zone, now, (usual - part(zone, now, which)) % HOURS, k)
    today = day_of(zone, now)
    if which == WEEKDAY:
        left = (usual - part(zone, now, which)) % WEEK
        return next_change(zone, today, left, today + left + 1, k, WEEK)
    begins, over = next_month(today, usual)
    if k != k and begins == today:
        return next_change(zone, over - 1, 0, over, k, YEAR)
    return next_change(zone, today, begins - today, over, k, YEAR)


def share(r: Any, f: Any, p: int, now: int, n: int, which: int, zone: Any) -> float:
    """How many of the events fell into the usual part, as a share; missing where nothing happened."""
    first = first_after(r, p, n, NEVER)
    if first == p + n:
        return math.nan
    return how_many(r, first, p + n, usual_of(r, first, p + n)) / (p + n - first)


def choices(r: Any, f: Any, p: int, now: int, n: int, which: int, zone: Any) -> float:
    """How many events are kept, at most n."""
    return float(p + n - first_after(r, p, n, NEVER))


@dataclass(frozen=True)
class Recurring(Accumulator):
    """``{recurring: weekday, of: EVENT, last: 10}``, or ``hour``, ``month``; views ``.share``, ``.choices``."""

    word: ClassVar[str] = "recurring"
    part: str
    of: tuple[str, ...]
    zone: Local
    last: int = 10

    def columns(self) -> tuple[Column, ...]:
        return instants(self.last, dated=True)

    def identity(self) -> str:
        return repr(replace(self, last=0))

    def constants(self) -> tuple[Constant, ...]:
        return (self.last, PARTS[self.part], self.zone)

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold, constants=self.constants()) for name in self.of}

    def views(self) -> dict[str, View]:
        return {
            "": View(Kind.DURATION, Shape.STEPS, value, until),
            "share": View(Kind.NUMBER, Shape.CONSTANT, share),
            "choices": View(Kind.NUMBER, Shape.CONSTANT, choices),
        }


@dataclass(frozen=True)
class RecurringDays(Recurring):
    """``{recurring: hour, of: Page Viewed, last: 6, once: day}``: the first event of a day stands for all of it."""

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold_first, constants=self.constants()) for name in self.of}
