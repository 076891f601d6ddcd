"""Predictions on several workers, whose trainer is killed: one sequence of versions, the same for every customer."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from unittest import mock
from urllib.parse import quote

import msgspec
import pytest

from stream.app.bootstrap import propensity_pace, propensity_settings
from stream.app.definition_files import in_settings
from stream.cluster.control import read_published
from stream.foresight.questions import decode
from stream.plan.plan import twin_plan
from stream.predict.learning import PropensityLearner
from stream.predict.propensity import PropensityModel
from stream.settings import load_settings
from tests.conftest import REPOSITORY
from tests.e2e.live import Live, by_customer, read_changes, read_topic, wait_for
from tests.e2e.web import address, get, headers

PARTITIONS = 4
PARTS = 3
CUSTOMERS, DAYS = 200, 60

DIMENSION = """
dimension: looking
every: 2d
features:
  orders: {count: Order Completed}
  since_order: {since: Order Completed}
  since_seen: {since: [Page Viewed, Screen Viewed, Product Viewed, Order Completed]}
  looking: {rate: Product Viewed, half_life: 7d}
  buying: {rate: Order Completed, half_life: 30d}
  will_look: {predict: Product Viewed, within: 4d, from: [since_seen, since_order, orders, looking, buying]}
segments:
  - {segment: soon, when: will_look >= 60%}
  - {segment: later, when: will_look < 60%}
"""
#: Days pass in a second here: a version is known long before it holds.
PACE = {
    "SEGSTREAM_PROPENSITY__WARM_UP": "100",
    "SEGSTREAM_PROPENSITY__PUBLISH_EVERY": "100",
    "SEGSTREAM_PROPENSITY__WINDOW": "1000",
    "SEGSTREAM_PROPENSITY__LEAD": "22d",
    "SEGSTREAM_PROPENSITY__SHARE": "1",
    "SEGSTREAM_BATCH__MAX_RECORDS": "200",
}


@dataclass
class World:
    """An application with one dimension that goes by a prediction, and a history in parts."""

    live: Live
    folder: Path
    events: Path
    parts: list[Path]

    def load(self, part: int) -> None:
        last = [] if part == PARTS - 1 else ["--no-closing-clock"]
        self.live.run("load", str(self.parts[part]), *last)

    def versions(self) -> list[PropensityModel]:
        published = asyncio.run(read_published({"bootstrap_servers": self.live.broker}, self.live.topic("control")))
        assert published.broken == []
        return [version for version in published.versions if isinstance(version, PropensityModel)]

    def undisturbed(self) -> list[PropensityModel]:
        """The versions of one trainer that was never killed, on the questions there are."""
        with mock.patch.dict(os.environ, self.live.environment):
            settings = load_settings()
            (how,) = propensity_settings(settings, twin_plan(in_settings({"looking.yaml": DIMENSION}, settings)))
        learner, found = PropensityLearner(how, propensity_pace(settings)), []
        for record in read_topic(self.live.broker, self.live.topic("questions"), 1, 0, quiet=0.5):
            asked = decode(record, len(how.features))
            assert asked is not None
            learner.take(asked, record.offset)
            if learner.due:
                found.append(learner.version())
        return [model for model in found if model is not None]

    def applied_all(self) -> bool:
        """Whether no worker has anything left to read."""
        metrics = [self.live.metrics(name) for name in self.live.workers]
        lags = [value for one in metrics for name, value in one.items() if name.startswith("segstream_lag_records")]
        return len(lags) >= PARTITIONS and sum(lags) == 0

    def settle(self) -> int:
        """Wait until all that is loaded is applied, and what is due is published; how many versions that is."""
        wait_for("all is applied", lambda: self.live.ready_shards() == PARTITIONS and self.applied_all())
        due = len(self.undisturbed())
        wait_for(f"{due} versions are published", lambda: len(self.versions()) >= due)
        return due

    def trainers_worker(self) -> str:
        """The worker that owns shard 0, beside which the trainer runs."""
        names = self.live.workers
        return next(name for name in names if any('partition="0"' in one for one in self.live.metrics(name)))


@pytest.fixture
def world(broker: str, unique: str, tmp_path: Path) -> Iterator[World]:
    config = tmp_path / "config"
    (config / "segments").mkdir(parents=True)
    (config / "segments" / "looking.yaml").write_text(DIMENSION)
    shutil.copy(REPOSITORY / "config" / "stream.yaml", config)
    live = Live(broker, unique, tmp_path, PARTITIONS, {"SEGSTREAM_CONFIG": str(config), **PACE})
    events = tmp_path / "events.jsonl"
    live.run("simulate", "--customers", str(CUSTOMERS), "--days", str(DAYS), "--seed", "3", "--out", str(events))
    lines = events.read_bytes().splitlines(keepends=True)
    parts = [tmp_path / f"part-{number}.jsonl" for number in range(PARTS)]
    for number, part in enumerate(parts):
        part.write_bytes(b"".join(lines[number * len(lines) // PARTS : (number + 1) * len(lines) // PARTS]))
    yield World(live, tmp_path, events, parts)
    live.stop()


def killed_at_work(world: World, part: int, successor: str) -> None:
    """Load a part and kill -9 the trainer's worker in the middle of it; another one starts."""
    victim = world.trainers_worker()
    before = world.live.applied(victim)
    loading = threading.Thread(target=world.load, args=(part,))
    loading.start()
    wait_for(f"worker {victim} works", lambda: world.live.applied(victim) > before + 200, every=0.02)
    world.live.kill_worker(victim)
    world.live.start_worker(successor)
    loading.join(240)


