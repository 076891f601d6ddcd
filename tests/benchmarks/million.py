"""A million customers, each with something in the cart: read back from the changelog, kept in memory, due at once.

They are written once; then workers start again and again, in turn with peers that have as many rows of W1 to read, or
as many as they can bear.  Told is how long a start takes until one event a shard is handled, with all rows and with
none: the difference is the recovery.  At the end all carts are left at one instant, while others shop on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from stream.kafka.partitions import partition_of
from tests.benchmarks import deadlines, kafka, rivals
from tests.benchmarks.events import Events, key_of
from tests.benchmarks.ground import PARTITIONS, Ground
from tests.benchmarks.ours import Ours
from tests.benchmarks.processes import resident
from tests.benchmarks.results import OURS
from tests.benchmarks.rivals import Peer, Run

PART = "million"


def run(ground: Ground) -> None:
    """segstream with the whole catalogue; Kafka Streams with W1, stock Faust with W1 and as many as it can bear."""
    many, few = ground.size(1_000_000, 5_000), ground.size(50_000, 1_000)
    ours, bare = Carts.written(ground, many), Carts.written(ground, 0)
    peers = [
        (_Rows.written(ground, peer, people), _bare(ground, peer))
        for peer, people in ((rivals.TOTALS[0], many), (rivals.TOTALS[-1], few))
    ]
    for k in range(ground.rounds):
        full, none = ours.again(k), bare.again(k)
        _note(ground, OURS, many, (full.seconds, full.peak), none.seconds)
        each = (full.resident - none.resident) / many
        ground.results.add(PART, OURS, "bytes a customer resident", each, full.resident)
        for rows, without in peers:
            ended = rows.again(k)
            seconds = ended.told.end - ended.told.started
            _note(ground, rows.peer.name, rows.people, (seconds, ended.peak), without)
    for rows, _ in peers:
        ground.results.check(PART, rows.peer.name, rows.wrong(ground.rounds))
        rows.finish()
    ground.results.note(PART, "peers start once without rows")
    bare.ours.finish()
    deadlines.run(ground, ours.ours, ours.topic, many)
    ours.ours.finish()


def _bare(ground: Ground, peer: Peer) -> float:
    """Seconds of a start of a peer with no rows."""
    rows = _Rows.written(ground, peer, 0)
    told = rows.again(0).told
    rows.finish()
    return told.end - told.started


def _note(ground: Ground, system: str, people: int, full: tuple[float, int], bare: float) -> None:
    ground.results.add(PART, system, f"{people:,} rows: start to events, s", *full)
    ground.results.add(PART, system, "no rows: start to events, s", bare)
    ground.results.add(PART, system, f"{people:,} rows: the difference, s", full[0] - bare)


@dataclass(frozen=True)
class Start:
    """A worker's start: seconds until one event a shard was handled, memory then, and the most of it until then."""

    seconds: float
    resident: int
    peak: int


@dataclass(frozen=True)
class Carts:
    """An application of segstream, of whose customers each has put one thing into a cart."""

    ground: Ground
    ours: Ours
    topic: str
    people: int

    @classmethod
    def written(cls, ground: Ground, people: int) -> Carts:
        """Have a worker take all of them in, each partition's walker too."""
        topic = ground.name("carts")
        kafka.create_topics(ground.broker, {topic: PARTITIONS})
        ours = Ours(ground, ground.name("segstream-million"), inputs={"clickstream": topic})
        ours.prepare()
        ground.say(f"million: segstream takes in {people:,} customers")
        carts = cls(ground, ours, topic, people)
        kafka.fill(ground.broker, deadlines.carts(topic, people))
        carts._walk("first")
        with ours.worker("first") as worker:
            kafka.follow(ground.broker, ours.name, [topic], [people + PARTITIONS], worker.program.alive)
        return carts

    def _walk(self, what: str) -> None:
        """One event of each partition's walker."""
        events = (
            (self.topic, partition, key, deadlines.look(f"{what}{partition}", key))
            for partition, key in walkers().items()
        )
        kafka.fill(self.ground.broker, events)

    def again(self, number: int) -> Start:
        """Another start."""
        self._walk(f"again{number}-")
        events = self.people + (number + 2) * PARTITIONS
        self.ground.say(f"million: segstream starts with {self.people:,} rows")
        began = time.monotonic()
        with self.ours.worker(f"again{number}") as worker:
            ((ended, _),) = kafka.follow(
                self.ground.broker, self.ours.name, [self.topic], [events], worker.program.alive
            )
            restored = worker.total("segstream_rows_restored_total")
            known = worker.total("segstream_customers{", 'dimension="usage"')
            now = resident(worker.program.process.pid)
        expected = self.people + PARTITIONS
        told = f"{restored:,.0f} rows were restored, {known:,.0f} customers are known, not {expected:,}"
        self.ground.results.check(PART, OURS, None if restored >= expected and known == expected else told)
        return Start(ended - began, now, worker.program.peak)


def walkers() -> dict[int, bytes]:
    """A customer for each partition who is not one of the many."""
    found: dict[int, bytes] = {}
    number = 0
    while len(found) < PARTITIONS:
        key = b"z%d" % number
        found.setdefault(partition_of(key, PARTITIONS), key)
        number += 1
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class _Rows:
    """An application of a peer that has one row of W1 for each customer, and one for each partition's own."""

    ground: Ground
    peer: Peer
    people: int
    events: Events
    topic: str
    app: str

    @classmethod
    def written(cls, ground: Ground, peer: Peer, people: int) -> _Rows:
        """Have the peer take all of them in; it ends by itself then."""
        ground.say(f"million: {peer.name} takes in {people:,} customers")
        events = Events(people + PARTITIONS, PARTITIONS, people=people, days=1)
        topic = ground.name("everyone")
        kafka.create_topics(ground.broker, {topic: PARTITIONS})
        kafka.fill(ground.broker, ((topic, partition, key, value) for partition, key, value in events.records()))
        done = peer.run_over(ground, topic, 1, events.count)
        return cls(ground, peer, people, events, topic, done.app)

    @property
    def own(self) -> set[bytes]:
        """Each partition's own customer."""
        return {key_of(int(owner)) for owner in self.events.owners[-PARTITIONS:]}

    def again(self, number: int) -> Run:
        """Another start, with one more event for each partition's own customer."""
        self.ground.say(f"million: {self.peer.name} starts with {self.people:,} rows")
        kafka.fill(self.ground.broker, self._once_more(number))
        return self.peer.run_over(self.ground, self.topic, 1, PARTITIONS, app=self.app)

    def _once_more(self, number: int) -> Iterator[tuple[str, int, bytes, bytes]]:
        last = Events(PARTITIONS, PARTITIONS, people=self.events.people, days=self.events.days)
        for partition, key, value in last.records():
            if key in self.own:
                yield self.topic, partition, key, value.replace(b'"messageId":"m', b'"messageId":"again%d-' % number)

    def wrong(self, rounds: int) -> str | None:
        """What is wrong with its rows after so many starts."""
        found = rivals.read_totals_of(self.ground, self.peer.name, self.app, "")
        own = sorted(key.decode() for key in self.own)
        wrong = [one for one in own if one not in found or found[one][0] != 1 + rounds]
        fine = not wrong and len(found) == self.events.count
        return None if fine else f"{len(found):,} customers of {self.events.count:,} are known; wrong: {wrong}"

    def finish(self) -> None:
        """Delete its topics."""
        kafka.delete_topics(self.ground.broker, self.app)
