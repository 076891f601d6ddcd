"""In a world that stays, so do the clusters; where it changes that is told, and the clusters follow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.cluster.model import ClusterModel, ClusterName
from stream.cluster.settings import TrainerSettings
from stream.cluster.state import TrainerState
from stream.cluster.trainer import Trainer

Matrix = NDArray[np.float64]

TRAINING = TrainerSettings(("a", "b", "c"), 4, publish_every=400, window=4_000, warm_up=800)
CENTRES = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 1.0], [0.0, 3.0, 0.0], [-3.0, 1.0, 3.0]])
NEW = np.array([3.0, 5.0, -3.0])


def customers(count: int, seed: int, new: float = 0.0) -> Matrix:
    """Overlapping groups of unequal size; ``new`` is the share of one that was not there before."""
    rng = np.random.default_rng(seed)
    rows = CENTRES[rng.choice(4, count, p=[0.4, 0.3, 0.2, 0.1])]
    rows = np.where(rng.random((count, 1)) < new, NEW, rows)
    return np.asarray(rows + rng.normal(0, 1, (count, 3)), np.float64)


class Stream:
    """Vectors on a topic, and whoever trains on them."""

    def __init__(self, training: TrainerSettings) -> None:
        self.training = training
        self.trainer = Trainer(training)
        self.rows = np.empty((0, 3))
        self.models: list[ClusterModel] = []

    def feed(self, rows: Matrix) -> None:
        at, self.rows = len(self.rows), np.concatenate((self.rows, rows))
        while at < len(self.rows):
            size = max(1, self.trainer.until_due())
            self.trainer.learn(self.rows[at : at + size])
            at += size
            if self.trainer.until_due() == 0:
                model = self.trainer.snapshot(at, {0: at})
                self.models += [model] if model is not None else []

    def restart(self) -> None:
        newest = self.models[-1]
        self.trainer = Trainer.after(self.training, newest)
        self.trainer.remember(self.rows[self.trainer.recall[0] : newest.learned])
        rows, self.rows = self.rows[newest.learned :], self.rows[: newest.learned]
        self.feed(rows)


def homes(model: ClusterModel, rows: Matrix) -> NDArray[np.int64]:
    """The id of each customer's cluster."""
    return np.array(model.numbers)[model.assign(rows)]


def test_over_50_versions_and_three_restarts_ids_stay_and_fewer_than_1_in_100_move() -> None:
    """From the first version on whose sample was as large as it gets."""
    stream = Stream(TRAINING)
    stream.feed(customers(4_000, 1))
    settled = len(stream.models)
    for seed in range(2, 6):
        stream.feed(customers(5_000, seed))
        if seed < 5:
            stream.restart()
    models = stream.models[settled:]
    assert len(models) >= 50
    assert [model.version for model in stream.models] == list(range(1, len(stream.models) + 1))
    assert {model.ids for model in models} == {models[0].ids}
    assert {model.names for model in models} == {models[0].names}
    assert not any(model.story or model.drifted for model in models)
    rows = customers(5_000, 9)
    assert np.mean(homes(models[0], rows) != homes(models[-1], rows)) < 0.01


def test_a_version_that_redraws_nothing_has_the_very_same_centres() -> None:
    """To the last bit, so that shards know that nobody moves."""
    stream = Stream(TRAINING)
    stream.feed(customers(12_000, 1))
    for before, model in zip(stream.models, stream.models[1:], strict=False):
        same = (model.mean, model.scale, model.centroids) == (before.mean, before.scale, before.centroids)
        assert same == ("anew" not in model.why)
        assert same == (next(score for score in model.scores if score.chosen).candidate == "published")


@pytest.mark.parametrize("size", [1, 16, 399])
def test_what_drifted_does_not_depend_on_how_vectors_were_cut_into_batches(size: int) -> None:
    """A worker that takes over is given others than the one before it."""
    training = replace(TRAINING, window=2_000, publish_every=400)
    rows = np.concatenate((customers(2_000, 1), customers(400, 2) + np.array([0.0, 3.0, 3.0])))
    whole, cut = Stream(training), Stream(training)
    for stream in (whole, cut):
        stream.feed(rows[:2_000])
    whole.trainer.learn(rows[2_000:])
    for at in range(2_000, 2_400, size):
        cut.trainer.learn(rows[at : min(at + size, 2_400)])
    found = whole.trainer.snapshot(9_999, {0: 2_400})
    assert found is not None
    assert set(found.drifted) >= {"b", "c"}
    assert cut.trainer.snapshot(9_999, {0: 2_400}) == found


@pytest.mark.parametrize("clusters", [5, (3, 6)])
def test_a_new_kind_of_customer_is_told_and_gets_a_cluster_of_its_own(clusters: int | tuple[int, int]) -> None:
    """The rest keep theirs."""
    stream = Stream(replace(TRAINING, clusters=clusters, window=2_000))
    stream.feed(customers(6_000, 1))
    before = stream.models[-1]
    told = len(stream.trainer.drifts)
    stream.feed(customers(4_000, 2, new=0.2))
    after = stream.models[-1]
    assert len(stream.trainer.drifts) > told
    late = [model for model in stream.models if model.version > before.version]
    assert set().union(*(model.drifted for model in late)) >= {"b", "c"}
    theirs = homes(after, NEW + np.random.default_rng(3).normal(0, 1, (500, 3)))
    number = np.bincount(theirs).argmax()
    assert np.mean(theirs == number) > 0.9
    rest = homes(after, customers(2_000, 4))
    assert np.mean(rest == number) < 0.1
    assert set(after.ids) & set(before.ids)
    assert any(each.id == number for model in stream.models for each in model.story) or number in before.ids


