"""What features are, read off a list of events in the plainest way: by tests, to compare accumulators by."""

from __future__ import annotations

import calendar
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC as UTC_
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import numpy as np

from stream.events.properties import EMPTY_LIST, LONGEST_LIST
from stream.events.text import text_hash
from stream.features.base import NEVER, NO_TEXT
from stream.features.calendar import Zone
from stream.features.known_zone import table_of
from stream.features.own_zone import OwnZone

START = 1_700_000_000_000
#: Nine days before New York sets its clocks forward and Casablanca sets them back.
SPRING = 1_709_251_200_000
#: The columns do not begin at 0 in a row.
P = 3
PLUS, MINUS = "Plus", "Minus"


@dataclass(frozen=True)
class Seen:
    """One event: its instant, its name, and what a fold reads of it."""

    t: int
    name: str
    number: float
    text: int


Reading = Callable[[Sequence[Seen], int], float]


def plus(events: Sequence[Seen]) -> list[int]:
    """When the events that count were."""
    return [e.t for e in events if e.name == PLUS]


def read_gap(events: Sequence[Seen], now: int) -> float:
    """The mean gap from three on, between 4 and 30."""
    times = plus(events)
    return min(max((max(times) - min(times)) / (len(times) - 1), 4.0), 30.0) if len(times) >= 3 else 20.0


def read_latest(events: Sequence[Seen], now: int) -> float:
    """The text of the latest event that has one; of two at one instant the greater."""
    return max(((e.t, e.text) for e in events if e.name == PLUS and e.text != NO_TEXT), default=(0, NO_TEXT))[1]


def read_sum(events: Sequence[Seen], now: int) -> float:
    """What came, less what was taken back."""
    return sum((1 if e.name == PLUS else -1) * e.number for e in events if not math.isnan(e.number))


def read_mean(events: Sequence[Seen], now: int) -> float:
    """The sum by how many there were."""
    known = [e for e in events if not math.isnan(e.number)]
    n = sum(1 if e.name == PLUS else -1 for e in known)
    return read_sum(events, now) / n if n > 0 else math.nan


def numbers(events: Sequence[Seen]) -> list[tuple[int, float]]:
    """Instant and number of those that have one, in order."""
    return sorted((e.t, e.number) for e in events if e.name == PLUS and not math.isnan(e.number))


HOW: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "mean": lambda xs: sum(xs) / len(xs) if xs else math.nan,
    "min": lambda xs: min(xs, default=math.nan),
    "max": lambda xs: max(xs, default=math.nan),
}


def within(how: str, window: int, last: int) -> Reading:
    """Over the window, of at most the latest so many."""
    return lambda es, now: HOW[how]([x for t, x in numbers(es)[-last:] if now - window < t <= now])


def marked(events: Sequence[Seen]) -> int:
    """When the other event was last."""
    return max((e.t for e in events if e.name == MINUS), default=NEVER)


def after(how: str, last: int) -> Reading:
    """Of those later than the other event, at most the latest so many."""
    return lambda es, now: HOW[how]([x for t, x in numbers(es)[-last:] if t > marked(es)])


#: The lists that go with the texts of events: none, an empty one, and two.
LISTS = {NO_TEXT: [NO_TEXT], 7: [EMPTY_LIST], -9: [-9, 7], 1 << 60: [-9, 1 << 60]}


def filled(text: int) -> list[int]:
    """A list as a fold reads it."""
    return (LISTS[text] + [NO_TEXT] * LONGEST_LIST)[:LONGEST_LIST]


def read_list(events: Sequence[Seen]) -> list[int] | None:
    """The latest list; of two at one instant the greater."""
    known = [(e.t, filled(e.text)) for e in events if e.name == PLUS and e.text != NO_TEXT]
    return [x for x in max(known)[1] if x not in (NO_TEXT, EMPTY_LIST)] if known else None


def read_how_many(events: Sequence[Seen], now: int) -> float:
    """How many texts the latest list has."""
    found = read_list(events)
    return math.nan if found is None else len(found)


def last_choices(events: Sequence[Seen], now: int, last: int, window: int) -> list[int]:
    """The latest so many texts, of those in the window, in order."""
    known = sorted((e.t, e.text) for e in events if e.name == PLUS and e.text != NO_TEXT)
    return [x for t, x in known[-last:] if t > now - window]


