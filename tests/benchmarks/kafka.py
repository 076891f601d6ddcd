"""What the suite itself does with Kafka: make topics, fill them, follow a group, read back what came out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

#: Bytes of a record batch, and of what is under way at once.
_BATCH_BYTES = 256 << 10
_UNDER_WAY = 24
#: How often a group's offsets are looked at, in seconds: the error of a measured time.
LOOK_EVERY_S = 0.01
#: A group that gets no further for so long will not.
STALL_S = 120.0


@asynccontextmanager
async def _admin(broker: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


def create_topics(broker: str, topics: Mapping[str, int], settings: Mapping[str, str] | None = None) -> None:
    """Create topics with so many partitions each, and wait until they can be used."""

    async def create() -> None:
        async with _admin(broker) as admin:
            new = [NewTopic(name, count, 1, topic_configs=dict(settings or {})) for name, count in topics.items()]
            for name, code, message in (await admin.create_topics(new)).topic_errors:
                if code:
                    raise RuntimeError(f"topic {name} was not created: {message}")
            while any(topic["error_code"] for topic in await admin.describe_topics(list(topics))):  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # the broker has no event for it

    asyncio.run(create())


def delete_topics(broker: str, prefix: str) -> None:
    """Delete the topics of one measured program, so that they take no memory from the next."""

    async def delete() -> None:
        async with _admin(broker) as admin:
            names = [name for name in await admin.list_topics() if prefix in name]
            if names:
                await admin.delete_topics(names)

    asyncio.run(delete())


def topics_with(broker: str, part: str) -> list[str]:
    """The names that contain this."""

    async def names() -> list[str]:
        async with _admin(broker) as admin:
            return sorted(name for name in await admin.list_topics() if part in name)

    return asyncio.run(names())


def fill(broker: str, records: Iterable[tuple[str, int, bytes, bytes]]) -> dict[str, int]:
    """Write records (topic, partition, key, value), in order within a partition; how many went to each topic."""
    return asyncio.run(_fill(broker, iter(records)))


async def _fill(broker: str, records: Iterator[tuple[str, int, bytes, bytes]]) -> dict[str, int]:
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # a topic just created is retried with a warning
    producer = AIOKafkaProducer(
        bootstrap_servers=broker, compression_type="lz4", max_batch_size=_BATCH_BYTES, enable_idempotence=True
    )
    await producer.start()
    counts: dict[str, int] = {}
    building: dict[tuple[str, int], Any] = {}
    under_way: list[asyncio.Future[Any]] = []

    async def ship(target: tuple[str, int], batch: Any) -> None:
        under_way.append(await producer.send_batch(batch, target[0], partition=target[1]))
        if len(under_way) >= _UNDER_WAY:
            await under_way.pop(0)

    try:
        for topic, partition, key, value in records:
            target = (topic, partition)
            batch = building.get(target)
            stamp = int(time.time() * 1000)
            if batch is None or batch.append(timestamp=stamp, key=key, value=value) is None:
                if batch is not None:
                    await ship(target, batch)
                batch = building[target] = producer.create_batch()
                batch.append(timestamp=stamp, key=key, value=value)
            counts[topic] = counts.get(topic, 0) + 1
        for target, batch in building.items():
            await ship(target, batch)
        for sent in under_way:
            await sent
    finally:
        await producer.stop()
    return counts


def follow(
    broker: str,
    group: str,
    topics: Sequence[str],
    marks: Sequence[int],
    alive: Callable[[], None] = lambda: None,
    *,
    seconds: float = 3600.0,
) -> list[tuple[float, int]]:
    """Watch what a group has committed, summed over topics: for each mark the instant it was reached, and the sum then.

    Only what is committed counts, and it is seen from outside: nothing is asked of the program that is measured.
    ``alive`` raises where that has ended.  Instants are of the monotonic clock.
    """
    return asyncio.run(_follow(broker, group, frozenset(topics), marks, alive, seconds))


async def _follow(
    broker: str, group: str, topics: frozenset[str], marks: Sequence[int], alive: Callable[[], None], seconds: float
) -> list[tuple[float, int]]:
    reached: list[tuple[float, int]] = []
    async with _admin(broker) as admin:
        end, moved, before = time.monotonic() + seconds, time.monotonic(), -1
        while len(reached) < len(marks):
            offsets = await _committed(admin, group)
            now = time.monotonic()
            done = sum(max(0, at.offset) for tp, at in offsets.items() if tp.topic in topics)
            while len(reached) < len(marks) and done >= marks[len(reached)]:
                reached.append((now, done))
            if done != before:
                moved, before = now, done
            if now > end or now - moved > STALL_S:
                raise TimeoutError(f"{group} stands at {done:,} of {marks[-1]:,} events")
            alive()
            await asyncio.sleep(LOOK_EVERY_S)
    return reached


async def _committed(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, Any]:
    """What a group has committed; nothing where the broker does not know it yet."""
    try:
        return dict(await admin.list_consumer_group_offsets(group))
    except KafkaError:
        return {}


def each(broker: str, topics: Sequence[str], take: Callable[[Any], None]) -> None:
    """Hand over all committed records of topics, up to where they end now; those of a partition in order."""
    asyncio.run(_each(broker, topics, take))


async def _each(broker: str, topics: Sequence[str], take: Callable[[Any], None]) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 << 20,
        group_id=None,
    )
    await consumer.start()
    try:
        parts = await _partitions(consumer, topics)
        consumer.assign(parts)
        open_ends = {part: end for part, end in (await consumer.end_offsets(parts)).items() if end > 0}
        while open_ends:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    take(record)
            # The last offsets may be those of control records, which bring no record.
            open_ends = {part: end for part, end in open_ends.items() if await consumer.position(part) < end}
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topics: Sequence[str]) -> list[TopicPartition]:
    await consumer._client.force_metadata_update()
    numbers = {topic: consumer.partitions_for_topic(topic) for topic in topics}
    missing = [topic for topic, found in numbers.items() if not found]
    for topic in missing:
        await consumer._client.add_topic(topic)
        numbers[topic] = consumer.partitions_for_topic(topic)
    return [TopicPartition(topic, number) for topic, found in numbers.items() for number in found or ()]


def latest(broker: str, topics: Sequence[str]) -> dict[bytes, bytes]:
    """What a changelog amounts to: the last value of each key; keys without one are left out."""
    values: dict[bytes, bytes | None] = {}
    each(broker, topics, lambda record: values.__setitem__(record.key, record.value))
    return {key: value for key, value in values.items() if value is not None}
