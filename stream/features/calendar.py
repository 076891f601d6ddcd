"""Local time: days, weeks, months and hours in a time zone, worked out from the table of its changes of offset
(:mod:`stream.features.zone_table`).

Days are numbered from 1970-01-01.  Where a change of offset falls on midnight, a day begins with the first instant
whose local time is not before its midnight, and does not begin again when the clock is set back over it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.events.leaf import leaf
from stream.events.text import text_hash
from stream.features.base import Table
from stream.features.own_zone import OwnZone
from stream.features.zone_table import transitions

DAY = 86_400_000
HOUR = 3_600_000
#: The parts of local time that count as texts, and the words for them.
WORDS = {
    "hour": tuple(f"{hour:02d}" for hour in range(24)),
    "weekday": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    "month": (
        *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
        *("november", "december"),
    ),
}
#: The same as numbers, for :func:`part`.
PARTS = {"hour": 0, "weekday": 1, "month": 2}
#: Calendar periods, for :func:`period_start` and :func:`next_period`.
PERIODS = {"day": 0, "week": 1, "month": 2, "quarter": 3, "year": 4}


@lru_cache
def words(part_of_time: str) -> NDArray[np.int64]:
    """The hashes of the words for a part of local time."""
    return np.array([text_hash(word) for word in WORDS[part_of_time]], dtype=np.int64)


def digest(table: NDArray[np.int64]) -> str:
    """A few hex digits that tell one table from another."""
    return blake2b(table.tobytes(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class Zone(Table):
    """The table of a time zone."""

    zone: str

    @property
    def name(self) -> str:
        return "zone_" + re.sub(r"\W", "_", self.zone.replace("+", "_plus_").replace("-", "_minus_")).lower()

    @property
    def source(self) -> str:
        return f"{self.module}.transitions({self.zone!r})  # {digest(self.array())}"

    @property
    def module(self) -> str:
        return transitions.__module__

    def array(self) -> NDArray[np.int64]:
        return transitions(self.zone)


#: The zone that a feature goes by: one for all, or each customer's own.
Local = Zone | OwnZone


@dataclass(frozen=True)
class Words(Table):
    """The words for a part of local time."""

    part: str

    @property
    def name(self) -> str:
        return f"words_{self.part}"

    @property
    def source(self) -> str:
        return f"{self.module}.words({self.part!r})  # {digest(self.array())}"

    @property
    def module(self) -> str:
        return __name__

    def array(self) -> NDArray[np.int64]:
        return words(self.part)


# Local time and days.


@leaf
def line_of(zone: Any, instant: int) -> int:
    """The line of the table that holds at an instant."""
    low, high = 0, zone.shape[0]
    while high - low > 1:
        middle = (low + high) // 2
        if zone[middle, 0] <= instant:
            low = middle
        else:
            high = middle
    return low


@leaf
def local_time(zone: Any, instant: int) -> int:
    """What the clock shows, in milliseconds since 1970-01-01 00:00 local time."""
    return int(instant + zone[line_of(zone, instant), 1])


@leaf
def reached(zone: Any, local: int) -> int:
    """The first instant at which the clock shows that local time or a later one."""
    i = line_of(zone, local - 2 * DAY)
    last = zone.shape[0] - 1
    while i < last and local - zone[i, 1] >= zone[i + 1, 0]:
        i += 1
    return int(max(local - zone[i, 1], zone[i, 0]))


@leaf
def day_of(zone: Any, instant: int) -> int:
    """The local day of an instant."""
    day = local_time(zone, instant) // DAY
    return day + 1 if reached(zone, (day + 1) * DAY) <= instant else day


@leaf
def day_start(zone: Any, day: int) -> int:
    """The first instant of a local day."""
    return reached(zone, day * DAY)


# The calendar (proleptic Gregorian), after Howard Hinnant's days_from_civil and civil_from_days.


@leaf
def date_of(day: int) -> tuple[int, int, int]:
    """Year, month (1 to 12) and day of the month."""
    z = day + 719_468
    era = z // 146_097
    of_era = z - era * 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (1 if month <= 2 else 0), month, of_year - (153 * shifted + 2) // 5 + 1


@leaf
def day_number(year: int, month: int, day: int) -> int:
    """The number of a day; a month beyond 12 lies in a later year."""
    y = year + (month - 1) // 12
    m = (month - 1) % 12 + 1
    if m <= 2:
        y -= 1
    era = y // 400
    of_era = y - era * 400
    of_year = (153 * (m - 3 if m > 2 else m + 9) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@leaf
def day_behind(zone: Any, instant: int, period: int) -> int:
    """The first local day behind the calendar period of an instant (:data:`PERIODS`)."""
    day = day_of(zone, instant)
    if period == 0:
        return day + 1
    if period == 1:  # 1970-01-01 was a Thursday
        return day + 7 - (day + 3) % 7
    year, month, _ = date_of(day)
    if period == 2:
        return day_number(year, month + 1, 1)
    if period == 3:
        return day_number(year, (month - 1) // 3 * 3 + 4, 1)
    return day_number(year + 1, 1, 1)


@leaf
def next_period(zone: Any, instant: int, period: int) -> int:
    """The instant at which the calendar period of an instant is over."""
    return day_start(zone, day_behind(zone, instant, period))


@leaf
def part(zone: Any, instant: int, which: int) -> int:
    """The hour, the weekday (Monday: 0) or the month (January: 0) of an instant in local time."""
    if which == 0:
        return local_time(zone, instant) // HOUR % 24
    day = day_of(zone, instant)
    if which == 1:
        return (day + 3) % 7
    return date_of(day)[1] - 1


def part_number(zone: Any, instant: int, which: int) -> float:
    """The same as a number."""
    return float(part(zone, instant, which))


def part_text(zone: Any, instant: int, which: int, names: Any) -> int:
    """The hash of the word for it."""
    return int(names[part(zone, instant, which)])


def day_text(zone: Any, instant: int) -> int:
    """A number for the local day, other than that of "no text"."""
    return day_of(zone, instant) + (1 << 40)
