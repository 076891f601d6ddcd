"""Recovery: a worker that starts with so many customers' rows to read back, until it has handled one event a shard.

What the same start takes without rows is told too: the difference is the recovery.
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
        _ours(ground, many)
        _peer(ground, streams, many)
        _peer(ground, faust, few)


def _everyone(ground: Ground, people: int) -> tuple[Events, str]:
    """A topic in which each customer has one event, and each partition one more of a customer of its own."""
    events = Events(people + PARTITIONS, PARTITIONS, people=people, days=1)
    topic = ground.name("everyone")
    kafka.create_topics(ground.broker, {topic: PARTITIONS})
    kafka.fill(ground.broker, ((topic, partition, key, value) for partition, key, value in events.records()))
    return events, topic


def _one_more(ground: Ground, events: Events, topic: str) -> None:
    """One more event a partition, of the same customers as the last ones."""
    last = [int(owner) for owner in events.owners[-PARTITIONS:]]
    template = list(Events(PARTITIONS, PARTITIONS, people=events.people, days=1).records())
    values = {key: value.replace(b'"messageId":"m', b'"messageId":"again') for _, key, value in template}
    kafka.fill(ground.broker, [(topic, events.partition(one), key_of(one), values[key_of(one)]) for one in last])


def _ours(ground: Ground, people: int) -> None:
    events, topic = _everyone(ground, people)
    ours = Ours(ground, ground.name("segstream-recovery"), inputs={"clickstream": topic})
    ours.prepare()
    ground.say(f"recovery: segstream takes in {people:,} customers")
    with ours.worker("first") as worker:
        kafka.follow(ground.broker, ours.name, [topic], [events.count], worker.program.alive)
    _one_more(ground, events, topic)
    ground.say("recovery: segstream starts again")
    began = time.monotonic()
    with ours.worker("second") as worker:
        ((ended, _),) = kafka.follow(
            ground.broker, ours.name, [topic], [events.count + PARTITIONS], worker.program.alive
        )
        restored = worker.total("segstream_rows_restored_total")
        customers = sum(
            value
            for key, value in worker.metrics().items()
            if key.startswith("segstream_customers") and 'dimension="usage"' in key
        )
    known = people + PARTITIONS
    fine = restored >= known and customers == known
    wrong = (
        None if fine else f"{restored:,.0f} rows were restored and {customers:,.0f} customers are known, not {known:,}"
    )
    ground.results.check(PART, OURS, wrong)
    ours.finish()
    bare = _bare_start(ground)
    _note(ground, OURS, people, ended - began, bare, worker.program.peak)


def _bare_start(ground: Ground) -> float:
    """Seconds of a start without rows."""
    _, topic = _everyone(ground, 0)
    ours = Ours(ground, ground.name("segstream-bare"), inputs={"clickstream": topic})
    ours.prepare()
    began = time.monotonic()
    with ours.worker() as worker:
        ((ended, _),) = kafka.follow(ground.broker, ours.name, [topic], [PARTITIONS], worker.program.alive)
    ours.finish()
    return ended - began


def _peer(ground: Ground, peer: Peer, people: int) -> None:
    ground.say(f"recovery: {peer.name}, {people:,} customers")
    events, topic = _everyone(ground, people)
    first = peer.run_over(ground, topic, 1, events.count)
    _one_more(ground, events, topic)
    again = peer.run_over(ground, topic, 1, PARTITIONS, app=first.app)
    bare = first.told.first - first.told.started
    _note(ground, peer.name, people, again.told.end - again.told.started, bare, again.peak)
    found = rivals.read_totals(ground, peer.name, again)
    twice = [f"c{owner}" for owner in events.owners[-PARTITIONS:]]
    wrong = [one for one in twice if one not in found or found[one][0] != 2]
    fine = not wrong and len(found) == people + PARTITIONS
    ground.results.check(PART, peer.name, None if fine else f"{len(found):,} customers; wrong: {wrong}")
    kafka.delete_topics(ground.broker, first.app)


def _note(ground: Ground, system: str, people: int, seconds: float, bare: float, peak: int) -> None:
    ground.results.add(PART, system, f"{people:,} rows, from start to an event a shard, s", seconds, peak)
    ground.results.add(PART, system, "the same without rows, s", bare)
    ground.results.add(PART, system, f"{people:,} rows, the difference, s", seconds - bare)
