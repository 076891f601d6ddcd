"""Latency: from an event's append to the change it makes, as a consumer that reads committed records sees it.

Customers have done as much as in W3 before anything is measured, so that they come back rather than begin.
The simulator's events are sent at a steady rate, and bear the instants at which they are sent: time passes as it does
in life.  Once more they bear the instants that they have, thousands of times as fast: the work of a day, midnight for
all customers and new versions, comes within seconds.  The broker stamps each event when it appends it, and a change
names the event that caused it.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from stream.simulate.event import SimulatedEvent
from tests.benchmarks import kafka
from tests.benchmarks.ground import PARTITIONS, Ground
from tests.benchmarks.ours import Ours
from tests.benchmarks.results import OURS
from tests.benchmarks.shop import Shop
from tests.benchmarks.traffic import DATED, Traffic

PART = "latency"
RATES = (1_000, 5_000, 20_000)
#: The rate at which time is compressed, too.
COMPRESSED = 5_000
#: How often events are sent, in seconds: as producers linger.
TICK_S = 0.005
#: Changes have stopped coming where none came for so long, in seconds; nothing is waited for longer than the latter.
QUIET_S, LONGEST_S = 2.0, 120.0
#: The first of a rate's events are not measured, as a share.
_SETTLING = 0.25
QUANTILES = (50.0, 99.0, 99.9)


def run(ground: Ground) -> None:
    """All rates in every round, on one worker."""
    seconds, customers = ground.size(10, 2), ground.size(20_000, 500)
    before = customers * ground.size(58, 10)
    shop = Shop(customers, before + ground.rounds * seconds * (sum(RATES) + COMPRESSED), pages=True)
    traffic = Traffic(ground, shop, DATED)
    ours = Ours(ground, ground.name("segstream-latency"), inputs=traffic.topics)
    ours.prepare()
    traffic.write(traffic.next(before))
    with ours.worker() as worker:
        kafka.follow(ground.broker, ours.name, traffic.shared, [traffic.read], worker.program.alive)
        for _ in range(ground.rounds):
            for rate, compressed in (*((rate, False) for rate in RATES), (COMPRESSED, True)):
                what = f"{rate:,} events/s{', days within seconds' if compressed else ''}"
                ground.say(f"latency at {what}")
                probe = Probe(traffic, ours.topic("changes"))
                asyncio.run(probe.run(traffic.to_send(rate * seconds, None if compressed else rate), rate))
                kafka.follow(ground.broker, ours.name, traffic.shared, [traffic.read], worker.program.alive)
                _note(ground, what, probe)
                ground.results.add(PART, OURS, f"{what}: sent a second", probe.rate, worker.program.peak)
    ours.finish()


def _note(ground: Ground, what: str, probe: Probe) -> None:
    waits = probe.waits()
    for quantile in QUANTILES if len(waits) else ():
        ground.results.add(PART, OURS, f"{what}: p{quantile:g}, ms", float(np.percentile(waits, quantile)))
    ground.results.check(PART, OURS, None if len(waits) else f"no event made a change at {what}")


@contextmanager
def _no_collection() -> Iterator[None]:
    """No search for garbage meanwhile: through all that this process holds it takes half a second."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Probe:
    """Sends events of a shop at a rate, and reads changes meanwhile."""

    def __init__(self, traffic: Traffic, changes: str) -> None:
        self._traffic, self._changes = traffic, changes
        #: messageId -> when the broker appended it, and when its first change was read; milliseconds
        self._appended: dict[str, float] = {}
        self._seen: dict[str, float] = {}
        #: what was read, and when; it is looked into when all is over, for that takes longer than reading
        self._read: list[tuple[float, ConsumerRecord]] = []
        self._order: list[str] = []
        #: when the last change was read, of the monotonic clock
        self._heard = 0.0
        #: events a second that were in fact sent
        self.rate = 0.0

    def waits(self) -> list[float]:
        """Milliseconds from append to the first change, of the events after the settling that made one."""
        measured = self._order[int(len(self._order) * _SETTLING) :]
        return [self._seen[i] - self._appended[i] for i in measured if i in self._seen]

    async def run(self, events: list[SimulatedEvent], rate: int) -> None:
        """Send all of them, and read on until changes have stopped coming."""
        broker = self._traffic.broker
        consumer = AIOKafkaConsumer(bootstrap_servers=broker, isolation_level="read_committed", group_id=None)
        producer = AIOKafkaProducer(bootstrap_servers=broker, compression_type="lz4", enable_idempotence=True)
        await consumer.start()
        await producer.start()
        try:
            parts = [TopicPartition(self._changes, number) for number in range(PARTITIONS)]
            consumer.assign(parts)
            await consumer.seek_to_end(*parts)
            for part in parts:
                await consumer.position(part)
            reading = asyncio.create_task(self._listen(consumer))
            with _no_collection():
                await self._send(producer, events, rate)
                await self._quiet()
            reading.cancel()
            await asyncio.wait([reading])
            self._look_into()
        finally:
            await producer.stop()
            await consumer.stop()

    async def _send(self, producer: AIOKafkaProducer, events: list[SimulatedEvent], rate: int) -> None:
        # Made before: what sends them shares the processors with what is measured.
        marks = [*range(0, len(events), max(1, round(rate * TICK_S))), len(events)]
        ticks = [list(self._batches(producer, events[start:stop])) for start, stop in pairwise(marks)]
        waiting: list[asyncio.Task[None]] = []
        began = time.perf_counter()
        for number, batches in enumerate(ticks, 1):
            for (topic, partition), (batch, ids) in batches:
                sent = await producer.send_batch(batch, topic, partition=partition)
                waiting.append(asyncio.create_task(self._note_append(sent, ids)))
            await asyncio.sleep(max(0.0, began + number * TICK_S - time.perf_counter()))
        self.rate = len(events) / (time.perf_counter() - began)
        await asyncio.gather(*waiting)

    async def _quiet(self) -> None:
        """Until no change has come for a while; on a busy machine the first one may be long in coming."""
        sent = time.monotonic()
        while (now := time.monotonic()) < sent + LONGEST_S:
            if self._heard and now - max(self._heard, sent) > QUIET_S:
                return
            await asyncio.sleep(0.1)

    def _batches(self, producer: AIOKafkaProducer, events: list[SimulatedEvent]) -> Iterator[Any]:
        found: dict[tuple[str, int], tuple[Any, list[str]]] = {}
        for event in events:
            target = (self._traffic.topics[event.topic], self._traffic.home(event))
            batch, ids = found.setdefault(target, (producer.create_batch(), []))
            if batch.append(timestamp=None, key=event.key, value=event.value) is None:  # it is full
                yield target, (batch, ids)
                batch, ids = found[target] = (producer.create_batch(), [])
                batch.append(timestamp=None, key=event.key, value=event.value)
            message = event.value[14 : event.value.index(b'"', 14)].decode()
            ids.append(message)
            self._order.append(message)
        yield from found.items()

    async def _note_append(self, sent: asyncio.Future[Any], ids: list[str]) -> None:
        appended = (await sent).timestamp
        self._appended.update(dict.fromkeys(ids, appended))

    async def _listen(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            found = await consumer.getmany(timeout_ms=1000)
            now = time.time() * 1000
            if found:
                self._heard = time.monotonic()
            self._read += ((now, record) for records in found.values() for record in records)

    def _look_into(self) -> None:
        for now, record in self._read:
            if dict(record.headers)["ce_cause"] == b"event":
                cause = orjson.loads(record.value)["evidence"]["event"]
                self._seen.setdefault(cause["messageId"], now)
        self._read.clear()
