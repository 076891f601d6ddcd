"""Segments that nobody can be in: found where it is proven, and never said of one that somebody can be in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from stream.plan.definitions import parse_definitions
from stream.plan.hints import find_hints
from stream.plan.reach import unreachable
from tests.depth import examples
from tests.drawn.compare import driven
from tests.drawn.dimensions import dimensions
from tests.drawn.histories import TURNS, UNTIL, histories
from tests.oracle import Happened

HEAD = """\
dimension: d
features:
  n: {count: Order Completed}
  ago: {since: Order Completed}
  country: {latest: country, of: Identify}
segments:
"""


def found(*conditions: str, more: str = "") -> list[str]:
    """The unreachable ones of the segments a, b, ... with these conditions."""
    rules = [f"  - segment: {'abc'[k]}\n    when: {condition}\n" for k, condition in enumerate(conditions)]
    return [one.segment for one in unreachable(parse_definitions({"d.yaml": HEAD + "".join(rules) + more}))]


@pytest.mark.parametrize(
    "conditions",
    [
        ("n >= 1", "n >= 1"),
        ("n >= 1", "n >= 2"),
        ("n >= 1", "n > 1 and ago < 30d"),
        ("n >= 1", "2 <= n"),
        ("n > 0 and ago < 30d", "ago <= 7d and n == 3"),
        ("n >= 1 or ago < 30d", "ago < 7d"),
        ("n >= 1", "n == 2 or n == 3"),
        ("ago in top 40%", "ago in top 20%"),
        ("quintile(ago) <= 3", "quintile(ago) == 2"),
        ('country in ("DK", "SE")', 'country == "SE"'),
        ('country != "DK"', 'country == "SE"'),
        ("n >= 5", "n >= 2 and n < 2"),
        ("n >= 5", 'country == "DK" and country == "SE"'),
        ("n >= 5", 'country == "DK" and country != "DK"'),
        ("n >= 5", "ago in top 20% and ago in bottom 20%"),
    ],
)
def test_who_is_beaten_is_found(conditions: tuple[str, str]) -> None:
    """The second segment of each."""
    assert found(*conditions) == ["b"]


@pytest.mark.parametrize(
    "conditions",
    [
        ("n >= 2", "n >= 1"),
        ("n > 1", "n >= 1"),
        ("n >= 1 and ago < 30d", "n >= 2"),
        ("ago in top 20%", "ago in top 40%"),
        ('country == "DK"', 'country != "DK"'),
        ("not n >= 1", "n >= 1"),
        ("n >= 1", "ago >= 1d"),
        ("n <= 2 and n >= 2", "n >= 3"),
    ],
)
def test_others_are_left_alone(conditions: tuple[str, str]) -> None:
    """What is not proven is not said."""
    assert found(*conditions) == []


@pytest.mark.parametrize("more", ["    from: b\n", "    leave: ago > 1d\n", "    cooldown: 1d\n"])
def test_a_segment_that_does_not_let_everyone_in_beats_nobody(more: str) -> None:
    """Whoever may not enter the first is in the second."""
    text = HEAD + f"  - segment: a\n    when: n >= 1\n{more}  - segment: b\n    when: n >= 1\n"
    assert unreachable(parse_definitions({"d.yaml": text})) == []


def test_it_says_where_and_why() -> None:
    """At the condition of the segment, with the one that beats it."""
    made = parse_definitions({"d.yaml": HEAD + "  - segment: a\n    when: n >= 1\n  - segment: b\n    when: n >= 2\n"})
    (one,) = unreachable(made)
    assert str(one.place) == "d.yaml:10:11"
    assert one.why == "whoever meets 'n >= 2' is in 'a' above it, by 'n >= 1'"
    assert f"d.yaml:10:11: nobody can ever be in 'b': {one.why}" in map(str, find_hints(made))


@examples(60)
@given(dimensions(), histories(TURNS[0].start))
def test_nobody_is_ever_in_one(made: list[dict[str, Any]], history: list[Happened]) -> None:
    """Whatever the definitions and the history."""
    driver = driven(made, history, TURNS[0].start + UNTIL)
    never = {(one.dimension, one.segment) for one in unreachable(driver.plan.definitions)}
    changes = driver.finish().changes
    assert not never & {(c.dimension, c.to_segment) for c in changes}
