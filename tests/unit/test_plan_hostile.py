"""Definitions come from files and from a topic: whatever stands in them, none of it runs, none is too much."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream.learners.control import read_version
from stream.plan.definitions import parse_definitions
from stream.plan.plan import plan_source, twin_plan
from stream.plan.problems import DefinitionError
from tests.shards import definitions

EVENT = "Order Completed"
#: What ends a comment, a line or a docstring of the generated module.
ENDINGS = ["\n", "\r", "\x0c", '"""', "'''", "\\", "\u2028", "#", "\0"]


def one(**changes: Any) -> dict[str, Any]:
    """A dimension with other parts."""
    feature = {"orders": {"count": changes.pop("event", EVENT)}}
    segments = [{"segment": changes.pop("segment", "buys"), "when": "orders >= 1"}]
    return {"dimension": "d", "features": feature, "segments": segments, **changes}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("place", ["dimension", "segment", "otherwise", "event"])
def test_no_name_becomes_a_part_of_the_program(place: str, ending: str) -> None:
    """Found: an event's name with a line in it was a line of the generated module."""
    name = f"x{ending}raise SystemExit(1){ending}"
    if not ending.isprintable():
        with pytest.raises(DefinitionError, match=r"one line|one 'dimension|valid YAML"):
            definitions(one(**{place: name}))
        return
    found = definitions(one(**{place: name}))
    twin_plan(found)
    assert name not in plan_source(found)[2].splitlines()


@pytest.mark.parametrize(
    "feature",
    [{"sum": "event", "of": EVENT}, {"count": EVENT, "where": 'event == "x"'}, {"latest": "event", "of": EVENT}],
)
def test_the_name_of_the_event_is_no_property(feature: dict[str, Any]) -> None:
    """Found: it was taken for one, and nobody had it."""
    with pytest.raises(DefinitionError, match="event's name"):
        definitions({**one(), "features": {"orders": feature}})


def test_clusters_have_an_end() -> None:
    """Found: a thousand milliards of them took all memory."""
    learn = {"clusters": 10**12, "vector": {"orders": "orders"}}
    text = {"dimension": "c", "features": {"orders": {"count": EVENT}}, "learn": learn}
    with pytest.raises(DefinitionError, match="from 1 to 256"):
        parse_definitions({"c.yaml": json.dumps(text)})


@pytest.mark.parametrize("effective", [1 << 60, 1 << 62, -(1 << 62)])
@pytest.mark.parametrize("kind", ["cuts", "definitions"])
def test_versions_out_of_all_time_are_no_versions(kind: str, effective: int) -> None:
    """Found: one that takes effect at the end of all numbers was waited for in a loop."""
    record = {"type": kind, "version": 1, "effective": effective, "cuts": [], "files": {"a.yaml": "x"}}
    with pytest.raises(ValueError, match="out of all bounds"):
        read_version(json.dumps(record).encode())


def test_a_version_s_number_is_bounded() -> None:
    """After the greatest number of all nothing could ever be published."""
    record = {"type": "cuts", "version": 1 << 60, "effective": 5, "cuts": []}
    with pytest.raises(ValueError, match="out of all bounds"):
        read_version(json.dumps(record).encode())
