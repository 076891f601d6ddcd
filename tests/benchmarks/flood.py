"""A flood by the wall clock, in one shard: of all its customers, some are due within one second, while others shop on.

Everyone has put something into a cart; some have looked at a product, all within one second, and are idle a minute
later.  Nothing but the time brings that.  A few were due one by one just before, to compare with.  Meanwhile a
thousand others fill and empty their carts at a steady rate, and each of these events makes a change.  Told is what a
reader of committed records sees: how late a deadline is, and how long an event takes to become a change.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from stream.events.instant import iso
from tests.benchmarks import kafka
from tests.benchmarks.events import key_of
from tests.benchmarks.ground import Ground
from tests.benchmarks.ours import DEFINITIONS, Ours, Worker, wait_for
from tests.benchmarks.results import OURS

PART = "flood"
#: Events a second of those who shop on, and how many these are.
RATE, SHOPPERS = 2_000, 1_000
#: How long after they looked customers are idle (the definitions say so), in ms.
IDLE_MS = 60_000
#: Those who are due one by one are so over this time, before the flood; it lasts a second (ms).
SINGLY_MS, FLOOD_MS = 5_000, 1_000
TICK_S = 0.005
#: Shopping goes on for so long before anyone is due: that is the warming up (s).
WARM_S = 10


def run(ground: Ground) -> None:
    """One shard, by the wall clock."""
    people, due = ground.size(1_000_000, 10_000), ground.size(100_000, 2_000)
    singly = ground.size(1_000, 100)
    for _ in range(ground.rounds):
        topics = {role: ground.name(role) for role in ("clickstream", "changes")}
        kafka.create_topics(ground.broker, dict.fromkeys(topics.values(), 1))
        wall = {"SEGSTREAM_TIME__CLOCK": "wall"}
        name = ground.name("segstream-flood")
        ours = Ours(ground, name, DEFINITIONS / "flood", partitions=1, inputs=topics, settings=wall)
        ours.prepare()
        with ours.worker() as worker:
            worker.ready(1)
            ground.say(f"flood: {people:,} customers")
            count = _fill(ground, ours, worker, _carts(topics["clickstream"], people), 0)
            ground.say(f"flood: {due:,} of them look at a product within a second")
            began = int(time.time() * 1000) - SINGLY_MS - FLOOD_MS
            _fill(ground, ours, worker, _looks(topics["clickstream"], began, singly, due), count)
            _measure(ground, worker, topics, began + IDLE_MS + SINGLY_MS, singly, due)
        ours.finish()


def _fill(
    ground: Ground, ours: Ours, worker: Worker, records: Iterator[tuple[str, int, bytes, bytes]], had: int
) -> int:
    """Write records behind those that the topic had, and wait until all are committed: how many it has now."""
    topic = ours.topic("clickstream")
    count: int = had + kafka.fill(ground.broker, records)[topic]
    kafka.follow(ground.broker, ours.name, [topic], [count], worker.program.alive)
    return count


def _carts(topic: str, people: int) -> Iterator[tuple[str, int, bytes, bytes]]:
    for customer in range(people):
        yield topic, 0, key_of(customer), event(f"a{customer}", key_of(customer), "Product Added", _now())


def _looks(topic: str, began: int, singly: int, due: int) -> Iterator[tuple[str, int, bytes, bytes]]:
    """Of so many one by one, then of all others within a second."""
    early = np.linspace(0, SINGLY_MS, singly, endpoint=False)
    late = np.linspace(SINGLY_MS, SINGLY_MS + FLOOD_MS, due, endpoint=False)
    for customer, after in enumerate(np.concatenate((early, late)).astype(np.int64).tolist()):
        yield topic, 0, key_of(customer), event(f"v{customer}", key_of(customer), "Product Viewed", began + after)


def event(message: str, customer: bytes, name: str, at_ms: int) -> bytes:
    """An event on the wire."""
    found = {"messageId": message, "type": "track", "userId": customer.decode(), "event": name, "timestamp": iso(at_ms)}
    return orjson.dumps({**found, "properties": {"product_id": "p1", "price": 10.0}})


def _now() -> int:
    return int(time.time() * 1000)


def _measure(ground: Ground, worker: Worker, topics: dict[str, str], flood: int, singly: int, due: int) -> None:
    """``flood``: the instant (ms) at which it begins."""
    early = flood - SINGLY_MS - WARM_S * 1000 - _now()
    if early < 0:
        wrong = (
            f"the customers were written {-early / 1000:.0f} s too late for {WARM_S} s of warming up: a busy machine"
        )
        ground.results.check(PART, OURS, wrong)
        return
    shop = Shoppers(ground.broker, topics, singly + due)
    thread = threading.Thread(target=lambda: asyncio.run(shop.run()))
    thread.start()
    try:
        wait_for("the deadlines", shop.told.is_set, worker.program.alive, early / 1000 + 600)
    finally:
        shop.over.set()
        thread.join()
    late = shop.late
    alone = [wait for at, wait in late.values() if at < flood]
    crowd = [wait for at, wait in late.values() if at >= flood]
    end = flood + max(crowd, default=0) + FLOOD_MS
    waits = {
        "before": [wait for sent, wait in shop.waits if flood - SINGLY_MS <= sent < flood],
        "in the flood": [wait for sent, wait in shop.waits if flood <= sent <= end],
    }
    add = ground.results.add
    for what, found in ((f"{singly:,} due one by one", alone), (f"{due:,} due within a second", crowd)):
        for quantile in (50, 99, 100) if found else ():
            add(PART, OURS, f"{what}: late by, p{quantile}, ms", float(np.percentile(found, quantile)))
    for when, found in waits.items():
        for quantile in (50, 99) if found else ():
            figure = f"event to change at {RATE:,}/s, {when}: p{quantile}, ms"
            add(PART, OURS, figure, float(np.percentile(found, quantile)), worker.program.peak)
    add(PART, OURS, "events sent a second meanwhile", shop.rate)
    fine = len(late) == singly + due and not shop.twice and len(waits["in the flood"]) > 0 and min(alone + crowd) >= 0
    ground.results.check(PART, OURS, None if fine else f"{len(late):,} were told, {shop.twice} of them twice, or early")


class Shoppers:
    """Those who shop on; and a reader of all changes until ``due`` deadlines were told."""

    def __init__(self, broker: str, topics: dict[str, str], due: int) -> None:
        self._broker, self._topics, self._due = broker, topics, due
        self.over, self.told = threading.Event(), threading.Event()
        #: customer -> the deadline's instant, and how late it was read (ms)
        self.late: dict[bytes, tuple[int, int]] = {}
        #: deadlines told again
        self.twice = 0
        #: when each event was sent, and how long until its change was read (ms)
        self.waits: list[tuple[int, int]] = []
        #: events a second that were in fact sent
        self.rate = 0.0

    async def run(self) -> None:
        """Until ``over`` is set."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self._broker, isolation_level="read_committed", group_id=None)
        producer = AIOKafkaProducer(bootstrap_servers=self._broker, enable_idempotence=True)
        await consumer.start()
        await producer.start()
        try:
            changes = TopicPartition(self._topics["changes"], 0)
            consumer.assign([changes])
            await consumer.seek_to_end(changes)
            await consumer.position(changes)
            await asyncio.gather(self._send(producer), self._read(consumer))
        finally:
            await producer.stop()
            await consumer.stop()

    async def _send(self, producer: AIOKafkaProducer) -> None:
        began, number = time.monotonic(), 0
        while not self.over.is_set():
            due = int((time.monotonic() - began) * RATE)
            batch: Any = producer.create_batch()
            for one in range(number, due):
                key, name = b"s%d" % (one % SHOPPERS), ("Product Added", "Product Removed")[one // SHOPPERS % 2]
                if batch.append(timestamp=None, key=key, value=event(f"s{one}", key, name, _now())) is None:
                    due = one  # it is full: the rest comes next
                    break
            if due > number:
                await producer.send_batch(batch, self._topics["clickstream"], partition=0)
            number = due
            await asyncio.sleep(TICK_S)
        self.rate = number / (time.monotonic() - began)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while not self.over.is_set():
            found = await consumer.getmany(timeout_ms=200, max_records=2_000)
            now = _now()
            for records in found.values():
                for record in records:
                    headers = dict(record.headers)
                    at = round(datetime.fromisoformat(headers["ce_time"].decode()).timestamp() * 1000)
                    if headers["ce_cause"] == b"event":
                        self.waits.append((at, now - at))
                    elif b'"idle"' in record.value:
                        self.twice += record.key in self.late
                        self.late[record.key] = at, now - at
            if len(self.late) >= self._due:
                self.told.set()
