"""Cuts by share in a replay: learned as time goes or at the end, they are those that anyone can work out by hand."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from math import ceil
from random import Random
from typing import Any

import orjson
import pytest

from stream.app.bootstrap import make_decoder, make_shard
from stream.engine.versions import CutsVersion
from stream.events.routing import topic_of
from stream.history.record import FileRecord
from stream.history.replay import SOURCES, CutsPace, Replay
from stream.plan.definitions import parse_definitions
from stream.plan.plan import twin_plan
from stream.settings import load_settings
from tests.shards import event, told

VALUE = """
dimension: value
among: orders >= 1
features:
  orders: {count: Order Completed}
  looks: {count: Product Viewed}
  spend: {sum: total, of: Order Completed}
segments:
  - {segment: top, when: orders >= 1 and spend in top 20%}
  - {segment: low, when: orders >= 1 and spend in bottom 30%}
otherwise: middle
"""
AGO = """
dimension: ago
features:
  ago: {since: Order Completed}
segments:
  - {segment: long ago, when: ago in top 50%}
  - {segment: lately, when: known(ago)}
"""
PLANS = {text: twin_plan(parse_definitions({"a.yaml": text})) for text in (VALUE, AGO)}
SETTINGS = load_settings()
HOUR = 3_600_000


def history(seed: int, count: int = 300) -> list[dict[str, Any]]:
    """Orders and looks in the order of time, with pauses of many hours, and some exactly on the hour."""
    random, t = Random(seed), 0
    found: list[dict[str, Any]] = []
    for k in range(count):
        t += random.choice([0, 60_000, HOUR // 2, HOUR, 50 * HOUR]) if random.random() < 0.5 else random.randrange(HOUR)
        t = t // HOUR * HOUR if random.random() < 0.2 and found and t // HOUR * HOUR >= found[-1]["t"] else t
        name = random.choice(["Order Completed", "Product Viewed"])
        who, total = f"c{random.randrange(20)}", random.randrange(1, 40)
        found.append({"customer": who, "name": name, "t": t, "total": total, "k": k})
    return found


def records(found: list[dict[str, Any]]) -> list[FileRecord]:
    lines = []
    for number, one in enumerate(found, 1):
        total = {"total": one["total"]} if "Order" in one["name"] else {}
        value = orjson.dumps(event(one["customer"], one["name"], one["t"], **total, id=f"m{one['k']}"))
        lines.append(FileRecord("f", number, topic_of(one["name"]), one["customer"].encode(), value, one["t"]))
    return lines


def replay(text: str, cuts: CutsPace | None) -> Replay:
    shard = make_shard(SETTINGS, PLANS[text], 0, SOURCES, everyone=True)
    return Replay(shard, make_decoder(SETTINGS, PLANS[text], replay=True), cuts=cuts)


def spends(found: list[dict[str, Any]], until: int) -> list[int]:
    """What each customer with an order had spent by then, in whole units."""
    sums: dict[str, int] = defaultdict(int)
    for one in found:
        if one["name"] == "Order Completed" and one["t"] <= until:
            sums[one["customer"]] += one["total"]
    return sorted(sums.values())


def by_definition(values: list[int], percent: int) -> int:
    """The smallest value such that so many percent have at most that."""
    return values[ceil(len(values) * percent / 100) - 1]


@pytest.mark.parametrize("seed", range(3))
def test_cuts_are_learned_of_what_all_are_when_time_passes_a_multiple(seed: int) -> None:
    """Of all that happened up to the last multiple before an event, and of nothing later."""
    found = history(seed)
    made = replay(VALUE, CutsPace(HOUR, 5_000))
    assert sum(len(step.changes) for step in made.run(records(found), None)) > 20
    expected: list[tuple[int, int, int]] = []
    for before, one in pairwise(found):
        at = (one["t"] - 1) // HOUR * HOUR
        if before["t"] <= at and (known := spends(found, at)):
            cuts = by_definition(known, 30), by_definition(known, 80)
            if not expected or expected[-1][1:] != cuts:
                expected.append((at + 5_000, *cuts))
    learned = [v for v in made.learned if isinstance(v, CutsVersion)]
    assert [(v.effective, *(value / 1_000_000 for _, _, value in v.cuts)) for v in learned] == expected
    assert [v.version for v in learned] == list(range(1, len(learned) + 1))
    assert all(v.customers == {v.cuts[0][0]: len(spends(found, v.effective - 5_000))} for v in learned)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("text", [VALUE, AGO])
def test_the_versions_that_were_learned_repeat_the_replay(seed: int, text: str) -> None:
    """Change by change, for every customer."""
    lines = records(history(seed))
    first = replay(text, CutsPace(7 * HOUR, 30 * 60_000))
    changes = [change for step in first.run(lines, None) for change in step.changes]
    again = replay(text, None)
    again.versions(first.learned)
    repeated = [change for step in again.run(lines, None) for change in step.changes]
    assert {"model"} < {change.cause for change in changes}
    assert told(repeated) == told(changes)


@pytest.mark.parametrize("later", [None, 0, 1, 40 * HOUR])
def test_final_cuts_are_of_the_whole_file_and_hold_at_its_end(later: int | None) -> None:
    """Every customer's segment is the one that the whole file gives."""
    found = history(1)
    end = found[-1]["t"]
    made = replay(VALUE, CutsPace())
    changes = [c for s in made.run(records(found), None if later is None else end + later) for c in s.changes]
    assert {c.to_segment for c in changes if c.at_ms <= end} == {"middle"}, "nobody is cut before the end"
    known = spends(found, end)
    low, top = by_definition(known, 30), by_definition(known, 80)
    for key, i in made.shard.rows.index.items():
        spent = spends([one for one in found if one["customer"] == key.decode()], end)
        is_in = "middle" if not spent else "top" if spent[0] > top else "low" if spent[0] <= low else "middle"
        assert made.shard.segments(i) == {"value": is_in}
    assert {made.learned[0].effective} == {max(end + 1, end + (later or 0))}


def test_final_cuts_of_what_grows_with_time_are_taken_when_they_hold() -> None:
    """Half of the customers lie above the middle of `since`, not one more, although it has grown by then."""
    found = [{"customer": f"c{k}", "name": "Order Completed", "t": k * HOUR, "total": 1, "k": k} for k in range(10)]
    made = replay(AGO, CutsPace())
    for _ in made.run(records(found), 20 * HOUR):
        pass
    assert made.shard.sizes() == {"ago": {"long ago": 5, "lately": 5}}


def test_definitions_without_cuts_learn_none() -> None:
    text = VALUE
    for old, new in (("among: orders >= 1\n", ""), ("in top 20%", "> 50"), ("in bottom 30%", "< 10")):
        text = text.replace(old, new)
    PLANS.setdefault(text, twin_plan(parse_definitions({"a.yaml": text})))
    made = replay(text, CutsPace(HOUR))
    assert any(step.changes for step in made.run(records(history(3)), None))
    assert made.learned == []
