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
#: How often a group's offsets are looked at, in seconds: the error of a measured time.  Each look takes time of the
#: processors that what is measured needs.
LOOK_EVERY_S = 0.05
#: How long a transaction of what is written may stay open, in ms: as long as brokers allow where nobody told them else.
_LONGEST_PIECE_MS = 900_000
#: A group that gets no further for so long will not.
STALL_S = 600.0


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


def fill(broker: str, records: Iterable[tuple[str, int, bytes, bytes]], piece: int | None = None) -> dict[str, int]:
    """Write records (topic, partition, key, value), in order within a partition; how many went to each topic.

    What is waiting is sent all at once, when there is enough of it anywhere: else a topic of few records would come
    much later than the others' records of its time.  With ``piece``, so many records are a transaction: who reads
    committed records, and has read all before, finds those of all topics at once.  Its end takes an offset of its own.
    """
    return asyncio.run(_fill(broker, iter(records), piece))


async def _fill(
    broker: str, records: Iterator[tuple[str, int, bytes, bytes]], piece: int | None = None
) -> dict[str, int]:
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # a topic just created is retried with a warning
    producer = AIOKafkaProducer(
        bootstrap_servers=broker,
        compression_type="lz4",
        max_batch_size=_BATCH_BYTES,
        enable_idempotence=True,
        transactional_id=None if piece is None else f"fill-{time.monotonic_ns()}",
        transaction_timeout_ms=_LONGEST_PIECE_MS,
    )
    await producer.start()
    counts: dict[str, int] = {}
    building: dict[tuple[str, int], Any] = {}
    under_way: list[asyncio.Future[Any]] = []

    async def ship() -> None:
        for (topic, partition), batch in building.items():
            under_way.append(await producer.send_batch(batch, topic, partition=partition))
            if len(under_way) >= _UNDER_WAY:
                await under_way.pop(0)
        building.clear()

    async def end_piece() -> None:
        await ship()
        for sent in under_way:
            await sent
        under_way.clear()
        if piece is not None:
            await producer.commit_transaction()

    try:
        for number, (topic, partition, key, value) in enumerate(records):
            if piece is not None and number % piece == 0:
                if number:
                    await end_piece()
                await producer.begin_transaction()
            target = (topic, partition)
            if target not in building:
                building[target] = producer.create_batch()
            stamp = int(time.time() * 1000)
            if building[target].append(timestamp=stamp, key=key, value=value) is None:
                await ship()
                building[target] = producer.create_batch()
                building[target].append(timestamp=stamp, key=key, value=value)
            counts[topic] = counts.get(topic, 0) + 1
        if counts:
            await end_piece()
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


def each_from(broker: str, part: TopicPartition, offset: int, take: Callable[[Any], None]) -> None:
    """The same of one partition, from an offset on."""
    asyncio.run(_each(broker, [part.topic], take, {part: offset}))


def end_of(broker: str, part: TopicPartition) -> int:
    """Where a partition ends, as far as it is committed."""

    async def end() -> int:
        async with _reader(broker) as consumer:
            await _partitions(consumer, [part.topic])
            found: int = (await consumer.end_offsets([part]))[part]
            return found

    return asyncio.run(end())


def ends_of(broker: str, topics: Sequence[str]) -> int:
    """Where all partitions of these topics end, summed: what a group that has read them all has committed."""

    async def ends() -> int:
        async with _reader(broker) as consumer:
            return sum((await consumer.end_offsets(await _partitions(consumer, topics))).values())

    return asyncio.run(ends())


@asynccontextmanager
async def _reader(broker: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 << 20,
        group_id=None,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _each(
    broker: str,
    topics: Sequence[str],
    take: Callable[[Any], None],
    begin: Mapping[TopicPartition, int] | None = None,
) -> None:
    async with _reader(broker) as consumer:
        parts = await _partitions(consumer, topics)
        if begin is not None:
            parts = list(begin)
        consumer.assign(parts)
        for part, offset in (begin or {}).items():
            consumer.seek(part, offset)
        open_ends = {part: end for part, end in (await consumer.end_offsets(parts)).items() if end > 0}
        while open_ends:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    take(record)
            # The last offsets may be those of control records, which bring no record.
            open_ends = {part: end for part, end in open_ends.items() if await consumer.position(part) < end}


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
