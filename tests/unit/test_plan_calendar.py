"""What goes by the calendar, through the whole engine: local midnights to the millisecond, and values by the oracle."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.events.text import text_hash
from stream.features.base import arguments
from stream.plan.definitions import parse_definitions
from stream.plan.plan import Plan
from stream.plan.problems import DefinitionError
from tests.oracle.features import Happened, feature
from tests.shards import Driver, event, logs, plan_of

DAY = 86_400_000
START = int(datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp()) * 1000


def instant(text: str) -> int:
    """An instant from ISO 8601 with an offset."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def moves(
    spec: dict[str, Any], when: str, events: list[dict[str, Any]], until: str, zone: str
) -> list[tuple[str | None, str]]:
    """Where the only customer goes, and when."""
    rules = [{"segment": "in", "when": when}]
    plan = plan_of({"dimension": "d", "zone": zone, "features": {"x": spec}, "segments": rules, "otherwise": "out"})
    driver = Driver(plan, logs(events, instant(until))).finish()
    there = ZoneInfo(zone)
    return [(c.to_segment, datetime.fromtimestamp(c.at_ms / 1000, there).isoformat()) for c in driver.changes]


def identify(t: str, **traits: Any) -> dict[str, Any]:
    """An identify event."""
    made = event("ann", "Identify", instant(t), **traits)
    return {**made, "type": "identify", "traits": made.pop("properties")}


def test_a_month_ends_at_local_midnight() -> None:
    """Also where the clocks were set forward within it."""
    events = [event("ann", "E", instant("2026-03-20T12:00Z"))]
    assert moves({"count": "E", "this": "month"}, "x >= 1", events, "2026-06-01T00:00Z", "Europe/Copenhagen") == [
        ("in", "2026-03-20T13:00:00+01:00"),
        ("out", "2026-04-01T00:00:00+02:00"),
    ]


def test_a_birthday_comes_and_goes() -> None:
    """A date is the date that is written, in whatever zone; seven days before, and on the day itself."""
    events = [identify("2026-01-05T00:00Z", birthday="1990-05-17")]
    spec = {"anniversary": "birthday", "of": "Identify"}
    assert moves(spec, "x <= 7d", events, "2027-01-01T00:00Z", "America/New_York") == [
        ("out", "2026-01-04T19:00:00-05:00"),
        ("in", "2026-05-10T00:00:00-04:00"),
        ("out", "2026-05-18T00:00:00-04:00"),
    ]


def test_holidays_of_the_customers_own_country() -> None:
    """Danish ones for whom lives there; who lives elsewhere is never in."""
    spec = {"holiday": ["DK", "DE"], "by": "country", "of": "Identify"}
    events = [identify("2026-05-01T10:00Z", country="DK")]
    found = moves(spec, "x <= 1d", events, "2026-06-01T00:00Z", "Europe/Copenhagen")
    assert found == [
        ("out", "2026-05-01T12:00:00+02:00"),
        ("in", "2026-05-13T00:00:00+02:00"),  # Ascension Day is on the 14th
        ("out", "2026-05-15T00:00:00+02:00"),
        ("in", "2026-05-23T00:00:00+02:00"),  # Whit Sunday and Monday
        ("out", "2026-05-26T00:00:00+02:00"),
    ]
    abroad = [identify("2026-05-01T10:00Z", country="SE")]
    assert [to for to, _ in moves(spec, "x <= 1d", abroad, "2026-06-01T00:00Z", "Europe/Copenhagen")] == ["out"]


def test_the_usual_weekday() -> None:
    """Two days before the weekday on which most orders came."""
    events = [event("ann", "E", instant(f"2026-03-{day:02d}T12:00Z")) for day in (6, 13, 14, 20)]  # Fridays, a Saturday
    spec = {"recurring": "weekday", "of": "E"}
    assert moves(spec, "x <= 2d and x > 0s", events, "2026-03-31T00:00Z", "Europe/Copenhagen")[-4:] == [
        ("in", "2026-03-18T00:00:00+01:00"),
        ("out", "2026-03-20T00:00:00+01:00"),
        ("in", "2026-03-25T00:00:00+01:00"),
        ("out", "2026-03-27T00:00:00+01:00"),
    ]


FEATURES: dict[str, dict[str, Any]] = {
    "month": {"count": "E", "this": "month"},
    "quarter": {"sum": "weight", "of": "E", "this": "quarter"},
    "birthday": {"anniversary": "birthday", "of": "Identify"},
    "season": {"anniversary": "time", "of": "E", "last": 3},
    "last_year": {"count": ["E", "F"], "year_ago": "week"},
    "last_quarter": {"count": "E", "year_ago": "quarter"},
    "hour": {"recurring": "hour", "of": "E", "last": 4},
    "weekday": {"recurring": "weekday", "of": "E", "last": 4},
    "usual_month": {"recurring": "month", "of": "E", "last": 4},
    "holiday": {"holiday": ["DE-BY", "DK"], "by": "country", "of": "Identify"},
    "days": {"distinct": "time.day", "of": "E", "up_to": 20},
    "best_day": {"favourite": "time.weekday", "of": "E", "last": 5},
    "best_hour": {"favourite": "time.hour", "of": "E", "last": 5},
    "best_month": {"favourite": "time.month", "of": "E", "last": 5},
    "what": {"favourite": "event", "of": ["E", "F"], "last": 5},
}


