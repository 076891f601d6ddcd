"""Asking that customers be forgotten, as anyone may by an event, and waiting for the receipts."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from stream.events.customer import ids_of, partition_key
from stream.events.instant import iso
from stream.kafka.client import consumer_options, producer_options
from stream.kafka.partitions import partition_of
from stream.settings import Settings


@dataclass(frozen=True)
class Request:
    """One event that asks to forget a customer, as of an instant (event time, ms)."""

    customer: str
    event: str
    at_ms: int
    message_id: str = field(default_factory=lambda: f"forget-{uuid.uuid4()}")

    @property
    def key(self) -> bytes:
        """The key under which the customer's events come in."""
        return partition_key(self.customer.encode("utf-8", "surrogatepass"))

    def value(self) -> bytes:
        """The event on the wire; ValueError where the id can be no customer's."""
        user, anonymous = ids_of(self.customer)
        who = {"userId": user} if user is not None else {"anonymousId": anonymous}
        wire = {"messageId": self.message_id, "type": "track", "event": self.event, "timestamp": iso(self.at_ms)}
        return orjson.dumps({**wire, **who, "properties": {}})


@dataclass(frozen=True)
class Receipt:
    """The answer: as of when (ISO 8601) nothing is known of the customer any more, and what they were in."""

    customer: str
    at: str
    segments: dict[str, str | None]


async def ask(
    settings: Settings,
    topic: str,
    partitions: int,
    requests: Sequence[Request],
    seconds: float,
    told: Callable[[Receipt], None],
) -> list[str]:
    """Write the requests to a topic of events and hand each receipt to ``told`` as it comes, for at most ``seconds``.

    Returns the customers for whom none has come. Receipts are those that are committed: what they tell of has happened.
    """
    waiting = {request.message_id: request.customer for request in requests}
    consumer = AIOKafkaConsumer(**{**consumer_options(settings), "group_id": None, "isolation_level": "read_committed"})
    await consumer.start()
    try:
        places = [TopicPartition(settings.topics.forgotten, number) for number in range(partitions)]
        consumer.assign(places)
        for place, end in (await consumer.end_offsets(places)).items():
            consumer.seek(place, end)
        await _write(settings, topic, partitions, requests)
        until = time.monotonic() + seconds
        while waiting and time.monotonic() < until:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    if (receipt := _receipt(record, waiting)) is not None:
                        told(receipt)
    finally:
        await consumer.stop()
    return list(waiting.values())


async def _write(settings: Settings, topic: str, partitions: int, requests: Sequence[Request]) -> None:
    producer = AIOKafkaProducer(**{**producer_options(settings), "acks": "all", "enable_idempotence": True})
    await producer.start()
    try:
        for one in requests:
            await producer.send(topic, one.value(), key=one.key, partition=partition_of(one.key, partitions))
        await producer.flush()
    finally:
        await producer.stop()


def _receipt(record: Any, waiting: dict[str, str]) -> Receipt | None:
    """The receipt in a record, where it answers one of the requests, which then waits no longer."""
    try:
        data = orjson.loads(record.value or b"")
        customer = waiting.pop(data["messageId"])
    except (orjson.JSONDecodeError, KeyError, TypeError):  # of somebody else's request, or none of ours at all
        return None
    headers = dict(record.headers)
    return Receipt(customer, headers.get("ce_time", b"").decode(), data.get("segments", {}))
