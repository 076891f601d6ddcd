"""One contract for every accumulator: value and expiry against a plain reading of the same events."""

from __future__ import annotations

import calendar
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC as UTC_
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.events.properties import EMPTY_LIST, LONGEST_LIST
from stream.events.text import text_hash
from stream.features import pool
from stream.features.after import After, CountAfter
from stream.features.anniversary import Anniversary
from stream.features.bag import Bag
from stream.features.base import FOREVER, NEVER, NO_TEXT, Accumulator, Kind, Shape, arguments
from stream.features.calendar import Zone
from stream.features.count import Count
from stream.features.count_within import CountWithin
from stream.features.decay import Decay
from stream.features.distinct import Distinct
from stream.features.extreme import Extreme
from stream.features.favourite import Favourite
from stream.features.gap import Gap
from stream.features.holiday import Holiday, Holidays
from stream.features.known_zone import table_of
from stream.features.latest import Latest, LatestInstant, LatestNumber, LatestTexts
from stream.features.mean import Mean
from stream.features.own_zone import OwnZone
from stream.features.period import PeriodCount, PeriodTotal
from stream.features.recurring import Recurring
from stream.features.sequence import Sequence as Sequence_
from stream.features.since import Since
from stream.features.spread import Spread
from stream.features.total import Total
from stream.features.trend import Trend
from stream.features.within import Within
from stream.features.year_ago import KEPT, YearAgo
from stream.plan.features import READERS

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


def usual(part: str, zone: str, last: int, view: str = "") -> Reading:
    """Until the usual part of local time begins, one step of it after the other."""

    def read(es: Sequence[Seen], now: int) -> float:
        fell = sorted((t, PART[part](local(t, zone))) for t in plus(es))[-last:]
        parts = [x for _, x in fell]
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


class SomeHolidays(Holidays):
    """The table, with the texts of the tests for the countries."""

    def array(self) -> Any:
        """7 is the first country and -9 the second."""
        table = super().array().copy()
        table[1], table[4] = 7, -9
        return table


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


