"""Laws of the trainer: it warms up, it keeps its ids, and a restart changes nothing, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream.cluster.model import ClusterModel
from stream.cluster.trainer import Trainer, TrainerSettings, TrainerState

SETTINGS = TrainerSettings(
    features=("a", "b", "c"), clusters=3, seed=7, halflife=0.05, publish_every=40, warm_up=50, dimension="cluster"
)


def vectors(count: int, seed: int = 1) -> NDArray[np.float64]:
    """Three groups of unequal size, with a missing value here and there."""
    rng = np.random.default_rng(seed)
    centers = np.array([[0.0, 0.0, 0.0], [9.0, 200.0, -3.0], [-8.0, 100.0, 5.0]])
    rows = centers[rng.choice(3, count, p=[0.6, 0.3, 0.1])] + rng.normal(0, 1, (count, 3))
    rows[rng.random(rows.shape) < 0.02] = np.nan
    return rows


def warmed_up(count: int = 60) -> Trainer:
    trainer = Trainer(SETTINGS)
    trainer.learn(vectors(count))
    return trainer


@settings(max_examples=20, deadline=None)
@given(first=st.integers(50, 130), second=st.integers(0, 90))
def test_a_restart_from_a_snapshot_changes_nothing(first: int, second: int) -> None:
    """Learn A, publish, forget all but the published record, learn B: as if one had learned A then B."""
    rows = vectors(first + second)
    one = Trainer(SETTINGS)
    one.learn(rows[:first])
    published = one.snapshot(1_000, {0: first})
    assert published is not None
    other = Trainer.after(SETTINGS, ClusterModel.from_json(published.to_json()))
    assert other.until_due() == one.until_due()
    one.learn(rows[first:])
    other.learn(rows[first:])
    assert other.state() == one.state()
    assert other.snapshot(2_000, {0: 9}) == one.snapshot(2_000, {0: 9})


def test_from_state_takes_up_exactly_that_state() -> None:
    state = warmed_up().state()
    assert state is not None
    assert Trainer.from_state(SETTINGS, state).state() == state


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=6))
def test_how_vectors_are_cut_into_batches_does_not_matter(sizes: list[int]) -> None:
    rows = vectors(150)
    cut = Trainer(SETTINGS)
    for part in np.split(rows, np.minimum(np.cumsum(sizes, dtype=np.intp), 150)):
        cut.learn(part)
    whole = Trainer(SETTINGS)
    whole.learn(rows)
    assert cut.state() == whole.state()


def test_nothing_is_published_before_the_warm_up_ends() -> None:
    trainer = Trainer(SETTINGS)
    trainer.learn(vectors(49))
    assert (trainer.warming_up, trainer.until_due()) == (True, 1)
    assert trainer.snapshot(1, {}) is None
    assert trainer.state() is None
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
        assert model.names == first.names == ("cluster-0", "cluster-1", "cluster-2")
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


@pytest.mark.parametrize("changed", [replace(SETTINGS, features=("a", "b", "z")), replace(SETTINGS, clusters=4)])
def test_a_trainer_of_something_else_starts_anew_but_counts_on(changed: TrainerSettings) -> None:
    published = warmed_up().snapshot(7_000, {0: 60})
    assert published is not None
    trainer = Trainer.after(changed, published)
    assert trainer.learned == 0
    trainer.learn(vectors(50))
    model = trainer.snapshot(1_000, {0: 110})
    assert model is not None
    assert (model.version, model.effective) == (2, 7_001)
    state = TrainerState.of(published)
    assert state is not None
    with pytest.raises(ValueError, match="other features or of another number"):
        Trainer.from_state(changed, state)


@pytest.mark.parametrize(
    "change",
    [
        {"counts": [1]},
        {"features": []},
        {"variances": [1.0, -1.0, 1.0]},
        {"means": [0.0, None, 0.0]},
        {"centroids": [[1.0]]},
    ],
)
def test_a_state_that_is_broken_is_not_taken_up(change: dict[str, object]) -> None:
    published = warmed_up().snapshot(7_000, {0: 60})
    assert published is not None
    assert not Trainer.after(SETTINGS, published).warming_up
    state = msgspec.json.decode(published.trainer) | change
    broken = msgspec.structs.replace(published, trainer=msgspec.Raw(msgspec.json.encode(state)))
    assert TrainerState.of(broken) is None
    assert Trainer.after(SETTINGS, broken).warming_up


def test_a_model_without_a_state_starts_a_trainer_anew() -> None:
    published = warmed_up().snapshot(7_000, {0: 60})
    assert published is not None
    assert Trainer.after(SETTINGS, msgspec.structs.replace(published, trainer=msgspec.Raw(b"null"))).warming_up


@pytest.mark.parametrize(
    "wrong", [{"clusters": 0}, {"halflife": 0.0}, {"halflife": 1.5}, {"features": ()}, {"warm_up": 0}]
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"cluster|halflife"):
        replace(SETTINGS, **wrong)  # type: ignore[arg-type]
