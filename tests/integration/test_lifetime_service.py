"""The trainer of lifetimes on a real Kafka: whoever runs it, there is one sequence of versions, none learned twice."""

from __future__ import annotations

import asyncio

import numpy as np
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.kafka.transaction import TransactionError
from stream.learners.control import read_published
from stream.learners.gathering import key_of
from stream.learners.learner import LearnerSettings
from stream.learners.lifetimes import LifetimeService
from stream.predict.lifetime_model import LifetimeModel
from stream.predict.telling import DAY, tell

AT = 20_000 * DAY
LEAD_MS = 500


async def where_to(broker: str, name: str) -> LearnerSettings:
    """New topics on the broker."""
    client = {"bootstrap_servers": broker}
    admin = AIOKafkaAdminClient(**client)
    await admin.start()
    compacted = {"cleanup.policy": "compact"}
    topics = [NewTopic(f"{name}-histories", 1, 1, topic_configs=compacted), NewTopic(f"{name}-control", 1, 1)]
    await admin.create_topics(topics)
    await admin.close()
    return LearnerSettings(name, f"{name}-histories", f"{name}-control", client, client, lead_ms=LEAD_MS)


async def told(where: LearnerSettings, partition: int, at: int, *, customers: int = 300, rate: float = 0.02) -> None:
    """What a shard tells of customers who buy at such a rate a day and leave after one purchase in five."""
    rng = np.random.default_rng(partition)
    rows = []
    for _ in range(customers):
        age, x, last = float(rng.uniform(100, 400)), 0, 0.0
        while rng.random() > 0.2 and (after := last + rng.exponential(1 / rate)) < age:
            x, last = x + 1, after
        rows.append((x + 1, at - int(age * DAY), at - int((age - last) * DAY)))
    columns = np.array(rows, np.int64).T
    summary = tell(partition, at, "orders", tuple(columns), columns[0] * rng.lognormal(17, 0.5, customers))
    async with AIOKafkaProducer(**where.producer) as producer:
        await producer.send_and_wait(where.source, summary.encode(), key=key_of(summary), partition=0)


async def versions(where: LearnerSettings, count: int, seconds: float = 60.0) -> list[LifetimeModel]:
    """What is published, once there are so many."""
    async with asyncio.timeout(seconds):
        while True:
            published = await read_published(where.consumer, where.control)
            assert published.broken == []
            found = [version for version in published.versions if isinstance(version, LifetimeModel)]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.1)


class Told:
    """Who is told what a trainer does; each fit wakes who waits for it."""

    def __init__(self) -> None:
        self.changes: list[float | None] = []
        self.fit = asyncio.Event()

    def fitted(self, change: float | None, seconds: float) -> None:
        self.changes.append(change)
        self.fit.set()

    def published(self, model: LifetimeModel) -> None:
        pass

    def ended(self) -> None:
        pass


def test_versions_follow_what_shards_tell_and_a_successor_goes_on(broker: str, unique: str) -> None:
    """The younger trainer fences the older one, learns nothing twice, counts on; what changes little is no version."""

    async def run() -> None:
        where = await where_to(broker, unique)
        failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        older = LifetimeService(where, 2, failed.set_result, share=1.0)
        await older.start()
        await told(where, 0, AT)
        await told(where, 1, AT + 200)
        first = (await versions(where, 1))[0]
        assert (first.version, first.effective, first.learned_at) == (1, AT + 200 + LEAD_MS, AT + 200)
        assert first.customers == 600
        assert first.spend is not None
        reports = Told()
        younger = LifetimeService(where, 2, failed.set_result, share=1.0, reports=reports)
        await younger.start()
        await told(where, 0, AT + 1_000)
        await told(where, 1, AT + 1_000)  # the same customers, a second later
        await asyncio.wait_for(reports.fit.wait(), 60)
        assert reports.changes[0] is not None
        assert reports.changes[0] < 0.01
        assert await versions(where, 1) == [first]
        reports.fit.clear()
        await told(where, 0, AT + 2_000, rate=0.05)
        await told(where, 1, AT + 2_000, rate=0.05)
        second = (await versions(where, 2))[1]
        assert (second.version, second.effective) == (2, AT + 2_000 + LEAD_MS)
        assert second.r / second.alpha > 1.5 * first.r / first.alpha
        # The older one, too, fits what it hears of; it finds out that it was replaced when it publishes.
        assert isinstance(await asyncio.wait_for(failed, 60), TransactionError)
        assert await versions(where, 2) == [first, second]
        await older.stop()
        await younger.stop()

    asyncio.run(run())


def test_too_few_customers_and_broken_records_are_no_end_of_it(broker: str, unique: str) -> None:
    """There is no version until there are enough; what cannot be read is passed over."""

    async def run() -> None:
        where = await where_to(broker, unique)
        async with AIOKafkaProducer(**where.producer) as producer:
            await producer.send_and_wait(where.source, b"not that", key=b"0", partition=0)
        reports = Told()
        trainer = LifetimeService(where, 1, lambda error: None, share=1.0, reports=reports)
        await trainer.start()
        await told(where, 0, AT, customers=5)
        await asyncio.wait_for(reports.fit.wait(), 60)
        assert reports.changes == [None]
        await told(where, 0, AT + 1_000)
        assert [one.version for one in await versions(where, 1)] == [1]
        await trainer.stop()

    asyncio.run(run())
