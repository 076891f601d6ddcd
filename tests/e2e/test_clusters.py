"""Clusters on several workers, whose trainer is killed: one sequence of versions, the same for every customer."""

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

import msgspec
import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from stream.app.bootstrap import trainer_settings
from stream.app.definition_files import in_settings
from stream.cluster.control import Published, read_published
from stream.cluster.model import ClusterModel
from stream.cluster.trainer import Trainer, TrainerSettings
from stream.cluster.wire import decode, layout_of
from stream.plan.plan import twin_plan
from stream.settings import load_settings
from tests.conftest import REPOSITORY
from tests.e2e.live import Live, by_customer, read_changes, read_topic, wait_for

PARTITIONS = 4
PARTS = 3
CUSTOMERS, DAYS = 200, 60
#: A new kind of customer comes on the way, so that there is something to redraw clusters for.
DRIFT = ("--drift-day", "25", "--drift-share", "0.3")

DIMENSION = """
dimension: kinds
features:
  since_seen: {since: [Page Viewed, Screen Viewed, Product Viewed, Order Completed]}
  viewing: {rate: Product Viewed, half_life: 14d}
  buying: {rate: Order Completed, half_life: 30d}
  wishing: {rate: Product Added to Wishlist, half_life: 30d}
learn:
  clusters: 4
  every: 1d
  vector:
    recency: log1p(since_seen / 1d)
    views: log1p(viewing)
    orders: log1p(buying)
    wishes: log1p(wishing)
"""
#: Days pass in a second here: a version is known long before it holds.
PACE = {
    "SEGSTREAM_CLUSTERS__WARM_UP": "150",
    "SEGSTREAM_CLUSTERS__PUBLISH_EVERY": "120",
    "SEGSTREAM_CLUSTERS__LEAD": "25d",
    "SEGSTREAM_BATCH__MAX_RECORDS": "200",
}


@dataclass
class World:
    """An application with one learned dimension, and a history in parts."""

    live: Live
    folder: Path
    events: Path
    parts: list[Path]
    training: TrainerSettings

    def load(self, part: int) -> None:
        last = [] if part == PARTS - 1 else ["--no-closing-clock"]
        self.live.run("load", str(self.parts[part]), *last)

    def published(self) -> Published:
        return asyncio.run(read_published({"bootstrap_servers": self.live.broker}, self.live.topic("control")))

    def models(self) -> list[ClusterModel]:
        return [version for version in self.published().versions if isinstance(version, ClusterModel)]

    def undisturbed(self) -> list[ClusterModel]:
        """The versions of one trainer that was never killed, on the vectors there are."""
        trainer, found = Trainer(self.training), []
        layout = layout_of(self.training.features)
        for record in read_topic(self.live.broker, self.live.topic("vectors"), 1, 0, quiet=0.5):
            decoded = decode(record, self.training.features, layout)
            assert decoded is not None
            trainer.learn(decoded[1][np.newaxis])
            if trainer.until_due() == 0:
                found.append(trainer.snapshot(0, {0: record.offset + 1}))
        return [model for model in found if model is not None]

    def trainers_worker(self) -> str:
        """The worker that owns shard 0, beside which the trainer runs."""
        names = self.live.workers
        return next(name for name in names if any('partition="0"' in one for one in self.live.metrics(name)))

    async def _behind(self) -> int:
        live = self.live
        places = [TopicPartition(live.topic(r), p) for r in ("clickstream", "purchases") for p in range(PARTITIONS)]
        consumer, admin = (
            AIOKafkaConsumer(bootstrap_servers=live.broker),
            AIOKafkaAdminClient(bootstrap_servers=live.broker),
        )
        await consumer.start()
        await admin.start()
        try:
            ends = await consumer.end_offsets(places)
            done = await admin.list_consumer_group_offsets(live.name)
            return sum(ends[place] - (done[place].offset if place in done else 0) for place in places)
        finally:
            await admin.close()
            await consumer.stop()

    def learn_all(self) -> int:
        """Wait until the workers have committed all that is loaded, and the trainer has published what is due."""
        wait_for("all is committed", lambda: asyncio.run(self._behind()) == 0)
        due = len(self.undisturbed())
        wait_for(f"{due} versions are published", lambda: len(self.models()) >= due)
        return due


