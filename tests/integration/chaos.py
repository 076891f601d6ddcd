"""Counting workers as processes, driven through faults; and what a read-committed consumer saw in the end."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.conftest import PATIENCE

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CUSTOMERS = 300


@dataclass(frozen=True)
class Verdict:
    """What became of the events fed: all should be zero but ``seen`` and ``by``."""

    seen: int
    lost: int
    twice: int
    out_of_order: int
    wrong_counts: int
    by: dict[str, int]

    @property
    def exact(self) -> bool:
        """Every event once, in order, and counted from the right rows."""
        return not (self.lost or self.twice or self.out_of_order or self.wrong_counts)


@dataclass
class Stage:
    """Topics of one app, its workers, and what was fed to it."""

    broker: str
    app: str
    logs: Path
    partitions: int = 4
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    fed: Counter[tuple[bytes, str]] = field(default_factory=Counter)
    port: int = 0

    async def create_topics(self, **partitions: int) -> None:
        """Create all topics; ``partitions`` names topics (by their suffix) that get another number."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.broker)
        await admin.start()
        try:
            topics = [
                NewTopic(f"{self.app}-{name}", partitions.get(name, self.partitions), 1)
                for name in ("a", "b", "out", "segments", "dead", "vectors")
            ]
            topics.append(NewTopic(f"{self.app}-all", 1, 1))
            compact = {"cleanup.policy": "compact"}
            count = partitions.get("changelog", self.partitions)
            topics.append(NewTopic(f"{self.app}-customers-changelog", count, 1, topic_configs=compact))
            await admin.create_topics(topics)
        finally:
            await admin.close()

    def start(self, name: str, **options: Any) -> None:
        """Start a worker; what it logs goes to <logs>/<app>-<name>.log."""
        given = {"app": self.app, "broker": self.broker, "partitions": self.partitions, "me": name, **options}
        with self.log(name).open("wb") as log:
            self.workers[name] = subprocess.Popen(
                [sys.executable, str(HERE / "counting_worker.py"), json.dumps(given)],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def free_port(self) -> int:
        """A port for the web server of one worker."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        return self.port

    def get(self, path: str) -> bytes:
        """What the worker with the web server answers."""
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            body: bytes = answer.read()
            return body

    def log(self, name: str) -> Path:
        """Where a worker logs to."""
        return self.logs / f"{self.app}-{name}.log"

    async def until_logged(self, name: str, text: str, seconds: float = PATIENCE) -> None:
        """Wait until a worker has logged some text."""
        async with asyncio.timeout(seconds):
            while text not in self.log(name).read_text():
                self.must_run()
                await asyncio.sleep(0.05)

    def must_run(self) -> None:
        """Fail, with its log, where a worker has ended by a fault of its own."""
        for name, worker in self.workers.items():
            if (worker.poll() or 0) > 0:
                raise AssertionError(f"worker {name} has ended ({worker.returncode}):\n{self.log(name).read_text()}")

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a worker; SIGKILL waits for its end."""
        self.workers[name].send_signal(number)
        if number == signal.SIGKILL:
            self.workers[name].wait()

    async def stop(self, name: str) -> tuple[int, float]:
        """Ask a worker to end: its exit code, and how many seconds it took."""
        began = time.monotonic()
        worker = self.workers[name]
        worker.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(worker.wait, 30)
        return code, time.monotonic() - began

    def end(self) -> None:
        """End whatever still runs."""
        for worker in self.workers.values():
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
                worker.wait()

    async def feed(self, count: int, rate: float, size: int = 0) -> None:
        """Send events of many customers to both topics at about that rate per second, each of ``size`` bytes more."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.broker, linger_ms=5, enable_idempotence=True, request_timeout_ms=120_000
        )
        await producer.start()
        rng, began, more = random.Random(len(self.fed)), time.monotonic(), "." * size
        for number in range(count):
            key, topic = b"c%d" % rng.randrange(CUSTOMERS), f"{self.app}-{rng.choice('ab')}"
            self.fed[key, topic] += 1
            await producer.send(topic, json.dumps({"n": self.fed[key, topic], "more": more}).encode(), key=key)
            if number % 20 == 0:
                await asyncio.sleep(max(0.0, number / rate - (time.monotonic() - began)))
        await producer.stop()

    async def verdict(self, seconds: float = PATIENCE) -> Verdict:
        """Read the output, committed records only, until all was seen and nothing more comes, or time is up."""
        consumer = AIOKafkaConsumer(
            f"{self.app}-out",
            bootstrap_servers=self.broker,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            group_id=None,
        )
        await consumer.start()
        counts: dict[bytes, list[int]] = defaultdict(list)
        numbers: dict[tuple[bytes, str], list[int]] = defaultdict(list)
        by: Counter[str] = Counter()
        until, quiet_until = time.monotonic() + seconds, 0.0
        while time.monotonic() < until and not 0 < quiet_until < time.monotonic():
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    body = json.loads(record.value)
                    counts[record.key].append(body["count"])
                    numbers[record.key, body["topic"]].append(body["n"])
                    by[body["by"]] += 1
            if by.total() >= self.fed.total() and not quiet_until:
                quiet_until = time.monotonic() + 1.5
        await consumer.stop()
        return Verdict(
            seen=by.total(),
            lost=sum(len(set(range(1, last + 1)) - set(numbers[which])) for which, last in self.fed.items()),
            twice=sum(len(seen) - len(set(seen)) for seen in numbers.values()),
            out_of_order=sum(seen != sorted(seen) for seen in numbers.values()),
            wrong_counts=sum(seen != list(range(1, len(seen) + 1)) for seen in counts.values()),
            by=dict(by),
        )
