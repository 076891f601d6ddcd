"""How long customers stay in a segment and are away from it, as changes tell it; worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from stream.plan.plan import Plan
from stream.plan.problems import DefinitionError
from tests.shards import Driver, event, logs, plan_of

START = 1_700_000_000_000
DAY = 86_400_000

Told = list[tuple[str | None, float | None, float | None]]


def dimension(**keys: Any) -> dict[str, Any]:
    """In while a view is less than a day old; ``keys`` are more of that segment's."""
    features = {"ago": {"since": "Product Viewed"}}
    return {
        "dimension": "d",
        "features": features,
        "segments": [{"segment": "in", "when": "ago < 1d", **keys}],
        "otherwise": "out",
    }


def told(plan: Plan, *days: float, until: float, restart: bool = False) -> Told:
    """Segment entered, days in the one before, days away from it, of one who views on these days."""
    log = logs([event("ann", "Product Viewed", START + int(day * DAY)) for day in days], START + int(until * DAY))
    driver = Driver(plan, log)
    if restart:
        for source in log:
            driver.offer(source, 1)
        driver.drain()
        driver.open()
    found = driver.finish().changes
    return [(c.to_segment, in_days(c.stayed_ms), in_days(c.away_ms)) for c in found]


def in_days(ms: int | None) -> float | None:
    """Milliseconds as days."""
    return None if ms is None else ms / DAY


@pytest.mark.parametrize("restart", [False, True])
def test_a_change_tells_how_long_the_customer_stayed_and_was_away(restart: bool) -> None:
    """The first placement ends no stay; returns are told of the segment that counts them, also after a restart."""
    plan = plan_of(dimension(count_returns="true"))
    expected = [
        ("in", None, None),
        ("out", 1, None),
        ("in", 4, 4),
        ("out", 1.5, None),
        ("in", 2.5, 2.5),
        ("out", 1, None),
    ]
    assert told(plan, 0, 5, 5.5, 9, until=20, restart=restart) == expected


def test_without_being_asked_no_row_keeps_when_a_segment_was_left() -> None:
    """It takes a column; stays need none."""
    plain, asked = plan_of(dimension()), plan_of(dimension(count_returns="true"))
    assert told(plain, 0, 5, until=9) == [("in", None, None), ("out", 1, None), ("in", 4, None), ("out", 1, None)]
    assert (plain.layout.left, len(asked.layout.left)) == ({}, 1)
    assert plan_of(dimension(count_returns="false")).layout.left == {}


def test_counting_returns_decides_nothing() -> None:
    """The definition is the same one, so changes name the same version and nobody is judged anew for it."""
    versions = {plan_of(d).definitions.dimensions[0].version for d in (dimension(), dimension(count_returns="true"))}
    assert len(versions) == 1


def test_a_segment_that_counts_returns_has_no_cooldown_by_it() -> None:
    """Both keep when it was left; only one keeps customers out."""
    plan = plan_of(dimension(count_returns="true", cooldown="10d"))
    assert [one[0] for one in told(plan, 0, 5, until=9)] == ["in", "out"]
    assert told(plan_of(dimension(cooldown="2d")), 0, 5, until=6)[2] == ("in", 4, 4)


def test_anything_but_true_or_false_is_a_mistake() -> None:
    """With its place and what is expected."""
    with pytest.raises(DefinitionError, match="expected true or false, not 'often'"):
        plan_of(dimension(count_returns="often"))
