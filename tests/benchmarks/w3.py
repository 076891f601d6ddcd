"""W3: the whole shipped catalogue on the simulator's traffic, exactly once; beside a program that only reads it.

The shop is one of 200,000 customers whose visits interleave; each page they load is an event.  A customer's first event
makes a change in every dimension, and the first visits make many, so the shop is warmed up until customers come back
rather than begin.  One worker goes through it all; each stretch that is measured is in the topics before any
of it is read, so that the worker neither waits for events nor shares its processors with who writes them.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson
from aiokafka import TopicPartition

from stream.app.definition_files import read_definitions
from stream.events.customer import ANONYMOUS
from stream.events.instant import iso
from stream.features.predicted import Predicted
from stream.features.propensity import Propensity
from stream.plan import tree
from stream.simulate.event import SimulatedEvent
from tests.benchmarks import kafka, rivals
from tests.benchmarks.ground import PARTITIONS, Ground
from tests.benchmarks.ours import SHIPPED, Ours, measure
from tests.benchmarks.results import OURS
from tests.benchmarks.shop import Shop, tell_clock
from tests.benchmarks.traffic import Traffic
from tests.benchmarks.w1 import note_ours, note_peer

PART = "w3"
#: One of so many customers of the first partition is replayed, to compare with.
SAMPLE = 4
CUSTOMERS = 200_000
#: Events of a customer until what is measured begins.
WARM = 58
#: So many events come at once, in the order of time whatever their topics are: a worker that waits for them, and whose
#: clock is that of the events, would take some topic's before another's otherwise.
PIECE = 1_200_000
#: customer, dimension, from, to, instant
Move = tuple[str, str, str | None, str, int]


class Sample:
    """A file with the events of a sample of the customers, and all products."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lines = file.open("wb", buffering=1 << 20)

    def take(self, event: SimulatedEvent, partition: int) -> None:
        """An event is written to that partition."""
        if event.topic == "products" or (partition == 0 and sampled(event.key)):
            self._lines.write(event.value + b"\n")

    def close(self) -> None:
        """That was all."""
        self._lines.close()


def sampled(customer: bytes) -> bool:
    """Whether a customer of the first partition is one of the sample."""
    return crc32(customer) % SAMPLE == 0


def run(ground: Ground) -> None:
    """Reading alone and one worker, in turn; at last, what replay makes of the sample."""
    customers, stretch = ground.size(CUSTOMERS, 1_000), ground.size(1_200_000, 10_000)
    warm = ground.size(CUSTOMERS * WARM, 10_000)
    shop = Shop(customers, warm + ground.rounds * stretch, pages=True)
    sample = Sample(ground.folder / "w3-sample.jsonl")
    traffic = Traffic(ground, shop, seen=sample.take)
    ours = Ours(ground, ground.name("segstream-w3"), inputs=traffic.topics)
    ours.prepare()
    changes = TopicPartition(ours.topic("changes"), 0)
    with ours.worker() as worker:
        worker.ready(PARTITIONS)
        ground.say(f"w3: {warm:,} events of {customers:,} customers, to warm up")
        traffic.write(traffic.next(warm), PIECE)
        end = kafka.ends_of(ground.broker, traffic.shared)
        kafka.follow(ground.broker, ours.name, traffic.shared, [end], worker.program.alive)
        for _ in range(ground.rounds):
            ground.say(f"w3: {rivals.RAW.name}")
            read = min(stretch, traffic.read)
            raw = rivals.RAW.run_over(ground, ",".join(traffic.shared), read // 5, read)
            note_peer(ground, PART, rivals.RAW.name, raw)
            ground.say("w3: segstream")
            before, began, offset = end, traffic.last_ms, kafka.end_of(ground.broker, changes)
            traffic.write(list(traffic.next(stretch)), PIECE)
            end = kafka.ends_of(ground.broker, traffic.shared)
            done = measure(ours, [worker], traffic.shared, before, end, traffic.written)
            note_ours(ground, PART, done)
            ground.results.add(PART, OURS, "changes an event", done.changes)
        ground.results.check(PART, OURS, done.wrong(traffic.written))
        tell_clock(ground, ours.topic("control"), traffic.last_ms)
        ground.say("w3: replay of a sample, to compare with")
        sample.close()
        expected = replayed(ground, sample.file, traffic.last_ms, began)
        ground.results.check(PART, OURS, _compared(ground, changes, offset, began, expected))
        told = (
            f"{len(expected):,} changes of the last stretch, of a sample of the customers, are compared with replay's"
        )
        ground.results.note(PART, told)
    ours.finish()
    for topic in traffic.topics.values():
        kafka.delete_topics(ground.broker, topic)


def replayed(ground: Ground, sample: Path, until_ms: int, after_ms: int) -> Counter[Move]:
    """The changes after an instant that replay makes of the sample, up to another one."""
    out = ground.folder / "w3-sample.out"
    Ours(ground, "replay").run("replay", str(sample), "--until", iso(until_ms), "--out", str(out))
    found: Counter[Move] = Counter()
    with out.open("rb") as lines:
        for line in lines:
            change = orjson.loads(line)
            _take(found, change["subject"], change["time"], change["data"], after_ms)
    return found


def _compared(
    ground: Ground, part: TopicPartition, offset: int, after_ms: int, expected: Counter[Move], seconds: float = 60.0
) -> str | None:
    """How the worker's changes differ from replay's once all is done; None where they come to be equal."""
    end = time.monotonic() + seconds
    while wrong := _differs(_told(ground, part, offset, after_ms), expected):
        if time.monotonic() > end:
            return wrong
        time.sleep(1.0)
    return None


def _told(ground: Ground, part: TopicPartition, offset: int, after_ms: int) -> Counter[Move]:
    """The same changes as the worker has told them."""
    found: Counter[Move] = Counter()

    def take(record: Any) -> None:
        if sampled(record.key.removeprefix(ANONYMOUS.encode())):
            headers = dict(record.headers)
            _take(found, record.key.decode(), headers["ce_time"].decode(), orjson.loads(record.value), after_ms)

    kafka.each_from(ground.broker, part, offset, take)
    return found


def _take(found: Counter[Move], customer: str, instant: str, data: Any, after_ms: int) -> None:
    at = round(datetime.fromisoformat(instant).timestamp() * 1000)
    if at > after_ms and data["dimension"] not in _learned():
        found[customer, data["dimension"], data["from"], data["to"], at] += 1


@cache
def _learned() -> frozenset[str]:
    """Dimensions with clusters, cuts by share or predictions, which live and replay each learn, and those that build on
    them."""
    dimensions = read_definitions(SHIPPED).dimensions
    found = {d.name for d in dimensions if d.learning or any(tree.cuts(c) for c in d.conditions)}
    found |= {d.name for d in dimensions if any(isinstance(f, Predicted | Propensity) for f in d.features.values())}
    while more := {d.name for d in dimensions if any(tree.dimensions(c) & found for c in d.conditions)} - found:
        found |= more
    return frozenset(found)


def _differs(found: Counter[Move], expected: Counter[Move]) -> str | None:
    """How the worker's changes differ from replay's; None where each came, and came as often."""
    missing, more = expected - found, found - expected
    if not missing and not more:
        return None
    examples = [*sorted(missing, key=str)[:2], *sorted(more, key=str)[:2]]
    return f"{missing.total():,} changes of {expected.total():,} are missing, {more.total():,} too many: {examples}"