def favourite(events: Sequence[Seen], now: int, last: int, window: int) -> int:
    """The most frequent; of several, the one chosen last."""
    chosen = last_choices(events, now, last, window)
    return max(chosen, key=lambda x: (chosen.count(x), max(k for k, y in enumerate(chosen) if y == x)), default=NO_TEXT)


def share(events: Sequence[Seen], now: int, last: int, window: int) -> float:
    """Its share."""
    chosen = last_choices(events, now, last, window)
    return max(chosen.count(x) for x in chosen) / len(chosen) if chosen else math.nan


def variety(events: Sequence[Seen], now: int, last: int, window: int) -> float:
    """Entropy by its greatest value."""
    chosen = last_choices(events, now, last, window)
    shares = [chosen.count(x) / len(chosen) for x in set(chosen)]
    entropy = -sum(p * math.log(p) for p in shares)
    return entropy / math.log(len(chosen)) if len(chosen) > 1 else 0.0 if chosen else math.nan


def switching(events: Sequence[Seen], now: int, last: int, window: int) -> float:
    """Neighbours that differ."""
    chosen = last_choices(events, now, last, window)
    differ = [a != b for a, b in itertools.pairwise(chosen)]
    return sum(differ) / len(differ) if differ else math.nan


CHOICES: dict[str, Callable[[Sequence[Seen], int, int, int], float]] = {
    "": favourite,
    "share": share,
    "variety": variety,
    "switching": switching,
    "choices": lambda es, now, last, window: len(last_choices(es, now, last, window)),
}


def chosen_within(view: str, last: int, window: int) -> Reading:
    """What a view of the favourite says."""
    return lambda es, now: CHOICES[view](es, now, last, window)


def read_distinct(up_to: int, window: int) -> Reading:
    """How many texts, of those in the window, up to one more than asked for."""
    return lambda es, now: min(
        up_to + 1, len({e.text for e in es if e.name == PLUS and e.text != NO_TEXT and e.t > now - window})
    )


def gaps(events: Sequence[Seen], last: int) -> list[int]:
    """The latest gaps."""
    return [b - a for a, b in itertools.pairwise(sorted(plus(events))[-last - 1 :])]


def spread(events: Sequence[Seen], last: int) -> float:
    """Their standard deviation."""
    found = gaps(events, last)
    return float(np.std(found)) if len(found) > 1 else math.nan


def read_irregularity(events: Sequence[Seen], now: int) -> float:
    """The same by the mean gap."""
    found = gaps(events, 9)
    return spread(events, 9) / float(np.mean(found)) if len(found) > 1 and any(found) else math.nan


def trend(events: Sequence[Seen], now: int, n: int) -> tuple[int, int]:
    """How many of the latest n in the last 20 ms and in the 20 ms before."""
    kept = sorted(plus(events))[-n:]
    return sum(t > now - 20 for t in kept), sum(now - 40 < t <= now - 20 for t in kept)


def completed(events: Sequence[Seen], steps: Sequence[tuple[str, ...]], window: int, now: int) -> float:
    """Since the end of the latest run of later and later events that play the steps."""
    times = [[e.t for e in events if e.name in names] for names in steps]
    runs = [
        run
        for run in itertools.product(*times)
        if all(a < b for a, b in itertools.pairwise(run)) and run[-1] - run[0] <= window
    ]
    return now - max(run[-1] for run in runs) if runs else math.nan


PATHS, UTC = ((PLUS, "x"),), Zone("UTC")
STEPS: list[tuple[tuple[str, ...], ...]] = [((PLUS,), (MINUS,)), ((PLUS,), (MINUS, PLUS), (PLUS,)), ((PLUS,),) * 4]


def sequence(steps: Sequence[tuple[str, ...]]) -> Reading:
    """The steps within 25 ms."""
    return lambda es, now: completed(es, steps, 25, now)


COPENHAGEN, NEW_YORK = "Europe/Copenhagen", "America/New_York"
OWN = OwnZone("timezone", ("Identify",), COPENHAGEN)


def in_new_york(own: OwnZone) -> Any:
    """The table of the zone of a customer who named New York."""
    return table_of(own, text_hash(NEW_YORK))


HOUR, DAY = 3_600_000, 86_400_000


