"""SIGTERM: within 5 seconds a worker is gone from its group, whatever it was at, and no reader is held up by it; and
what its health pages say meanwhile.  Counting workers on a real Kafka."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from stream.kafka.broker import EmbeddedBroker
from tests.conftest import JARS, PATIENCE
from tests.e2e.live import Live
from tests.integration.chaos import Stage


@pytest.fixture
def stage(broker: str, unique: str, tmp_path: Path) -> Iterator[Stage]:
    """Topics of this test's own; whatever worker still runs is ended."""
    stage = Stage(broker, unique, tmp_path)
    yield stage
    stage.end()


def ask(stage: Stage, page: str) -> tuple[int, dict[str, Any]]:
    """Status and body of a health page; 0 where nobody answers."""
    try:
        return 200, json.loads(stage.get(page))
    except HTTPError as error:
        return error.code, json.loads(error.read())
    except URLError:
        return 0, {}


async def until(stage: Stage, page: str, status: int, seconds: float = PATIENCE) -> dict[str, Any]:
    """Wait until a page answers with that status; its body.  A worker that has ended meanwhile is a failure at once."""
    end, got, body = time.monotonic() + seconds, 0, dict[str, Any]()
    while time.monotonic() < end:
        got, body = await asyncio.to_thread(ask, stage, page)
        if got == status:
            return body
        stage.must_run()
        await asyncio.sleep(0.1)
    logs = "".join(stage.log(name).read_text() for name in stage.workers)
    pytest.fail(f"{page} answers {got} {body} after {seconds:.0f} s; the log:\n{logs}")


async def members(stage: Stage) -> int:
    """How many members the group has, as its coordinator says."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.broker)
    await admin.start()
    try:
        [answer] = await admin.describe_consumer_groups([stage.app])
        return len(answer.groups[0][5])
    finally:
        await admin.close()


async def held_up(stage: Stage, topic: str) -> list[int]:
    """Partitions in which readers of committed records cannot come to the end."""
    tps = [TopicPartition(f"{stage.app}-{topic}", number) for number in range(stage.partitions)]
    ends = []
    for level in ("read_committed", "read_uncommitted"):
        consumer = AIOKafkaConsumer(bootstrap_servers=stage.broker, group_id=None, isolation_level=level)
        await consumer.start()
        try:
            ends.append(await consumer.end_offsets(tps))
        finally:
            await consumer.stop()
    return [tp.partition for tp in tps if ends[0][tp] != ends[1][tp]]


def test_a_long_transaction_is_aborted_on_leaving(stage: Stage) -> None:
    """A transaction that does not end in time is aborted by the worker itself: readers go on at once, not after the
    broker's own time limit, and the next worker does that work again."""

    async def run() -> None:
        await stage.create_topics()
        stage.start("A", slow=[1.0, 60.0], transaction_timeout=60.0)
        await stage.until_logged("A", "shards ready")
        await stage.feed(200, 1_000)
        async with asyncio.timeout(PATIENCE):
            while len(await held_up(stage, "out")) < stage.partitions:  # noqa: ASYNC110  another process makes it so
                await asyncio.sleep(0.1)
        code, seconds = await stage.stop("A")
        assert (code, seconds < 5) == (0, True), seconds
        assert await members(stage) == 0
        assert await held_up(stage, "out") == []
        assert await held_up(stage, "customers-changelog") == []
        stage.start("B")
        verdict = await stage.verdict()
        assert verdict.exact, verdict
        assert set(verdict.by) == {"B"}

    asyncio.run(run())


def test_a_worker_that_recovers_says_so_and_leaves(stage: Stage) -> None:
    """Before its shards are ready a worker is alive and not ready, with the reason; SIGTERM does not wait for them."""

    async def run() -> None:
        await stage.create_topics()
        stage.start("A", web_port=stage.free_port(), never_restored=True)
        body = await until(stage, "/health/ready", 503)
        async with asyncio.timeout(PATIENCE):
            while not body["shards"]:
                body = await until(stage, "/health/ready", 503)
        assert body["why"] == ["4 of 4 shards are not ready"]
        assert set(body["not_ready"]) == {"0", "1", "2", "3"}
        async with asyncio.timeout(PATIENCE):
            while "waiting for its definitions to be compiled" not in body["not_ready"].values():
                body = await until(stage, "/health/ready", 503)
        assert ask(stage, "/health/live") == (200, {"status": "live"})
        code, seconds = await stage.stop("A")
        assert (code, seconds < 5) == (0, True), seconds
        assert await members(stage) == 0

    asyncio.run(run())


def test_a_worker_that_compiles_ends_at_once(broker: str, unique: str, tmp_path: Path) -> None:
    """The main thread is in the compiler for many seconds, where Python hears no signal: it is ended all the same."""
    settings = {"SEGSTREAM_APP__DATA_DIR": str(tmp_path / "data"), "SEGSTREAM_LOGGING__FORMAT": "json"}
    live = Live(broker, unique, tmp_path, 1, settings)
    live.run("topics")
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        worker = subprocess.Popen([sys.executable, "-m", "stream", "worker"], env=live.environment, stderr=stderr)
    try:
        end = time.monotonic() + 60
        while "compiling them" not in log.read_text() or not list(tmp_path.glob("data/plans/*")):
            assert worker.poll() is None, log.read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(1.0)  # well into the compiler
        began = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0
        assert time.monotonic() - began < 5
    finally:
        worker.kill()
        worker.wait()
    assert json.loads(log.read_text().splitlines()[-1])["message"] == "stopped before it had begun"


def test_a_silent_broker_is_told_once_and_does_not_hold_a_worker_up(unique: str, tmp_path: Path) -> None:
    """A broker that stands still: the worker stays alive, says that it is not ready and why, tells it in one line;
    is ready again when the broker is; and ends in time where it is not."""
    with EmbeddedBroker(tmp_path / "kafka", port=0, jars=JARS, heap_mb=256) as own:
        stage = Stage(own.address, unique, tmp_path)
        pid = own.pid
        assert pid is not None

        async def run() -> None:
            await stage.create_topics()
            stage.start("A", web_port=stage.free_port(), ready_without_kafka=6.0)
            assert (await until(stage, "/health/ready", 200))["shards_ready"] == 4
            feeding = asyncio.create_task(stage.feed(600, 100))
            await asyncio.sleep(1)
            os.kill(pid, signal.SIGSTOP)
            async with asyncio.timeout(PATIENCE):
                body = await until(stage, "/health/ready", 503)
                while "Kafka has not answered for" not in str(body):
                    body = await until(stage, "/health/ready", 503)
            assert body["kafka_silent_seconds"] >= 6
            assert ask(stage, "/health/live") == (200, {"status": "live"})
            await stage.until_logged("A", "has not answered")
            os.kill(pid, signal.SIGCONT)
            await until(stage, "/health/ready", 200)
            await feeding
            verdict = await stage.verdict()
            assert verdict.exact, verdict
            said = stage.log("A").read_text()
            assert said.count("has not answered for") == 1
            assert said.count("Kafka answers again") == 1
            assert said.count(" E ") <= 2, f"the silence, and at most one line on transactions that failed:\n{said}"
            os.kill(pid, signal.SIGSTOP)
            await stage.until_logged("A", "has not answered")
            code, seconds = await stage.stop("A")
            assert (code, seconds < 5) == (0, True), seconds

        try:
            asyncio.run(run())
        finally:
            os.kill(pid, signal.SIGCONT)
            stage.end()
