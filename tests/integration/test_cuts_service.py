"""The learner of cuts on a real Kafka: whoever runs it, there is one sequence of versions, none learned twice."""

from __future__ import annotations

import asyncio

import numpy as np
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.cuts.summary import summarize_shard
from stream.engine.versions import CutsVersion
from stream.kafka.transaction import TransactionError
from stream.learners.control import read_published
from stream.learners.cuts import CutsService
from stream.learners.gathering import key_of
from stream.learners.learner import LearnerSettings

LEAD_MS = 500


async def where_to(broker: str, name: str) -> LearnerSettings:
    """New topics on the broker."""
    client = {"bootstrap_servers": broker}
    admin = AIOKafkaAdminClient(**client)
    await admin.start()
    compacted = {"cleanup.policy": "compact"}
    topics = [NewTopic(f"{name}-summaries", 1, 1, topic_configs=compacted), NewTopic(f"{name}-control", 1, 1)]
    await admin.create_topics(topics)
    await admin.close()
    return LearnerSettings(name, f"{name}-summaries", f"{name}-control", client, client, lead_ms=LEAD_MS)


async def tell(where: LearnerSettings, partition: int, at: int, *spends: float) -> None:
    """A shard's summary, as its transaction writes it."""
    summary = summarize_shard(partition, at, ["spend"], [(0, 0.5)], np.array(spends).reshape(-1, 1))
    async with AIOKafkaProducer(**where.producer) as producer:
        await producer.send_and_wait(where.source, summary.encode(), key=key_of(summary), partition=0)


async def versions(where: LearnerSettings, count: int, seconds: float = 60.0) -> list[tuple[int, int, float]]:
    """Number, instant and cut of what is published, once there are so many."""
    async with asyncio.timeout(seconds):
        while True:
            published = await read_published(where.consumer, where.control)
            assert published.broken == []
            found = [v for v in published.versions if isinstance(v, CutsVersion)]
            if len(found) >= count:
                return [(v.version, v.effective, v.cuts[0][2]) for v in found]
            await asyncio.sleep(0.1)


def test_versions_follow_the_summaries_and_a_successor_goes_on(broker: str, unique: str) -> None:
    """The younger learner fences the older one, learns nothing twice, and counts on."""

    async def run() -> None:
        where = await where_to(broker, unique)
        failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        older = CutsService(where, 2, failed.set_result)
        await older.start()
        await tell(where, 0, 1_000, 1, 2)
        await tell(where, 1, 1_200, 3, 4)
        first = (1, 1_700, 2.0)
        assert await versions(where, 1) == [first]
        younger = CutsService(where, 2, failed.set_result)
        await younger.start()
        await asyncio.sleep(2.0)
        assert await versions(where, 1) == [first]
        assert not failed.done()
        await tell(where, 0, 2_000, 7, 7)
        await tell(where, 1, 2_000, 7, 7)
        assert await versions(where, 2) == [first, (2, 2_500, 7.0)]
        assert isinstance(await asyncio.wait_for(failed, 15), TransactionError)
        assert await versions(where, 2) == [first, (2, 2_500, 7.0)]
        await older.stop()
        await younger.stop()

    asyncio.run(run())


def test_a_broken_summary_is_passed_over(broker: str, unique: str) -> None:
    async def run() -> None:
        where = await where_to(broker, unique)
        async with AIOKafkaProducer(**where.producer) as producer:
            await producer.send_and_wait(where.source, b"not that", key=b"0", partition=0)
        await tell(where, 0, 1_000, 1, 2)
        learner = CutsService(where, 1, lambda error: None)
        await learner.start()
        assert await versions(where, 1) == [(1, 1_500, 1.0)]
        await learner.stop()

    asyncio.run(run())