@pytest.fixture
def world(broker: str, unique: str, tmp_path: Path) -> Iterator[World]:
    config = tmp_path / "config"
    (config / "segments").mkdir(parents=True)
    (config / "segments" / "kinds.yaml").write_text(DIMENSION)
    shutil.copy(REPOSITORY / "config" / "stream.yaml", config)
    live = Live(broker, unique, tmp_path, PARTITIONS, {"SEGSTREAM_CONFIG": str(config), **PACE})
    events = tmp_path / "events.jsonl"
    size = ("--customers", str(CUSTOMERS), "--days", str(DAYS), "--seed", "3")
    live.run("simulate", *size, *DRIFT, "--out", str(events))
    lines = events.read_bytes().splitlines(keepends=True)
    parts = [tmp_path / f"part-{number}.jsonl" for number in range(PARTS)]
    for number, part in enumerate(parts):
        part.write_bytes(b"".join(lines[number * len(lines) // PARTS : (number + 1) * len(lines) // PARTS]))
    with mock.patch.dict(os.environ, live.environment):
        settings = load_settings()
        training = trainer_settings(settings, twin_plan(in_settings({"kinds.yaml": DIMENSION}, settings)))
    assert training is not None
    yield World(live, tmp_path, events, parts, training)
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
    """Not one vector is learned twice or left out, whoever learns; all workers judge by the same versions from the same
    instants on, as a replay does that is given them; nobody is in two clusters. A name that a person gives stays."""
    live = world.live
    live.run("topics")
    live.start_worker("a")
    wait_for("worker a is ready", lambda: live.ready_shards() == PARTITIONS)
    live.start_worker("b")
    world.load(0)
    wait_for("both have shards", lambda: live.metrics("b").get('segstream_shards{state="ready"}', 0) > 0)
    first = world.learn_all()
    killed_at_work(world, 1, "c")
    assert 0 < first < world.learn_all(), "both trainers published"
    before = world.models()
    assert [bare(model) for model in before] == [bare(model) for model in world.undisturbed()]

    number = before[-1].numbers[0]
    said = live.run("clusters", "rename", f"cluster-{number}", "night owls").stdout
    assert said.startswith(f"cluster-{number} is called 'night owls' by version {len(before) + 1}, ")
    world.load(2)
    world.learn_all()
    models = world.models()
    assert len(models) > len(before) + 1
    for model in models[len(before) :]:
        assert number not in model.numbers or model.names[model.numbers.index(number)] == "night owls"
    assert [model.version for model in models] == list(range(1, len(models) + 1))
    assert all(earlier.effective < later.effective for earlier, later in pairwise(models))

    live.run("versions", "--out", "versions.jsonl")
    live.run("replay", str(world.events), "--versions", "versions.jsonl", "--out", "replayed.jsonl")
    expected = [json.loads(line) for line in (world.folder / "replayed.jsonl").read_text().splitlines()]
    found = read_changes(live, len(expected))
    assert {change["data"]["cause"] for change in expected} == {"event", "deadline", "model"}
    assert by_customer(found) == by_customer(expected)
    told = json.loads(live.run("clusters", "--json").stdout)
    assert next(one["name"] for one in told["clusters"] if one["id"] == number) == "night owls"
    assert f"cluster-{number} is called 'night owls' now" in live.run("clusters", "history").stdout
    for changes in by_customer(found).values():
        moves = [(change["data"]["from"], change["data"]["to"]) for change in changes]
        assert [came for came, _ in moves[1:]] == [went for _, went in moves[:-1]], "never in two clusters"


def bare(model: ClusterModel) -> ClusterModel:
    """Without when it takes effect, which goes by the latest vector that its trainer has read."""
    return msgspec.structs.replace(model, effective=0, trainer=msgspec.Raw(b"null"))
