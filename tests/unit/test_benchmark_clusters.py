"""What the benchmark of the clusters counts, on cases that one can work out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from stream.cluster.model import ClusterModel
from stream.cluster.settings import TrainerSettings
from tests.benchmarks.cluster_course import Course, Samples
from tests.benchmarks.cluster_scores import inertia, scaled, score, score_labels
from tests.benchmarks.clusters import NewKind, learned

if TYPE_CHECKING:
    from stream.history.replay import Replay


def groups(count: int, seed: int = 1) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Three groups far from each other, and which vector is of which."""
    rng = np.random.default_rng(seed)
    of = rng.integers(0, 3, count)
    centers = np.array([[0.0, 0.0], [20.0, 5.0], [0.0, 40.0]])
    return centers[of] + rng.normal(0, 1, (count, 2)), of


def test_a_clustering_that_is_the_truth_scores_one_and_a_coarser_one_less() -> None:
    vectors, truth = groups(300)
    right = score_labels(truth.astype(np.intp), 3, vectors, [str(one) for one in truth], 1)
    assert (right.truth, right.batch_truth, right.both, right.used) == (1.0, 1.0, 1.0, 3)
    assert right.inertia == pytest.approx(right.batch_inertia)
    coarse = score_labels(np.minimum(truth, 1).astype(np.intp), 3, vectors, [str(one) for one in truth], 1)
    assert coarse.truth < 0.7
    assert coarse.silhouette < coarse.batch_silhouette
    assert coarse.inertia > 2 * coarse.batch_inertia
    assert coarse.used == 2


def test_missing_values_count_as_the_mean_and_inertia_is_the_mean_squared_distance() -> None:
    points = scaled(np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]]))
    assert points[2].tolist() == [0.0, 0.0]
    assert inertia(np.array([[0.0], [2.0], [7.0]]), np.array([0, 0, 1], np.intp)) == pytest.approx(2 / 3)


def test_each_customer_counts_once_with_the_latest_vector_of_a_span() -> None:
    samples = Samples([b"a", b"b", b"a", b"a"], [1, 2, 3, 9], [np.array([[0.0], [1.0], [2.0], [3.0]])])
    customers, vectors = samples.latest()
    assert dict(zip(customers, vectors[:, 0].tolist(), strict=True)) == {b"a": 3.0, b"b": 1.0}
    customers, vectors = samples.latest(3, 9)
    assert (customers, vectors.tolist()) == ([b"a"], [[2.0]])


def test_the_trainer_finds_what_anybody_would() -> None:
    """Groups far apart, of which the last vectors come when the warm-up is long over."""
    vectors, truth = groups(3_000)
    training = TrainerSettings(("x", "y"), 3, warm_up=200, publish_every=500)
    assert score(learned(training, vectors), vectors, [str(one) for one in truth], 1).truth > 0.98


def test_a_new_kind_is_caught_where_most_of_it_is_in_a_cluster_of_its_own() -> None:
    """Whom nobody has seen since the drift counts for nothing."""
    samples = Samples(
        [b"old", b"new1", b"new2", b"old", b"late"], [1, 5, 6, 7, 8], [np.array([[0.0], [9.0], [9.0], [9.0], [0.0]])]
    )
    course = Course(cast("Replay", None), None, samples=samples)
    model = ClusterModel("cluster", 1, 1, ("x",), (0.0,), (1.0,), ((0.0,), (9.0,)), ("a", "b"), 5, {0: 5})
    kind = NewKind(course, {b"new1", b"new2", b"late"}, since=5)
    assert list(kind.caught_by(replace(model, learned=3))) == [1.0, 1.0]
    assert list(kind.caught_by(model)) == pytest.approx([2 / 3, 2 / 3]), "old came back as one like the new"
    assert list(NewKind(course, {b"new1"}, since=8).caught_by(model)) == [0.0, 0.0]
