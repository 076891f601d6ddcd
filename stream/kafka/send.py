"""Many records into Kafka, fast: whole record batches, built here and sent by partition.

One call a record would cost more than the record: this costs about 2 us. Each batch goes to the partition that Java's
and aiokafka's producers would choose (murmur2 of the key).

What is sent together is one transaction over all topics. Without it, a fast producer's batches of one topic would be
readable before those of another that hold earlier events, and a worker that keeps up would take these for late. With
it, a worker sees that a topic has more to come (its high watermark is ahead) until all of them can be read.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream.errors import UserError
from stream.kafka.client import producer_options
from stream.kafka.partitions import partition_of
from stream.kafka.topics import ensure_topics
from stream.settings import Settings

#: A record batch holds at most about so many bytes.
BATCH_BYTES = 256 << 10
#: What is sent together holds about so many bytes of keys and values.
SHIPMENT_BYTES = 4 << 20
#: A record larger than this is not accepted by a broker with its defaults (1 MiB with the batch around it).
MOST_RECORD_BYTES = 1_000_000
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

    `add` only builds; when it returns True enough is gathered and `ship` has to be awaited before the next `add`.
    Records of one partition arrive in the order in which they were added.
    """

    def __init__(self, producer: AIOKafkaProducer, topics: Mapping[str, tuple[str, int]]) -> None:
        #: role -> name and number of partitions
        self._topics = dict(topics)
        self._producer = producer
        self._building: dict[tuple[str, int], list[_Builder]] = {}
        self._bytes = 0
        self._partitions: dict[tuple[bytes, int], int] = {}
        self._keyless = 0
        self.sent = 0

    def add(self, role: str, key: bytes | None, value: bytes) -> bool:
        """Adds a record with the present time as its timestamp; whether `ship` has to be awaited now."""
        topic, count = self._topics[role]
        self._append((topic, self._partition(key, count)), key, value)
        self.sent += 1
        return self._bytes >= SHIPMENT_BYTES

    def add_to_all(self, role: str, value: bytes) -> None:
        """Adds a record without a key to every partition of a topic."""
        topic, count = self._topics[role]
        for partition in range(count):
            self._append((topic, partition), None, value)

    def _append(self, target: tuple[str, int], key: bytes | None, value: bytes) -> None:
        stamp = int(time.time() * 1000)
        builders = self._building.setdefault(target, [])
        if not builders or builders[-1].append(timestamp=stamp, key=key, value=value) is None:
            builders.append(self._producer.create_batch())
            builders[-1].append(timestamp=stamp, key=key, value=value)  # an empty batch takes a record of any size
        self._bytes += len(value) + len(key or b"")

    async def ship(self) -> None:
        """Sends everything added so far in one transaction; returns when the broker has all of it."""
        building, self._building, self._bytes = self._building, {}, 0
        if not building:
            return
        async with self._producer.transaction():
            under_way = []
            for (topic, partition), builders in building.items():
                for builder in builders:
                    builder.close()
                    under_way.append(await self._producer.send_batch(builder, topic, partition=partition))
            for sent in under_way:
                await sent

    def _partition(self, key: bytes | None, count: int) -> int:
        if key is None:
            self._keyless += 1
            return self._keyless % count
        known = self._partitions.get((key, count))
        if known is None:
            if len(self._partitions) >= _REMEMBERED_KEYS:
                self._partitions.clear()
            known = self._partitions[key, count] = partition_of(key, count)
        return known


@asynccontextmanager
async def sending(settings: Settings) -> AsyncIterator[Sender]:
    """A sender to the topics of the settings; on a normal exit everything added is shipped.

    UserError where the broker cannot be reached, or a topic is missing or of another partition count, or a send fails.
    """
    partitions = {report.spec.name: report.partitions for report in await ensure_topics(settings)}
    names = settings.topics.model_dump()
    topics = {role: (name, partitions[name]) for role, name in names.items() if name in partitions}
    defaults = {"compression_type": "lz4", "enable_idempotence": True, "max_batch_size": BATCH_BYTES}
    name = f"{settings.app.id}-sender-{uuid.uuid4().hex}"
    producer = AIOKafkaProducer(**{**defaults, **producer_options(settings), "transactional_id": name})
    # Retries, as after a topic's creation, are aiokafka's warnings; what does not succeed in the end is raised.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    try:
        await producer.start()
        sender = Sender(producer, topics)
        yield sender
        await sender.ship()
    except KafkaError as error:
        raise UserError(f"Kafka refused what was sent: {error}; look at the broker's log", exit_code=1) from error
    finally:
        await producer.stop()
