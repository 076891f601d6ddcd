"""Each customer's own time zone: what goes by the calendar goes by the zone that the customer's trait names."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.engine.explain import explain
from stream.events.text import text_hash
from stream.features import zone_table
from stream.features.known_zone import all_zones, names, table_of
from stream.features.own_zone import OwnZone
from stream.plan.definitions import parse_definitions
from stream.plan.plan import Plan
from stream.plan.problems import DefinitionError
from tests.oracle import Happened, feature
from tests.shards import Driver, definitions, event, logs, plan_of
from tests.unit.test_plan_calendar import identify, instant

DAY, HALF_HOUR = 86_400_000, 1_800_000
OWN = {"trait": "timezone", "else": "Europe/Berlin"}
START = instant("2026-03-01T00:00Z")
Change = tuple[str | None, str]


def dimension(spec: dict[str, Any], when: str, zone: Any = OWN, name: str = "d") -> dict[str, Any]:
    """One feature, and who meets a condition on it."""
    rules = [{"segment": "in", "when": when}]
    return {"dimension": name, "zone": zone, "features": {"x": spec}, "segments": rules, "otherwise": "out"}


def moves(spec: dict[str, Any], when: str, events: list[dict[str, Any]], until: str) -> list[Change]:
    """Where the only customer goes, and when (UTC)."""
    changes = Driver(plan_of(dimension(spec, when)), logs(events, instant(until))).finish().changes
    there = ZoneInfo("UTC")
    return [(c.to_segment, datetime.fromtimestamp(c.at_ms / 1000, there).isoformat()[:16]) for c in changes]


def order(t: str, **properties: Any) -> dict[str, Any]:
    """An order."""
    return event("ann", "Order Completed", instant(t), **properties)


MONTH = {"count": "Order Completed", "this": "month"}
DAYS = {"count": "Order Completed", "this": "day"}


def test_a_month_ends_at_the_customers_own_midnight() -> None:
    """In New York, where the clocks were set forward on 8 March."""
    events = [identify("2026-03-02T00:00Z", timezone="America/New_York"), order("2026-03-20T12:00Z")]
    assert moves(MONTH, "x >= 1", events, "2026-06-01T00:00Z")[1:] == [
        ("in", "2026-03-20T12:00"),
        ("out", "2026-04-01T04:00"),
    ]


@pytest.mark.parametrize("timezone", [None, "CEST+1", "europe/berlin", "", "Factory", "../../etc/passwd"])
def test_who_names_no_zone_goes_by_the_other(timezone: str | None) -> None:
    """Also who names what is none."""
    events = [identify("2026-03-02T00:00Z", **({} if timezone is None else {"timezone": timezone}))]
    assert moves(MONTH, "x >= 1", [*events, order("2026-03-20T12:00Z")], "2026-06-01T00:00Z")[1:] == [
        ("in", "2026-03-20T12:00"),
        ("out", "2026-03-31T22:00"),
    ]


def test_what_is_no_zone_does_not_displace_one() -> None:
    """The zone named last that is one stays."""
    events = [
        identify("2026-03-02T00:00Z", timezone="America/New_York"),
        order("2026-03-20T12:00Z"),
        identify("2026-03-21T00:00Z", timezone="Home"),
    ]
    driver = Driver(plan_of(dimension(MONTH, "x >= 1")), logs([*events, events[-1]], instant("2026-06-01T00:00Z")))
    assert driver.finish().changes[-1].at_ms == instant("2026-04-01T04:00Z")
    assert (driver.counts.unknown_zones, driver.counts.duplicate) == (1, 1)


def test_an_event_goes_by_the_zone_that_it_names_itself() -> None:
    """The zone is known before anything else is read of the event: here it is 1 April already."""
    events = [identify("2026-03-31T12:00Z", timezone="Pacific/Kiritimati")]
    assert moves({"count": "Identify", "this": "month"}, "x >= 1", events, "2026-06-01T00:00Z") == [
        ("in", "2026-03-31T12:00"),
        ("out", "2026-04-30T10:00"),
    ]


def test_who_moves_keeps_what_was_counted_and_meets_the_new_midnight() -> None:
    """Neither is the order lost, nor does its month end when it would have ended at home."""
    events = [order("2026-03-20T12:00Z"), identify("2026-03-25T00:00Z", timezone="America/New_York")]
    assert moves(MONTH, "x >= 1", events, "2026-06-01T00:00Z") == [
        ("in", "2026-03-20T12:00"),
        ("out", "2026-04-01T04:00"),
    ]
    events = [*events, order("2026-03-26T12:00Z")]
    assert moves(MONTH, "x >= 2", events, "2026-06-01T00:00Z")[1:] == [
        ("in", "2026-03-26T12:00"),
        ("out", "2026-04-01T04:00"),
    ]


def test_who_travels_east_over_midnight_is_in_the_next_day_at_once() -> None:
    """It is 15 March in Auckland when the trait comes."""
    events = [order("2026-03-14T12:00Z"), identify("2026-03-14T14:00Z", timezone="Pacific/Auckland")]
    assert moves(DAYS, "x >= 1", events, "2026-03-20T00:00Z") == [
        ("in", "2026-03-14T12:00"),
        ("out", "2026-03-14T14:00"),
    ]


def test_who_travels_west_over_midnight_stays_in_the_day_that_had_begun() -> None:
    """Ordered on the 15th in Auckland; in Honolulu it is the 14th, where that day ends with the 15th."""
    events = [
        identify("2026-03-14T11:30Z", timezone="Pacific/Auckland"),
        order("2026-03-14T12:00Z"),
        identify("2026-03-14T13:00Z", timezone="Pacific/Honolulu"),
        order("2026-03-14T14:00Z", id="on the 14th, which is over"),
    ]
    assert moves(DAYS, "x >= 1", events, "2026-03-20T00:00Z")[1:] == [
        ("in", "2026-03-14T12:00"),
        ("out", "2026-03-16T10:00"),
    ]
    assert moves(DAYS, "x >= 2", events, "2026-03-20T00:00Z") == [("out", "2026-03-14T11:30")]


def test_a_birthday_begins_at_the_customers_own_midnight_across_daylight_saving() -> None:
    """Seven days before, and on the day itself; a date is the date that is written."""
    events = [identify("2026-01-05T00:00Z", birthday="1990-03-12", timezone="America/New_York")]
    assert moves({"anniversary": "birthday", "of": "Identify"}, "x <= 7d", events, "2027-01-01T00:00Z")[1:] == [
        ("in", "2026-03-05T05:00"),
        ("out", "2026-03-13T04:00"),
    ]


def test_a_filter_on_local_time_goes_by_the_customers_own_clock() -> None:
    """Orders in the evening; of the event, and where products are asked too."""
    evening = "time.hour >= 18"
    events = [
        identify("2026-03-02T00:00Z", timezone="America/New_York"),
        order("2026-03-14T18:00Z", products=[{"product_id": "p", "brand": "Acme"}], id="m1"),
        order("2026-03-14T22:30Z", products=[{"product_id": "p", "brand": "Acme"}], id="m2"),
    ]
    for where in (evening, f'{evening} and products.brand == "Acme"'):
        found = moves({"count": "Order Completed", "where": where}, "x >= 1", events, "2026-03-20T00:00Z")
        assert found[1:] == [("in", "2026-03-14T22:30")]


def test_customers_of_one_shard_have_their_own_midnights() -> None:
    """Three customers, three zones, one of them by default."""
    events = []
    for k, zone in enumerate(("Asia/Kathmandu", "America/St_Johns", None)):
        known = [identify("2026-03-02T00:00Z", timezone=zone, id=f"i{k}")] if zone else []
        events += [{**one, "userId": f"c{k}"} for one in (*known, order("2026-03-20T12:00Z", id=f"o{k}"))]
    changes = Driver(plan_of(dimension(MONTH, "x >= 1")), logs(events, instant("2026-06-01T00:00Z"))).finish().changes
    left = {c.subject: c.at_ms for c in changes if c.from_segment == "in"}
    assert left == {
        "c0": instant("2026-04-01T00:00+05:45"),
        "c1": instant("2026-04-01T00:00-02:30"),
        "c2": instant("2026-04-01T00:00+02:00"),
    }


def test_who_does_not_use_it_does_not_pay() -> None:
    """Rows and generated programs without own zones are what they were; with them a row has two columns more."""
    plain = plan_of(dimension(MONTH, "x >= 1", "Europe/Berlin"))
    own = plan_of(dimension(MONTH, "x >= 1"))
    assert plain.kernels.zones is None
    assert "bags.zones" not in plain.source
    assert "bags.zones" in own.source
    assert own.layout.width == plain.layout.width + 2
    two = plan_of(dimension(MONTH, "x >= 1"), dimension(DAYS, "x >= 1", OWN | {"else": "UTC"}, "e"))
    assert two.layout.width == own.layout.width + 4  # the zone is kept once, whatever stands for unknown ones
    distinct = {"distinct": "category", "of": "E"}
    same = plan_of(dimension(distinct, "x >= 1"), dimension(distinct, "x >= 1", "Europe/Berlin", "e"))
    assert len([a for a in same.layout.base if "Known" not in repr(a)]) == 1  # texts that are no local times


def test_an_explanation_reads_the_customers_own_calendar() -> None:
    """Values, and what comes next if nothing comes."""
    events = [identify("2026-03-02T00:00Z", timezone="America/New_York"), order("2026-03-20T12:00Z")]
    driver = Driver(plan_of(dimension(MONTH, "x >= 1")), logs(events, instant("2026-04-01T02:00Z"))).finish()
    found = explain(driver.shard, "ann")
    assert found is not None
    one = found.dimensions[0]
    assert (one.segment, one.features) == ("in", {"x": 1})
    described = driver.shard.describe("ann")
    assert described is not None
    assert described["features"] == {"x": 1, "(zone by timezone)": "America/New_York"}
    assert [(change.at, change.to_segment) for change in one.next] == [("2026-04-01T04:00:00.000Z", "out")]


def test_a_restart_forgets_no_zone() -> None:
    """Rows that come from rest have the same midnights."""
    events = [identify("2026-03-02T00:00Z", timezone="America/New_York"), order("2026-03-20T12:00Z")]
    driver = Driver(plan_of(dimension(MONTH, "x >= 1")), logs(events, instant("2026-03-30T00:00Z"))).finish()
    driver.open()
    driver.log = logs(events, instant("2026-06-01T00:00Z"))
    driver.shard.start(("control", 0), 0)
    assert driver.finish().changes[-1].at_ms == instant("2026-04-01T00:00-04:00")


FEATURES: dict[str, dict[str, Any]] = {
    "day": {"count": "E", "this": "day"},
    "month": {"count": ["E", "F"], "this": "month"},
    "week": {"sum": "weight", "of": "E", "this": "week"},
    "least": {"min": "weight", "of": "E", "this": "quarter"},
    "birthday": {"anniversary": "birthday", "of": "Identify"},
    "season": {"anniversary": "time", "of": "E", "last": 3},
    "last_year": {"count": "E", "year_ago": "month"},
    "hour": {"recurring": "hour", "of": "E", "last": 4},
    "hour_of_days": {"recurring": "hour", "of": "E", "last": 4, "once": "day"},
    "weekday": {"recurring": "weekday", "of": "E", "last": 4},
    "holiday": {"holiday": ["DE-BY", "DK"], "by": "country", "of": "Identify"},
    "days": {"distinct": "time.day", "of": "E", "up_to": 20},
    "best_day": {"favourite": "time.weekday", "of": "E", "last": 5},
    "best_hour": {"favourite": "time.hour", "of": "E", "last": 5},
}
#: By half hours, so that looking at every half hour misses nothing; with and without daylight saving, east and west.
ZONES = ["America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Honolulu", "Nowhere"]
bodies = st.fixed_dictionaries({}, optional={"weight": st.sampled_from([5.0, 7.5])})
traits = st.fixed_dictionaries(
    {},
    optional={
        "timezone": st.sampled_from(ZONES),
        "birthday": st.sampled_from(["1990-03-12", "2000-02-29", "1980-04-01"]),
        "country": st.sampled_from(["DK", "DE-BY", "SE"]),
    },
)
#: Thirty days around the change of the clocks in America and Europe, by half hours.
happened = st.one_of(
    st.tuples(st.integers(0, 1500), st.sampled_from("EEF"), bodies),
    st.tuples(st.integers(0, 1500), st.just("Identify"), traits),
)
histories = st.lists(happened, min_size=1, max_size=8, unique_by=lambda e: e[0])


def on_the_wire(seen: list[tuple[int, str, dict[str, Any]]]) -> tuple[list[dict[str, Any]], list[Happened]]:
    """Events as the engine and as the oracle take them, in the order given."""
    made = []
    for k, (at, name, body) in enumerate(seen):
        one = event("ann", name, START + at * HALF_HOUR, **body, id=f"m{k}")
        made.append(one if name != "Identify" else {**one, "type": "identify", "traits": one.pop("properties")})
    return made, [
        Happened(START + at * HALF_HOUR, name, "ann", f"m{k}", body) for k, (at, name, body) in enumerate(seen)
    ]


@lru_cache
def plan_of_all() -> Plan:
    """The plan that has them all."""
    rules = [{"segment": "a", "when": "days > 9"}]
    return plan_of({"dimension": "d", "zone": OWN, "features": FEATURES, "segments": rules})


@settings(max_examples=40, deadline=None)
@given(histories, st.integers(0, 400))
def test_values_are_those_of_the_oracle(seen: list[tuple[int, str, dict[str, Any]]], later: int) -> None:
    """Of every word that goes by the calendar, wherever the customer has travelled, in order of time."""
    made, past = on_the_wire(sorted(seen, key=lambda e: e[0]))
    now = max(e.t for e in past) + later * 7 * HALF_HOUR
    driver = Driver(plan_of_all(), logs(made, now)).finish()
    row, i = driver.shard.rows.table.ints, driver.shard.rows.index[b"ann"]
    for name, accumulator in driver.plan.definitions.dimensions[0].features.items():
        view, p = accumulator.views()[""], driver.plan.layout.base[accumulator]
        rest = driver.plan.layout.arguments(accumulator, row[i])
        told = view.value(row[i], driver.shard.rows.table.floats[i], p, now, *rest)
        expected = feature(FEATURES[name], past, now, "", OWN)
        if view.kind.value == "text":
            assert told == (text_hash(expected) if expected else 0), name
        else:
            assert told == pytest.approx(float("nan") if expected is None else expected, nan_ok=True), name


CONDITIONS: dict[str, tuple[str, list[Any]]] = {
    "day": (">=", [1, 2]),
    "month": (">=", [1, 2]),
    "week": (">", [4, 9]),
    "birthday": ("<=", ["0d", "7d"]),
    "hour": ("<=", ["0h", "2h"]),
    "weekday": ("<=", ["0d", "2d"]),
    "holiday": ("<=", ["1d", "9d"]),
}


@settings(max_examples=20, deadline=None)
@given(histories, st.sampled_from(sorted(CONDITIONS)), st.data())
def test_changes_are_those_of_looking_at_every_half_hour(
    seen: list[tuple[int, str, dict[str, Any]]], name: str, data: st.DataObject
) -> None:
    """Every change comes at the instant at which the oracle's value crosses, daylight saving or not."""
    op, bounds = CONDITIONS[name]
    bound = data.draw(st.sampled_from(bounds))
    made, past = on_the_wire(sorted(seen, key=lambda e: e[0]))
    k = bound if isinstance(bound, int) else int(bound[:-1]) * (DAY if bound[-1] == "d" else 2 * HALF_HOUR)
    end = past[-1].t + 10 * DAY
    driver = Driver(plan_of(dimension(FEATURES[name], f"x {op} {bound}")), logs(made, end)).finish()
    first = next((e.t for e in past if e.name in driver.plan.inputs.codes), end + 1)  # what nobody reads is no event
    expected: list[tuple[str, int]] = []
    for now in range(first, end + 1, HALF_HOUR):
        for known in ([e for e in past if e.t < now], [e for e in past if e.t <= now]):  # deadlines fire before events
            x = feature(FEATURES[name], known, now, "", OWN)
            to = "in" if x is not None and {">=": x >= k, ">": x > k, "<=": x <= k}[op] else "out"
            if any(e.t >= first for e in known) and (not expected or expected[-1][0] != to):
                expected.append((to, now))
    assert [(c.to_segment, c.at_ms) for c in driver.changes] == expected


