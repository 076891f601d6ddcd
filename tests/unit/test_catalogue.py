"""The shipped catalogue: every segment of every dimension is reached by a small history, and says what it is for."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from stream.engine.change import Change
from stream.engine.versions import CutsVersion
from stream.features.base import Accumulator
from stream.plan.definitions import Definitions, parse_definitions
from stream.plan.plan import Plan, twin_plan
from tests.conftest import REPOSITORY
from tests.histories import BEGINS_MS, DAY_MS, History, ordered, told
from tests.histories_behaviour import BEHAVIOUR, CUTS, CUTS_FROM
from tests.histories_predicted import MODEL, PREDICTED, PREDICTED_CUTS, will_buy
from tests.histories_relation import RELATION
from tests.shards import CONTROL, Driver, Record, logs, wire_time

FOLDER = REPOSITORY / "config" / "segments"
FILES = sorted(FOLDER.glob("*.yaml"))
HISTORIES = [*BEHAVIOUR, *RELATION, *PREDICTED]
#: Segments come about otherwise than by a history: by learning, and by chance.
OTHERWISE = {"cluster", "experiment"}
#: What cuts are taken of that is money.
MONEY = ("spend", "clv", "order_value")
#: Names that two dimensions share, because they mean the same to whoever reads them.
SHARED = {
    "at-risk": "a good customer who stays away",
    "awareness": "knows the shop, has shown no interest in a product lately",
    "interest": "looks at products",
    "too-few-orders": "fewer than three orders to judge by",
}


@cache
def catalogue() -> Definitions:
    """What ships."""
    return parse_definitions({file.name: file.read_text() for file in FILES})


def ms(day: float) -> int:
    """The instant of a day of the histories."""
    return BEGINS_MS + round(day * DAY_MS)


def customer(k: int) -> str:
    """Who lives the k-th history."""
    return f"{k}-{HISTORIES[k].dimension}"


def wire(k: int, history: History) -> list[dict[str, Any]]:
    """A history's events as they come in."""
    found: list[dict[str, Any]] = []
    for n, step in enumerate(history.steps):
        found.append(
            {
                "messageId": f"{k}-{n}",
                "type": "identify" if step.name == "Identify" else "track",
                "event": step.name,
                "timestamp": wire_time(ms(step.day)),
                "traits" if step.name == "Identify" else "properties": step.properties,
            }
        )
        if step.name != "Product Updated":
            found[-1]["userId"] = customer(k)
    return found


def cuts(plan: Plan) -> CutsVersion:
    """The cuts of the histories, as a version that is published."""
    given = CUTS | PREDICTED_CUTS
    known = {f"{dimension}: {expression}": of for dimension, told in given.items() for expression, of in told.items()}
    found = []
    for measure, share in plan.cuts:
        name = plan.measures[measure]
        expression = name.split(" @")[0].split(" among ")[0]
        unit = DAY_MS if "since" in expression else 1_000_000 if any(word in expression for word in MONEY) else 1
        found.append((name, share, known[expression][share] * unit))
    return CutsVersion(1, ms(CUTS_FROM), found)


@cache
def changes() -> dict[tuple[str, str], list[Change]]:
    """(customer, dimension) -> changes, of all histories in one run of the uncompiled plan of the whole catalogue."""
    plan = twin_plan(catalogue())
    events = sorted(
        chain.from_iterable(wire(k, history) for k, history in enumerate(HISTORIES)), key=lambda e: str(e["timestamp"])
    )
    log = logs(events, max(ms(day) for history in HISTORIES for day in history.expected))
    versions = [cuts(plan).to_json(), MODEL.to_json(), *(will_buy(one).to_json() for one in plan.layout.predictions)]
    values = [*versions, *(record.value for record in log[CONTROL, 0])]
    log[CONTROL, 0] = [Record(k, value) for k, value in enumerate(values)]
    found: dict[tuple[str, str], list[Change]] = defaultdict(list)
    for change in Driver(plan, log).finish().changes:
        found[change.subject, change.dimension].append(change)
    return found


def segment(who: str, dimension: str, day: float) -> str | None:
    """Where a customer is at an instant, by the changes up to then."""
    told = [c.to_segment for c in changes()[who, dimension] if c.at_ms <= ms(day)]
    return told[-1] if told else None


