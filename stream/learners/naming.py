"""Asking the trainer to call a cluster by a name that a person chose, and waiting until a version does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from stream.cluster.model import ClusterModel, ClusterName
from stream.learners.control import Published

#: How long one look for new records lasts, in ms.
LOOK_MS = 200


def grants(model: ClusterModel, request: ClusterName) -> bool:
    """Whether a version calls the cluster as asked: by that name, or where none was asked for by one of its own."""
    if model.dimension != request.dimension or request.id not in model.numbers:
        return False
    if not request.name:
        return request.id not in model.given
    return request.id in model.given and model.names[model.numbers.index(request.id)] == request.name


async def ask(
    consumer_options: Mapping[str, Any],
    producer_options: Mapping[str, Any],
    control: str,
    request: ClusterName,
    seconds: float,
    newest: ClusterModel | None = None,
) -> ClusterModel | None:
    """Write the request to the control topic; the version that grants it, or None if there is none after ``seconds``.

    The options are aiokafka's. The request stays on the topic: whoever runs the trainer later grants it. Where the
    ``newest`` version grants it already, no other will come for it: that one is the answer. It is written all the same,
    as somebody may have asked for another name since.
    """
    place = TopicPartition(control, 0)
    consumer = AIOKafkaConsumer(**{**consumer_options, "group_id": None, "isolation_level": "read_committed"})
    await consumer.start()
    try:
        consumer.assign([place])
        consumer.seek(place, (await consumer.end_offsets([place]))[place])
        await _write(producer_options, control, request)
        if newest is not None and grants(newest, request):
            return newest
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            published = Published()
            for record in (await consumer.getmany(place, timeout_ms=LOOK_MS)).get(place, ()):
                published.add(f"{control}[0]@{record.offset}", record.value)
            for version in published.versions:
                if isinstance(version, ClusterModel) and grants(version, request):
                    return version
        return None
    finally:
        await consumer.stop()


async def _write(options: Mapping[str, Any], control: str, request: ClusterName) -> None:
    producer = AIOKafkaProducer(**{**options, "acks": "all", "enable_idempotence": True})
    await producer.start()
    try:
        await producer.send_and_wait(control, request.to_json(), key=request.dimension.encode(), partition=0)
    finally:
        await producer.stop()
