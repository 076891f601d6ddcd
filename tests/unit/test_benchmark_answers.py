"""The answers that benchmarks compare with are right: worked out here a second time, event by event, from the JSON."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.benchmarks.events import Events, Move
from tests.benchmarks.peers import lifecycle

EVENTS = [Events(4_000, 4), Events(3_000, 1, seed=9), Events(700, 4, people=600, days=1)]


def decoded(events: Events) -> list[dict[str, Any]]:
    return [orjson.loads(value) for _, _, value in events.records()]


@pytest.mark.parametrize("events", EVENTS)
def test_totals_are_those_of_the_json(events: Events) -> None:
    """W1: count, money and last time of each customer."""
    found: dict[str, tuple[int, float, int]] = {}
    for event in decoded(events):
        count, spent, _ = found.get(event["userId"], (0, 0.0, 0))
        spent += event["properties"].get("total", 0.0)
        found[event["userId"]] = (count + 1, spent, lifecycle.instant(event))
    assert found == events.totals()


@pytest.mark.parametrize("events", EVENTS)
def test_moves_are_those_of_the_rule(events: Events) -> None:
    """W2: the rule that the Python peers use, with its timers, makes the changes that are expected of everyone."""
    states: dict[str, dict[str, Any]] = {}
    timers = lifecycle.Timers()
    found: list[dict[str, Any]] = []
    for event in decoded(events):
        customer, now = event["userId"], lifecycle.instant(event)
        for at, absent in timers.due(now):
            found.append(lifecycle.move(absent, states[absent]["segment"], "at-risk", at))
            states[absent]["segment"] = "at-risk"
        state = states.setdefault(customer, lifecycle.new_state())
        change = lifecycle.apply(state, customer, event, now)
        if change is not None:
            found.append(change)
        if event["event"] == "Order Completed":
            timers.set(customer, now + lifecycle.ABSENCE_MS)
    moves: list[Move] = [(move["customer"], move["from"], move["to"], move["at"]) for move in found]
    assert len(moves) == len(set(moves))
    assert set(moves) == events.moves()


@pytest.mark.parametrize("events", EVENTS)
def test_events_come_in_order_and_end_together(events: Events) -> None:
    """Each partition's last event is at the end, so that every timer that is due fires."""
    instants: dict[int, list[int]] = {}
    for partition, _, value in events.records():
        instants.setdefault(partition, []).append(lifecycle.instant(orjson.loads(value)))
    assert all(found == sorted(found) and found[-1] == events.end_ms for found in instants.values())
    assert len(instants) == events.partitions


def test_everyone_comes_before_anyone_comes_twice() -> None:
    """With people, the first events are one of each customer."""
    events = Events(700, 4, people=600)
    assert sorted(events.owners[:600].tolist()) == list(range(600))
