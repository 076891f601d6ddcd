"""The trainer on a real Kafka: whoever runs it, the versions are those that one undisturbed trainer writes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from numpy.typing import NDArray

from stream.cluster.model import ClusterModel, ClusterName
from stream.cluster.trainer import Trainer, TrainerSettings
from stream.cluster.wire import encode_headers, encode_value, layout_of
from stream.kafka.transaction import TransactionError
from stream.learners.clusters import TrainerService
from stream.learners.control import Published, read_published
from stream.learners.learner import LearnerSettings

TRAINING = TrainerSettings(features=("a", "b"), clusters=2, seed=5, halflife=0.05, publish_every=100, warm_up=150)
LEAD_MS = 1_000
START_MS = 1_700_000_000_000


def vectors(count: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(11)
    return np.asarray(rng.choice([0.0, 8.0], (count, 1)) + rng.normal(0, 1, (count, 2)), np.float64)


ROWS = vectors(1_000)


def undisturbed(count: int) -> list[ClusterModel]:
    """The versions that one trainer, fed without Kafka, publishes over the first ``count`` vectors."""
    trainer = Trainer(TRAINING)
    models = []
    for offset, row in enumerate(ROWS[:count]):
        trainer.learn(row[np.newaxis])
        if not trainer.warming_up and trainer.until_due() == 0:
            models.append(trainer.snapshot(START_MS + offset + LEAD_MS, {0: offset + 1}))
    return [model for model in models if model is not None]


@dataclass
class Bench:
    """One application's topics, and what its trainers reported."""

    settings: LearnerSettings
    failures: list[BaseException] = field(default_factory=list)

    def service(self, training: TrainerSettings = TRAINING) -> TrainerService:
        return TrainerService(self.settings, training, self.failures.append, share=1.0)

    async def send(self, lo: int, hi: int) -> None:
        """The vectors of ``ROWS`` from ``lo`` to before ``hi``, in order."""
        producer = AIOKafkaProducer(**self.settings.producer)
        await producer.start()
        try:
            for number in range(lo, hi):
                headers = encode_headers(START_MS + number, layout_of(TRAINING.features))
                await producer.send(
                    self.settings.source, encode_value(ROWS[number]), key=b"c%d" % number, headers=headers, partition=0
                )
            await producer.flush()
        finally:
            await producer.stop()

    async def send_raw(self, topic: str, value: bytes) -> None:
        producer = AIOKafkaProducer(**self.settings.producer)
        await producer.start()
        try:
            await producer.send_and_wait(topic, value, partition=0)
        finally:
            await producer.stop()

    async def published(self) -> Published:
        return await read_published(self.settings.consumer, self.settings.control)


async def bench(broker: str, name: str) -> Bench:
    """New topics on the broker."""
    client = {"bootstrap_servers": broker}
    settings = LearnerSettings(name, f"{name}-vectors", f"{name}-control", client, client, lead_ms=LEAD_MS)
    admin = AIOKafkaAdminClient(**client)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1) for topic in (settings.source, settings.control)])
    finally:
        await admin.close()
    return Bench(settings)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it, 30 s at most."""
    for _ in range(3_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError("it did not become true within 30 s")


def test_a_second_trainer_takes_over_and_the_first_is_fenced(broker: str, unique: str) -> None:
    """Both read the same vectors; only the younger can publish, and it goes on with the older one's versions."""

    async def scenario() -> None:
        at = await bench(broker, unique)
        older, younger = at.service(), at.service()
        await older.start()
        await at.send(0, 320)
        await until(lambda: older.counts.learned == 320)
        await younger.start()
        await until(lambda: younger.counts.version == 2)
        await at.send(320, 700)
        await until(lambda: bool(at.failures) and younger.counts.learned + 250 == 700)
        await younger.stop()
        await older.stop()
        assert [type(failure) for failure in at.failures] == [TransactionError]
        assert (older.counts.published, younger.counts.published) == (2, 4)
        assert (await at.published()).versions == undisturbed(700)

    asyncio.run(scenario())


def test_stops_and_starts_leave_no_mark_on_the_versions(broker: str, unique: str) -> None:
    async def scenario() -> None:
        at = await bench(broker, unique)
        for lo, hi in ((0, 90), (90, 400), (400, 410), (410, 1_000)):
            await at.send(lo, hi)
            service = at.service()
            await service.start()
            expected = len(undisturbed(hi))
            await until(lambda service=service, expected=expected: service.counts.version == expected)  # type: ignore[misc]
            await service.stop()
        assert at.failures == []
        assert (await at.published()).versions == undisturbed(1_000)

    asyncio.run(scenario())


