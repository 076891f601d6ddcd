"""Listeners to changes on a real Kafka: whoever is overtaken by retention is not told the rest in silence."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import TopicPartition

from stream.kafka.reader import ReaderThread
from stream.web.feed import Feed, FeedQuery, Listener
from stream.web.refusal import RefusalError
from tests.integration.test_kafka_reading import create, transactional, write


async def delete(broker: str, tp: TopicPartition, before: int) -> None:
    """Delete a partition's records before an offset, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.delete_records({tp: RecordsToDelete(before_offset=before)})
    finally:
        await admin.close()


async def offsets(listener: Listener, until: int) -> list[int]:
    """The offsets that a listener is given, up to one."""
    found: list[int] = []
    async with asyncio.timeout(20):
        while not found or found[-1] < until:
            taken = await listener.consumer.getmany(timeout_ms=500)
            found += [record.offset for records in taken.values() for record in records]
    return found


def test_whoever_is_overtaken_by_retention_is_told(broker: str, unique: str) -> None:
    """New ones and those who go on get what comes, aborted ones left out; whose place is gone gets an error, and a
    refusal when they come again."""

    async def run() -> None:
        tp = TopicPartition(unique, 0)
        await create(broker, unique)
        reader = ReaderThread({"bootstrap_servers": broker})
        feed = Feed(cast(Any, SimpleNamespace(wiring=SimpleNamespace(changes=unique))), reader, cast(Any, None))

        async def listen(given: str | None) -> Listener:
            return (await reader.do(lambda: feed._listen(FeedQuery(recent=5), given)))[0]

        try:
            async with transactional(broker, unique) as producer:
                await write(producer, unique, b"a", b"b")  # offsets 0, 1, marker 2
                new, again, slow = await listen(None), await listen("0-1"), await listen("0-3")
                assert (new.place, again.place) == ("0-3", "0-1")
                await write(producer, unique, b"x", commit=False)  # offset 3, marker 4
                await write(producer, unique, b"c")  # offset 5, marker 6
                assert await reader.do(lambda: offsets(new, 5)) == [5]
                assert await reader.do(lambda: offsets(again, 5)) == [1, 5]
                await delete(broker, tp, 6)
            slow.consumer.seek(tp, 3)
            with pytest.raises(OffsetOutOfRangeError):
                await reader.do(lambda: offsets(slow, 5))
            for place in ("0-3", "0-8"):
                with pytest.raises(RefusalError, match="begin anew"):
                    await listen(place)
        finally:
            await reader.stop()

    asyncio.run(run())
