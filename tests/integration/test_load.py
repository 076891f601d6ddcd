"""`segstream load` and `segstream simulate` into a real Kafka: every event once, in order, where its key belongs."""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewTopic
from click.testing import CliRunner, Result

from stream.cli import load as load_command
from stream.cli import simulate as simulate_command
from stream.errors import UserError
from stream.history.reader import read_events
from stream.kafka.client import admin_client
from stream.kafka.send import BATCH_BYTES, sending
from stream.kafka.topics import create_topics
from stream.settings import Settings, Topics, load_settings
from stream.simulate.simulation import SimulationOptions, simulate

#: Murmur2 of some keys, as Kafka's own Java client computes it.
JAVA_HASHES = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "abc": 479470107,
}


class Read(NamedTuple):
    """A record as it was read back."""

    key: bytes | None
    value: bytes
    timestamp: int


@pytest.fixture
def folder(broker: str, unique: str, tmp_path: Path) -> Path:
    """A configuration folder of an application of its own, whose topics exist."""
    names = {field: f"{unique}-{field}" for field in Topics.model_fields}
    values = {"app": {"id": unique, "partitions": 4}, "kafka": {"brokers": broker}, "topics": names}
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "stream.yaml").write_bytes(orjson.dumps(values))
    asyncio.run(create_topics(load_settings(tmp_path / "config")))
    return tmp_path / "config"


@pytest.fixture
def settings(folder: Path) -> Settings:
    return load_settings(folder)


async def read_back(settings: Settings, topic: str) -> dict[int, list[Read]]:
    """Everything of a topic, by partition."""
    found: dict[int, list[Read]] = defaultdict(list)
    async with AIOKafkaConsumer(bootstrap_servers=settings.kafka.brokers, auto_offset_reset="earliest") as consumer:
        single = topic in (settings.topics.products, settings.topics.control)
        parts = [TopicPartition(topic, number) for number in range(1 if single else settings.app.partitions)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for part, records in (await consumer.getmany(timeout_ms=500)).items():
                found[part.partition] += [Read(record.key, record.value, record.timestamp) for record in records]
    return found


def everything(settings: Settings) -> dict[str, dict[int, list[Read]]]:
    async def read_all() -> dict[str, dict[int, list[Read]]]:
        roles = ("clickstream", "purchases", "profiles", "products", "control")
        return {role: await read_back(settings, getattr(settings.topics, role)) for role in roles}

    return asyncio.run(read_all())


def run(module: object, *arguments: object) -> Result:
    command = module.command  # type: ignore[attr-defined]
    return CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)


def of_key(partitions: dict[int, list[Read]]) -> dict[bytes | None, list[bytes]]:
    """Values by key, in the order of the partition; a key lies in one partition only."""
    found: dict[bytes | None, list[bytes]] = {}
    for records in partitions.values():
        here: dict[bytes | None, list[bytes]] = defaultdict(list)
        for record in records:
            here[record.key].append(record.value)
        assert not found.keys() & here.keys()
        found |= here
    return found


def test_what_is_loaded_is_read_back_once_in_order_and_untouched(folder: Path, settings: Settings) -> None:
    """Larger than several batches; the order of each key within each topic is that of the file."""
    file = folder / "events.jsonl"
    lines = [event.value for event in simulate(SimulationOptions(customers=300, days=25))]
    file.write_bytes(b"\n".join(lines) + b"\n")
    assert file.stat().st_size > 8 * BATCH_BYTES
    before = int(time.time() * 1000)
    result = run(load_command, file, "--config", folder)
    assert result.exit_code == 0
    assert f"{len(lines):,} events sent" in result.stderr
    found = everything(settings)
    for role in ("clickstream", "purchases", "profiles", "products"):
        expected: dict[bytes | None, list[bytes]] = defaultdict(list)
        for record in read_events([file], None, False):
            if record.topic == role:
                expected[record.key].append(record.value)
        assert of_key(found[role]) == expected
    stamps = [record.timestamp for part in found["clickstream"].values() for record in part]
    assert before <= min(stamps) <= max(stamps) <= int(time.time() * 1000)  # the time of sending
    [clock] = found["control"][0]
    assert orjson.loads(clock.value) == {"type": "clock", "timestamp": orjson.loads(lines[-1])["timestamp"]}