@pytest.mark.parametrize(
    "zone", ["Africa/Casablanca", "America/Boa_Vista", "Asia/Gaza", "Pacific/Apia", "Antarctica/Troll"]
)
def test_a_zones_table_is_what_python_tells_day_by_day(zone: str) -> None:
    """Also where clocks changed for a week or for Ramadan, and far ahead, where only a rule says so."""
    table, there = zone_table.transitions(zone), ZoneInfo(zone)
    seconds = np.arange(0, zone_table.LAST, 86_400)
    lines = np.searchsorted(table[:, 0], seconds * 1000, side="right") - 1
    told = [datetime.fromtimestamp(second, there).utcoffset() or timedelta() for second in seconds.tolist()]
    assert table[lines, 1].tolist() == [offset.total_seconds() * 1000 for offset in told]


def test_every_zone_is_found_by_its_name() -> None:
    """All names of the list, in one array."""
    some = ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", *names()[::50]]
    own = OwnZone("timezone", ("Identify",), "UTC")
    for name in some:
        assert np.array_equal(table_of(own, text_hash(name)), zone_table.transitions(name)), name
    assert np.array_equal(table_of(own, text_hash("Nowhere")), zone_table.transitions("UTC"))
    assert all_zones().nbytes < 1_000_000


@pytest.mark.parametrize(
    ("zone", "sentence"),
    [
        ("Europe/Brlin", "'Europe/Brlin' is not a time zone such as Europe/Berlin; did you mean 'Europe/Berlin'?"),
        ("{trait: timezone, else: Mars}", "'Mars' is not a time zone such as Europe/Berlin"),
        ("{trait: timezone, els: UTC}", "'els' is not a key here; did you mean 'else'?"),
        ("{else: UTC}", "'trait' is missing here"),
        ("{trait: products}", "'products' is not a property that can be read as a text"),
    ],
)
def test_mistakes(zone: str, sentence: str) -> None:
    """Each with what is wrong and what there is."""
    text = f"dimension: d\nzone: {zone}\nfeatures:\n  n: {{count: E}}\nsegments:\n  - {{segment: a, when: n > 0}}\n"
    with pytest.raises(DefinitionError) as caught:
        parse_definitions({"d.yaml": text})
    assert any(sentence in message for _, message in caught.value.found), caught.value.found


def test_the_settings_can_say_so_for_all_dimensions() -> None:
    """A dimension's own zone comes first, and is then that of all its customers."""
    own = OwnZone("timezone", ("Identify",), "Europe/Vienna")
    files = {"a.yaml": "dimension: a\nfeatures: {n: {count: E, this: day}}\nsegments: [{segment: s, when: n > 0}]\n"}
    files["b.yaml"] = files["a.yaml"].replace("dimension: a", "dimension: b\nzone: Asia/Tokyo")
    files["c.yaml"] = files["a.yaml"].replace("dimension: a", "dimension: c\nzone: {trait: tz}")
    found = parse_definitions(files, own)
    assert [d.zone for d in found.dimensions] == [own, "Asia/Tokyo", OwnZone("tz", ("Identify",), "Europe/Vienna")]
    assert definitions(dimension(MONTH, "x >= 1")).dimensions[0].zone == OwnZone(
        "timezone", ("Identify",), "Europe/Berlin"
    )
