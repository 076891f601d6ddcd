"""Local time against Python's own calendar: days, periods and parts of the day in zones of every kind."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream.features import calendar
from stream.features.calendar import DAY, HOUR, PARTS, PERIODS, Zone

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Half hours, no change, changes at midnight, a day that was left out, both hemispheres.
ZONES = [
    *("UTC", "Europe/Copenhagen", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo"),
    *("America/St_Johns", "Pacific/Apia", "Africa/Casablanca", "Asia/Beirut", "America/Havana"),
]
instants = st.one_of(
    st.integers(0, 4_000_000_000_000),
    # around midnight and the change of offset in Sao Paulo (2018-11-04) and St. John's (2006-10-29)
    st.integers(-4 * HOUR, 28 * HOUR).map(lambda ms: 1_541_289_600_000 + ms),
    st.integers(-4 * HOUR, 28 * HOUR).map(lambda ms: 1_162_080_000_000 + ms),
)


def local(zone: str, instant: int) -> datetime:
    """The local time of an instant."""
    return (EPOCH + timedelta(milliseconds=instant)).astimezone(ZoneInfo(zone))


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=60, deadline=None)
@given(instant=instants)
def test_the_clock_and_its_parts(zone: str, instant: int) -> None:
    """What the clock shows, its hour, weekday and month are what Python says."""
    table, there = Zone(zone).array(), local(zone, instant)
    shown = there.replace(tzinfo=UTC) - EPOCH
    assert calendar.local_time(table, instant) == shown // timedelta(milliseconds=1)
    assert calendar.part(table, instant, PARTS["hour"]) == there.hour
    day = calendar.day_of(table, instant)
    assert day - (there.date() - date(1970, 1, 1)).days in (0, 1)  # 1: the clock was set back over midnight
    if day == (there.date() - date(1970, 1, 1)).days:
        assert calendar.part(table, instant, PARTS["weekday"]) == there.weekday()
        assert calendar.part(table, instant, PARTS["month"]) == there.month - 1


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=60, deadline=None)
@given(instant=instants)
@example(1_541_300_400_000)
def test_days_follow_each_other(zone: str, instant: int) -> None:
    """A day holds from its start up to the next one's, and each is at most two hours from 24 hours long."""
    table = Zone(zone).array()
    day = calendar.day_of(table, instant)
    start, end = calendar.day_start(table, day), calendar.day_start(table, day + 1)
    assert start <= instant < end
    assert calendar.day_of(table, start) == calendar.day_of(table, end - 1) == day
    assert abs(end - start - DAY) <= 2 * HOUR or zone == "Pacific/Apia"


@settings(max_examples=200, deadline=None)
@given(st.dates(date(1600, 1, 1), date(2400, 1, 1)))
def test_dates(day: date) -> None:
    """Numbers of days and dates, there and back."""
    number = (day - date(1970, 1, 1)).days
    assert calendar.date_of(number) == (day.year, day.month, day.day)
    assert calendar.day_number(day.year, day.month, day.day) == number


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("period", "end"),
    [("day", "2026-05-15"), ("week", "2026-05-18"), ("month", "2026-06-01"), ("quarter", "2026-07-01"),
     ("year", "2027-01-01")],
)  # fmt: skip
def test_a_period_ends_at_local_midnight(zone: str, period: str, end: str) -> None:
    """Of Thursday 14 May 2026; a week begins on Monday."""
    noon = datetime(2026, 5, 14, 12, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    found = calendar.next_period(Zone(zone).array(), (noon - EPOCH) // timedelta(milliseconds=1), PERIODS[period])
    assert local(zone, found) == datetime.fromisoformat(end).replace(tzinfo=ZoneInfo(zone))


def test_tables_have_names_of_their_own() -> None:
    """Two zones never share a constant of the generated module."""
    names = ["Etc/GMT+5", "Etc/GMT-5", "America/Port-au-Prince", "UTC"]
    assert len({Zone(name).name for name in names}) == len(names)
    assert all(Zone(name).name.isidentifier() for name in names)
