"""All customers' carts are left at one instant, so that all are due at one instant, while others shop on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from stream.events.instant import iso
from stream.kafka.partitions import partition_of
from tests.benchmarks import kafka
from tests.benchmarks.events import HOUR_MS, START_MS, key_of
from tests.benchmarks.ground import PARTITIONS, Ground
from tests.benchmarks.ours import Ours, Worker, wait_for
from tests.benchmarks.results import OURS
from tests.benchmarks.shop import tell_clock

PART = "million"
#: Events a second of those who shop on.
RATE = 1_000
_TICK_S = 0.02
#: How often is looked which events are committed: the error of a wait.
_LOOK_S = 0.01
_WALKERS = 1_000
_DUE_MS = START_MS + HOUR_MS


def run(ground: Ground, ours: Ours, topic: str, people: int) -> None:
    """How long until all are told, and how long an event waits meanwhile; ``ours`` has taken the carts in."""
    ground.say(f"deadlines: {people:,} carts")
    with ours.worker("deadlines") as worker:
        worker.ready(PARTITIONS)
        _flood(ground, ours, worker, topic, people)
    ground.results.note(PART, "deadlines are due once, so there is one round of them")


def carts(topic: str, people: int) -> Iterator[tuple[str, int, bytes, bytes]]:
    """Everyone puts something into a cart, all at one instant."""
    for customer in range(people):
        key = key_of(customer)
        yield topic, partition_of(key, PARTITIONS), key, _event(f"m{customer}", key.decode(), "Product Added", START_MS)


def look(message: str, customer: bytes) -> bytes:
    """An event of somebody who has no cart."""
    return _event(message, customer.decode(), "Product Viewed", START_MS)


def _event(message: str, customer: str, name: str, at_ms: int) -> bytes:
    event = {"messageId": message, "type": "track", "userId": customer, "event": name, "timestamp": iso(at_ms)}
    return orjson.dumps({**event, "properties": {"product_id": "p1", "price": 10.0}})


def _flood(ground: Ground, ours: Ours, worker: Worker, topic: str, people: int) -> None:
    walkers = _Walkers(ground.broker, ours.name, topic)
    thread = threading.Thread(target=lambda: asyncio.run(walkers.run()))
    thread.start()
    try:
        time.sleep(ground.size(5, 1))
        walkers.waits.clear()
        before = kafka.ends_of(ground.broker, [ours.topic("changes")])
        began = time.monotonic()
        tell_clock(ground, ours.topic("control"), _DUE_MS)
        # The topic is looked at first: a worker that is asked counts all its customers, which takes a part of a second.
        _wait_for_changes(ground, ours, before + people, worker)
        wait_for("the last of them", lambda: _told(worker) >= people, worker.program.alive, 600.0)
        seconds = time.monotonic() - began
        waits = list(walkers.waits)
    finally:
        walkers.over.set()
        thread.join()
    ground.results.add(PART, OURS, f"{people:,} due at once, until all are told, s", seconds, worker.program.peak)
    if waits:
        ground.results.add(PART, OURS, "an event's wait meanwhile, p50, ms", float(np.percentile(waits, 50)) * 1000)
        ground.results.add(PART, OURS, "an event's wait meanwhile, longest, ms", max(waits) * 1000)
    told = _told(worker)
    ground.results.check(PART, OURS, None if told == people else f"{told:,.0f} carts were told, not {people:,}")


def _wait_for_changes(ground: Ground, ours: Ours, end: int, worker: Worker) -> None:
    """Until so many changes are committed; those of others count, too."""
    topic = ours.topic("changes")
    wait_for("the changes", lambda: kafka.ends_of(ground.broker, [topic]) >= end, worker.program.alive, 600.0)


def _told(worker: Worker) -> float:
    """How many left their carts."""
    return worker.total("segstream_segment_entered_total", 'segment="abandoned"', 'cause="deadline"')


class _Walkers:
    """Sends events at a steady rate, and watches when each is committed. Their time is just before the deadlines."""

    def __init__(self, broker: str, group: str, topic: str) -> None:
        self._broker, self._group, self._topic = broker, group, topic
        self.over = threading.Event()
        #: seconds from an event's acknowledgement to its commit
        self.waits: deque[float] = deque()
        self._sent: dict[int, deque[tuple[int, float]]] = {partition: deque() for partition in range(PARTITIONS)}

    async def run(self) -> None:
        """Until `over` is set."""
        producer = AIOKafkaProducer(bootstrap_servers=self._broker, enable_idempotence=True)
        admin = AIOKafkaAdminClient(bootstrap_servers=self._broker)
        await producer.start()
        await admin.start()
        try:
            await asyncio.gather(self._send(producer), self._watch(admin))
        finally:
            await producer.stop()
            await admin.close()

    async def _send(self, producer: AIOKafkaProducer) -> None:
        began, number = time.monotonic(), 0
        while not self.over.is_set():
            due = int((time.monotonic() - began) * RATE)
            batches: dict[int, Any] = {}
            for one in range(number, due):
                key = b"w%d" % (one % _WALKERS)
                partition = partition_of(key, PARTITIONS)
                batch = batches.setdefault(partition, producer.create_batch())
                value = _event(f"w{one}", key.decode(), "Product Viewed", _DUE_MS - 1)
                if batch.append(timestamp=None, key=key, value=value) is None:  # it is full: the rest comes next
                    due = one
                    break
            number = due
            for partition, batch in batches.items():
                count = batch.record_count()
                sent = await (await producer.send_batch(batch, self._topic, partition=partition))
                self._sent[partition].append((sent.offset + count, time.monotonic()))
            await asyncio.sleep(_TICK_S)

    async def _watch(self, admin: AIOKafkaAdminClient) -> None:
        while not self.over.is_set():
            offsets = await admin.list_consumer_group_offsets(self._group)
            now = time.monotonic()
            for tp, at in offsets.items():
                mine = self._sent[tp.partition] if tp.topic == self._topic else ()
                while mine and mine[0][0] <= at.offset:
                    self.waits.append(now - mine.popleft()[1])
            await asyncio.sleep(_LOOK_S)