def local(t: int, zone: str) -> datetime:
    """The local time of an instant."""
    return (datetime(1970, 1, 1, tzinfo=UTC_) + timedelta(milliseconds=t)).astimezone(ZoneInfo(zone))


PERIOD: dict[str, Callable[[datetime], tuple[int, ...]]] = {
    "day": lambda t: (t.year, t.month, t.day),
    "week": lambda t: t.isocalendar()[:2],
    "month": lambda t: (t.year, t.month),
    "quarter": lambda t: (t.year, (t.month - 1) // 3),
    "year": lambda t: (t.year,),
}


def this(how: str, period: str, zone: str) -> Reading:
    """Over what came in the period that it is now."""

    def read(es: Sequence[Seen], now: int) -> float:
        current = PERIOD[period](local(now, zone))
        if how == "count":
            return sum(PERIOD[period](local(t, zone)) == current for t in plus(es))
        return HOW[how]([x for t, x in numbers(es) if PERIOD[period](local(t, zone)) == current])

    return read


def a_year_ago(period: str, zone: str) -> Reading:
    """How many came in the period of the same number in the year before."""

    def read(es: Sequence[Seen], now: int) -> float:
        year, number = PERIOD[period](local(now, zone))
        return sum(PERIOD[period](local(t, zone)) == (year - 1, number) for t in plus(es))

    return read


def returns(day: date, today: date) -> date:
    """The first day, not before today, on which a date returns."""
    years = (today.year, today.year + 1)
    return min(back for back in (in_year(day, year) for year in years) if back >= today)


def in_year(day: date, year: int) -> date:
    """A date in another year; 29 February is 28 February where there is none."""
    leap = (day.month, day.day) == (2, 29) and calendar.isleap(year)
    return date(year, day.month, day.day if leap or (day.month, day.day) != (2, 29) else 28)


def birthday(zone: str, last: int) -> Reading:
    """Days until the next of the latest so many dates."""

    def read(es: Sequence[Seen], now: int) -> float:
        today = local(now, zone).date()
        dates = [date(1970, 1, 1) + timedelta(days=int(x)) for _, x in numbers(es)[-last:]]
        return min(((returns(day, today) - today).days * DAY for day in dates), default=math.nan)

    return read


def yearly(zone: str, last: int) -> Reading:
    """Days until the next return of the latest so many events, in a later year than theirs."""

    def read(es: Sequence[Seen], now: int) -> float:
        today = local(now, zone).date()
        days = [local(t, zone).date() for t in sorted(plus(es))[-last:]]
        backs = [returns(day, max(today, date(day.year + 1, 1, 1))) for day in days]
        return min(((back - today).days * DAY for back in backs), default=math.nan)

    return read


PART: dict[str, Callable[[datetime], int]] = {
    "hour": lambda t: t.hour,
    "weekday": lambda t: t.weekday(),
    "month": lambda t: t.month - 1,
}


def usual(part: str, zone: str, last: int, view: str = "", once: bool = False) -> Reading:
    """Until the usual part of local time begins, one step of it after the other."""

    def read(es: Sequence[Seen], now: int) -> float:
        times = sorted(plus(es))
        if once:
            times = list({local(t, zone).date(): t for t in reversed(times)}.values())[::-1]
        parts = [PART[part](local(t, zone)) for t in times][-last:]
        if view == "choices":
            return len(parts)
        if not parts:
            return math.nan
        best = max(parts, key=lambda x: (parts.count(x), max(k for k, y in enumerate(parts) if y == x)))
        there = local(now, zone)
        if view == "share":
            return parts.count(best) / len(parts)
        if part == "hour":
            return (best - there.hour) % 24 * HOUR
        days = 0
        while PART[part](there.replace(tzinfo=None) + timedelta(days=days)) != best:
            days += 1
        return days * DAY

    return read


def read_holiday(es: Sequence[Seen], now: int) -> float:
    """Days until the next holiday of the latest country."""
    country = {7: ("DE", "BY"), -9: ("DK", None)}.get(int(read_latest(es, now)))
    if country is None:
        return math.nan
    day = today = local(now, NEW_YORK).date()
    calendar = holidays.country_holidays(country[0], subdiv=country[1])
    while day not in calendar:
        day += timedelta(days=1)
    return (day - today).days * DAY
