"""Against flapping: least stays, cool-downs, and what a customer was before; worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from stream.plan.plan import Plan
from tests.shards import Driver, event, logs, plan_of

START = 1_700_000_000_000
DAY = 86_400_000
#: In while a view is less than a day old.
VIEWS: dict[str, Any] = {"features": {"ago": {"since": "Product Viewed"}, "n": {"count": "Product Viewed"}}}


def dimension(segments: list[dict[str, Any]], **keys: Any) -> dict[str, Any]:
    """A dimension of views."""
    return {"dimension": "d", **keys, **VIEWS, "segments": segments, "otherwise": "out"}


def moves(plan: Plan, *days: float, until: float, name: str = "d") -> list[tuple[str | None, float]]:
    """The segments entered, and on which day, of one who views on these days; the same with restarts in between."""
    history = [event("ann", "Product Viewed", START + int(day * DAY)) for day in days]
    log = logs(history, START + int(until * DAY))
    plain = Driver(plan, log).finish().changes
    again = Driver(plan, log)
    for source in log:
        again.offer(source, 1)
    again.drain()
    again.open()
    assert [(c.to_segment, c.at_ms) for c in again.finish().changes] == [(c.to_segment, c.at_ms) for c in plain]
    return [(c.to_segment, (c.at_ms - START) / DAY) for c in plain if c.dimension == name]


def test_nobody_leaves_before_the_least_stay_has_passed() -> None:
    """Of the segment, else of the dimension, also out of ``otherwise``; then at once, by a deadline."""
    plan = plan_of(dimension([{"segment": "in", "when": "ago < 1d", "stay": "3d"}], stay="2d"))
    assert moves(plan, 0, until=9) == [("in", 0), ("out", 3)]
    assert moves(plan, 0, 2.5, until=9) == [("in", 0), ("out", 3.5)]
    assert moves(plan, 0, 3.5, until=9) == [("in", 0), ("out", 3)]  # out until 5, and by then the view is too old


def test_who_is_kept_out_by_the_least_stay_elsewhere_enters_when_it_has_passed() -> None:
    """If the condition still holds then."""
    plan = plan_of(dimension([{"segment": "in", "when": "ago < 1d"}], stay="2d"))
    assert moves(plan, 0, 2.5, 3.75, until=5.9) == [("in", 0), ("out", 2), ("in", 4)]
    assert moves(plan, 0, 2.5, until=5.9) == [("in", 0), ("out", 2)]


def test_nobody_enters_again_before_the_cool_down_has_passed() -> None:
    """It counts from when the segment was last left; the first time is free."""
    plan = plan_of(dimension([{"segment": "in", "when": "ago < 1d", "cooldown": "3d"}]))
    assert moves(plan, 0, 2, 3.5, until=9) == [("in", 0), ("out", 1), ("in", 4), ("out", 4.5)]
    assert moves(plan, 0, 2, until=9) == [("in", 0), ("out", 1)]


def test_another_segment_may_be_entered_meanwhile() -> None:
    """A cool-down is of one segment."""
    plan = plan_of(
        dimension([{"segment": "in", "when": "ago < 1d", "cooldown": "9d"}, {"segment": "on", "when": "ago < 2d"}])
    )
    assert moves(plan, 0, 1.5, until=9) == [("in", 0), ("on", 1), ("out", 3.5)]


def test_the_segment_before_and_since_when() -> None:
    """Of another dimension: what it was before the present one, and how long the present one has lasted."""
    lead = dimension([{"segment": "in", "when": "ago < 1d"}]) | {"dimension": "lead"}
    follow = {
        "dimension": "follow",
        "segments": [
            {"segment": "back", "when": 'segment.lead == "in" and segment.lead.before == "out"'},
            {"segment": "long", "when": "segment.lead.since >= 3d"},
        ],
    }
    found = moves(plan_of(lead, follow), 0, 5, until=9.5, name="follow")
    assert found == [("long", 4), ("back", 5), (None, 6), ("long", 9)]


@pytest.mark.parametrize(("every", "at"), [("1d", 6), ("6h", 5.75)])
def test_a_comparison_without_a_known_crossing_is_looked_at(every: str, at: float) -> None:
    """At multiples since the epoch, and at the customer's own events: a half-life of a day against one of ten, from 32
    to 1, cross after 50/9 days."""
    rates = {
        "fast": {"rate": "Order Completed", "half_life": "1d"},
        "slow": {"rate": "Product Viewed", "half_life": "10d"},
    }
    made = {"dimension": "d", "every": every, "features": rates, "segments": [{"segment": "in", "when": "fast < slow"}]}
    begin = START - START % DAY
    history = [event("ann", "Order Completed", begin, id=str(k)) for k in range(32)]
    history.append(event("ann", "Product Viewed", begin))
    changes = Driver(plan_of(made), logs(history, begin + 9 * DAY)).finish().changes
    later = [(c.to_segment, (c.at_ms - begin) / DAY) for c in changes if c.at_ms > begin]
    assert later == [("in", at)]
