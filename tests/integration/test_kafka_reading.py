"""Positions, ends and changelogs on a real Kafka: what is read once must be read by positions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.kafka.broadcast import Broadcast
from stream.kafka.fetch import End, Fetched, Taker
from stream.kafka.restore import read_changelog


async def create(broker: str, *topics: str, **settings: str) -> None:
    """Topics of one partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=settings) for topic in topics])
    finally:
        await admin.close()


@asynccontextmanager
async def transactional(broker: str, name: str) -> AsyncIterator[AIOKafkaProducer]:
    """A started transactional producer."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, transactional_id=name)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def write(producer: AIOKafkaProducer, topic: str, *values: bytes, commit: bool = True) -> None:
    """One transaction of some records."""
    await producer.begin_transaction()
    for value in values:
        await producer.send_and_wait(topic, value, key=value, partition=0)
    await (producer.commit_transaction() if commit else producer.abort_transaction())


@asynccontextmanager
async def reading(broker: str, tp: TopicPartition) -> AsyncIterator[Taker]:
    """A taker at the beginning of a partition."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker, group_id=None, isolation_level="read_committed", fetch_max_wait_ms=50
    )
    await consumer.start()
    try:
        taker = Taker(consumer)
        consumer.assign([tp])
        consumer.seek(tp, 0)
        yield taker
    finally:
        await consumer.stop()


async def read_to(taker: Taker, tp: TopicPartition, position: int) -> tuple[list[Fetched], list[End]]:
    """All that is taken until that position is reached, and a little longer."""
    batches: list[Fetched] = []
    ends: list[End] = []
    async with asyncio.timeout(20):
        while not batches or batches[-1].hi < position:
            answer = await taker.next([tp], 1.0)
            batches += answer.batches.values()
            ends += answer.ends.values()
    for _ in range(3):
        ends += (await taker.next([tp], 0.3)).ends.values()
    return batches, [*(batch.end for batch in batches if batch.end), *ends]


def test_positions_move_over_what_brings_no_record(broker: str, unique: str) -> None:
    """Committed and aborted transactions end in control records: the position covers them, without a gap."""

    async def run() -> None:
        tp = TopicPartition(unique, 0)
        await create(broker, unique)
        async with transactional(broker, unique) as producer, reading(broker, tp) as taker:
            await write(producer, unique, b"a", b"b")  # offsets 0, 1, marker 2
            batches, _ = await read_to(taker, tp, 3)
            await write(producer, unique, b"x", commit=False)  # offset 3, marker 4
            more, ends = await read_to(taker, tp, 5)
        assert [record.value for batch in batches for record in batch.records] == [b"a", b"b"]
        assert [record.value for batch in more for record in batch.records] == []
        covered = [*batches, *more]
        assert [batch.lo for batch in covered] == [0, *(batch.hi for batch in covered[:-1])]
        assert {end.position for end in ends} == {5}

    asyncio.run(run())


def test_an_end_is_proven_by_the_high_watermark_only(broker: str, unique: str) -> None:
    """While a transaction is open the last stable offset is not the end: records may be waiting behind it."""

    async def run() -> None:
        tp = TopicPartition(unique, 0)
        await create(broker, unique)
        async with transactional(broker, unique) as producer, reading(broker, tp) as taker:
            before = int(time.time() * 1000)
            await write(producer, unique, b"a")  # offset 0, marker 1
            _, told = await read_to(taker, tp, 2)
            ends = [end for end in told if end.position == 2]  # others are from before the write
            assert ends
            assert all(before <= end.at_ms <= time.time() * 1000 for end in ends)
            assert [end.at_ms for end in ends] == sorted({end.at_ms for end in ends})
            await producer.begin_transaction()
            await producer.send_and_wait(unique, b"open", partition=0)
            await taker.next([tp], 0.3)  # an answer that was on its way
            answers = [await taker.next([tp], 0.2) for _ in range(3)]
            assert not any(answer.ends or answer.batches for answer in answers)
            await producer.commit_transaction()
            batches, ends = await read_to(taker, tp, 4)
            assert [record.value for batch in batches for record in batch.records] == [b"open"]
            assert {end.position for end in ends} == {4}

    asyncio.run(run())


def test_a_changelog_is_read_to_its_last_stable_offset(broker: str, unique: str) -> None:
    """Reading ends at the end although the last offsets are control records, and can go on from there."""

    async def run() -> None:
        await create(broker, unique, **{"cleanup.policy": "compact"})
        seen: list[Any] = []
        options = {"bootstrap_servers": broker}
        assert await read_changelog(options, unique, 0, None, seen.extend) == 0
        async with transactional(broker, unique) as producer:
            await write(producer, unique, b"a", b"b")
            await write(producer, unique, b"x", commit=False)
            assert await read_changelog(options, unique, 0, None, seen.extend) == 5
            assert [record.value for record in seen] == [b"a", b"b"]
            seen.clear()
            assert await read_changelog(options, unique, 0, 5, seen.extend) == 5
            await write(producer, unique, b"c")
            assert await read_changelog(options, unique, 0, 5, seen.extend) == 7
        assert [record.value for record in seen] == [b"c"]

    asyncio.run(run())


class Along:
    """Reads along with a broadcast, from a cursor of its own."""

    def __init__(self, cursor: int) -> None:
        self.cursor = cursor
        self.values: list[bytes] = []
        self.end: End | None = None

    def expected(self, tp: TopicPartition) -> int | None:
        return self.cursor

    def has_enough(self, tp: TopicPartition) -> bool:
        return False

    def is_blocked_by(self, topics: frozenset[str]) -> bool:
        return True

    def take_batch(self, tp: TopicPartition, batch: Fetched) -> None:
        assert batch.lo <= self.cursor
        self.values += [record.value for record in batch.records if record.offset >= self.cursor]
        self.cursor = batch.hi

    def prove(self, tp: TopicPartition, end: End) -> None:
        self.end = end


def test_a_shard_with_an_older_cursor_makes_the_broadcast_seek_back(broker: str, unique: str) -> None:
    """Each shard gets every record from its own cursor on, once, also when it joins late; and learns of the end."""

    async def run() -> None:
        tp = TopicPartition(unique, 0)
        await create(broker, unique)
        producer = AIOKafkaProducer(bootstrap_servers=broker)
        await producer.start()
        for number in range(10):
            await producer.send_and_wait(unique, b"%d" % number)
        crashes: list[BaseException] = []
        readers: list[Along] = []
        broadcast = Broadcast(
            {"bootstrap_servers": broker}, [unique], lambda: readers, lambda _, fetched: fetched, crashes.append
        )
        await broadcast.start()

        async def join(cursor: int) -> Along:
            readers.append(Along(cursor))
            broadcast.join({tp: cursor})
            return readers[-1]

        async def until_end(position: int) -> None:
            async with asyncio.timeout(20):
                while not all(r.end is not None and r.end.position == position for r in readers):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

        newer = await join(4)
        await until_end(10)
        older = await join(0)
        await until_end(10)
        await producer.send_and_wait(unique, b"last")
        await until_end(11)
        await producer.stop()
        await broadcast.stop()
        assert newer.values == [b"%d" % number for number in range(4, 10)] + [b"last"]
        assert older.values == [b"%d" % number for number in range(10)] + [b"last"]
        assert not crashes

    asyncio.run(run())
