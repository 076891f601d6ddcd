"""The oracle's features that look at several events together.  See :mod:`tests.oracle.features`."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, TypeVar

import holidays

from tests.oracle.calendars import Calendar, Event, day_of, local
from tests.oracle.filters import passing_products
from tests.oracle.shares import signed

Spec = Mapping[str, Any]
Happening = TypeVar("Happening", bound=Event)
DAY = 86_400_000


def listed(spec: Any) -> list[str]:
    """One name or a list of them."""
    return [spec] if isinstance(spec, str) else list(spec or ())


def read(path: str, event: Event, spec: Spec, calendar: Calendar) -> Iterator[str]:
    """The texts that an event has under a path: none, one, or one for each product."""
    of = spec["of"]
    if path == "label":
        yield from (label for label, names in of.items() if event.name in listed(names))
    elif path == "event":
        yield event.name
    elif path.startswith("time."):
        form = {"hour": "%H", "weekday": "%A", "month": "%B", "day": "%Y-%m-%d"}[path.removeprefix("time.")]
        yield (calendar.local(event) if form == "%H" else calendar.day(event)).strftime(form).lower()
    elif path.startswith("products."):
        name = path.removeprefix("products.")
        products = passing_products(spec.get("where"), event.properties, event.t, calendar.zone(event))
        yield from (product[name] for product in products if name in product)
    elif path in event.properties:
        yield event.properties[path]


def texts(spec: Spec, word: str, past: Sequence[Event], calendar: Calendar) -> list[tuple[int, str]]:
    """Instant and text of all that a feature reads, in order of time; at one instant, of the texts' numbers."""
    of = spec["of"]
    names = [name for names in of.values() for name in listed(names)] if isinstance(of, Mapping) else listed(of)
    found = [(e.t, text) for e in past if e.name in names for text in read(spec[word], e, spec, calendar)]
    return sorted(found, key=lambda one: (one[0], number_of(spec[word], one[1])))


def number_of(path: str, text: str) -> int:
    """What stands for a text in a row: the days for a date, else its hash."""
    return date.fromisoformat(text).toordinal() if path == "time.day" else signed(text)


def distinct(spec: Spec, past: Sequence[Event], now: int, window: float, calendar: Calendar) -> int:
    """How many different texts."""
    return len({text for t, text in texts(spec, "distinct", past, calendar) if t > now - window})


def favourite(spec: Spec, past: Sequence[Event], now: int, view: str, window: float, calendar: Calendar) -> Any:
    """The most frequent of the last choices, and what else they tell."""
    last = texts(spec, "favourite", past, calendar)[-spec.get("last", 10) :]
    chosen = [text for t, text in last if t > now - window]
    if view == "choices":
        return len(chosen)
    if not chosen:
        return None
    many = Counter(chosen)
    if view == "share":
        return max(many.values()) / len(chosen)
    if view == "variety":
        entropy = sum(n / len(chosen) * math.log(len(chosen) / n) for n in many.values())
        return entropy / math.log(len(chosen)) if len(chosen) > 1 else 0
    if view == "switching":
        differ = [a != b for a, b in itertools.pairwise(chosen)]
        return statistics.mean(differ) if differ else None
    most = max(many.values())
    return next(text for text in reversed(chosen) if many[text] == most)


