"""Whole dimensions: segments with conditions and every kind of memory, which may speak of each other."""

from __future__ import annotations

import string
from collections.abc import Collection
from typing import Any

from hypothesis import strategies as st

from tests.drawn.conditions import Conditions
from tests.drawn.features import WORDS, durations

Dimension = dict[str, Any]


@st.composite
def dimensions(
    draw: st.DrawFn,
    memory: bool = True,
    past: bool = True,
    zone: str = "UTC",
    words: Collection[str] = tuple(WORDS),
    reckon: bool = True,
) -> list[Dimension]:
    """One to three dimensions; later ones may speak of earlier ones.

    With ``memory`` they have from, leave, for, stay and cooldown; with ``past`` they may ask what others' segments
    were, and since when they are.  They go by one zone, or by each customer's own where it is known.
    ``words`` and ``reckon``: the kinds of features that they ask, and whether they reckon with their values.
    """
    found: list[Dimension] = []
    others: dict[str, list[str]] = {}
    for name in draw(st.permutations(["d", "e", "f"]))[: draw(st.integers(1, 3))]:
        one = dimension(draw, name, Conditions(draw, others, past, words, reckon), memory)
        zones: list[Dimension] = [{}] if zone == "UTC" else [{"zone": zone}]
        zones.append({"zone": {"trait": "timezone", "else": zone}})
        found.append(one | draw(st.sampled_from(zones)))
        others[name] = [rule["segment"] for rule in one["segments"]] + [s for s in (one.get("otherwise"),) if s]
    return found


def dimension(draw: st.DrawFn, name: str, conditions: Conditions, memory: bool) -> Dimension:
    """One dimension."""
    names = list(string.ascii_lowercase[: draw(st.integers(1, 3))])
    otherwise = {"otherwise": "rest"} if draw(st.booleans()) else {}
    rules = [rule(draw, segment, [*names, *otherwise.values()], conditions, memory) for segment in names]
    own: Dimension = {"dimension": name, "every": draw(durations), "features": conditions.features, "segments": rules}
    if memory and not any("for" in one for one in rules) and draw(st.integers(0, 3)) == 0:
        own["stay"] = draw(durations)
    return {**own, **otherwise}


def rule(draw: st.DrawFn, segment: str, every: list[str], conditions: Conditions, memory: bool) -> dict[str, Any]:
    """One segment."""
    found: dict[str, Any] = {"segment": segment, "when": conditions.condition()}
    if not memory:
        return found
    if draw(st.booleans()):
        found["from"] = draw(st.lists(st.sampled_from(every), min_size=1, max_size=2, unique=True))
    if draw(st.integers(0, 2)) == 0:
        found["leave"] = conditions.condition()
    if "from" in found and draw(st.booleans()):
        found["for"] = draw(durations)
    if draw(st.integers(0, 2)) == 0:
        found["cooldown"] = draw(durations)
    if "for" not in found and draw(st.integers(0, 2)) == 0:
        found["stay"] = draw(durations)
    if draw(st.integers(0, 4)) == 0:
        found["every"] = draw(durations)
    return found