@lru_cache
def plan_in(zone: str) -> Plan:
    """The plan that has them all."""
    rules = [{"segment": "a", "when": "days > 9"}]
    return plan_of({"dimension": "d", "zone": zone, "features": FEATURES, "segments": rules})


bodies = st.fixed_dictionaries({}, optional={"weight": st.sampled_from([5.0, 7.5])})
traits = st.fixed_dictionaries(
    {},
    optional={
        "birthday": st.dates(date(1940, 1, 1), date(2020, 1, 1)).map(str),
        "country": st.sampled_from(["DK", "DE-BY", "SE"]),
    },
)
happened = st.one_of(
    st.tuples(st.integers(0, 400 * DAY), st.sampled_from("EEF"), bodies),
    st.tuples(st.integers(0, 400 * DAY), st.just("Identify"), traits),
)


def test_the_same_week_last_year() -> None:
    """An order of Sunday in week 12 counts a year later in week 12, from Monday on; week 53 has none a year before."""
    events = [event("ann", "E", instant("2025-03-23T22:59Z")), event("ann", "E", instant("2025-12-30T12:00Z"))]
    spec = {"count": "E", "year_ago": "week"}
    assert moves(spec, "x >= 1", events, "2027-02-01T00:00Z", "Europe/Copenhagen") == [
        ("out", "2025-03-23T23:59:00+01:00"),
        ("in", "2026-03-16T00:00:00+01:00"),
        ("out", "2026-03-23T00:00:00+01:00"),
        ("in", "2027-01-04T00:00:00+01:00"),  # 2025-12-30 lies in week 1 of 2026; the year 2026 has a week 53
        ("out", "2027-01-11T00:00:00+01:00"),
    ]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Copenhagen", "America/New_York"])
@settings(max_examples=20, deadline=None)
@given(st.lists(happened, min_size=1, max_size=8, unique_by=lambda e: e[0]), st.integers(0, 400))
def test_values_are_those_of_the_oracle(zone: str, seen: list[tuple[int, str, dict[str, Any]]], days: int) -> None:
    """Of every word that goes by the calendar, at some day after the last event, in whatever order events came."""
    made = []
    for k, (t, name, body) in enumerate(seen):
        one = event("ann", name, START + t, **body, id=f"m{k}")
        made.append(one if name != "Identify" else {**one, "type": "identify", "traits": one.pop("properties")})
    past = [Happened(START + t, name, "ann", f"m{k}", body) for k, (t, name, body) in enumerate(seen)]
    now = max(e.t for e in past) + days * DAY // 3
    driver = Driver(plan_in(zone), logs(made, now)).finish()
    plan, i = driver.plan, driver.shard.rows.index[b"ann"]
    assert not driver.counts.rejected
    for name, accumulator in plan.definitions.dimensions[0].features.items():
        view = accumulator.views()[""]
        told = value_of(driver, i, accumulator, now)
        expected = feature(FEATURES[name], past, now, "", zone)
        if view.kind.value == "text":
            assert told == (text_hash(expected) if expected else 0), name
        else:
            assert told == pytest.approx(float("nan") if expected is None else expected, nan_ok=True), name


def value_of(driver: Driver, i: int, accumulator: Any, now: int) -> Any:
    """The value of a feature in the row."""
    table, p = driver.shard.rows.table, driver.plan.layout.base[accumulator]
    value = accumulator.views()[""].value
    return value(table.ints[i], table.floats[i], p, now, *arguments(accumulator.constants()))


def test_a_filter_on_local_time() -> None:
    """Orders in the evening, and at the weekend."""
    spec = {"count": "E", "where": 'time.hour >= 18 and time.weekday in ("saturday", "sunday")'}
    events = [event("ann", "E", instant(t)) for t in ("2026-03-14T16:30Z", "2026-03-15T17:30Z", "2026-03-16T20:00Z")]
    assert moves(spec, "x >= 1", events, "2026-06-01T00:00Z", "Europe/Copenhagen") == [
        ("out", "2026-03-14T17:30:00+01:00"),
        ("in", "2026-03-15T18:30:00+01:00"),
    ]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("{holiday: [DE, XX], by: country, of: I}", "'XX' is no country with known holidays"),
        ("{holiday: DE-XX, by: country, of: I}", "'DE-XX' has no such part"),
        ("{count: E, this: mnth}", "'mnth' is none of day, week, month, quarter, year; did you mean 'month'?"),
        ("{count: E, this: month, within: 3d}", "'within' and 'this' both bound the feature in time"),
        ("{count: E, year_ago: day}", "'day' is none of week, month, quarter"),
        ("{sum: weight, of: E, year_ago: week}", "'year_ago' does not go with this feature"),
        ("{recurring: minute, of: E}", "'minute' is none of hour, weekday, month"),
        ("{favourite: time.day, of: E}", "'time.day' does not go with this feature"),
        ("{count: E, where: time.hour == \"09\"}", "'time.hour' is a number, not a text"),
    ],
)  # fmt: skip
def test_mistakes(spec: str, sentence: str) -> None:
    """Each with what is wrong and what there is."""
    text = f"dimension: d\nfeatures:\n  n: {spec}\nsegments:\n  - {{segment: a, when: known(n)}}\n"
    with pytest.raises(DefinitionError) as caught:
        parse_definitions({"d.yaml": text})
    assert any(sentence in message for _, message in caught.value.found), caught.value.found
