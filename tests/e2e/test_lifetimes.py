"""The model of lifetimes on several workers, whose trainer is killed: one version for all, and churn told on time."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from stream.cluster.control import read_published
from stream.foresight.lifetime_service import Gathered
from stream.predict.lifetime_model import LifetimeModel
from tests.conftest import REPOSITORY
from tests.e2e.live import Live, by_customer, read_changes, read_topic, wait_for

PARTITIONS = 4
PARTS = 3
CUSTOMERS, DAYS = 300, 90
DAY = 86_400_000

DIMENSION = """
dimension: churn
features:
  orders: {count: Order Completed}
  alive: {alive: Order Completed}
segments:
  - {segment: likely-to-churn, when: orders >= 2 and alive < 0.5}
  - {segment: staying, when: orders >= 2}
otherwise: unknown
"""
#: Weeks pass in a second here: a version is known long before it holds, and each fit is one.
PACE = {
    "SEGSTREAM_PREDICT__EVERY": "10d",
    "SEGSTREAM_PREDICT__LEAD": "35d",
    "SEGSTREAM_PREDICT__LEAST_CHANGE": "0",
    "SEGSTREAM_PREDICT__SHARE": "1",
    "SEGSTREAM_BATCH__MAX_RECORDS": "200",
}


@dataclass
class World:
    """An application with one dimension that goes by predictions, and a history in parts and a last event."""

    live: Live
    folder: Path
    events: Path
    parts: list[Path]

    def load(self, part: int, *arguments: str) -> None:
        self.live.run("load", str(self.parts[part]), *(arguments or ("--no-closing-clock",)))

    def versions(self) -> list[LifetimeModel]:
        published = asyncio.run(read_published({"bootstrap_servers": self.live.broker}, self.live.topic("control")))
        assert published.broken == []
        return [version for version in published.versions if isinstance(version, LifetimeModel)]

    def nothing_due(self) -> bool:
        """Whether what the shards have told last is fitted, and there is a version."""
        gathered = Gathered(PARTITIONS, 0)
        for record in read_topic(self.live.broker, self.live.topic("histories"), 1, 0, quiet=0.5):
            gathered.take(record.key, record.value)
        return len(gathered.latest) == PARTITIONS and not gathered.due() and bool(gathered.used)

    def applied_all(self) -> bool:
        """Whether no worker has anything left to read."""
        metrics = [self.live.metrics(name) for name in self.live.workers]
        lags = [value for one in metrics for name, value in one.items() if name.startswith("segstream_lag_records")]
        return len(lags) >= PARTITIONS and sum(lags) == 0

    def settle(self) -> None:
        """Wait until all that is loaded is applied, and what is due is published."""
        wait_for("all is applied", lambda: self.live.ready_shards() == PARTITIONS and self.applied_all())
        wait_for("what shards told is fitted", self.nothing_due)

    def trainers_worker(self) -> str:
        """The worker beside which the trainer runs."""
        metrics = {name: self.live.metrics(name).get("segstream_lifetime_version", 0.0) for name in self.live.workers}
        telling = [name for name, version in metrics.items() if version > 0]
        assert len(telling) == 1, metrics
        return telling[0]


@pytest.fixture
def world(broker: str, unique: str, tmp_path: Path) -> Iterator[World]:
    config = tmp_path / "config"
    (config / "segments").mkdir(parents=True)
    (config / "segments" / "churn.yaml").write_text(DIMENSION)
    shutil.copy(REPOSITORY / "config" / "stream.yaml", config)
    live = Live(broker, unique, tmp_path, PARTITIONS, {"SEGSTREAM_CONFIG": str(config), **PACE})
    events = tmp_path / "events.jsonl"
    live.run("simulate", "--customers", str(CUSTOMERS), "--days", str(DAYS), "--seed", "3", "--out", str(events))
    lines = events.read_bytes().splitlines(keepends=True)
    cuts = [*(number * len(lines) // PARTS for number in range(PARTS)), len(lines) - 1, len(lines)]
    parts = [tmp_path / f"part-{number}.jsonl" for number in range(PARTS + 1)]
    for part, (start, stop) in zip(parts, pairwise(cuts), strict=True):
        part.write_bytes(b"".join(lines[start:stop]))
    yield World(live, tmp_path, events, parts)
    live.stop()


@pytest.mark.timeout(900)
def test_a_killed_trainer_is_replaced_and_churn_is_told_on_time(world: World) -> None:
    """Versions count on, whoever fits them; all workers judge by the same ones from the same instants on, as a replay
    does that is given them; who falls silent is told of to the millisecond while nothing comes in."""
    live = world.live
    live.run("topics")
    live.start_worker("a")
    wait_for("worker a is ready", lambda: live.ready_shards() == PARTITIONS)
    live.start_worker("b")
    wait_for("both have shards", lambda: live.metrics("b").get('segstream_shards{state="ready"}', 0) > 0)
    world.load(0)
    world.settle()
    before = world.versions()
    assert before

    victim = world.trainers_worker()
    applied = live.applied(victim)
    loading = threading.Thread(target=world.load, args=(1,))
    loading.start()
    wait_for(f"worker {victim} works", lambda: live.applied(victim) > applied + 100, every=0.02)
    live.kill_worker(victim)
    live.start_worker("c")
    loading.join(240)
    world.settle()
    assert len(world.versions()) > len(before)
    assert world.trainers_worker() != victim
    world.load(2)
    world.settle()

    lines = [json.loads(line) for line in world.events.read_bytes().splitlines()]
    last = instant(lines[-1]["timestamp"])
    until = iso_day(last + 200 * DAY)
    world.load(PARTS, "--until", until)
    versions = world.versions()
    assert [version.version for version in versions] == list(range(1, len(versions) + 1))
    assert all(earlier.effective < later.effective for earlier, later in pairwise(versions))

    live.run("versions", "--out", "versions.jsonl")
    arguments = ("--versions", "versions.jsonl", "--until", until, "--out", "replayed.jsonl")
    live.run("replay", str(world.events), *arguments)
    expected = [json.loads(line) for line in (world.folder / "replayed.jsonl").read_text().splitlines()]
    found = read_changes(live, len(expected))
    assert {change["data"]["cause"] for change in expected} == {"event", "deadline", "model"}
    assert by_customer(found) == by_customer(expected)

    silent = [one for one in found if instant(one["time"]) > last and one["data"]["cause"] == "deadline"]
    assert len(silent) > 10
    for change in silent:
        assert change["data"]["to"] == "likely-to-churn"
        at, orders = instant(change["time"]), ordered(lines, change["subject"])
        model = next(v for v in reversed(versions) if v.effective <= at).purchases
        days = len({one // DAY for one in orders})
        chance = [
            float(model.p_alive(days - 1, orders[-1] - orders[0], now - orders[0])[()]) for now in (at - 2, at + 2)
        ]
        assert chance[0] >= 0.5 > chance[1] or chance == pytest.approx([0.5, 0.5], abs=1e-9)
    told = json.loads(live.run("predictions", "--json").stdout)
    assert told["version"] == world.versions()[-1].version


def ordered(lines: list[Any], customer: str) -> list[int]:
    """The instants of a customer's orders."""
    found = []
    for line in lines:
        who = line.get("userId") or f"anonymous:{line.get('anonymousId')}"
        if who == customer and line.get("event") == "Order Completed":
            found.append(instant(line["timestamp"]))
    return sorted(found)


def instant(text: str) -> int:
    """Milliseconds of a time as it is written."""
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def iso_day(at: int) -> str:
    """The day of an instant."""
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%Y-%m-%d")