def test_a_name_that_a_person_gives_stays_over_versions_and_restarts(broker: str, unique: str) -> None:
    """At once in a version of its own, with the same clusters; it changes nothing in what is learned."""

    async def scenario() -> None:
        at = await bench(broker, unique)
        await at.send(0, 200)
        first = at.service()
        await first.start()
        await until(lambda: first.counts.version == 1)
        for request in (ClusterName("cluster", 1, "early birds"), ClusterName("cluster", 99, "nobody")):
            await at.send_raw(at.settings.control, request.to_json())
        await until(lambda: first.counts.version == 2)
        await at.send(200, 300)
        await until(lambda: first.counts.version == 3)
        await first.stop()
        await at.send_raw(at.settings.control, ClusterName("cluster", 0, "regulars").to_json())
        second = at.service()
        await second.start()
        await until(lambda: second.counts.version == 4)
        await at.send(300, 400)
        await until(lambda: second.counts.version == 5)
        await second.stop()
        models = [model for model in (await at.published()).versions if isinstance(model, ClusterModel)]
        assert [model.given for model in models] == [(), (1,), (1,), (0, 1), (0, 1)]
        assert [model.names[1] for model in models[1:]] == ["early birds"] * 4
        assert [model.names[0] for model in models[3:]] == ["regulars"] * 2
        plain = [(model.learned, model.cursor, model.centroids) for model in undisturbed(400)]
        assert [(model.learned, model.cursor, model.centroids) for model in models] == [
            plain[number] for number in (0, 0, 1, 1, 2)
        ]
        assert at.failures == []

    asyncio.run(scenario())


def test_a_name_asked_for_while_no_trainer_ran_takes_effect_after_all_that_came_since(broker: str, unique: str) -> None:
    """Shards are as far as the latest vector; a version at an earlier instant would come late to them."""

    async def scenario() -> None:
        at = await bench(broker, unique)
        await at.send(0, 150)
        first = at.service()
        await first.start()
        await until(lambda: first.counts.version == 1)
        await first.stop()
        await at.send(150, 240)
        await at.send_raw(at.settings.control, ClusterName("cluster", 0, "regulars").to_json())
        second = at.service()
        await second.start()
        await until(lambda: second.counts.version == 2)
        await second.stop()
        newest = (await at.published()).newest("cluster")
        assert newest is not None
        assert (newest.given, newest.effective) == ((0,), START_MS + 239 + LEAD_MS)

    asyncio.run(scenario())


def test_a_name_asked_for_too_early_stays_refused_when_there_is_such_a_cluster(broker: str, unique: str) -> None:
    async def scenario() -> None:
        at = await bench(broker, unique)
        await at.send_raw(at.settings.control, ClusterName("cluster", 1, "too early").to_json())
        for hi in (150, 250):
            await at.send(0 if hi == 150 else 150, hi)
            service = at.service()
            await service.start()
            await until(lambda service=service, hi=hi: service.counts.version == len(undisturbed(hi)))  # type: ignore[misc]
            await service.stop()
        assert (await at.published()).versions == undisturbed(250)

    asyncio.run(scenario())


