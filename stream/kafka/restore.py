"""Reading a changelog partition from where the kept rows end up to its last stable offset."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.kafka.fetch import Taker

#: Bytes asked of a changelog partition at once.
FETCH_BYTES = 4 << 20
#: Seconds without progress after which reading is given up.
STALL_SECONDS = 60.0


class RestoreStalledError(Exception):
    """The changelog stopped giving records before its end."""


async def read_changelog(
    options: Mapping[str, Any],
    topic: str,
    partition: int,
    start: int | None,
    apply: Callable[[Sequence[Any]], Awaitable[None] | None],
    unframe: Callable[..., int] | None = None,
) -> int:
    """Hand all committed records from ``start`` (None: the beginning) up to the last stable offset to ``apply``,
    and await what that gives back; in bulk with ``unframe`` (:class:`stream.kafka.fetch.Taker`).

    Returns the position reached, from which a later call can go on. Reading ends when the *position* reaches the end:
    the last offsets are control records, which bring no record. The end is asked for once, at the start, and only
    means anything after the shard's producer was started: until then a previous owner may still commit.
    """
    tp = TopicPartition(topic, partition)
    consumer = AIOKafkaConsumer(
        **{
            "fetch_max_wait_ms": 100,
            "max_partition_fetch_bytes": FETCH_BYTES,
            **options,
            "group_id": None,
            "enable_auto_commit": False,
            "isolation_level": "read_committed",
            "auto_offset_reset": "earliest",
        }
    )
    await consumer.start()
    try:
        taker = Taker(consumer, unframe=unframe)
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        position = start if start is not None else (await consumer.beginning_offsets([tp]))[tp]
        consumer.seek(tp, position)
        moved_at = time.monotonic()
        while position < end:
            batch = (await taker.next([tp], 1.0)).batches.get(tp)
            if batch is not None:
                position, moved_at = batch.hi, time.monotonic()
                done = apply(batch.records) if batch.records else None
                if done is not None:
                    await done
                    moved_at = time.monotonic()
            elif time.monotonic() - moved_at > STALL_SECONDS:
                raise RestoreStalledError(f"{topic}/{partition}: nothing between offset {position} and its end {end}")
    finally:
        await consumer.stop()
    return position
