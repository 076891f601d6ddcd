"""Minimum stay, cool-down, ``for``, ``from``, enter and leave: no segment flaps, on histories that hover at a threshold
and on random ones, and changes come as often as the rules allow and no more."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.depth import examples
from tests.drawn.compare import driven, moves
from tests.drawn.dimensions import Dimension, dimensions
from tests.drawn.histories import TURNS, UNTIL, histories
from tests.oracle import Happened, Move
from tests.oracle.features import milliseconds
from tests.shards import event, plan_of, run

START = TURNS[0].start
SPAN = 400


def hovering(**rule: Any) -> Dimension:
    """On for ``ON`` ms after each view, and by this rule."""
    return {
        "dimension": "d",
        "features": {"ago": {"since": "Product Viewed"}, "n": {"count": "Product Viewed"}},
        "segments": [{"segment": "on", "when": f"ago < {ON}ms", **rule}],
        "otherwise": "off",
    }


ON = 4
#: Views whose distances hover around what keeps the segment on.
hovers = st.lists(st.integers(1, 2 * ON), min_size=1, max_size=40).map(
    lambda gaps: [sum(gaps[:k]) for k in range(len(gaps))]
)


def changes_of(made: Dimension, views: Sequence[int]) -> list[tuple[int, str | None]]:
    """When the only customer went where."""
    events = [event("ann", "Product Viewed", START + t, id=f"m{t}") for t in views]
    return [(c.at_ms - START, c.to_segment) for c in run(plan_of(made), events, START + SPAN)]


def signal(views: Sequence[int]) -> Iterator[tuple[int, bool]]:
    """Whether the condition holds, at every millisecond: before what happens in it, which comes last, and after."""
    for now in range(SPAN + 1):
        if now > 0:
            yield now, any(t < now < t + ON for t in views)
        if now in views:
            yield now, True


def allowed(views: Sequence[int], stay: int = 0, cooldown: int = 0) -> list[tuple[int, str | None]]:
    """The changes that the signal makes where nobody leaves before ``stay`` has passed, nor enters so soon again."""
    found: list[tuple[int, str | None]] = []
    here, entered, left = "", -SPAN, -2 * SPAN
    for now, holds in signal(views):
        wanted = "on" if holds else "off"
        if here == "on" and now < entered + stay:
            wanted = "on"
        if wanted == "on" != here and now < left + cooldown:
            wanted = "off"
        if wanted != here:
            if here == "on":
                left = now
            here, entered = wanted, now
            found.append((now, here))
    return found


@examples(60)
@given(hovers, st.integers(1, 3 * ON))
def test_a_least_stay(views: list[int], stay: int) -> None:
    """Nobody leaves before it has passed, and everybody does then whose condition does not hold."""
    assert changes_of(hovering(stay=f"{stay}ms"), views) == allowed(views, stay=stay)


@examples(60)
@given(hovers, st.integers(1, 3 * ON))
def test_a_cool_down(views: list[int], cooldown: int) -> None:
    """Nobody comes back before it has passed, and everybody does then whose condition holds."""
    assert changes_of(hovering(cooldown=f"{cooldown}ms"), views) == allowed(views, cooldown=cooldown)


@examples(60)
@given(hovers, st.integers(1, 2 * ON), st.integers(1, 3 * ON))
def test_both(views: list[int], stay: int, cooldown: int) -> None:
    """Together they bound how often anyone can change: twice in both lengths of time."""
    found = changes_of(hovering(stay=f"{stay}ms", cooldown=f"{cooldown}ms"), views)
    assert found == allowed(views, stay, cooldown)
    assert len(found) <= 2 + 2 * SPAN // (stay + cooldown)


@examples(60)
@given(hovers, st.integers(ON + 1, 3 * ON))
def test_another_threshold_to_leave(views: list[int], later: int) -> None:
    """Who is in stays over every gap that is shorter than the later threshold: the changes are those of gaps that are
    not."""
    found = changes_of(hovering(leave=f"ago >= {later}ms"), views)
    expected: list[tuple[int, str]] = [(0, "on")]
    for t, following in zip(views, [*views[1:], 10 * SPAN], strict=True):
        if following - t >= later:
            expected += [(t + later, "off"), (following, "on")]
    assert found == [one for one in expected if one[0] <= SPAN]


@examples(60)
@given(hovers, st.integers(1, 3 * ON))
def test_for_a_time(views: list[int], lasts: int) -> None:
    """Who enters is out again after that time at the latest, and cannot come back from where they are then."""
    made = hovering(**{"from": ["fresh"], "for": f"{lasts}ms"})
    made["segments"] = [*made["segments"], {"segment": "fresh", "when": "n <= 1", "leave": "ago >= 0ms"}]
    found = changes_of(made, views)
    assert len([1 for _, to in found if to == "on"]) <= 1
    for (entered, to), (left, _) in itertools.pairwise(found):
        assert to != "on" or left - entered <= lasts


def journeys(changes: Sequence[Move]) -> Iterator[tuple[str, list[Move]]]:
    """The dimension and the moves of each customer there."""
    found: dict[tuple[str, str], list[Move]] = defaultdict(list)
    for change in changes:
        found[change.customer, change.dimension].append(change)
    return ((dimension, ways) for (_, dimension), ways in found.items())


@examples(80)
@given(dimensions(), histories(START, most=30, late=True))
def test_the_laws_hold_for_all_definitions(made: list[Dimension], history: list[Happened]) -> None:
    """Whatever the definitions and the history, late events among them."""
    changes = moves(driven(made, history, START + UNTIL).finish().changes)
    by_name = {one["dimension"]: one for one in made}
    for dimension, ways in journeys(changes):
        rules = {rule["segment"]: rule for rule in by_name[dimension]["segments"]}
        obeys(rules, by_name[dimension].get("stay"), ways)


def obeys(rules: dict[str, dict[str, Any]], least: str | None, ways: Sequence[Move]) -> None:
    """One customer's ways through one dimension keep its rules."""
    left: dict[str | None, int] = {}
    here, entered = None, None
    for way in ways:
        assert way.from_segment == here != way.to_segment
        rule, to = rules.get(here or "", {}), rules.get(way.to_segment or "", {})
        stay = rule.get("stay", least)
        if entered is not None and here is not None:
            assert way.at >= entered + (milliseconds(stay) if stay else 0)
            assert "for" not in rule or way.at <= entered + milliseconds(rule["for"])
        if "cooldown" in to and way.to_segment in left:
            assert way.at >= left[way.to_segment] + milliseconds(to["cooldown"])
        assert "from" not in to or here in to["from"]
        left[here], here, entered = way.at, way.to_segment, way.at
    last = rules.get(here or "", {})
    assert entered is None or "for" not in last or entered + milliseconds(last["for"]) > START + UNTIL