PERIODS: dict[str, Any] = {
    "day": lambda day: day,
    "week": lambda day: day.isocalendar()[:2],
    "month": lambda day: (day.year, day.month),
    "quarter": lambda day: (day.year, (day.month - 1) // 3),
    "year": lambda day: day.year,
}


def in_period(spec: Spec, past: Sequence[Happening], now: int, calendar: Calendar) -> list[Happening]:
    """Those of a feature's events that lie in the calendar period that it is now.

    Who has a zone of their own may travel west, into an earlier period: then it is still that of their latest event.
    """
    period, names = PERIODS[spec["this"]], listed(spec.get("count") or spec.get("of"))
    word = next((word for word in ("sum", "mean", "min", "max") if word in spec), None)
    mine = [e for e in past if e.name in names and (word is None or has(spec[word], e, spec, calendar))]
    current = period(calendar.today(now))
    if calendar.own:
        current = max([current, *(period(calendar.day(e)) for e in mine)])
    return [e for e in mine if period(calendar.day(e)) == current]


def has(path: str, event: Event, spec: Spec, calendar: Calendar) -> bool:
    """Whether an event has a property."""
    return next(read(path, event, spec, calendar), None) is not None


def a_year_ago(spec: Spec, past: Sequence[Event], now: int, calendar: Calendar) -> int:
    """How many lie in the period of the same number in the year before; weeks and their years are those of ISO 8601."""
    today, period = calendar.today(now), spec["year_ago"]
    year, *number = PERIODS[period](today)
    days = [calendar.day(e) for e in past if e.name in listed(spec["count"])]
    return sum(PERIODS[period](day) == (year - 1, *number) for day in days)


def anniversary(spec: Spec, past: Sequence[Event], now: int, calendar: Calendar) -> int | None:
    """Until the first return of the latest dates, looked for day by day; an event's own day from the next year on."""
    path, last, today = spec["anniversary"], spec.get("last", 1), calendar.today(now)
    named = sorted((e for e in past if e.name in listed(spec["of"])), key=lambda e: e.t)
    if path == "time":
        told = sorted((e.t, calendar.day(e)) for e in named)
    else:
        told = sorted((e.t, date.fromisoformat(e.properties[path][:10])) for e in named if path in e.properties)
    dates = [day for _, day in told][-last:]
    if not dates:
        return None
    day = today
    while not any(falls_on(one, day) and (path != "time" or day.year > one.year) for one in dates):
        day += timedelta(days=1)
    return (day - today).days * DAY


def falls_on(one: date, day: date) -> bool:
    """Whether a date returns on a day."""
    if (one.month, one.day) == (2, 29):
        return day.month == 2 and (day + timedelta(days=1)).month == 3
    return (one.month, one.day) == (day.month, day.day)


def first_of_days(came: Sequence[Event], last: int, calendar: Calendar) -> list[Event]:
    """The first event of each day, of so many days; what is one day, says the zone known when an event came."""
    kept: list[Event] = []
    for e in came:
        zone = calendar.zone(e)
        same = next((k for k in kept if day_of(k.t, zone) == day_of(e.t, zone)), None)
        if same is None:
            kept.append(e)
        elif e.t < same.t:
            kept[kept.index(same)] = e
        kept = sorted(kept, key=lambda k: k.t)[-last:]
    return kept


def recurring(spec: Spec, past: Sequence[Event], now: int, view: str, calendar: Calendar) -> float | None:
    """Until the usual hour, weekday or month."""
    part = {"hour": "%H", "weekday": "%w", "month": "%m"}[spec["recurring"]]
    place: Any = calendar.local if part == "%H" else calendar.day
    named = [e for e in past if e.name in listed(spec["of"])]
    if spec.get("once") == "day":
        named = first_of_days(named, spec.get("last", 10), calendar)
    fell = sorted((e.t, int(place(e).strftime(part))) for e in named)[-spec.get("last", 10) :]
    if view == "choices":
        return len(fell)
    if not fell:
        return None
    parts = [usual for _, usual in fell]
    many = Counter(parts)
    usual = next(x for x in reversed(parts) if many[x] == max(many.values()))
    if view == "share":
        return many[usual] / len(parts)
    there, n = local(now, calendar.now).replace(tzinfo=None) if part == "%H" else calendar.today(now), 0
    unit = timedelta(hours=1) if part == "%H" else timedelta(days=1)
    while int((there + n * unit).strftime(part)) != usual:
        n += 1
    return n * (unit // timedelta(milliseconds=1))


def holiday(spec: Spec, past: Sequence[Event], now: int, calendar: Calendar) -> int | None:
    """Until the next holiday in the latest country."""
    named = [e for e in past if e.name in listed(spec["of"]) and spec["by"] in e.properties]
    told = [(e.t, signed(e.properties[spec["by"]]), e.properties[spec["by"]]) for e in named]
    country = max(told)[2] if told else None
    if country not in listed(spec["holiday"]):
        return None
    today = calendar.today(now)
    code, _, part = str(country).partition("-")
    days = holidays.country_holidays(code, subdiv=part or None, years=[today.year, today.year + 1])
    return min((day - today).days for day in days if day >= today) * DAY


def spread(spec: Spec, times: list[int], view: str) -> float | None:
    """How far the last gaps differ from each other."""
    gaps = [b - a for a, b in itertools.pairwise(sorted(times)[-spec.get("last", 6) - 1 :])]
    if view == "mean":
        return statistics.mean(gaps) if gaps else None
    if len(gaps) < 2 or (view == "ratio" and not any(gaps)):
        return None
    return statistics.pstdev(gaps) / (statistics.mean(gaps) if view == "ratio" else 1)


def trend(times: list[int], now: int, view: str, window: int) -> float | None:
    """The window against the one before."""
    recent = sum(now - window < t for t in times)
    before = sum(now - 2 * window < t <= now - window for t in times)
    if view == "ratio":
        return recent / before if before else None
    return {"now": recent, "before": before, "": recent - before}[view]


def sequence(spec: Spec, past: Sequence[Event], now: int, window: int) -> int | None:
    """Since the latest end of steps in order."""
    times = [[e.t for e in past if e.name in listed(names)] for names in spec["sequence"]]
    rising = (run for run in itertools.product(*times) if all(a < b for a, b in itertools.pairwise(run)))
    ends = [run[-1] for run in rising if run[-1] - run[0] <= window]
    return now - max(ends) if ends else None
