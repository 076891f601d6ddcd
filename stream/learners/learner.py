"""What learns beside the shards and publishes versions: one at a time in the whole group, and it goes on from Kafka."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.kafka.transaction import Payload, Row, ShardProducer
from stream.learners.control import Published, Version, chain_of, read_published

log = logging.getLogger(__name__)

#: Records fetched at once.
FETCH = 2_000
#: How long one fetch waits for records, in ms.
FETCH_WAIT_MS = 500


@dataclass(frozen=True)
class LearnerSettings:
    """Where a learner reads and writes.

    Parameters
    ----------
    app_id
        Name of the application; first part of the learner's transactional id.
    source, control
        Topics, of one partition each: what is learned from, and where versions go.
    consumer, producer
        Options for aiokafka, with `bootstrap_servers`.
    lead_ms
        A version takes effect this long after the latest instant that it was learned from: time for it to reach all
        shards before their clocks do.
    transaction_seconds
        How long one publication may take.
    """

    app_id: str
    source: str
    control: str
    consumer: Mapping[str, Any]
    producer: Mapping[str, Any]
    lead_ms: int = 5_000
    transaction_seconds: float = 10.0


class Learner(ABC):
    """Runs for whoever owns shard 0.

    Starting it takes over from one that still runs elsewhere: the broker fences the older one's producer, so that there
    is one sequence of versions. A fenced learner finds out when it next publishes, and fails.

    Parameters
    ----------
    name
        Last part of its transactional id.
    settings
        Where to read and write.
    on_failure
        Called once, with the reason, when the learner has stopped by itself. What is published stays; a new learner
        goes on from there.
    """

    def __init__(self, name: str, settings: LearnerSettings, on_failure: Callable[[BaseException], None]) -> None:
        self._name = name
        self._where = settings
        self._on_failure = on_failure
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    def resume(self, published: Published) -> int | None:
        """Go on from what is published; the offset of the source to read from, None for its beginning."""

    def place(self, start: int | None, first: int, end: int) -> int:
        """The offset to read from, of a source that now holds what is from ``first`` to before ``end``."""
        return first if start is None else start

    #: Whether it also listens to what comes to the control topic, after what it resumed from.
    listens = False

    async def hear(self, records: Sequence[Any], producer: ShardProducer) -> None:
        """Take some records of the control topic, where it listens."""
        raise NotImplementedError(f"{self._name} does not listen to the control topic")

    @abstractmethod
    async def learn(self, records: Sequence[Any], producer: ShardProducer) -> None:
        """Learn some records of the source, and publish what is due."""

    async def start(self) -> None:
        """Begin, and return at once."""
        self._task = asyncio.create_task(self._run(), name=self._name)
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """End. A publication under way is given up; what was learned since the last one is learned again later."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_failure(error)

    async def _run(self) -> None:
        """In this order: fence an older learner, only then read what it has published, then learn from there."""
        where = self._where
        async with AsyncExitStack() as stack:
            producer = publisher(where, self._name)
            stack.push_async_callback(producer.stop)
            await producer.start()
            published = await read_published(where.consumer, where.control)
            for sentence in published.broken:
                log.warning("%s: a record is passed over, for it is no version: %s", self._name, sentence)
            start = self.resume(published)
            consumer = self._consumer()
            stack.push_async_callback(consumer.stop)
            await consumer.start()
            source, control = TopicPartition(where.source, 0), TopicPartition(where.control, 0)
            consumer.assign([source, control] if self.listens else [source])
            if self.listens:
                consumer.seek(control, published.end)
            first, end = await consumer.beginning_offsets([source]), await consumer.end_offsets([source])
            consumer.seek(source, self.place(start, first[source], end[source]))
            while True:
                fetched = await consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=FETCH)
                if control in fetched:
                    await self.hear(fetched[control], producer)
                await self.learn(fetched.get(source, ()), producer)

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **{
                **self._where.consumer,
                "group_id": None,
                "enable_auto_commit": False,
                "isolation_level": "read_committed",
                # Records that retention has taken are lost to the learner: it goes on with the oldest there is.
                "auto_offset_reset": "earliest",
            }
        )


def publisher(where: LearnerSettings, name: str) -> ShardProducer:
    """A producer for versions; starting it fences whoever publishes under the same name."""
    transactional_id = f"{where.app_id}-{name}"
    return ShardProducer(transactional_id, where.app_id, 0, where.producer, timeout=where.transaction_seconds)


async def publish(
    producer: ShardProducer, control: str, version: Version, more: Mapping[str, Sequence[Row]] | None = None
) -> None:
    """Write a version to the control topic in one transaction, with ``more`` records by topic (to partition 0)."""
    payload = Payload()
    payload.add(control, [(chain_of(version).encode(), version.to_json(), [])])
    for topic, rows in (more or {}).items():
        payload.add(topic, rows)
    await producer.transact(payload)
