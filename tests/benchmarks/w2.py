"""W2, lifecycle: last order, orders in 30 days, and the absence rule with its timer; every change is compared."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import orjson

from tests.benchmarks import kafka, rivals
from tests.benchmarks.events import Events, Move
from tests.benchmarks.ground import Ground
from tests.benchmarks.ours import DEFINITIONS, Ours, speed
from tests.benchmarks.results import OURS
from tests.benchmarks.w1 import note_ours, note_peer

PART = "w2"


def run(ground: Ground) -> None:
    """All systems, one after the other, in every round."""
    many = rivals.RAW.events(ground)
    expected = {events: events.moves() for events in (many, *(peer.events(ground) for peer in rivals.LIFECYCLE))}
    for _ in range(ground.rounds):
        _ours(ground, many, expected[many])
        for peer in rivals.LIFECYCLE:
            events = peer.events(ground)
            ground.say(f"w2: {peer.name}")
            done = peer.run(ground, events, warm=events.count // 5)
            note_peer(ground, PART, peer.name, done)
            found: list[Move] = []
            kafka.each(ground.broker, [done.out], partial(_take_theirs, found))
            ground.results.check(PART, peer.name, _differs(found, expected[events]))
            kafka.delete_topics(ground.broker, done.app)


def _ours(ground: Ground, events: Events, expected: set[Move]) -> None:
    ground.say("w2: segstream")
    topic = ground.topic_of(events)
    ours = Ours(ground, ground.name("segstream-w2"), DEFINITIONS / "w2", inputs={"clickstream": topic})
    ours.prepare()
    done = speed(ours, [topic], events.count // 5, events.count)
    note_ours(ground, PART, done)
    found: list[Move] = []
    kafka.each(ground.broker, [ours.topic("changes")], partial(_take_ours, found))
    ground.results.check(PART, OURS, done.wrong(events.count) or _differs(found, expected))
    ours.finish()


def _take_theirs(found: list[Move], record: Any) -> None:
    move = orjson.loads(record.value)
    found.append((move["customer"], move["from"], move["to"], move["at"]))


def _take_ours(found: list[Move], record: Any) -> None:
    headers, data = dict(record.headers), orjson.loads(record.value)
    at = round(datetime.fromisoformat(headers["ce_time"].decode()).timestamp() * 1000)
    found.append((record.key.decode(), data["from"], data["to"], at))


def _differs(found: list[Move], expected: set[Move]) -> str | None:
    """How changes differ from what they must be; None where each came, and came once."""
    got = set(found)
    missing, more = expected - got, got - expected
    if not missing and not more and len(got) == len(found):
        return None
    examples = [*sorted(missing, key=str)[:2], *sorted(more, key=str)[:2]]
    twice = len(found) - len(got)
    return f"{len(missing):,} changes are missing, {len(more):,} too many, {twice:,} came twice; such as {examples}"
