"""Whole days until the next public holiday in a customer's country."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, ClassVar

import holidays
import numpy as np
from numpy.typing import NDArray

from stream.events.leaf import leaf
from stream.events.text import text_hash
from stream.features.base import (
    FOREVER,
    NEVER,
    NO_TEXT,
    Accumulator,
    Column,
    Constant,
    Kind,
    Reaction,
    Shape,
    Table,
    View,
)
from stream.features.calendar import DAY, Local, day_of, day_start, digest
from stream.features.countdown import next_change
from stream.features.latest import fold

#: The years whose holidays are known.
YEARS = range(1990, 2061)
EPOCH_DAY = date(1970, 1, 1).toordinal()
MOST = 366
#: Columns of a country's line in the table.
CODE, START, STOP = range(3)


def known(code: str) -> bool:
    """Whether there is a calendar for a country (``DE``) or a part of it (``DE-BY``)."""
    country, _, part = code.partition("-")
    countries = holidays.list_supported_countries(include_aliases=False)
    return country in countries and (not part or part in countries[country])


def countries() -> list[str]:
    """The countries there are calendars for."""
    return sorted(holidays.list_supported_countries(include_aliases=False))


@lru_cache
def holiday_table(*codes: str) -> NDArray[np.int64]:
    """How many countries; for each the hash of its code, where its days begin and end; then the days of each."""
    days = []
    for code in codes:
        country, _, part = code.partition("-")
        calendar = holidays.country_holidays(country, subdiv=part or None, years=YEARS)
        days.append(sorted(day.toordinal() - EPOCH_DAY for day in calendar))
    starts = np.cumsum([1 + 3 * len(codes), *(len(found) for found in days)])
    lines = [(text_hash(code), starts[i], starts[i + 1]) for i, code in enumerate(codes)]
    numbers = [len(codes), *(x for line in lines for x in line), *(day for found in days for day in found)]
    return np.array(numbers, dtype=np.int64)


@dataclass(frozen=True)
class Holidays(Table):
    """The public holidays of some countries."""

    codes: tuple[str, ...]

    @property
    def name(self) -> str:
        return "holidays_" + re.sub(r"\W", "_", "__".join(self.codes)).lower()

    @property
    def source(self) -> str:
        codes = ", ".join(repr(code) for code in self.codes)
        return f"{self.module}.holiday_table({codes})  # {digest(self.array())}"

    @property
    def module(self) -> str:
        return __name__

    def array(self) -> NDArray[np.int64]:
        return holiday_table(*self.codes)


@leaf
def line_of_country(table: Any, country: int) -> int:
    """Where the line of a country is in the table; -1 where it is none of them."""
    for i in range(table[0]):
        if table[1 + 3 * i + CODE] == country:
            return 1 + 3 * i
    return -1


@leaf
def next_holiday(table: Any, country: int, today: int) -> int:
    """The first holiday that is not before a day; -1 where none is known."""
    line = line_of_country(table, country) if country != NO_TEXT else -1
    if line < 0:
        return -1
    low, high = table[line + START], table[line + STOP]
    if low == high or today < table[low] - MOST:
        return -1
    while low < high:
        middle = (low + high) // 2
        if table[middle] < today:
            low = middle + 1
        else:
            high = middle
    return int(table[low]) if low < table[line + STOP] else -1


def value(r: Any, f: Any, p: int, now: int, table: Any, zone: Any) -> float:
    """The time left in whole days, 0 on the day; missing where the country is not known."""
    today = day_of(zone, now)
    day = next_holiday(table, r[p], today)
    return float((day - today) * DAY) if day >= 0 else math.nan


def until(r: Any, f: Any, p: int, now: int, k: float, table: Any, zone: Any) -> int:
    """The local midnight at which the countdown passes k, or the next one begins."""
    today = day_of(zone, now)
    day = next_holiday(table, r[p], today)
    if day < 0:
        return FOREVER
    if k != k or 0.0 < k <= MOST * DAY:
        return next_change(zone, today, day - today, day + 1, k, MOST)
    line = line_of_country(table, r[p])
    return day_start(zone, table[table[line + STOP] - 1] + 1)


@dataclass(frozen=True)
class Holiday(Accumulator):
    """``{holiday: [DE, DK], by: country, of: Identify}``."""

    word: ClassVar[str] = "holiday"
    table: Holidays
    path: str
    of: tuple[str, ...]
    zone: Local

    def columns(self) -> tuple[Column, ...]:
        return (Column("country", NO_TEXT), Column("at", NEVER))

    def identity(self) -> str:
        return f"Holiday(path={self.path!r}, of={self.of!r})"

    def constants(self) -> tuple[Constant, ...]:
        return (self.table, self.zone)

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold, "text", self.path) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.DURATION, Shape.STEPS, value, until)}
