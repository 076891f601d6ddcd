"""Laws of the trainer: it warms up, it keeps its ids, and a restart changes nothing, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream.cluster import trainer as trainer_module
from stream.cluster import window as window_module
from stream.cluster.model import ClusterModel
from stream.cluster.settings import CANDIDATES
from stream.cluster.trainer import Trainer, TrainerSettings, TrainerState
from stream.settings_learning import Candidate, Clusters

SETTINGS = TrainerSettings(
    window=160,
    features=("a", "b", "c"),
    clusters=3,
    seed=7,
    halflife=0.05,
    publish_every=40,
    warm_up=50,
    dimension="cluster",
)


def vectors(count: int, seed: int = 1) -> NDArray[np.float64]:
    """Three groups of unequal size, with a missing value here and there."""
    rng = np.random.default_rng(seed)
    centers = np.array([[0.0, 0.0, 0.0], [9.0, 200.0, -3.0], [-8.0, 100.0, 5.0]])
    rows = centers[rng.choice(3, count, p=[0.6, 0.3, 0.1])] + rng.normal(0, 1, (count, 3))
    rows[rng.random(rows.shape) < 0.02] = np.nan
    return rows


def resumed(training: TrainerSettings, published: ClusterModel, rows: NDArray[np.float64]) -> Trainer:
    """A trainer that knows nothing but the record, and the vectors (``rows``: all) where they still are."""
    trainer = Trainer.after(training, ClusterModel.from_json(published.to_json()))
    trainer.remember(rows[trainer.recall[0] : published.cursor[0]])
    return trainer


def run(trainer: Trainer, rows: NDArray[np.float64]) -> list[ClusterModel]:
    """Learn the rows, publishing whenever it is due; all that was published."""
    models, at = [], 0
    while at < len(rows):
        size = max(1, trainer.until_due())
        trainer.learn(rows[at : at + size])
        at += size
        if trainer.until_due() == 0:
            models.append(trainer.snapshot(trainer.learned, {0: trainer.learned}))
    return [model for model in models if model is not None]


def warmed_up(count: int = 60) -> Trainer:
    trainer = Trainer(SETTINGS)
    trainer.learn(vectors(count))
    return trainer


@settings(max_examples=20, deadline=None)
@given(first=st.integers(50, 230), second=st.integers(0, 190))
def test_a_restart_from_a_snapshot_changes_nothing(first: int, second: int) -> None:
    """Learn A, publish, forget all but the published record, learn B: as if one had learned A then B."""
    rows = vectors(first + second)
    one = Trainer(SETTINGS)
    published = run(one, rows[:first])[-1]
    other = resumed(SETTINGS, published, rows)
    lo = published.learned
    assert other.until_due() == SETTINGS.publish_every
    assert run(other, rows[lo:]) == run(one, rows[first:])
    assert other.snapshot(10_000, {0: 9}) == one.snapshot(10_000, {0: 9})


@pytest.mark.parametrize("clusters", [3, (2, 4)])
def test_every_candidate_and_the_sample_go_on_over_a_restart(
    clusters: int | tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the sample is thinned, reaches back over several versions and has let go of the oldest."""
    for module in (trainer_module, window_module):
        monkeypatch.setattr(module, "CAPACITY", 300)
    training = replace(SETTINGS, candidates=CANDIDATES, clusters=clusters, window=600, publish_every=200, warm_up=100)
    rows = vectors(2_000)
    one = Trainer(training)
    published = run(one, rows[:1_550])[-1]
    assert published.learned == 1_500
    assert {score.candidate for score in published.scores} >= {*CANDIDATES, "published"} - {"dbstream"}
    other = resumed(training, published, rows)
    assert 600 <= published.learned - other.recall[0] < 1_000
    assert run(other, rows[1_500:]) == run(one, rows[1_550:])


def test_what_the_topic_has_no_more_moves_nobody() -> None:
    """Without the vectors of late a trainer goes on with the published clusters, and fills its sample again."""
    training = replace(SETTINGS, window=800, publish_every=200, warm_up=400, redraw_gain=0.05)
    rows = vectors(2_400)
    published = run(Trainer(training), rows[:1_200])[-1]
    models = run(Trainer.after(training, published), rows[published.learned :])
    assert len(models) >= 5
    assert {(model.centroids, model.mean, model.scale, model.ids) for model in models} == {
        (published.centroids, published.mean, published.scale, published.ids)
    }


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=6))
def test_how_vectors_are_cut_into_batches_does_not_matter(sizes: list[int]) -> None:
    """Between two versions; that one is due ends a batch."""
    rows = vectors(88)
    one, other = Trainer(SETTINGS), Trainer(SETTINGS)
    for trainer in (one, other):
        run(trainer, rows[:50])
    for part in np.split(rows[50:], np.minimum(np.cumsum(sizes, dtype=np.intp), 38)):
        one.learn(part)
    other.learn(rows[50:])
    assert one.snapshot(1, {}) == other.snapshot(1, {})


