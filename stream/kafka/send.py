"""Many records into Kafka, fast: whole record batches, built here and sent by partition.

One call a record would cost more than the record: this costs about 2 us. Each batch goes to the partition that Java's
and aiokafka's producers would choose (murmur2 of the key). The producer is idempotent, so a retry neither doubles nor
reorders; what the broker refuses is raised, at the latest by `Sender.flush`.
"""

from __future__ import annotations

import logging
import time
from asyncio import Future
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from stream.errors import UserError
from stream.kafka.client import producer_options
from stream.kafka.topics import ensure_topics
from stream.settings import Settings

#: A batch is sent when it holds about so many bytes.
BATCH_BYTES = 256 << 10
#: A record larger than this is not accepted by a broker with its defaults (1 MiB with the batch around it).
MOST_RECORD_BYTES = 1_000_000
#: How many batches may be on their way; the next one waits for the oldest.
MOST_UNDER_WAY = 64
#: How many keys' partitions are remembered, since murmur2 in Python costs more than all the rest.
_REMEMBERED_KEYS = 1 << 20


class _Builder(Protocol):
    """What is used of aiokafka's BatchBuilder."""

    def append(self, *, timestamp: int | None, key: bytes | None, value: bytes) -> Any:
        """None where the batch is full."""

    def close(self) -> None:
        """No more records."""

    def record_count(self) -> int:
        """How many records it holds."""


class Sender:
    """Sends records to topics named by their role (``clickstream``, ``control``, ...). Get one from `sending`.

    `add` only builds; when it returns True a batch is full and `ship` has to be awaited before the next `add`.
    Records of one partition arrive in the order in which they were added.
    """

    def __init__(self, producer: AIOKafkaProducer, topics: Mapping[str, tuple[str, int]]) -> None:
        #: role -> name and number of partitions
        self._topics = dict(topics)
        self._producer = producer
        self._building: dict[tuple[str, int], _Builder] = {}
        self._full: list[tuple[tuple[str, int], _Builder]] = []
        self._under_way: deque[Future[Any]] = deque()
        self._partitions: dict[tuple[bytes, int], int] = {}
        self._keyless = 0
        self.sent = 0

    def add(self, role: str, key: bytes | None, value: bytes) -> bool:
        """Adds a record with the present time as its timestamp; whether `ship` has to be awaited now."""
        topic, count = self._topics[role]
        target = (topic, self._partition(key, count))
        stamp = int(time.time() * 1000)
        builder = self._building.get(target)
        if builder is None or builder.append(timestamp=stamp, key=key, value=value) is None:
            if builder is not None:
                self._full.append((target, builder))
            builder = self._building[target] = self._producer.create_batch()
            builder.append(timestamp=stamp, key=key, value=value)  # an empty batch takes a record of any size
        self.sent += 1
        return bool(self._full)

    def add_to_all(self, role: str, value: bytes) -> None:
        """Adds a record without a key to every partition of a topic."""
        topic, count = self._topics[role]
        stamp = int(time.time() * 1000)
        for partition in range(count):
            builder = self._producer.create_batch()
            builder.append(timestamp=stamp, key=None, value=value)
            waiting = self._building.pop((topic, partition), None)
            self._full += [((topic, partition), each) for each in (waiting, builder) if each is not None]

    async def ship(self) -> None:
        """Sends the full batches, and waits while too many are under way."""
        full, self._full = self._full, []
        for (topic, partition), builder in full:
            builder.close()
            self._under_way.append(await self._producer.send_batch(builder, topic, partition=partition))
        while self._under_way and (len(self._under_way) > MOST_UNDER_WAY or self._under_way[0].done()):
            await self._under_way.popleft()

    async def flush(self) -> None:
        """Sends everything added so far and returns when the broker has all of it."""
        self._full += self._building.items()
        self._building = {}
        await self.ship()
        while self._under_way:
            await self._under_way.popleft()

    def _partition(self, key: bytes | None, count: int) -> int:
        if key is None:
            self._keyless += 1
            return self._keyless % count
        known = self._partitions.get((key, count))
        if known is None:
            if len(self._partitions) >= _REMEMBERED_KEYS:
                self._partitions.clear()
            known = self._partitions[key, count] = (murmur2(key) & 0x7FFFFFFF) % count
        return known


@asynccontextmanager
async def sending(settings: Settings) -> AsyncIterator[Sender]:
    """A sender to the topics of the settings; on a normal exit everything is flushed.

    UserError where the broker cannot be reached, or a topic is missing or of another partition count, or a send fails.
    """
    partitions = {report.spec.name: report.partitions for report in await ensure_topics(settings)}
    names = settings.topics.model_dump()
    topics = {role: (name, partitions[name]) for role, name in names.items() if name in partitions}
    defaults = {"compression_type": "lz4", "enable_idempotence": True, "max_batch_size": BATCH_BYTES}
    producer = AIOKafkaProducer(**{**defaults, **producer_options(settings)})
    # Retries, as after a topic's creation, are aiokafka's warnings; what does not succeed in the end is raised.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    try:
        await producer.start()
        sender = Sender(producer, topics)
        yield sender
        await sender.flush()
    except KafkaError as error:
        raise UserError(f"Kafka refused what was sent: {error}; look at the broker's log", exit_code=1) from error
    finally:
        await producer.stop()