CASES: list[tuple[Accumulator, str, Reading]] = [
    (Count((PLUS,), (MINUS,)), "", lambda es, now: len(plus(es)) - (len(es) - len(plus(es)))),
    (CountWithin((PLUS,), 20, 4), "", lambda es, now: min(5, sum(now - 20 < t <= now for t in plus(es)))),
    (CountWithin((PLUS,), 1, 1), "", lambda es, now: min(2, sum(t == now for t in plus(es)))),
    (Since((PLUS,)), "", lambda es, now: now - max(plus(es)) if plus(es) else math.nan),
    (Since((PLUS,), first=True), "", lambda es, now: now - min(plus(es)) if plus(es) else math.nan),
    (Gap((PLUS,), 20, 3, 4, 30), "", read_gap),
    (Decay((PLUS,), 13), "", lambda es, now: sum(0.5 ** ((now - t) / 13) for t in plus(es))),
    (Latest("x", (PLUS,)), "", read_latest),
    (Total("x", (PLUS,), (MINUS,)), "", read_sum),
    (Total("x", (PLUS,), (MINUS,)), "mean", read_mean),
    (Mean("x", (PLUS,)), "", lambda es, now: HOW["mean"]([x for _, x in numbers(es)])),
    (Extreme("x", (PLUS,)), "", lambda es, now: HOW["max"]([x for _, x in numbers(es)])),
    (Extreme("x", (PLUS,), greatest=False), "", lambda es, now: HOW["min"]([x for _, x in numbers(es)])),
    *((Within(how, "x", (PLUS,), 20, last), "", within(how, 20, last)) for how in HOW for last in (3, 9)),
    *((After(how, "x", (PLUS,), (MINUS,), last), "", after(how, last)) for how in HOW for last in (3, 9)),
    (CountAfter((PLUS,), (MINUS,), 3), "", lambda es, now: min(4, sum(t > marked(es) for t in plus(es)))),
    (LatestNumber("x", (PLUS,), unit=10.0), "", lambda es, now: 10 * numbers(es)[-1][1] if numbers(es) else math.nan),
    (LatestInstant("x", (PLUS,)), "", lambda es, now: now - numbers(es)[-1][1] // 1 if numbers(es) else math.nan),
    (LatestTexts("x", (PLUS,)), "", read_how_many),
    (Distinct(PATHS, UTC, up_to=1), "", read_distinct(1, FOREVER)),
    (Distinct(PATHS, UTC, 20, 1), "", read_distinct(1, 20)),
    (Distinct(PATHS, UTC, 20, 5), "", read_distinct(5, 20)),
    *((Favourite(PATHS, UTC, last), view, chosen_within(view, last, FOREVER)) for view in CHOICES for last in (1, 4)),
    *((Favourite(PATHS, UTC, last, 20), view, chosen_within(view, last, 20)) for view in CHOICES for last in (4, 9)),
    (Spread((PLUS,), 3), "", lambda es, now: spread(es, 3)),
    (Spread((PLUS,), 3), "mean", lambda es, now: float(np.mean(gaps(es, 3))) if gaps(es, 3) else math.nan),
    (Spread((PLUS,), 9), "ratio", read_irregularity),
    (Trend((PLUS,), 20, 2), "", lambda es, now: trend(es, now, 4)[0] - trend(es, now, 4)[1]),
    (Trend((PLUS,), 20, 2), "now", lambda es, now: trend(es, now, 4)[0]),
    (Trend((PLUS,), 20, 5), "before", lambda es, now: trend(es, now, 10)[1]),
    (
        Trend((PLUS,), 20, 5),
        "ratio",
        lambda es, now: trend(es, now, 10)[0] / trend(es, now, 10)[1] if trend(es, now, 10)[1] else math.nan,
    ),
    *((PeriodCount((PLUS,), period, Zone(COPENHAGEN)), "", this("count", period, COPENHAGEN)) for period in PERIOD),
    *((PeriodTotal(how, "x", (PLUS,), "week", Zone(NEW_YORK)), "", this(how, "week", NEW_YORK)) for how in HOW),
    *((PeriodCount((PLUS,), period, OWN), "", this("count", period, NEW_YORK)) for period in ("day", "month")),
    *((PeriodTotal(how, "x", (PLUS,), "week", OWN), "", this(how, "week", NEW_YORK)) for how in HOW),
    *((YearAgo((PLUS,), period, Zone(NEW_YORK)), "", a_year_ago(period, NEW_YORK)) for period in KEPT),
    *((Anniversary("x", (PLUS,), Zone(COPENHAGEN), last), "", birthday(COPENHAGEN, last)) for last in (1, 3)),
    *((Anniversary(None, (PLUS,), Zone(NEW_YORK), last), "", yearly(NEW_YORK, last)) for last in (1, 3)),
    *((Recurring(part, (PLUS,), Zone(NEW_YORK), 4), "", usual(part, NEW_YORK, 4)) for part in PART),
    (Recurring("hour", (PLUS,), Zone("Africa/Casablanca"), 4), "", usual("hour", "Africa/Casablanca", 4)),
    (Recurring("weekday", (PLUS,), Zone(COPENHAGEN), 9), "share", usual("weekday", COPENHAGEN, 9, "share")),
    (Holiday(SomeHolidays(("DE-BY", "DK")), "x", (PLUS,), Zone(NEW_YORK)), "", read_holiday),
    *((Sequence_(steps, 25, 9), "", sequence(steps)) for steps in STEPS),
]
#: How many milliseconds a step of the tests' time is, where days and months count.
STEP: dict[type, int] = {
    PeriodCount: 37 * HOUR,
    PeriodTotal: 7 * HOUR,
    Anniversary: 5 * DAY,
    Holiday: 29 * HOUR,
    YearAgo: 17 * DAY,
}
STEP_OF_PART = {"hour": 25 * HOUR // 7, "weekday": 13 * HOUR, "month": 9 * DAY}


def step_of(accumulator: Accumulator) -> int:
    """How much time passes where the tests say one."""
    return STEP_OF_PART[accumulator.part] if isinstance(accumulator, Recurring) else STEP.get(type(accumulator), 1)


def stretched(accumulator: Accumulator, seen: Sequence[Seen]) -> list[Seen]:
    """The same events, in the accumulator's own time."""
    by_hour = isinstance(accumulator, Recurring) and accumulator.part == "hour"
    return [replace(e, t=(SPRING if by_hour else START) + (e.t - START) * step_of(accumulator)) for e in seen]


IDS = [f"{type(a).__name__}{'.' if view else ''}{view}{k}" for k, (a, view, _) in enumerate(CASES)]
events = st.lists(
    st.builds(
        Seen,
        st.integers(0, 60).map(lambda t: START + t),
        st.sampled_from([PLUS, PLUS, MINUS]),
        st.sampled_from([math.nan, 1.0, 2.5, 789.0]),  # the last as a date: 29 February 1972
        st.sampled_from([NO_TEXT, 7, -9, 1 << 60]),
    ),
    max_size=9,
)


class Row:
    """A row that holds one accumulator, with guards on both sides."""

    def __init__(self, accumulator: Accumulator) -> None:
        self.accumulator = accumulator
        self.rest = arguments(accumulator.constants(), in_new_york)
        columns = accumulator.columns()
        self.ints = np.full(P + len(columns) + 2, 77, np.int64)
        self.floats = self.ints.view(np.float64)
        for k, column in enumerate(columns, start=P):
            (self.floats if column.real else self.ints)[k] = column.initial

    def fold(self, seen: Seen) -> None:
        """Apply one event as the plan would."""
        reaction = self.accumulator.reactions().get(seen.name)
        if reaction is None:
            return
        reads = {
            None: (),
            "number": (seen.number,),
            "text": (seen.text,),
            "instant": (seen.number,),
            "date": (seen.number,),
            "texts": (np.array(filled(seen.text)),),
        }
        reaction.fold(
            self.ints, self.floats, P, seen.t, *reads[reaction.reads], *arguments(reaction.constants, in_new_york)
        )

    def value(self, view: str, now: int) -> Any:
        """The feature at an instant."""
        return self.accumulator.views()[view].value(self.ints, self.floats, P, now, *self.rest)

    def until(self, view: str, now: int, k: float) -> int:
        """Until when ``value >= k`` holds or not."""
        how = self.accumulator.views()[view].until
        assert how is not None
        return int(how(self.ints, self.floats, P, now, k, *self.rest))

    @classmethod
    def of(cls, accumulator: Accumulator, seen: Sequence[Seen]) -> Row:
        """A row after these events."""
        row = cls(accumulator)
        for one in seen:
            row.fold(one)
        return row


def end(seen: Sequence[Seen]) -> int:
    """The latest instant of all; values are never asked for before it."""
    return max((e.t for e in seen), default=START)


def same(a: float, b: float) -> bool:
    """Equal, or both missing; floats that add up in another order may differ in the last digits."""
    return (math.isnan(a) and math.isnan(b)) or a == b or math.isclose(a, b, rel_tol=1e-12)


@pytest.mark.parametrize(("accumulator", "view", "read"), CASES, ids=IDS)
@settings(max_examples=40, deadline=None)
@given(seen=events)
def test_the_value_is_what_the_events_say(accumulator: Accumulator, view: str, read: Reading, seen: list[Seen]) -> None:
    """At every instant from the latest event on, in whatever order the events came."""
    seen, step = stretched(accumulator, seen), step_of(accumulator)
    row = Row.of(accumulator, seen)
    for now in range(end(seen), end(seen) + 70 * step, step if step == 1 else 5 * step):
        assert same(float(row.value(view, now)), float(read(seen, now))), now


@pytest.mark.parametrize(("accumulator", "view", "read"), CASES, ids=IDS)
@settings(max_examples=40, deadline=None)
@given(seen=events, data=st.data())
def test_the_order_of_events_does_not_matter(
    accumulator: Accumulator, view: str, read: Reading, seen: list[Seen], data: st.DataObject
) -> None:
    """A late event counts as if it had come in time."""
    seen, step = stretched(accumulator, seen), step_of(accumulator)
    row, other = Row.of(accumulator, seen), Row.of(accumulator, data.draw(st.permutations(seen)))
    for now in (end(seen), end(seen) + step, end(seen) + 25 * step):
        assert same(float(row.value(view, now)), float(other.value(view, now)))


@settings(max_examples=100, deadline=None)
@given(seen=events)
def test_a_list_has_what_it_has(seen: list[Seen]) -> None:
    """Each text of the latest list is in it, and no other."""
    row = Row.of(LatestTexts("x", (PLUS,)), seen)
    has = row.accumulator.views()[""].has
    assert has is not None
    for text in (7, -9, 1 << 60, 12):
        assert has(row.ints, row.floats, P, START, text) == (text in (read_list(seen) or []))


MOVING = [(case, name) for case, name in zip(CASES, IDS, strict=True) if case[0].views()[case[1]].until is not None]


@pytest.mark.parametrize("case", [case for case, _ in MOVING], ids=[name for _, name in MOVING])
@settings(max_examples=40, deadline=None)
@given(seen=events, k=st.sampled_from([math.nan, -1.0, 0.0, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 30.0, math.inf]))
def test_nothing_flips_before_the_expiry(case: tuple[Accumulator, str, Reading], seen: list[Seen], k: float) -> None:
    """``until`` is later than now; before it ``value >= k`` (k missing: the value) stays, as does its being missing."""
    accumulator, view, _ = case
    seen, step = stretched(accumulator, seen), step_of(accumulator)
    if accumulator.views()[view].kind is Kind.DURATION:
        k *= HOUR if isinstance(accumulator, Recurring) and accumulator.part == "hour" else DAY
    row = Row.of(accumulator, seen)
    for now in range(end(seen), end(seen) + 70 * step, 3 if step == 1 else 11 * step):
        expiry = row.until(view, now, k)
        assert now < expiry <= FOREVER
        value = row.value(view, now)
        for later in (*range(now + step, min(expiry, now + 60 * step), step), expiry - 1):
            if later < FOREVER - 1 and math.isnan(k):
                assert same(float(row.value(view, later)), float(value))
            elif later < FOREVER - 1:
                assert (row.value(view, later) >= k) == (value >= k)
                assert math.isnan(row.value(view, later)) == math.isnan(value)


@pytest.mark.parametrize("case", [case for case, _ in MOVING if isinstance(case[0], CountWithin)])
@settings(max_examples=40, deadline=None)
@given(seen=events, k=st.sampled_from([0.5, 1.0, 2.0]))
def test_what_will_never_flip_says_so(case: tuple[Accumulator, str, Reading], seen: list[Seen], k: float) -> None:
    """Who is below a threshold that only events can lift has no deadline: absence costs nothing."""
    accumulator, view, _ = case
    row = Row.of(accumulator, seen)
    if not row.value(view, end(seen)) >= k:
        assert row.until(view, end(seen), k) == FOREVER


@pytest.mark.parametrize(("accumulator", "view", "read"), CASES, ids=IDS)
@settings(max_examples=20, deadline=None)
@given(seen=events)
def test_it_writes_only_its_own_columns(accumulator: Accumulator, view: str, read: Reading, seen: list[Seen]) -> None:
    """Its neighbours in the row are untouched, and reading writes nothing."""
    row = Row.of(accumulator, seen)
    before = row.ints.copy()
    row.value(view, end(seen) + 5)
    assert (row.ints == before).all()
    assert (row.ints[:P] == 77).all()
    assert (row.ints[-2:] == 77).all()


@pytest.mark.parametrize("accumulator", [case[0] for case in CASES], ids=IDS)
@settings(max_examples=20, deadline=None)
@given(seen=events, k=st.integers(0, 9))
def test_a_restart_changes_nothing(accumulator: Accumulator, seen: list[Seen], k: int) -> None:
    """All that it knows is in its columns: a row made of their bytes goes on as the old one would have."""
    whole, first, second = Row.of(accumulator, seen), Row.of(accumulator, seen[:k]), Row(accumulator)
    second.ints[:] = np.frombuffer(first.ints.tobytes(), np.int64)
    for one in seen[k:]:
        second.fold(one)
    assert second.ints.tobytes() == whole.ints.tobytes()


@pytest.mark.parametrize(("accumulator", "view", "read"), CASES, ids=IDS)
def test_who_did_nothing(accumulator: Accumulator, view: str, read: Reading) -> None:
    """The initial row reads as no events."""
    assert same(float(Row(accumulator).value(view, START)), float(read([], START)))


@pytest.mark.parametrize("accumulator", [*(case[0] for case in CASES), Bag((PLUS,))])
def test_views_say_what_they_are(accumulator: Accumulator) -> None:
    """A main view; a form of expiry where, and only where, the value moves by itself in steps or smoothly."""
    views = accumulator.views()
    assert "" in views
    for view in views.values():
        assert (view.until is not None) == (view.shape in (Shape.STEPS, Shape.SMOOTH))
    assert accumulator.word in READERS


def test_every_accumulator_is_here() -> None:
    """A new file in stream/features needs its line in the cases above."""
    folder = Path(pool.__file__).parent
    others = {"__init__", "base", "calendar", "combine", "countdown", "filter", "kept", "pool", "reading", "where"}
    others |= {"known_zone", "own_zone", "zone_table"}  # tests/unit/test_plan_own_zone.py
    others |= {f"orders{kind}" for kind in ("", "_extreme", "_kept", "_span", "_time", "_total")}  # test_engine_refunds
    others |= {"told", "fading"}  # fading: tests/unit/test_features_fading.py
    covered = {type(case[0]).__module__.rsplit(".", 1)[1] for case in CASES} | {"bag"}
    assert {file.stem for file in folder.glob("*.py")} - others == covered


# Bags: kept in the pool; they keep the order of the log, but for these.


class BagRow:
    """One customer's bag in a pool of its own."""

    def __init__(self, limit: int = 3) -> None:
        self.bag = Bag(("Add",), ("Remove",), ("Clear",), ("Visit",), limit)
        self.ints = np.array([pool.NONE, 0, NEVER], np.int64)
        self.pool = pool.new_pool(256)

    def fold(self, name: str, t: int, product: int, price: int = -1, in_stock: int = -1) -> None:
        """One event with one product."""
        reaction = self.bag.reactions()[name]
        items = np.array([[product, price, 1, in_stock]], np.int64)
        reaction.fold(self.ints, self.ints, 0, t, self.pool, 0, items, 0, 1, *reaction.constants)

    def view(self, name: str, now: int = START) -> float:
        """A view's value."""
        return float(self.bag.views()[name].value(self.ints, self.ints, 0, now, self.pool))

    def products(self) -> dict[int, tuple[int, ...]]:
        """What is in it: product -> its saved columns."""
        found, e = {}, int(self.ints[pool.HEAD])
        while e != pool.NONE:
            found[int(self.pool.entries[e, pool.PRODUCT])] = tuple(self.pool.entries[e, : pool.SAVED].tolist())
            e = int(self.pool.entries[e, pool.NEXT])
        return found


bag_events = st.lists(
    st.tuples(
        st.sampled_from(["Add", "Add", "Remove", "Clear", "Visit"]),
        st.integers(0, 20),
        st.integers(1, 5),
        st.sampled_from([-1, 10, 20]),
    ),
    max_size=25,
)


@settings(max_examples=100, deadline=None)
@given(bag_events)
def test_a_bag_stays_whole(happened: list[tuple[str, int, int, int]]) -> None:
    """Its size is the length of its list, never above the limit, and each product's list finds it: in any order."""
    row = BagRow()
    for event in happened:
        row.fold(*event)
        products = row.products()
        assert row.view("size") == row.view("") == len(products) <= 3
        for product in range(1, 6):
            e = int(row.pool.table[pool.slot(row.pool.table, product), 1]) if row.pool.meta[pool.KEYS] else pool.NONE
            known = row.pool.table[pool.slot(row.pool.table, product), 0] == product
            assert (product in products) == (known and e != pool.NONE)
    assert row.pool.meta[pool.USED] <= 4


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["Add", "Clear"]), st.integers(1, 5)), max_size=8, unique_by=lambda e: e[1]),
    st.data(),
)
def test_a_late_clearing_and_a_late_addition_agree(happened: list[tuple[str, int]], data: st.DataObject) -> None:
    """Different products, below the limit, at different instants: what is left does not depend on the order."""
    timed = [(name, 10 * k, product, 5) for k, (name, product) in enumerate(happened)]
    one, other = BagRow(limit=9), BagRow(limit=9)
    for event in timed:
        one.fold(*event)
    for event in data.draw(st.permutations(timed)):
        other.fold(*event)
    assert one.products() == other.products()


