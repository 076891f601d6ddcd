"""One contract for every accumulator: value and expiry against a plain reading of the same events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.features import fading, pool
from stream.features.after import After, CountAfter
from stream.features.anniversary import Anniversary
from stream.features.bag import Bag
from stream.features.base import FOREVER, NO_TEXT, Accumulator, Kind, Shape, arguments, books
from stream.features.calendar import Zone
from stream.features.count import Count
from stream.features.count_within import CountWithin
from stream.features.decay import Decay
from stream.features.distinct import Distinct
from stream.features.extreme import Extreme
from stream.features.favourite import Favourite
from stream.features.gap import Gap
from stream.features.history import History
from stream.features.holiday import Holiday, Holidays
from stream.features.latest import Latest, LatestInstant, LatestNumber, LatestTexts
from stream.features.mean import Mean
from stream.features.period import PeriodCount, PeriodTotal
from stream.features.predicted import Alive, Buys, LifetimeValue, OrderValue
from stream.features.recurring import Recurring, RecurringDays
from stream.features.sequence import Sequence as Sequence_
from stream.features.since import Since
from stream.features.spread import Spread
from stream.features.total import Total
from stream.features.trend import Trend
from stream.features.within import Within
from stream.features.year_ago import KEPT, YearAgo
from stream.plan.features import READERS
from tests.plain_features import (
    CHOICES,
    COPENHAGEN,
    DAY,
    HOUR,
    HOW,
    MINUS,
    NEW_YORK,
    OWN,
    PART,
    PATHS,
    PERIOD,
    PLUS,
    SPRING,
    START,
    STEPS,
    UTC,
    P,
    Reading,
    Seen,
    a_year_ago,
    after,
    birthday,
    chosen_within,
    filled,
    gaps,
    in_new_york,
    marked,
    numbers,
    plus,
    read_distinct,
    read_gap,
    read_holiday,
    read_how_many,
    read_irregularity,
    read_latest,
    read_list,
    read_mean,
    read_sum,
    sequence,
    spread,
    this,
    trend,
    usual,
    within,
    yearly,
)
from tests.plain_predictions import MERGED, lifetime_value, numbers_of, predicted, worth_of_an_order


class SomeHolidays(Holidays):
    """The table, with the texts of the tests for the countries."""

    def array(self) -> Any:
        """7 is the first country and -9 the second."""
        table = super().array().copy()
        table[1], table[4] = 7, -9
        return table


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
    (Recurring("hour", (PLUS,), Zone(NEW_YORK), 3), "choices", usual("hour", NEW_YORK, 3, "choices")),
    *(
        (RecurringDays(part, (PLUS,), Zone(NEW_YORK), 3), view, usual(part, NEW_YORK, 3, view, once=True))
        for part, view in (("hour", ""), ("hour", "share"), ("weekday", ""), ("weekday", "choices"))
    ),
    (Alive(History((PLUS,), MERGED)), "", predicted(fading.alive)),
    (Buys(History((PLUS,), MERGED), 30), "", predicted(fading.buys, 30.0)),
    (Buys(History((PLUS,), MERGED), 9, often=True), "", predicted(fading.expected, 9.0)),
    (OrderValue(History((PLUS,), MERGED, "x")), "", worth_of_an_order),
    (LifetimeValue(History((PLUS,), MERGED, "x"), 9, 0.0), "", lifetime_value),
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
    **dict.fromkeys((Alive, Buys, LifetimeValue), 2),
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
    """A row that holds one accumulator, or what one that keeps nothing itself goes by, with guards on both sides."""

    def __init__(self, accumulator: Accumulator) -> None:
        self.accumulator, self.kept = accumulator, accumulator
        self.rest = arguments(accumulator.constants(), in_new_york, numbers_of)
        for book in books(accumulator):
            self.kept, self.rest = book, (P, *self.rest)
        columns = self.kept.columns()
        self.ints = np.full(P + len(columns) + 2, 77, np.int64)
        self.floats = self.ints.view(np.float64)
        for k, column in enumerate(columns, start=P):
            (self.floats if column.real else self.ints)[k] = column.initial

    def fold(self, seen: Seen) -> None:
        """Apply one event as the plan would."""
        reaction = self.kept.reactions().get(seen.name)
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
    others |= {"told", "fading", "history"}  # tests/unit/test_features_fading.py, test_features_predicted.py
    others |= {"worth", "lanes"}  # tests/unit/test_features_predicted.py
    others |= {"propensity"}  # tests/unit/test_engine_propensity.py
    covered = {type(case[0]).__module__.rsplit(".", 1)[1] for case in CASES} | {"bag"}
    assert {file.stem for file in folder.glob("*.py")} - others == covered
