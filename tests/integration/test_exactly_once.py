"""Every event once, in order, on the right rows: through restart, kill, a zombie's return, and hand-over.

Counting shards in worker processes on a real Kafka; transactions are slowed down so that faults fall into them.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.chaos import Stage

SLOW = {"slow": [0.3, 0.3]}
RATE = 1_000.0


@pytest.fixture
def stage(broker: str, unique: str, tmp_path: Path) -> Iterator[Stage]:
    """Topics of this test's own; whatever worker still runs is ended."""
    stage = Stage(broker, unique, tmp_path)
    yield stage
    stage.end()


async def ready(stage: Stage, name: str) -> None:
    """Wait until a worker has all its shards."""
    await stage.until_logged(name, "shards ready")


def test_a_restart_keeps_the_state(stage: Stage) -> None:
    """A worker that was asked to end hands its rows to the next one: no count starts anew. It ends within 5 seconds."""

    async def run() -> None:
        await stage.create_topics()
        stage.start("A", **SLOW)
        await ready(stage, "A")
        feeding = asyncio.create_task(stage.feed(3_000, RATE))
        await asyncio.sleep(2)
        code, seconds = await stage.stop("A")
        assert (code, seconds < 5) == (0, True)
        stage.start("B", **SLOW)
        await feeding
        await stage.feed(500, RATE)
        verdict = await stage.verdict()
        assert verdict.exact, verdict
        assert set(verdict.by) == {"A", "B"}

    asyncio.run(run())


def test_a_kill_in_the_middle_loses_and_repeats_nothing(stage: Stage) -> None:
    """kill -9 leaves transactions open: the next owner aborts them and reads their events again."""

    async def run() -> None:
        await stage.create_topics()
        stage.start("A", **SLOW)
        await ready(stage, "A")
        feeding = asyncio.create_task(stage.feed(3_000, RATE))
        await asyncio.sleep(2)
        stage.send("A", signal.SIGKILL)
        stage.start("B", **SLOW)
        await feeding
        await stage.feed(500, RATE)
        verdict = await stage.verdict()
        assert verdict.exact, verdict
        assert set(verdict.by) == {"A", "B"}

    asyncio.run(run())


def test_a_zombie_cannot_commit(stage: Stage) -> None:
    """A worker that stood still while another took over its shards commits nothing when it wakes up; it joins again."""

    async def run() -> None:
        await stage.create_topics()
        stage.start("A", **SLOW)
        await ready(stage, "A")
        stage.start("B", **SLOW)
        await ready(stage, "B")
        feeding = asyncio.create_task(stage.feed(6_000, RATE / 2))
        await asyncio.sleep(1.5)
        stage.send("A", signal.SIGSTOP)
        await stage.until_logged("B", "all 4 shards ready")
        stage.send("A", signal.SIGCONT)
        await feeding
        verdict = await stage.verdict()
        assert verdict.exact, verdict
        assert set(verdict.by) == {"A", "B"}

    asyncio.run(run())


def test_two_workers_share_and_hand_over(stage: Stage) -> None:
    """A second worker takes some shards with their counts; when the first one ends, it takes the rest."""

    async def run() -> None:
        await stage.create_topics()
        stage.start("A", **SLOW)
        await ready(stage, "A")
        feeding = asyncio.create_task(stage.feed(3_000, RATE))
        stage.start("B", **SLOW, web_port=stage.free_port())
        await ready(stage, "B")
        await feeding
        feeding = asyncio.create_task(stage.feed(3_000, RATE))
        await asyncio.sleep(1.5)
        assert (await stage.stop("A"))[0] == 0
        await feeding
        verdict = await stage.verdict()
        assert verdict.exact, verdict
        assert set(verdict.by) == {"A", "B"}
        customer = json.loads(await asyncio.to_thread(stage.get, "/customers/c7"))
        assert customer["count"] == stage.fed[b"c7", f"{stage.app}-a"] + stage.fed[b"c7", f"{stage.app}-b"]
        metrics = (await asyncio.to_thread(stage.get, "/metrics")).decode()
        assert f'segstream_events_total{{outcome="applied"}} {float(verdict.by["B"])}' in metrics
        assert json.loads(await asyncio.to_thread(stage.get, "/health/ready"))["shards_ready"] == 4

    asyncio.run(run())


def test_unequal_partition_counts_are_refused(stage: Stage) -> None:
    """Faust would split customers between workers without a word: the worker says so in one line, and ends."""

    async def run() -> None:
        await stage.create_topics(b=3)
        stage.start("A")
        code = await asyncio.to_thread(stage.workers["A"].wait, 30)
        assert code == 2
        last = stage.log("A").read_text().strip().splitlines()[-1]
        assert f"{stage.app}-b has 3" in last
        assert "must have 4 partitions" in last

    asyncio.run(run())