@pytest.mark.parametrize("chunk", [7, 16, 50])
def test_what_is_seen_to_drift_does_not_hang_on_the_batches_either(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither on where the sample becomes too large in one of them, nor on which of two features is looked at first."""
    for module in (trainer_module, window_module):
        monkeypatch.setattr(module, "CAPACITY", 300)
    training = replace(SETTINGS, window=600, publish_every=400, warm_up=100)
    rows = vectors(2_100, seed=9)
    rows[700:] += [6.0, 150.0, 6.0]
    rows[1_600:] -= [12.0, 300.0, 9.0]
    found = []
    for size in (1, chunk):
        trainer, models, at = Trainer(training), [], 0
        while at < len(rows):
            part = rows[at : at + min(size, trainer.until_due())]
            trainer.learn(part)
            at += len(part)
            if trainer.until_due() == 0:
                models.append(trainer.snapshot(at, {0: at}))
        found.append(([None if model is None else model.to_json() for model in models], trainer.drifts))
    assert found[1] == found[0]
    assert found[0][1]


def test_what_is_prepared_after_a_version_is_what_the_next_vector_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = vectors(200)
    one, other = Trainer(SETTINGS), Trainer(SETTINGS)
    for trainer in (one, other):
        run(trainer, rows[:50])
    other.prepare()
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_begin_following", None)  # not again
        other.learn(rows[50:60])
    one.learn(rows[50:60])
    assert run(one, rows[60:]) == run(other, rows[60:])


def test_nothing_is_published_before_the_warm_up_ends() -> None:
    trainer = Trainer(SETTINGS)
    trainer.learn(vectors(49))
    assert (trainer.warming_up, trainer.until_due()) == (True, 1)
    assert trainer.snapshot(1, {}) is None
    trainer.learn(vectors(1))
    assert (trainer.warming_up, trainer.until_due()) == (False, 0)
    assert trainer.snapshot(1, {}) is not None
    assert trainer.until_due() == SETTINGS.publish_every


def test_the_warm_up_goes_on_while_customers_do_not_differ_enough() -> None:
    trainer = Trainer(SETTINGS)
    trainer.learn(np.tile([[1.0, 2.0, 3.0], [1.0, 2.0, 4.0]], (50, 1)))
    assert trainer.warming_up
    trainer.learn(vectors(50))
    assert not trainer.warming_up


def test_the_warm_up_goes_on_while_those_that_clusters_are_found_on_do_not_differ_enough() -> None:
    """Only every second one is: where others differ, nothing can be published yet, and learning goes on."""
    trainer = Trainer(replace(SETTINGS, warm_up=600, window=600))
    rows = np.zeros((600, 3))
    rows[1::2, 0] = np.arange(300) % 3
    trainer.learn(rows)
    assert trainer.snapshot(1, {}) is None
    assert (trainer.warming_up, trainer.until_due()) == (True, 600)
    trainer.learn(vectors(600))
    assert trainer.snapshot(1, {}) is not None


def test_the_first_centroids_are_one_to_a_group() -> None:
    """What river's random start gets wrong: two centroids in one group, or one in none."""
    rows = vectors(50)
    for seed in range(10):
        trainer = Trainer(replace(SETTINGS, seed=seed))
        trainer.learn(rows)
        model = trainer.snapshot(1, {})
        assert model is not None
        groups = model.assign(np.array([[0.0, 0.0, 0.0], [9.0, 200.0, -3.0], [-8.0, 100.0, 5.0]]))
        assert sorted(groups.tolist()) == [0, 1, 2]


def test_ids_and_names_stay_from_version_to_version() -> None:
    trainer = warmed_up()
    probes = np.array([[0.0, 0.0, 0.0], [9.0, 200.0, -3.0], [-8.0, 100.0, 5.0]])
    first = trainer.snapshot(1, {})
    assert first is not None
    for seed in range(2, 12):
        trainer.learn(vectors(40, seed))
        model = trainer.snapshot(seed, {})
        assert model is not None
        assert (model.ids, model.names) == (first.ids, first.names)
        assert model.assign(probes).tolist() == first.assign(probes).tolist()


def test_versions_count_up_and_never_take_effect_before_the_one_before() -> None:
    trainer = warmed_up()
    models = [trainer.snapshot(instant, {}) for instant in (5_000, 9_000, 4_000, 9_001)]
    assert [(model.version, model.effective) for model in models if model] == [
        (1, 5_000),
        (2, 9_000),
        (3, 9_001),
        (4, 9_002),
    ]


def test_the_same_seed_gives_the_same_model() -> None:
    assert warmed_up().snapshot(1, {}) == warmed_up().snapshot(1, {})


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(), min_size=3, max_size=3))
def test_no_value_whatever_breaks_what_is_published(freak: list[float]) -> None:
    """Infinite, missing and absurd values: learned or left out, but the version stays a valid one."""
    for trainer in (Trainer(SETTINGS), warmed_up()):
        trainer.learn(np.array([freak, freak]))
        trainer.learn(vectors(60))
        model = trainer.snapshot(1, {})
        assert model is not None
        assert ClusterModel.from_json(model.to_json()) == model


