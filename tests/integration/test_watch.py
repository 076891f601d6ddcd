"""What `segstream watch` reads from a real Kafka: only what is committed, and all of it for who starts late."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from stream.cli.view.source import Start, Taken, reading
from stream.engine.change import Change
from stream.errors import UserError
from stream.kafka.topics import create_topics
from stream.settings import App, Settings, Topics
from stream.settings_kafka import Kafka

AT = Change(b"c1", "lifecycle", "new", "active", 1_738_314_902_125, "event", 7, "lifecycle@1", {"orders": 2})


def settings_of(broker: str, unique: str) -> Settings:
    """Topics of this test's own."""
    names = {field: f"{unique}-{field}" for field in Topics.model_fields}
    return Settings(app=App(id=unique, partitions=2), kafka=Kafka(brokers=broker), topics=Topics(**names))


async def write(settings: Settings, changes: list[Change], *, commit: bool = True) -> None:
    """As a worker does: a change and the customer's latest segments in one transaction."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.brokers, transactional_id=f"{settings.app.id}-writer")
    await producer.start()
    try:
        await producer.begin_transaction()
        for change in changes:
            latest = {"customer": change.subject, "segments": {change.dimension: change.to_segment}}
            await producer.send_and_wait(settings.topics.changes, change.data(), change.key, headers=change.headers())
            await producer.send_and_wait(settings.topics.customers, orjson.dumps(latest), change.key)
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


async def read(settings: Settings, start: Start, until: Callable[[Taken, float], bool]) -> Taken:
    """All that comes until that holds of it and of how much was loaded; fails after half a minute."""
    whole = Taken()
    async with reading(settings, start) as source, asyncio.timeout(30):
        while not until(whole, await source.loaded()):
            taken = await source.take(0.1)
            whole.placed += taken.placed
            whole.moves += taken.moves
    return whole


def run(work: Callable[[], Awaitable[None]]) -> None:
    """In an event loop of its own."""

    async def main() -> None:
        await work()

    asyncio.run(main())


def test_sizes_are_right_for_who_starts_late_and_only_what_is_committed_counts(broker: str, unique: str) -> None:
    """Reading is complete when all that was there has been read; the end of a topic may be no record at all."""
    settings = settings_of(broker, unique)

    async def work() -> None:
        await create_topics(settings)
        await write(settings, [AT])
        await write(settings, [Change(b"c9", "lifecycle", None, "ghost", 0, "event", 1, "", {})], commit=False)
        whole = await read(settings, "now", lambda _, loaded: loaded == 1)
        assert whole.placed == [("c1", {"lifecycle": "active"})]
        assert whole.moves == []

    run(work)


@pytest.mark.parametrize("start", ["beginning", "lately"])
def test_a_change_is_read_with_all_that_is_shown_of_it(broker: str, unique: str, start: Start) -> None:
    """Event time is in the headers; when it was written is the record's own time."""
    settings = settings_of(broker, unique)

    async def work() -> None:
        await create_topics(settings)
        await write(settings, [AT])
        whole = await read(settings, start, lambda taken, _: bool(taken.moves))
        move = whole.moves[0]
        assert (move.customer, move.dimension, move.from_segment, move.to_segment) == (
            "c1",
            "lifecycle",
            "new",
            "active",
        )
        assert (move.at_ms, move.cause, move.evidence) == (AT.at_ms, "event", {"orders": 2})
        assert abs(move.written_ms - time.time() * 1000) < 60_000

    run(work)


def test_missing_topics_and_foreign_records_are_said_in_one_sentence(broker: str, unique: str) -> None:
    """Not a screen that stays empty, and no traceback."""
    settings = settings_of(broker, unique)

    async def work() -> None:
        with pytest.raises(
            UserError, match=f"missing topics: {unique}-changes, {unique}-customers; `segstream topics`"
        ):
            await read(settings, "now", lambda *_: True)
        await create_topics(settings)
        producer = AIOKafkaProducer(bootstrap_servers=broker)
        await producer.start()
        await producer.send_and_wait(settings.topics.changes, b"hello", b"c1")
        await producer.stop()
        with pytest.raises(
            UserError, match=f"topic {unique}-changes, partition ., offset 0: not what segstream writes"
        ):
            await read(settings, "beginning", lambda *_: False)

    run(work)


def test_without_a_broker_it_is_one_sentence() -> None:
    """As a user sees it."""
    command = [sys.executable, "-m", "stream", "watch", "--broker", "127.0.0.1:1"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("segstream: no Kafka to work with: 127.0.0.1:1 refuses connections")
    assert run.stderr.count("\n") == 1
