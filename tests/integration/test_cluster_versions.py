"""`segstream versions` on a real Kafka: what comes out is what was published, and mistakes have a sentence."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.cluster.model import ClusterModel
from stream.learners.versions import read_versions

MODEL = ClusterModel(
    dimension="cluster",
    version=1,
    effective=1_000,
    features=("a",),
    mean=(0.1,),
    scale=(0.3,),
    centroids=((0.0,), (1 / 3,)),
    names=("cluster-0", "cluster-1"),
    learned=5,
    cursor={0: 5},
)


def versions(broker: str, topic: str, out: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "stream", "versions", "--broker", broker, "--out", str(out)],
        env=os.environ | {"SEGSTREAM_TOPICS__CONTROL": topic},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def publish(broker: str, topic: str, *values: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)


def test_the_file_holds_the_models_that_were_published(broker: str, unique: str, tmp_path: Path) -> None:
    clock = json.dumps({"type": "clock", "timestamp": "2026-01-31T09:15:02Z"}).encode()
    asyncio.run(publish(broker, unique, MODEL.to_json(), clock))
    done = versions(broker, unique, tmp_path / "versions.jsonl")
    assert (done.returncode, done.stderr.count("1 versions written")) == (0, 1), done.stderr
    assert read_versions(tmp_path / "versions.jsonl") == [MODEL]


def test_a_broken_model_is_told_and_the_others_are_written(broker: str, unique: str, tmp_path: Path) -> None:
    asyncio.run(publish(broker, unique, MODEL.to_json(), b'{"type":"model"}'))
    done = versions(broker, unique, tmp_path / "versions.jsonl")
    assert done.returncode == 1
    assert f"{unique}[0]@1: broken cluster model" in done.stderr
    assert read_versions(tmp_path / "versions.jsonl") == [MODEL]


def test_a_missing_topic_and_a_wrong_address_are_one_sentence(broker: str, unique: str, tmp_path: Path) -> None:
    for address, expected, code in ((broker, f"no topic {unique}", 1), ("nonsense", "--broker nonsense: expected", 2)):
        done = versions(address, unique, tmp_path / "versions.jsonl")
        assert done.returncode == code, done.stderr
        assert expected in done.stderr
        assert "Traceback" not in done.stderr