def test_a_trainer_of_other_features_starts_anew_but_counts_on() -> None:
    """Versions and ids go on, places are others than those of the version before."""
    published = warmed_up().snapshot(7_000, {0: 60})
    assert published is not None
    trainer = Trainer.after(replace(SETTINGS, features=("a", "b", "z")), published)
    assert (trainer.learned, trainer.recall) == (0, {0: 60})
    trainer.learn(vectors(50))
    model = trainer.snapshot(1_000, {0: 110})
    assert model is not None
    assert (model.version, model.effective) == (2, 7_001)
    assert (model.ids, model.slots) == ((3, 4, 5), (3, 4, 5))


@pytest.mark.parametrize("clusters", [2, 4])
def test_another_number_of_clusters_goes_on_with_the_old_ones(clusters: int) -> None:
    rows = vectors(400)
    published = run(Trainer(SETTINGS), rows[:290])[-1]
    changed = replace(SETTINGS, clusters=clusters)
    model = run(resumed(changed, published, rows), rows[290:])[0]
    assert len(model.ids) == clusters
    assert len(set(model.ids) & set(published.ids)) >= 2
    assert all(new >= 3 for new in set(model.ids) - set(published.ids))
    assert max(model.slots) < 2 * clusters
    assert model.story


def test_far_fewer_clusters_come_at_once() -> None:
    """Nobody is in those that there is no room for, so their places need no rest: there would never be a free one."""
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 4, (8, 3))[rng.integers(0, 8, 1_200)] + rng.normal(0, 1, (1_200, 3))
    training = replace(SETTINGS, clusters=8, publish_every=600, warm_up=600, window=2_000)
    (published,) = run(Trainer(training), rows[:600])
    model = run(resumed(replace(training, clusters=2), published, rows), rows[600:])[0]
    assert (len(model.ids), max(model.slots) < 4) == (2, True)


BROKEN: list[dict[str, object]] = [
    {"next_id": -1},
    {"share": 0.0},
    {"scale": [1.0, -1.0, 1.0]},
    {"mean": [0.0, None, 0.0]},
    {"mean": [0.0], "scale": [1.0], "placed": {}},
    {"placed": {"kmeans": [[1.0]]}},
    {"placed": {"kmeans": []}},
    {"marks": []},
    {"marks": [{"learned": 0, "cursor": {"0": -1}}]},
]


@pytest.mark.parametrize("change", BROKEN, ids=str)
def test_a_state_that_is_broken_is_not_taken_up_and_the_clusters_stay(change: dict[str, object]) -> None:
    rows = vectors(400)
    published = run(Trainer(SETTINGS), rows[:200])[-1]
    assert TrainerState.of(published) is not None
    state = msgspec.json.decode(published.trainer) | change
    broken = msgspec.structs.replace(published, trainer=msgspec.Raw(msgspec.json.encode(state)))
    assert TrainerState.of(broken) is None
    models = run(Trainer.after(SETTINGS, broken), rows[published.learned :])
    assert {model.ids for model in models} == {published.ids}


def test_a_version_of_an_older_trainer_is_gone_on_from() -> None:
    """It has no ids and no state that is understood; its clusters are the row numbers."""
    rows = vectors(400)
    published = run(Trainer(SETTINGS), rows[:200])[-1]
    old = msgspec.structs.replace(
        published, trainer=msgspec.Raw(b'{"counts":[1]}'), ids=(), slots=(), profiles=(), scores=(), why=""
    )
    models = run(Trainer.after(SETTINGS, old), rows[200:])
    assert {model.ids for model in models} == {(0, 1, 2)}
    assert models[0].version == old.version + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"clusters": 0},
        {"halflife": 0.0},
        {"halflife": 1.5},
        {"features": ()},
        {"warm_up": 0},
        {"clusters": (4, 3)},
        {"candidates": ()},
        {"candidates": ("kmean",)},
        {"redraw_gain": 0.0},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"cluster|halflife"):
        replace(SETTINGS, **wrong)  # type: ignore[arg-type]


def test_the_settings_offer_the_candidates_that_there_are() -> None:
    assert get_args(Candidate) == CANDIDATES
    assert Clusters().candidates == TrainerSettings(("a",)).candidates