def test_simulating_into_kafka_gives_the_events_of_the_file(folder: Path, settings: Settings) -> None:
    options = ("--customers", 60, "--days", 30, "--seed", 4)
    assert run(simulate_command, *options, "--config", folder).exit_code == 0
    expected: dict[str, dict[bytes, list[bytes]]] = defaultdict(lambda: defaultdict(list))
    events = list(simulate(SimulationOptions(customers=60, days=30, seed=4)))
    for event in events:
        expected[event.topic][event.key].append(event.value)
    found = everything(settings)
    for role, values in expected.items():
        assert of_key(found[role]) == values
    [clock] = found["control"][0]
    assert orjson.loads(clock.value)["timestamp"] == orjson.loads(events[-1].value)["timestamp"]


def test_a_paced_simulation_tells_the_time_as_it_goes(folder: Path, settings: Settings) -> None:
    options = ("--customers", 5, "--days", 3, "--speed", 86_400, "--no-closing-clock", "--config", folder)
    assert run(simulate_command, *options).exit_code == 0
    clocks = [orjson.loads(record.value) for record in everything(settings)["control"][0]]
    assert len(clocks) >= 2
    assert all(clock["type"] == "clock" for clock in clocks)
    assert clocks == sorted(clocks, key=lambda clock: clock["timestamp"])


@pytest.mark.parametrize(("key", "java_hash"), JAVA_HASHES.items())
def test_a_key_goes_to_the_partition_java_would_choose(settings: Settings, key: str, java_hash: int) -> None:
    async def send() -> dict[int, list[Read]]:
        async with sending(settings) as sender:
            sender.add("clickstream", key.encode(), b"{}")
        return await read_back(settings, settings.topics.clickstream)

    found = asyncio.run(send())
    assert [part for part, records in found.items() if records] == [(java_hash & 0x7FFFFFFF) % 4]


def test_lines_that_are_no_events_are_told_and_the_rest_arrives(folder: Path, settings: Settings) -> None:
    """With a mapping a bad row cannot be sent; without one, malformed lines are for the worker to reject."""
    rows = folder / "rows.csv"
    rows.write_text("who,when\nu1,1\n,2\nu2,soon\nu3,3\n")
    rules = folder / "rules.yaml"
    rules.write_text(
        "format: {kind: csv}\ncustomer: {userId: who}\ntime: {column: when, unit: s}\nevent: {name: Page Viewed}\n"
    )
    result = run(load_command, rows, "--mapping", rules, "--until", "2001-01-01", "--config", folder)
    assert result.exit_code == 1
    assert f"{rows}:3: no-customer" in result.stderr
    assert "2 lines rejected: bad-time 1, no-customer 1" in result.stderr
    lines = folder / "lines.jsonl"
    lines.write_bytes(b"not json\n" + b"x" * 1_100_000 + b"\n")
    result = run(load_command, lines, "--no-closing-clock", "--config", folder)
    assert "too-long 1" in result.stderr
    found = everything(settings)
    assert set(of_key(found["clickstream"])) == {b"u1", b"u3", None}
    assert of_key(found["clickstream"])[None] == [b"not json"]
    assert [orjson.loads(record.value)["timestamp"] for record in found["control"][0]] == ["2001-01-01T00:00:00.000Z"]


def test_what_the_broker_refuses_is_raised(settings: Settings, unique: str) -> None:
    """A topic that takes small records only, and one that is too large for it."""
    small = settings.model_copy(
        update={"topics": settings.topics.model_copy(update={"clickstream": f"{unique}-small"})}
    )
    topic = NewTopic(small.topics.clickstream, 4, 1, topic_configs={"max.message.bytes": "1000"})

    async def send() -> None:
        async with admin_client(small) as admin:
            await admin.create_topics([topic])
        await create_topics(small)  # returns when the topic is visible
        async with sending(small) as sender:
            sender.add("clickstream", b"k", os.urandom(5000))

    with pytest.raises(UserError, match="Kafka refused what was sent"):
        asyncio.run(send())


def test_missing_topics_are_one_sentence(broker: str, unique: str, tmp_path: Path) -> None:
    names = {field: f"{unique}-{field}" for field in Topics.model_fields}
    (tmp_path / "stream.yaml").write_bytes(orjson.dumps({"kafka": {"brokers": broker}, "topics": names}))
    with pytest.raises(UserError, match="missing topics"):
        run(simulate_command, "--customers", 1, "--config", tmp_path)
