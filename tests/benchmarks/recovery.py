"""Recovery: a start with so many rows to read back, until one event a shard is handled.

The same start with no rows but one a shard is told too: the difference is the recovery.
"""

from __future__ import annotations

import time

from tests.benchmarks import kafka, rivals
from tests.benchmarks.events import Events, key_of
from tests.benchmarks.ground import PARTITIONS, Ground
from tests.benchmarks.ours import Ours
from tests.benchmarks.results import OURS
from tests.benchmarks.rivals import Peer

PART = "recovery"


def run(ground: Ground) -> None:
    """segstream with the whole catalogue; Kafka Streams with W1, stock Faust with W1 and as many as it can bear."""
    many, few = ground.size(1_000_000, 5_000), ground.size(50_000, 1_000)
    streams, faust = rivals.TOTALS[0], rivals.TOTALS[-1]
    for _ in range(ground.rounds):
        _note(ground, OURS, many, _ours(ground, many), _ours(ground, 0))
        for peer, people in ((streams, many), (faust, few)):
            _note(ground, peer.name, people, _peer(ground, peer, people), _peer(ground, peer, 0))


def _note(ground: Ground, system: str, people: int, full: tuple[float, int], bare: tuple[float, int]) -> None:
    ground.results.add(PART, system, f"{people:,} rows: start to events, s", *full)
    ground.results.add(PART, system, "no rows: start to events, s", *bare)
    ground.results.add(PART, system, f"{people:,} rows: the difference, s", full[0] - bare[0])


def _everyone(ground: Ground, people: int) -> tuple[Events, str]:
    """A topic in which each customer has one event, and each partition one more, of a customer of its own."""
    events = Events(people + PARTITIONS, PARTITIONS, people=people, days=1)
    topic = ground.name("everyone")
    kafka.create_topics(ground.broker, {topic: PARTITIONS})
    kafka.fill(ground.broker, ((topic, partition, key, value) for partition, key, value in events.records()))
    return events, topic


def _again(ground: Ground, events: Events, topic: str) -> list[str]:
    """One more event for each partition's own customer; who these are."""
    own = {key_of(int(owner)) for owner in events.owners[-PARTITIONS:]}
    last = Events(PARTITIONS, PARTITIONS, people=events.people, days=events.days)
    fresh = [(p, key, value.replace(b'"messageId":"m', b'"messageId":"again')) for p, key, value in last.records()]
    kafka.fill(ground.broker, [(topic, partition, key, value) for partition, key, value in fresh if key in own])
    return sorted(key.decode() for key in own)


def _ours(ground: Ground, people: int) -> tuple[float, int]:
    """Seconds of the second start, and its peak of memory."""
    events, topic = _everyone(ground, people)
    ours = Ours(ground, ground.name("segstream-recovery"), inputs={"clickstream": topic})
    ours.prepare()
    ground.say(f"recovery: segstream, {people:,} customers")
    with ours.worker("first") as worker:
        kafka.follow(ground.broker, ours.name, [topic], [events.count], worker.program.alive)
    _again(ground, events, topic)
    began = time.monotonic()
    marks = [events.count + PARTITIONS]
    with ours.worker("second") as worker:
        ((ended, _),) = kafka.follow(ground.broker, ours.name, [topic], marks, worker.program.alive)
        restored = worker.total("segstream_rows_restored_total")
        customers = worker.total("segstream_customers{", 'dimension="usage"')
    fine = restored >= events.count and customers == events.count
    told = f"{restored:,.0f} rows were restored, {customers:,.0f} customers are known, not {events.count:,}"
    ground.results.check(PART, OURS, None if fine else told)
    ours.finish()
    return ended - began, worker.program.peak


def _peer(ground: Ground, peer: Peer, people: int) -> tuple[float, int]:
    """The same of a peer, which ends by itself when it has handled all."""
    ground.say(f"recovery: {peer.name}, {people:,} customers")
    events, topic = _everyone(ground, people)
    first = peer.run_over(ground, topic, 1, events.count)
    own = _again(ground, events, topic)
    second = peer.run_over(ground, topic, 1, PARTITIONS, app=first.app)
    found = rivals.read_totals(ground, peer.name, second)
    wrong = [one for one in own if one not in found or found[one][0] != 2]
    fine = not wrong and len(found) == events.count
    told = f"{len(found):,} customers of {events.count:,} are known; wrong: {wrong}"
    ground.results.check(PART, peer.name, None if fine else told)
    kafka.delete_topics(ground.broker, first.app)
    return second.told.end - second.told.started, second.peak