@pytest.mark.parametrize("k", range(len(HISTORIES)), ids=[f"{k}-{h.dimension}" for k, h in enumerate(HISTORIES)])
def test_a_history_leads_where_it_should(k: int) -> None:
    """Segment by segment, on the days that the history names."""
    history = HISTORIES[k]
    found = {day: segment(customer(k), history.dimension, day) for day in history.expected}
    assert found == history.expected


def test_every_segment_of_the_catalogue_is_reached_by_a_history() -> None:
    """No segment ships that nobody can be in."""
    reached: dict[str, set[str]] = defaultdict(set)
    for history in HISTORIES:
        reached[history.dimension] |= set(history.expected.values())
    shipped = {d.name: set(d.segment_names) for d in catalogue().dimensions if d.name not in OTHERWISE}
    assert reached == shipped


def test_who_is_lost_is_so_until_an_order_and_not_until_the_fifths_are_learned_anew() -> None:
    """All buyers grow older, so the border does: over it today, before it tomorrow, and so on, would be flapping."""
    plan = twin_plan(Definitions(tuple(d for d in catalogue().dimensions if d.name == "rfm")))
    first = cuts(plan)
    later = [(name, share, value + 7 * DAY_MS * ("since" in name)) for name, share, value in first.cuts]
    events = wire(0, told("rfm", ordered(1, 60, total=50)))
    log = logs(events, ms(61))
    versions = [first.to_json(), CutsVersion(2, ms(46), later).to_json()]
    log[CONTROL, 0] = [Record(k, value) for k, value in enumerate([*versions, *(r.value for r in log[CONTROL, 0])])]
    found = [change.to_segment for change in Driver(plan, log).finish().changes]
    assert found[-2:] == ["lost", "potential-loyalists"]
    assert found.count("lost") == found.count("hibernating") == 1


def test_holdout_and_trial_are_drawn_by_chance_and_apart_from_each_other() -> None:
    """About 5 % and 10 % of customers; another name draws others."""
    names = ("experiment", "engagement")  # who has not been seen is not drawn, and the first reacts to no event
    plan = twin_plan(Definitions(tuple(d for d in catalogue().dimensions if d.name in names)))
    events = [
        {"messageId": f"m{k}", "type": "page", "userId": f"c{k}", "timestamp": wire_time(k), "properties": {}}
        for k in range(3000)
    ]
    found = Driver(plan, logs([{**e, "event": "Page Viewed"} for e in events], 4000)).finish().changes
    drawn = [change.to_segment for change in found if change.dimension == "experiment"]
    assert len(drawn) == 3000
    assert 0.035 < drawn.count("holdout") / 3000 < 0.065
    assert 0.075 < drawn.count("trial") / 3000 < 0.115  # a tenth of those who are not in the holdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_explains_its_dimension(file: Path) -> None:
    """Whoever opens it reads what it is about, what to do with it, and from which size on."""
    read = yaml.safe_load(file.read_text())
    assert read["dimension"] == file.stem
    assert file.read_text().startswith("# ")
    for key in ("description", "owner"):
        assert read[key].endswith(".")
        assert len(read[key]) > 20
    assert read["minimum_size"] >= 20
    for rule in read.get("segments", []):
        assert not rule.get("topic") or rule.get("note"), f"{rule['segment']} goes to a topic without a note"


def test_no_name_of_a_segment_means_two_things() -> None:
    """A change names segment and dimension, but people speak of segments alone."""
    users = defaultdict(list)
    for dimension in catalogue().dimensions:
        for name in dimension.segment_names:
            users[name].append(dimension.name)
    assert {name for name, dimensions in users.items() if len(dimensions) > 1} == set(SHARED)


def test_features_that_dimensions_share_are_kept_once() -> None:
    """What has one name in two files is one feature, and costs its columns once; the exceptions are said here."""
    meant: dict[str, set[Accumulator]] = defaultdict(set)
    for dimension in catalogue().dimensions:
        for name, accumulator in dimension.features.items():
            meant[name].add(accumulator)
    assert {name for name, accumulators in meant.items() if len(accumulators) > 1} <= set()
