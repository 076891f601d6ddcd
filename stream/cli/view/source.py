"""Reads what the view shows from Kafka: the latest segments of each customer, and the segment changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.cli.view.state import LATELY_MS, Move
from stream.errors import UserError
from stream.events.instant import parse_iso
from stream.kafka.client import connect_or_explain, consumer_options, quiet_aiokafka
from stream.settings import Settings

#: Where reading of the changes begins: with the first, with those of the last minute, or with the next.
Start = Literal["beginning", "lately", "now"]


@dataclass(slots=True)
class Taken:
    """What one look brought: (customer, their segments; None: gone), and changes."""

    placed: list[tuple[str, dict[str, str | None] | None]] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)


class Source:
    """A consumer of both topics, outside every group; only what is committed is seen."""

    def __init__(self, consumer: AIOKafkaConsumer, settings: Settings, ends: dict[TopicPartition, int]) -> None:
        self._consumer = consumer
        self._customers = settings.topics.customers
        self._ends = {tp: end for tp, end in ends.items() if tp.topic == self._customers}
        self._whole = 0

    async def take(self, seconds: float) -> Taken:
        """What has come, waiting up to so long for the first of it."""
        taken = Taken()
        for tp, records in (await self._consumer.getmany(timeout_ms=int(seconds * 1000))).items():
            for record in records:
                try:
                    if tp.topic == self._customers:
                        taken.placed.append(read_placing(record))
                    else:
                        taken.moves.append(read_move(record))
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    raise UserError(
                        f"topic {tp.topic}, partition {tp.partition}, offset {record.offset}: not what segstream "
                        f"writes there ({error}); are topics.changes and topics.customers those of the worker?",
                        exit_code=1,
                    ) from error
        return taken

    async def loaded(self) -> float:
        """How much has been read of what was there of the latest segments when reading began, 0 to 1."""
        if not self._ends:
            return 1.0
        left: list[int] = [max(0, end - await self._consumer.position(tp)) for tp, end in self._ends.items()]
        self._whole = max(self._whole, sum(left))
        self._ends = {tp: end for (tp, end), behind in zip(self._ends.items(), left, strict=True) if behind}
        return 1 - sum(left) / max(1, self._whole)


@asynccontextmanager
async def reading(settings: Settings, start: Start, *, sizes: bool = True) -> AsyncIterator[Source]:
    """A source; ``sizes`` False leaves out the latest segments. `UserError` where Kafka or a topic is missing."""
    await connect_or_explain(settings)
    consumer = AIOKafkaConsumer(
        **{
            **consumer_options(settings),
            "group_id": None,
            "enable_auto_commit": False,
            "isolation_level": "read_committed",
            "auto_offset_reset": "earliest",
        }
    )
    with quiet_aiokafka():
        try:
            await consumer.start()
            topics = [settings.topics.changes, *([settings.topics.customers] if sizes else [])]
            partitions = await _partitions(consumer, topics)
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            await consumer.seek_to_beginning(*partitions)
            if start != "beginning":
                await _skip(consumer, [tp for tp in partitions if tp.topic == settings.topics.changes], start, ends)
            yield Source(consumer, settings, ends)
        finally:
            await _stop(consumer)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    stopping = asyncio.create_task(consumer.stop())
    await asyncio.wait([stopping])
    if stopping.cancelled():
        # Without a broker aiokafka trips over its own cancelled fetch and leaves its connections open.
        await consumer._client.close()
    else:
        stopping.result()


async def _partitions(consumer: AIOKafkaConsumer, topics: list[str]) -> list[TopicPartition]:
    cluster = await consumer._client.fetch_all_metadata()
    found = {topic: cluster.partitions_for_topic(topic) for topic in topics}
    missing = [topic for topic, numbers in found.items() if not numbers]
    if missing:
        raise UserError(f"missing topics: {', '.join(missing)}; `segstream topics` creates them", exit_code=1)
    return [TopicPartition(topic, number) for topic, numbers in found.items() for number in sorted(numbers)]


async def _skip(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], start: Start, ends: dict[TopicPartition, int]
) -> None:
    offsets: dict[TopicPartition, Any] = {}
    if start == "lately":
        since = int(time.time() * 1000) - LATELY_MS
        offsets = await consumer.offsets_for_times(dict.fromkeys(partitions, since))
    for tp in partitions:
        found = offsets.get(tp)
        consumer.seek(tp, ends[tp] if found is None else found.offset)


def read_placing(record: Any) -> tuple[str, dict[str, str | None] | None]:
    """A record of the latest segments; without a value the customer is gone."""
    customer = record.key.decode("utf-8", "replace")
    return customer, None if record.value is None else dict(orjson.loads(record.value)["segments"])


def read_move(record: Any) -> Move:
    """A segment change, as a CloudEvent in Kafka's binary mode."""
    headers = dict(record.headers)
    data = orjson.loads(record.value)
    return Move(
        record.key.decode("utf-8", "replace"),
        data["dimension"],
        data["from"],
        data["to"],
        parse_iso(headers["ce_time"].decode()),
        data["cause"],
        data["evidence"],
        record.timestamp,
    )
