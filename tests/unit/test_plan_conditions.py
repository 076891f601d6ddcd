"""Conditions through the whole engine, worked out by hand; random ones: tests/unit/test_oracle.py."""

from __future__ import annotations

import pytest

from tests.shards import event, plan_of, run

START = 1_700_000_000_000
#: At the size of life: thresholds of days, to the millisecond.
LIFE = (
    ("ago >= 30d", 30 * 86_400_000),
    ("ago > 30d", 30 * 86_400_000 + 1),
    ("ago / 30d >= 2", 60 * 86_400_000),
    ("ago >= 2 * gap", 34 * 86_400_000),
    ("ago / gap > 2", 34 * 86_400_000 + 1),
    ("near < 1", 7 * 86_400_000),
    ("near <= 0", 7 * 86_400_000),
    ("rate <= 0.5", 14 * 86_400_000),
    ("rate < 0.5", 14 * 86_400_000 + 1),
    ("rate * 3 < 0.375", 42 * 86_400_000 + 1),
)


@pytest.mark.parametrize(("when", "after"), LIFE)
def test_a_crossing_is_exact_to_the_millisecond(when: str, after: int) -> None:
    """Worked out by hand: from one order on, the condition becomes true exactly this long after it."""
    order = {"count": "Order Completed", "within": "7d"}
    made = {
        "dimension": "d",
        "features": {
            "ago": {"since": "Order Completed"},
            "near": order,
            "gap": {"gap": "Order Completed", "default": "17d"},
            "rate": {"rate": "Order Completed", "half_life": "14d"},
        },
        "segments": [{"segment": "yes", "when": when}],
        "otherwise": "no",
    }
    at = START + 12_345
    changes = run(plan_of(made), [event("ann", "Order Completed", at)], at + after + 1)
    assert [(c.to_segment, c.at_ms) for c in changes] == [("no", at), ("yes", at + after)]


def test_who_is_in_does_not_flap_where_leave_and_when_overlap() -> None:
    """Found: ``when: n >= 1`` with ``leave: n >= 1`` went in and out every millisecond."""
    made = {
        "dimension": "d",
        "features": {"n": {"count": "Product Viewed"}},
        "segments": [{"segment": "a", "when": "n >= 1", "leave": "n >= 1"}, {"segment": "b", "when": "n >= 2"}],
    }
    changes = run(plan_of(made), [event("ann", "Product Viewed", START + t) for t in (1, 2)], START + 1000)
    assert [(c.to_segment, c.at_ms) for c in changes] == [("b", START + 2)]


@pytest.mark.parametrize("when", ["sqrt(spend) < 2", "log1p(spend) < 2", "near > 3 / (n - 1)", "near <= n / (n - n)"])
def test_what_has_no_value_makes_a_comparison_false(when: str) -> None:
    """Found: roots and logarithms of sums below zero, and a division by zero beside a window, raised in the twin."""
    made = {
        "dimension": "d",
        "features": {
            "spend": {"sum": "total", "of": "Order Completed", "less": "Order Refunded"},
            "near": {"count": "Order Refunded", "within": "7d", "up_to": 9},
            "n": {"count": "Order Refunded"},
        },
        "segments": [{"segment": "yes", "when": when}],
        "otherwise": "no",
    }
    changes = run(plan_of(made), [event("ann", "Order Refunded", START, total=5)], START + 1000)
    assert [c.to_segment for c in changes] == ["no"]


def test_a_dimension_follows_another_at_the_same_instant() -> None:
    """Also where the event feeds none of its own features: first what it depends on, then itself."""
    lead = {
        "dimension": "lead",
        "features": {"ago": {"since": "Product Viewed"}},
        "segments": [{"segment": "late", "when": "ago >= 50ms"}],
        "otherwise": "here",
    }
    follow = {"dimension": "follow", "segments": [{"segment": "yes", "when": 'segment.lead == "late"'}]}
    views = [event("ann", "Product Viewed", START + t) for t in (0, 70)]
    changes = run(plan_of(follow, lead), views, START + 80)
    assert [(c.dimension, c.to_segment, c.at_ms - START, c.cause) for c in changes] == [
        ("lead", "here", 0, "event"),
        ("lead", "late", 50, "deadline"),
        ("follow", "yes", 50, "deadline"),
        ("lead", "here", 70, "event"),
        ("follow", None, 70, "event"),
    ]
