"""`segstream topics` and the worker's own check, on a real Kafka."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from click.testing import CliRunner

from stream.cli.topics import command
from stream.errors import UserError
from stream.kafka.topics import check_topics, create_topics, ensure_topics, expected_topics
from stream.settings import Settings, Topics


@pytest.fixture
def settings(broker: str, unique: str) -> Settings:
    """An application whose topics nobody else uses."""
    names = {field: f"{unique}-{field}" for field in Topics.model_fields}
    values: dict[str, Any] = {"app": {"id": unique, "partitions": 3}, "kafka": {"brokers": broker}, "topics": names}
    return Settings(**values)


def other(settings: Settings, **app: object) -> Settings:
    return settings.model_copy(update={"app": settings.app.model_copy(update=app)})


async def alter(settings: Settings, topic: str, **changes: str) -> None:
    """Change a topic's settings, and wait until the broker tells of them: it learns a moment after it agreed."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.brokers)
    await admin.start()
    configs: dict[str, Any] = {name.replace("_", "."): value for name, value in changes.items()}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])
    async with asyncio.timeout(30):
        told: dict[str, str] = {}
        while told != configs:
            (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic, dict(configs))])
            told = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    await admin.close()


def differences(reports: list[Any]) -> list[str]:
    return [f"{report.spec.name}: {item}" for report in reports for item in report.differences]


def test_what_is_created_is_as_expected(settings: Settings) -> None:
    """Created once, then found as it must be; a second run changes nothing, and a worker is content."""
    extra = [f"{settings.app.id}-at-risk"]
    created = asyncio.run(create_topics(settings, extra))
    assert all(report.created for report in created)
    assert differences(created) == []
    again = asyncio.run(create_topics(settings, extra))
    assert not any(report.created for report in again)
    assert differences(again) == []
    found = {report.spec.name: report for report in asyncio.run(ensure_topics(settings, extra))}
    assert found[extra[0]].partitions == found[settings.topics.clickstream].partitions == 3
    assert found[settings.topics.products].partitions == found[settings.topics.control].partitions == 1
    assert found[settings.topics.control].settings["retention.ms"] == "-1"
    assert found[settings.topics.customers].settings["cleanup.policy"] == "compact"
    assert found[settings.changelog_topic].settings["cleanup.policy"] == "compact"
    assert found[settings.changelog_topic].settings["compression.type"] == "zstd"


def test_missing_topics_stop_a_worker(settings: Settings) -> None:
    """All that are missing are named, with the command that creates them; looking creates nothing."""
    names = [spec.name for spec in expected_topics(settings)]
    for _ in range(2):
        with pytest.raises(UserError, match=r"missing topics: .*`segstream topics` creates them") as caught:
            asyncio.run(ensure_topics(settings))
        assert all(name in str(caught.value) for name in names)


def test_unequal_partitions_stop_a_worker(settings: Settings) -> None:
    """One topic with another count is enough, for it would split customers between workers without a word."""

    async def unlike() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.brokers)
        await admin.start()
        await admin.create_topics([NewTopic(settings.topics.purchases, 5, 1), NewTopic(settings.topics.products, 2, 1)])
        await admin.close()
        await create_topics(settings)

    asyncio.run(unlike())
    expected = (
        f"{settings.topics.purchases} has 5, {settings.topics.products} has 2 partitions, "
        f"expected 3 of the shared topics and 1 of {settings.topics.products}"
    )
    with pytest.raises(UserError) as caught:
        asyncio.run(ensure_topics(settings))
    assert str(caught.value).startswith(expected)
    with pytest.raises(UserError, match=r"set app\.partitions to fit"):
        asyncio.run(ensure_topics(other(settings, partitions=5)))


def test_what_differs_is_said_and_does_not_stop_a_worker(settings: Settings) -> None:
    """Compaction, retention, compression, size and copies are each compared with what they must be."""
    asyncio.run(create_topics(settings))
    names = settings.topics
    asyncio.run(alter(settings, names.control, retention_ms="1000", cleanup_policy="delete"))
    asyncio.run(alter(settings, names.customers, cleanup_policy="compact,delete"))
    changelog = {"cleanup_policy": "delete", "compression_type": "producer", "max_message_bytes": "1000"}
    asyncio.run(alter(settings, settings.changelog_topic, **changelog))
    assert differences(asyncio.run(ensure_topics(settings))) == [
        f"{names.control}: retention.ms: 1000, expected -1 (for ever)",
        f"{names.customers}: cleanup.policy: compact,delete, expected compact",
        f"{settings.changelog_topic}: cleanup.policy: delete, expected compact",
        f"{settings.changelog_topic}: compression.type: producer, expected zstd or lz4",
        f"{settings.changelog_topic}: max.message.bytes: 1000, expected 4194304 or more",
    ]
    copies = differences(asyncio.run(check_topics(other(settings, replication_factor=3))))
    assert f"{names.clickstream}: replication factor: 1, expected 3 or more" in copies


def test_what_kafka_refuses_to_create_is_one_sentence(settings: Settings) -> None:
    """More copies than brokers cannot be."""
    with pytest.raises(UserError, match=r"topic .* cannot be created: .*[Rr]eplication factor"):
        asyncio.run(create_topics(other(settings, replication_factor=3)))


def test_the_command_has_exit_codes(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 while something is missing or differs, 0 when all is well; topics that definitions name are among them."""
    extra = f"{settings.app.id}-vip"
    (tmp_path / "vip.yaml").write_text(
        "dimension: vip\nfeatures: {orders: {count: Order Completed}}\n"
        f"segments: [{{segment: vip, when: orders >= 9, topic: {extra}}}]\n"
    )
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SEGSTREAM_APP__ID", settings.app.id)
    monkeypatch.setenv("SEGSTREAM_TOPICS", settings.topics.model_dump_json())
    options = ["--broker", settings.kafka.brokers, "--definitions", str(tmp_path)]
    run = CliRunner().invoke
    missing = run(command, ["--check", *options])
    assert (missing.exit_code, missing.output.count("missing")) == (1, 17), missing.output
    created = run(command, options)
    assert (created.exit_code, created.output.count("created")) == (0, 17), created.output
    assert extra in created.output
    assert run(command, ["--check", *options]).exit_code == 0
    monkeypatch.setenv("SEGSTREAM_APP__PARTITIONS", "4")
    unequal = run(command, options)
    assert unequal.exit_code == 1
    assert "partitions: 8, expected 4" in unequal.output
    assert isinstance(run(command, ["--definitions", str(tmp_path / "none")]).exception, UserError)
