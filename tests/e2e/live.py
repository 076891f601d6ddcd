"""Drives the real command line against a real Kafka: topics, workers, loads, and what came out."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tests.conftest import PATIENCE, REPOSITORY

Change = dict[str, Any]
ROLES = (
    "clickstream",
    "purchases",
    "profiles",
    "products",
    "control",
    "changes",
    "customers",
    "dead_letters",
    "vectors",
)


@dataclass
class Live:
    """One application of its own on the shared broker: names, settings, processes."""

    broker: str
    name: str
    folder: Path
    partitions: int = 4
    settings: Mapping[str, str] = field(default_factory=dict)
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Settings by variables: topics and group named after this application, and the event clock."""
        topics = {
            f"SEGSTREAM_TOPICS__{role.upper()}": f"{self.name}-{role}"
            for role in (*ROLES, "rekeyed", "summaries", "histories", "questions", "backfill", "forgotten")
        }
        return {
            **os.environ,
            "SEGSTREAM_CONFIG": str(REPOSITORY / "config"),
            "SEGSTREAM_APP__ID": self.name,
            "SEGSTREAM_APP__OUTPUT_PREFIX": f"{self.name}-",
            "SEGSTREAM_APP__PARTITIONS": str(self.partitions),
            "SEGSTREAM_APP__DATA_DIR": str(REPOSITORY / ".segstream"),
            "SEGSTREAM_TIME__CLOCK": "event",
            "SEGSTREAM_KAFKA__BROKERS": self.broker,
            **topics,
            **self.settings,
        }

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run one command to its end, with that exit code; another shows what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "stream", *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stderr[-4000:]}"
        return done

    def start_worker(self, worker: str, settings: Mapping[str, str] | None = None) -> None:
        """Start a worker, with settings of its own where given; its log goes to a file named after it."""
        log = (self.folder / f"{worker}.log").open("wb")
        self.workers[worker] = subprocess.Popen(
            [sys.executable, "-m", "stream", "worker", "--web-port", "0"],
            env={**self.environment, **(settings or {})},
            cwd=self.folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def stop_worker(self, worker: str) -> int:
        """SIGTERM, and its exit code."""
        process = self.workers.pop(worker)
        process.terminate()
        return process.wait(20)

    def kill_worker(self, worker: str) -> None:
        """kill -9."""
        process = self.workers.pop(worker)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End what still runs."""
        for process in self.workers.values():
            process.kill()
            process.wait()
        self.workers.clear()

    def log(self, worker: str) -> str:
        """What a worker said so far."""
        return (self.folder / f"{worker}.log").read_text()

    def metrics(self, worker: str) -> dict[str, float]:
        """The worker's metrics, name with labels -> value; empty while it starts.  One that has ended is a failure."""
        process = self.workers.get(worker)
        if process is not None and process.poll() is not None:
            raise AssertionError(f"worker {worker} has ended ({process.returncode}):\n{self.log(worker)[-4000:]}")
        return self.scrape(worker)

    def scrape(self, worker: str) -> dict[str, float]:
        """The same, but empty where it has ended, too: for those who have it started again."""
        try:
            said = self.log(worker)
        except FileNotFoundError:  # the log of its former life was put aside
            return {}
        found = re.search(r"metrics at (http://\S+)", said)
        if not found:
            return {}
        request = urllib.request.Request(found[1])  # noqa: S310
        request.add_header("Authorization", f"Bearer {self.settings.get('SEGSTREAM_WEB__TOKEN', '')}")
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    def applied(self, worker: str) -> float:
        """Events that a worker has applied and committed."""
        return self.metrics(worker).get('segstream_events_total{outcome="applied"}', 0.0)

    def ready_shards(self) -> int:
        """Shards that are ready, over all workers."""
        return int(sum(self.metrics(worker).get('segstream_shards{state="ready"}', 0) for worker in self.workers))

    def behind(self) -> int:
        """Records of customers that are in the topics, and that the workers have not committed."""
        return asyncio.run(self._behind())

    async def _behind(self) -> int:
        roles = ("clickstream", "purchases", "profiles")
        places = [TopicPartition(self.topic(role), number) for role in roles for number in range(self.partitions)]
        consumer, admin = (
            AIOKafkaConsumer(bootstrap_servers=self.broker),
            AIOKafkaAdminClient(bootstrap_servers=self.broker),
        )
        await consumer.start()
        await admin.start()
        try:
            ends = await consumer.end_offsets(places)
            done = await admin.list_consumer_group_offsets(self.name)
            return sum(ends[place] - (done[place].offset if place in done else 0) for place in places)
        finally:
            await admin.close()
            await consumer.stop()

    def topic(self, role: str) -> str:
        """The name of a topic by its role."""
        return f"{self.name}-{role}"


SMALL = """
dimension: buys
features:
  orders: {count: Order Completed}
segments:
  - {segment: often, when: orders >= 5}
  - {segment: once, when: orders >= 1}
otherwise: never
"""


def small_config(folder: Path) -> dict[str, str]:
    """Settings of an application with one small dimension, for tests of what does not depend on the definitions: it is
    compiled in seconds."""
    config = folder / "config"
    (config / "segments").mkdir(parents=True)
    (config / "segments" / "buys.yaml").write_text(SMALL)
    shutil.copy(REPOSITORY / "config" / "stream.yaml", config)
    shutil.copytree(REPOSITORY / "config" / "aliases", config / "aliases")
    return {"SEGSTREAM_CONFIG": str(config)}


def wait_for(what: str, condition: Callable[[], Any], seconds: float = PATIENCE, every: float = 0.2) -> Any:
    """Wait until the condition holds; its value."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(every)
    return found


async def _read(broker: str, topic: str, partitions: int, count: int, seconds: float, quiet: float) -> list[Any]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker, isolation_level="read_committed", auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(places)
        there = await consumer.end_offsets(places)
        records: list[Any] = []
        end, last = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < end and (len(records) < count or time.monotonic() - last < quiet):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += batch
                last = time.monotonic()
            if any([await consumer.position(place) < there[place] for place in places]):
                last = time.monotonic()  # a slow fetch is not the quiet after the last one
        return records
    finally:
        await consumer.stop()


def read_topic(
    broker: str, topic: str, partitions: int, count: int, *, seconds: float = PATIENCE, quiet: float = 2.0
) -> list[Any]:
    """Committed records of a topic: what is there, at least ``count`` of them, and what comes until it is quiet."""
    return asyncio.run(_read(broker, topic, partitions, count, seconds, quiet))


def read_changes(live: Live, count: int, role: str = "changes") -> list[Change]:
    """Segment changes, or what else a topic has of CloudEvents, as replay writes them, from headers and values."""
    changes = []
    for record in read_topic(live.broker, live.topic(role), live.partitions, count):
        headers = {name: value.decode() for name, value in record.headers}
        assert record.key.decode() == headers["ce_subject"]
        changes.append(
            {
                "specversion": headers["ce_specversion"],
                "id": headers["ce_id"],
                "source": headers["ce_source"],
                "type": headers["ce_type"],
                "subject": headers["ce_subject"],
                "time": headers["ce_time"],
                "datacontenttype": headers["content-type"],
                "data": json.loads(record.value),
            }
        )
    return changes


def by_customer(changes: list[Change]) -> dict[str, list[Change]]:
    """Each customer's changes in the order in which they came."""
    found: dict[str, list[Change]] = {}
    for change in changes:
        found.setdefault(change["subject"], []).append(change)
    return found


async def _send(broker: str, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)
    finally:
        await producer.stop()


def send(broker: str, topic: str, values: list[bytes]) -> None:
    """Write records to partition 0 of a topic."""
    asyncio.run(_send(broker, topic, values))