def test_a_topic_made_anew_is_learned_from_its_beginning(
    broker: str, unique: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its offsets say nothing of where learning was; versions and clusters go on."""

    async def scenario() -> None:
        at = await bench(broker, unique)
        await at.send(0, 150)
        first = at.service()
        await first.start()
        await until(lambda: first.counts.version == 1)
        await first.stop()
        anew = await bench(broker, unique + "-anew")
        anew.settings = replace(anew.settings, control=at.settings.control)
        await anew.send(150, 280)
        second, third = anew.service(), anew.service()
        await second.start()
        await until(lambda: second.counts.learned == 130)
        await second.stop()
        await third.start()
        await until(lambda: third.counts.learned == 30)
        await third.stop()
        models = [model for model in (await at.published()).versions if isinstance(model, ClusterModel)]
        assert [(model.learned, model.cursor) for model in models] == [(150, {0: 150}), (250, {0: 100})]
        assert models[0].numbers == models[1].numbers

    asyncio.run(scenario())
    assert [r.message for r in caplog.records if "made anew" in r.message] == [
        f"{unique}-anew-vectors ends at 130, before 150, where learning was: it was made anew or cut; all that is in "
        "it is learned"
    ]


def test_vectors_deleted_before_they_were_learned_are_told(
    broker: str, unique: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        at = await bench(broker, unique)
        await at.send(0, 200)
        first = at.service()
        await first.start()
        await until(lambda: first.counts.version == 1)
        await first.stop()
        admin = AIOKafkaAdminClient(**at.settings.consumer)
        await admin.start()
        try:
            await admin.delete_records({TopicPartition(at.settings.source, 0): RecordsToDelete(180)})
        finally:
            await admin.close()
        second = at.service()
        await second.start()
        await until(lambda: second.counts.learned == 20)
        await second.stop()

    asyncio.run(scenario())
    assert [r.message for r in caplog.records if "deleted" in r.message] == [
        f"{unique}-vectors begins at 180: the 30 vectors from 150 on, where learning was, were deleted before they "
        "were learned"
    ]


@dataclass
class Heard:
    """What a trainer reported."""

    counts: Counter[str] = field(default_factory=Counter)
    versions: list[int] = field(default_factory=list)

    def learned(self, learned: int, skipped: int, seconds: float) -> None:
        self.counts += Counter(learned=learned, skipped=skipped, busy=int(seconds > 0))

    def drifted(self, what: str) -> None:
        self.counts[what] += 1

    def published(self, model: ClusterModel) -> None:
        self.versions.append(model.version)

    def ended(self) -> None:
        self.counts["ended"] += 1


def test_what_a_trainer_does_is_reported_and_what_it_reads_again_is_not(broker: str, unique: str) -> None:
    async def scenario() -> None:
        at = await bench(broker, unique)
        await at.send(0, 270)
        first, second = Heard(), Heard()
        for heard, count in ((first, 270), (second, 20)):
            service = TrainerService(at.settings, TRAINING, at.failures.append, share=1.0, reports=heard)
            await service.start()
            await until(lambda service=service, count=count: service.counts.learned == count)  # type: ignore[misc]
            await service.stop()
        assert first.versions == [1, 2]
        assert second.versions == [2]
        assert (first.counts["learned"], second.counts["learned"]) == (270, 20)
        assert first.counts["skipped"] == second.counts["skipped"] == 0
        assert (first.counts["ended"], second.counts["ended"]) == (1, 1)
        assert first.counts["busy"] > 0

    asyncio.run(scenario())


def test_what_is_no_vector_and_what_is_no_model_stop_nothing(broker: str, unique: str) -> None:
    async def scenario() -> None:
        at = await bench(broker, unique)
        for value in (b"{", b'{"type":"model"}', b'{"type":"clock","timestamp":"2026-01-31T09:15:02Z"}'):
            await at.send_raw(at.settings.control, value)
        await at.send_raw(at.settings.source, b"no vector")
        await at.send(0, 150)
        service = at.service()
        await service.start()
        await until(lambda: service.counts.published == 1)
        await service.stop()
        published = await at.published()
        assert service.counts.skipped == 1
        assert [model.cursor for model in published.versions if isinstance(model, ClusterModel)] == [{0: 151}]
        assert len(published.broken) == 2
        assert at.failures == []

    asyncio.run(scenario())


def test_a_trainer_of_other_features_counts_on(broker: str, unique: str) -> None:
    """Vectors of the former features are passed over, also where their number is the same."""

    async def scenario() -> None:
        at = await bench(broker, unique)
        await at.send(0, 200)
        first = at.service()
        await first.start()
        await until(lambda: first.counts.version == 1)
        await first.stop()
        other = at.service(replace(TRAINING, features=("a", "z")))
        await other.start()
        await until(lambda: other.counts.skipped == 50)
        await other.stop()
        assert (other.counts.learned, other.counts.version) == (0, 1)
        assert at.failures == []

    asyncio.run(scenario())


@pytest.mark.timeout(60)
def test_a_broker_that_is_not_there_is_reported_to_the_owner(unique: str) -> None:
    async def scenario() -> None:
        client = {"bootstrap_servers": "127.0.0.1:1"}
        failures: list[BaseException] = []
        service = TrainerService(LearnerSettings(unique, "v", "c", client, client), TRAINING, failures.append)
        await service.start()
        await until(lambda: bool(failures))
        await service.stop()

    asyncio.run(scenario())
