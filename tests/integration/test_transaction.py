"""One transaction: all or nothing, also where the broker refuses a part, and never two owners."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.engine.records import Records
from stream.kafka.framed import Picked
from stream.kafka.transaction import Payload, Row, ShardProducer, TransactionError


async def create(broker: str, topic: str, partitions: int, **settings: str) -> None:
    """One topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=settings)])
    finally:
        await admin.close()


async def visible(broker: str, topic: str, partition: int, upto: int = 0) -> tuple[list[bytes], int]:
    """Committed records of a partition; the position after all that is there.

    ``upto`` is how far that must be: a commit is answered a moment before all partitions are told of it.
    """
    tp = TopicPartition(topic, partition)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker, group_id=None, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign([tp])
        found: list[bytes] = []
        end = (await consumer.end_offsets([tp]))[tp]
        async with asyncio.timeout(20):
            while end < upto:
                end = (await consumer.end_offsets([tp]))[tp]
            while await consumer.position(tp) < end:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [record.value for record in records]
        return found, end
    finally:
        await consumer.stop()


async def committed(broker: str, group: str, tp: TopicPartition) -> int | None:
    """The group's committed offset."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
        return offsets[tp].offset if tp in offsets else None
    finally:
        await admin.close()


def rows(*values: bytes) -> list[Row]:
    """Records without headers."""
    return [(value, value, []) for value in values]


def test_a_transaction_writes_everything_with_its_offsets(broker: str, unique: str) -> None:
    """Large payloads are split into batches; an output with fewer partitions gets the shard's number modulo theirs."""

    async def run() -> None:
        log, out = f"{unique}-log", f"{unique}-out"
        await create(broker, log, 4)
        await create(broker, out, 2)
        producer = ShardProducer(unique, unique, 3, {"bootstrap_servers": broker})
        await producer.start()
        large = [b"%04d" % number * 5_000 for number in range(200)]
        payload = Payload(offsets={(log, 3): 17})
        payload.many[log] = [Picked(Records.of([(value, value) for value in large]), np.arange(len(large)))]
        payload.add(out, rows(b"change"))
        ends = await producer.transact(payload)
        await producer.stop()
        assert await visible(broker, log, 3, 201) == (large, 201)
        assert await visible(broker, out, 1, 2) == ([b"change"], 2)
        assert ends == {log: 200, out: 1}
        assert await committed(broker, unique, TopicPartition(log, 3)) == 17

    asyncio.run(run())


def test_a_producer_starts_where_the_cluster_names_no_broker_yet(broker: str, unique: str) -> None:
    """A broker that wakes from a silence is fenced for a moment, and its metadata name none: the producer asks again.

    The broker's first answer is made to be that one.
    """

    async def run() -> None:
        await create(broker, unique, 1)
        producer = ShardProducer(unique, unique, 0, {"bootstrap_servers": broker})
        client = producer._producer.client
        update, named = client.cluster.update_metadata, []

        def update_metadata(answer: Any) -> None:
            named.append(len(answer.brokers))
            if len(named) == 1:
                answer.brokers = []
            update(answer)

        client.cluster.update_metadata = update_metadata
        async with asyncio.timeout(20):
            await producer.start()
        assert named[0] == 1
        assert len(named) > 1
        payload = Payload()
        payload.add(unique, rows(b"change"))
        assert await producer.transact(payload) == {unique: 1}
        await producer.stop()

    asyncio.run(run())


def test_a_stop_that_is_cancelled_lets_go_of_the_connections(broker: str, unique: str) -> None:
    """A new assignment may come while a shard is closed: its producer is not left behind, with tasks and sockets."""

    async def run() -> None:
        producer = ShardProducer(unique, unique, 0, {"bootstrap_servers": broker})
        await producer.start()
        sender, client = producer._producer._sender.sender_task, producer._producer.client
        stopping = asyncio.create_task(producer.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        async with asyncio.timeout(10):
            await asyncio.wait([sender])
            while any(connection.connected() for connection in client._conns.values()):  # noqa: ASYNC110  one by one
                await asyncio.sleep(0)

    asyncio.run(run())


def test_a_refused_batch_aborts_the_whole_transaction(broker: str, unique: str) -> None:
    """A batch that the broker refuses does not fail the commit by itself: it must be awaited, and nothing be seen."""

    async def run() -> None:
        small, out = f"{unique}-small", f"{unique}-out"
        await create(broker, small, 1, **{"max.message.bytes": "2000"})
        await create(broker, out, 1)
        producer = ShardProducer(unique, unique, 0, {"bootstrap_servers": broker})
        await producer.start()
        payload = Payload(offsets={(out, 0): 5})
        payload.add(out, rows(b"change"))
        payload.many[small] = [Picked(Records.of([(b"k", b"x" * 10_000)]), np.arange(1))]
        with pytest.raises(TransactionError, match="MessageSizeTooLarge"):
            await producer.transact(payload)
        await producer.stop()
        found, end = await visible(broker, out, 0, 2)
        assert (found, end) == ([], 2)  # the record and the marker of its abort: readers are not held up
        assert await committed(broker, unique, TopicPartition(out, 0)) is None

    asyncio.run(run())


def test_a_new_owner_fences_the_former_one(broker: str, unique: str) -> None:
    """Once the next owner has started, the former one can commit nothing more, whatever it has sent already."""

    async def run() -> None:
        await create(broker, unique, 1)
        former = ShardProducer(unique, unique, 0, {"bootstrap_servers": broker})
        await former.start()
        payload = Payload()
        payload.add(unique, rows(b"first"))
        await former.transact(payload)
        new = ShardProducer(unique, unique, 0, {"bootstrap_servers": broker})
        await new.start()
        with pytest.raises(TransactionError):
            await former.transact(payload)
        await former.stop()
        await new.transact(payload)
        await new.stop()
        assert (await visible(broker, unique, 0, 4))[0] == [b"first", b"first"]

    asyncio.run(run())


def test_a_transaction_that_takes_too_long_is_given_up(broker: str, unique: str) -> None:
    """All steps together have a deadline, so that a rebalance never waits for ever: here the topic does not exist."""

    async def run() -> None:
        producer = ShardProducer(unique, unique, 0, {"bootstrap_servers": broker}, timeout=1.0)
        await producer.start()
        payload = Payload()
        payload.add(f"{unique}-missing", rows(b"x"))
        async with asyncio.timeout(5):
            with pytest.raises(TransactionError):
                await producer.transact(payload)
            await producer.stop()

    asyncio.run(run())
