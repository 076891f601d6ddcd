"""The trainer as part of a worker: vectors in, versions out. One at a time in the whole group."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.cluster.control import read_models
from stream.cluster.trainer import Trainer, TrainerSettings
from stream.cluster.wire import decode, layout_of
from stream.kafka.transaction import Payload, ShardProducer

log = logging.getLogger(__name__)

#: The event loop is held up for this long at most, in seconds, but for one chunk.
SLICE_SECONDS = 0.002
#: Vectors learned between two looks at the clock.
CHUNK = 16
#: Vectors fetched at once.
FETCH = 2_000
#: How long one fetch waits for vectors, in ms.
FETCH_WAIT_MS = 500


@dataclass(frozen=True)
class ServiceSettings:
    """Where a trainer reads and writes.

    Parameters
    ----------
    app_id
        Name of the application; the trainer's transactional id is ``<app_id>-trainer``.
    vectors, control
        Topics, of one partition each.
    consumer, producer
        Options for aiokafka, with `bootstrap_servers`.
    lead_ms
        A version takes effect this long after the latest event that it was learned from: time for it to reach all
        shards before their clocks do.
    share
        The most of one processor that learning may take, in (0, 1].
    transaction_seconds
        How long one publication may take.
    """

    app_id: str
    vectors: str
    control: str
    consumer: Mapping[str, Any]
    producer: Mapping[str, Any]
    lead_ms: int = 5_000
    share: float = 0.1
    transaction_seconds: float = 10.0


@dataclass
class ServiceCounts:
    """What the service has done since it was started."""

    learned: int = 0
    skipped: int = 0
    published: int = 0
    version: int = 0


class TrainerService:
    """Runs a trainer for whoever owns shard 0.

    Starting it takes over from a trainer that still runs elsewhere: the broker fences the older one's producer, so that
    there is one sequence of versions. A fenced trainer finds out when it next publishes, and fails.

    Parameters
    ----------
    settings
        Where to read and write.
    training
        How to learn.
    on_failure
        Called once, with the reason, when the service has stopped by itself. What is published stays; a new service
        goes on from there.
    """

    def __init__(
        self, settings: ServiceSettings, training: TrainerSettings, on_failure: Callable[[BaseException], None]
    ) -> None:
        self.counts = ServiceCounts()
        self._settings = settings
        self._on_failure = on_failure
        self._trainer = Trainer(training)
        self._layout = layout_of(training.features)
        self._latest_ms = 0
        self._cursor = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, and return at once."""
        self._task = asyncio.create_task(self._run(), name="cluster trainer")
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
        """In this order: fence an older trainer, only then read what it has published, then learn from there."""
        settings = self._settings
        async with AsyncExitStack() as stack:
            name, limit = f"{settings.app_id}-trainer", settings.transaction_seconds
            producer = ShardProducer(name, settings.app_id, 0, settings.producer, timeout=limit)
            stack.push_async_callback(producer.stop)
            await producer.start()
            start = await self._resume()
            consumer = self._consumer()
            stack.push_async_callback(consumer.stop)
            await consumer.start()
            source = TopicPartition(settings.vectors, 0)
            consumer.assign([source])
            if start is None:
                await consumer.seek_to_beginning(source)
            else:
                consumer.seek(source, start)
            while True:
                fetched = await consumer.getmany(source, timeout_ms=FETCH_WAIT_MS, max_records=FETCH)
                await self._learn(fetched.get(source, ()), producer)

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **{
                **self._settings.consumer,
                "group_id": None,
                "enable_auto_commit": False,
                "isolation_level": "read_committed",
                # Vectors that retention has taken are lost to the trainer: it goes on with the oldest there is.
                "auto_offset_reset": "earliest",
            }
        )

    async def _resume(self) -> int | None:
        """Be the trainer that wrote the newest version; its place in the vectors topic, None for the beginning."""
        published = await read_models(self._settings.consumer, self._settings.control)
        for sentence in published.broken:
            log.warning("not a model, so the trainer does not go on from it: %s", sentence)
        newest = published.newest(self._trainer.settings.dimension)
        if newest is None:
            return None
        self._trainer = Trainer.after(self._trainer.settings, newest)
        self.counts.version = newest.version
        return newest.cursor.get(0)

    async def _learn(self, records: Sequence[Any], producer: ShardProducer) -> None:
        """Learn records in slices, with pauses that keep to the share; publish exactly where a version is due."""
        done = 0
        while done < len(records):
            began = time.perf_counter()
            while done < len(records) and time.perf_counter() - began < SLICE_SECONDS:
                # Never past the point where a version is due: versions do not depend on how records were fetched.
                size = min(CHUNK, self._trainer.until_due())
                self._take(records[done : done + size])
                done += size
                if self._trainer.until_due() == 0:
                    break
            busy = time.perf_counter() - began
            if self._trainer.until_due() == 0:
                await self._publish(producer)
            await asyncio.sleep(busy * (1 / self._settings.share - 1))

    def _take(self, records: Sequence[Any]) -> None:
        features = self._trainer.settings.features
        decoded = [item for record in records if (item := decode(record, features, self._layout)) is not None]
        if decoded:
            self._trainer.learn(np.stack([vector for _, vector in decoded]))
            self._latest_ms = max(self._latest_ms, *(instant for instant, _ in decoded))
        self._cursor = records[-1].offset + 1
        self.counts.learned += len(decoded)
        self.counts.skipped += len(records) - len(decoded)

    async def _publish(self, producer: ShardProducer) -> None:
        model = self._trainer.snapshot(self._latest_ms + self._settings.lead_ms, {0: self._cursor})
        if model is None:
            return
        payload = Payload()
        payload.add(self._settings.control, [(model.dimension.encode(), model.to_json(), [])])
        await producer.transact(payload)
        self.counts.published += 1
        self.counts.version = model.version