@pytest.mark.timeout(900)
def test_a_trainer_that_is_killed_is_replaced_without_a_jump(world: World) -> None:
    """No answer is learned twice or left out, whoever learns; nothing is published that is no better than what is known
    without learning; all workers judge by the same versions from the same instants on, as a replay does that is given
    them, and say so of every customer."""
    live = world.live
    live.run("topics")
    live.start_worker("a")
    wait_for("worker a is ready", lambda: live.ready_shards() == PARTITIONS)
    live.start_worker("b")
    wait_for("both have shards", lambda: live.metrics("b").get('segstream_shards{state="ready"}', 0) > 0)
    world.load(0)
    assert world.settle() == 0
    assert any("no version yet, no better on" in live.log(worker) for worker in live.workers)
    killed_at_work(world, 1, "c")
    first = world.settle()
    killed_at_work(world, 2, "d")
    assert 0 < first < world.settle(), "more than one trainer published"
    versions = world.versions()
    assert [bare(version) for version in versions] == [bare(version) for version in world.undisturbed()]
    assert all(earlier.effective < later.effective for earlier, later in pairwise(versions))

    live.run("versions", "--out", "versions.jsonl")
    arguments = ("--versions", "versions.jsonl", "--out", "replayed.jsonl", "--snapshot", "customers.jsonl")
    live.run("replay", str(world.events), *arguments)
    expected = [json.loads(line) for line in (world.folder / "replayed.jsonl").read_text().splitlines()]
    found = read_changes(live, len(expected))
    assert {change["data"]["cause"] for change in expected} >= {"event", "model"}
    assert by_customer(found) == by_customer(expected)
    scores = {}
    for one in map(json.loads, (world.folder / "customers.jsonl").read_text().splitlines()[:20]):
        scores[one["customer"]] = one["features"]["will_look"]
    assert sum(score is not None for score in scores.values()) > 10
    for worker in live.workers:
        for customer, score in scores.items():
            status, told = get(f"{address(live, worker)}/customers/{quote(customer, '')}", headers(live))
            assert (status, told["features"]["will_look"]) == (200, score), customer
    told = json.loads(live.run("predictions", "--json").stdout)["predictions"]
    assert [one["version"] for one in told] == [versions[-1].version]


def bare(model: PropensityModel) -> PropensityModel:
    """Without what only the trainer reads: when its state was written down is not of interest."""
    return msgspec.structs.replace(model, trainer=msgspec.Raw(b"null"))