def test_what_a_bag_tells() -> None:
    """Cheaper than when it was added, visits since, and offers that have not ended."""
    row = BagRow()
    row.fold("Visit", 1, 1, 99)
    row.fold("Add", 2, 1, 20)
    row.fold("Add", 3, 2)
    assert (row.view("cheaper"), row.view("visits")) == (0, 0)
    row.fold("Visit", 4, 1, 10)
    row.fold("Visit", 5, 2, 30)
    row.fold("Visit", 6, 2, 40)
    assert (row.view("cheaper"), row.view("visits")) == (1, 2)
    row.fold("Visit", 3, 1, 50)  # late: the price seen at 4 stands
    assert row.view("cheaper") == 1
    row.pool.entries[pool.find(row.pool, row.ints, 0, 1), pool.OFFER_ENDS] = START + 10
    until = row.bag.views()["on_offer"].until
    assert until is not None
    assert [row.view("on_offer", START + t) for t in (0, 9, 10)] == [1, 1, 0]
    assert until(row.ints, row.ints, 0, START, math.nan, row.pool) == START + 10
    assert until(row.ints, row.ints, 0, START + 10, math.nan, row.pool) == FOREVER


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), max_size=6), st.data())
def test_what_is_back_does_not_depend_on_the_order_of_what_was_said(said: list[bool], data: st.DataObject) -> None:
    """Back: the last word is that it is there, and an earlier one since it was put in that it was not."""
    words = [(10 * k, int(there)) for k, there in enumerate(said, 1)]
    row = BagRow()
    row.fold("Add", 5, 1)
    entry = pool.find(row.pool, row.ints, 0, 1)
    for t, in_stock in data.draw(st.permutations([*words, (1, 0), (2, -1), (90, -1)])):
        pool.see_stock(row.pool.entries, entry, t, in_stock)
    assert row.view("back") == (bool(said) and said[-1] and not all(said))


def test_what_was_sold_out_when_it_was_wished_for_can_come_back() -> None:
    """The wish itself may say that it cannot be had; a visit may tell that it is there."""
    row = BagRow()
    row.fold("Add", 5, 1, in_stock=0)
    assert row.view("back") == 0
    row.fold("Visit", 6, 1, in_stock=1)
    assert row.view("back") == 1
    row.fold("Visit", 7, 1, in_stock=0)
    assert row.view("back") == 0