def test_after_a_drift_a_cluster_of_the_new_exists_within_a_tenth_of_the_window() -> None:
    """Although the sample still held nine of the old for each of them: it lets go of what was before."""
    stream = Stream(replace(TRAINING, clusters=5, window=20_000, publish_every=1_000))
    stream.feed(customers(30_000, 1))
    begin = stream.models[-1].learned
    stream.feed(customers(4_000, 2, new=0.2))
    told = next(model for model in stream.models if model.learned > begin and model.drifted)
    assert told.learned <= begin + 2_000

    found = next(model for model in stream.models if model.learned > begin + 1_000)
    theirs = homes(found, NEW + np.random.default_rng(3).normal(0, 1, (500, 3)))
    number = np.bincount(theirs).argmax()
    assert np.mean(theirs == number) >= 0.8
    mixed = customers(5_000, 4, new=0.2)
    inside = mixed[homes(found, mixed) == number]
    assert np.mean(np.linalg.norm(inside - NEW, axis=1) < 3.5) >= 0.8


def test_a_drift_makes_the_sample_let_go_of_what_was_before_it() -> None:
    """A quarter of a full sample stays, so that there is enough to draw clusters by."""
    stream = Stream(replace(TRAINING, window=8_000, publish_every=1_000))
    stream.feed(customers(12_000, 1))
    steady = TrainerState.of(stream.models[-1])
    stream.feed(customers(1_000, 2) + np.array([0.0, 3.0, 3.0]))
    state = TrainerState.of(stream.models[-1])
    assert stream.models[-1].drifted
    assert steady is not None
    assert state is not None
    learned = stream.models[-1].learned
    assert learned - steady.oldest >= 7_000
    assert 1_024 <= learned - state.oldest <= 5_000
    assert state.unrest == learned + 1_000


def test_a_start_tells_of_no_drift_while_everything_still_moves() -> None:
    """Customers are new, and all become others for weeks. What stayed for two versions is watched from then on."""
    stream = Stream(replace(TRAINING, window=20_000, publish_every=1_000))
    rows = customers(8_000, 1)
    rows[:, 0] += 6 * (1 - np.exp(-np.arange(8_000) / 3_000))
    stream.feed(rows)
    assert len(stream.models) == 8
    assert not any(model.drifted for model in stream.models)
    assert not stream.trainer.drifts
    late = customers(2_000, 2) + np.array([5.6, 0.0, 4.0])
    stream.feed(late)
    assert {what for model in stream.models for what in model.drifted} >= {"c"}


def test_the_number_of_clusters_is_found_in_a_range_and_says_why() -> None:
    rng = np.random.default_rng(1)
    rows = 4 * CENTRES[rng.choice(4, 2_000)] + rng.normal(0, 1, (2_000, 3))
    stream = Stream(replace(TRAINING, clusters=(2, 7)))
    stream.feed(rows)
    assert {len(model.ids) for model in stream.models} == {4}
    assert stream.models[0].why.startswith("4 of 2 to 7 clusters: the highest silhouette, ")


def test_a_few_odd_customers_at_the_start_do_not_stay_clusters_for_ever() -> None:
    """What was learned while everybody was new is forgotten."""
    stream = Stream(replace(TRAINING, window=2_000))
    rng = np.random.default_rng(1)
    stream.feed(np.concatenate((rng.normal(0, 0.02, (390, 3)), rng.normal(1, 0.3, (10, 3)))))
    stream.feed(customers(6_000, 1))
    model = stream.models[-1]
    assert min(profile.share for profile in model.profiles) > 0.05
    assert model.scale == pytest.approx(np.std(customers(6_000, 1), axis=0), rel=0.2)


def test_a_given_name_is_kept_and_given_back() -> None:
    stream = Stream(TRAINING)
    stream.feed(customers(4_400, 1))
    newest = stream.models[-1]
    trainer = stream.trainer
    assert trainer.renamed(1) is None
    assert trainer.name(ClusterName("cluster", newest.ids[1], "Sonntagsbäcker"))
    assert not trainer.name(ClusterName("cluster", 77, "nobody"))
    assert not trainer.name(ClusterName("other", newest.ids[1], "nobody"))
    named = trainer.renamed(1)
    assert named is not None
    assert (named.names[1], named.given) == ("Sonntagsbäcker", (newest.ids[1],))
    assert (named.version, named.effective) == (newest.version + 1, newest.effective + 1)
    assert (named.centroids, named.learned, named.cursor) == (newest.centroids, newest.learned, newest.cursor)
    stream.models.append(named)
    stream.restart()
    stream.feed(customers(800, 2))
    assert stream.models[-1].names[1] == "Sonntagsbäcker"
    assert stream.trainer.name(ClusterName("cluster", newest.ids[1], ""))
    back = stream.trainer.renamed(1)
    assert back is not None
    assert back.given == ()
    assert back.names[1] != "Sonntagsbäcker"
    assert (back.names[0], *back.names[2:]) == (newest.names[0], *newest.names[2:])


def test_a_given_name_that_another_cluster_has_already_makes_that_one_another() -> None:
    stream = Stream(TRAINING)
    stream.feed(customers(1_400, 1))
    newest = stream.models[-1]
    assert stream.trainer.name(ClusterName("cluster", newest.ids[1], newest.names[0]))
    named = stream.trainer.renamed(1)
    assert named is not None
    assert named.names[1] == newest.names[0]
    assert len(set(named.names)) == 4
