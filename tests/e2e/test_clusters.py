"""Clusters on several workers, whose trainer is killed: one sequence of versions, the same for every customer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest

from stream.app.bootstrap import trainer_settings
from stream.cluster.model import ClusterModel
from stream.cluster.trainer import Trainer, TrainerSettings
from stream.cluster.wire import decode, layout_of
from tests.e2e.learning import PARTITIONS, World, make_world, settings_and_plan
from tests.e2e.live import Live, by_customer, read_topic, wait_for

SIZE = ("--customers", "200", "--days", "60", "--seed", "3")
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
class Clustered:
    """The application, and how its trainer learns."""

    world: World
    training: TrainerSettings

    def models(self) -> list[ClusterModel]:
        return self.world.versions(ClusterModel)

    def undisturbed(self) -> list[ClusterModel]:
        """The versions of one trainer that was never killed, on the vectors there are."""
        trainer, found, live = Trainer(self.training), [], self.world.live
        layout = layout_of(self.training.features)
        for record in read_topic(live.broker, live.topic("vectors"), 1, 0, quiet=0.5):
            decoded = decode(record, self.training.features, layout)
            assert decoded is not None
            trainer.learn(decoded[1][np.newaxis])
            if trainer.until_due() == 0:
                found.append(trainer.snapshot(0, {0: record.offset + 1}))
        return [model for model in found if model is not None]

    def learn_all(self) -> int:
        """Wait until the workers have committed all that is loaded, and the trainer has published what is due."""
        self.world.committed_all()
        due = len(self.undisturbed())
        wait_for(f"{due} versions are published", lambda: len(self.models()) >= due)
        return due


@pytest.fixture
def clustered(broker: str, unique: str, tmp_path: Path) -> Iterator[Clustered]:
    live = Live(broker, unique, tmp_path, PARTITIONS)
    world = make_world(live, DIMENSION, PACE, (*SIZE, *DRIFT), 1 / 3, 2 / 3)
    training = trainer_settings(*settings_and_plan(live, DIMENSION))
    assert training is not None
    yield Clustered(world, training)
    live.stop()


@pytest.mark.timeout(900)
def test_a_trainer_that_is_killed_is_replaced_without_a_jump(clustered: Clustered) -> None:
    """Not one vector is learned twice or left out, whoever learns; all workers judge by the same versions from the same
    instants on, as a replay does that is given them; nobody is in two clusters. A name that a person gives stays."""
    world, live = clustered.world, clustered.world.live
    world.start_two()
    world.load(0)
    first = clustered.learn_all()
    world.killed_at_work(1, "c")
    assert 0 < first < clustered.learn_all(), "both trainers published"
    before = clustered.models()
    assert [bare(model) for model in before] == [bare(model) for model in clustered.undisturbed()]

    number = before[-1].numbers[0]
    said = live.run("clusters", "rename", f"cluster-{number}", "night owls").stdout
    assert said.startswith(f"cluster-{number} is called 'night owls' by version {len(before) + 1}, ")
    world.load(2)
    clustered.learn_all()
    models = clustered.models()
    assert len(models) > len(before) + 1
    for model in models[len(before) :]:
        assert number not in model.numbers or model.names[model.numbers.index(number)] == "night owls"
    assert [model.version for model in models] == list(range(1, len(models) + 1))
    assert all(earlier.effective < later.effective for earlier, later in pairwise(models))

    found = world.equals_replay()
    assert {change["data"]["cause"] for change in found} == {"event", "deadline", "model"}
    told = json.loads(live.run("clusters", "--json").stdout)
    assert next(one["name"] for one in told["clusters"] if one["id"] == number) == "night owls"
    assert f"cluster-{number} is called 'night owls' now" in live.run("clusters", "history").stdout
    for changes in by_customer(found).values():
        moves = [(change["data"]["from"], change["data"]["to"]) for change in changes]
        assert [came for came, _ in moves[1:]] == [went for _, went in moves[:-1]], "never in two clusters"


def bare(model: ClusterModel) -> ClusterModel:
    """Without when it takes effect, which goes by the latest vector that its trainer has read."""
    return msgspec.structs.replace(model, effective=0, trainer=msgspec.Raw(b"null"))
