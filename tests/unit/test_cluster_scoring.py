"""Silhouettes are those of scikit-learn; the number of clusters is the one that parts customers best, and stays."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import silhouette_samples

from stream.cluster.scoring import CLEARLY, Scale, Scored, choose_number, score, silhouettes

Matrix = NDArray[np.float64]


@pytest.mark.parametrize("seed", range(4))
def test_silhouettes_are_those_of_scikit_learn(seed: int) -> None:
    """Also where somebody is alone in a cluster."""
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 1, (60, 3))
    labels = rng.choice(4, 60)
    labels[7] = 4
    between = np.sqrt(((points[:, np.newaxis] - points) ** 2).sum(axis=2))
    assert silhouettes(between, labels) == pytest.approx(silhouette_samples(points, labels), abs=1e-9)


def test_one_cluster_has_no_silhouette() -> None:
    assert silhouettes(np.ones((3, 3)), np.zeros(3, np.intp)).tolist() == [0.0, 0.0, 0.0]


def test_centroids_that_serve_nobody_are_left_out() -> None:
    points = np.array([[0.0], [1.0], [9.0], [10.0]])
    found = score("any", np.array([[0.5], [50.0], [9.5]]), Scale.of(points))
    assert found.centroids.tolist() == [[0.5], [9.5]]
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert found.inertia == 0.25


def test_clusters_in_another_order_are_the_same_clusters() -> None:
    points = np.array([[0.0], [1.0], [9.0]])
    found = score("any", np.array([[0.5], [9.0]]), Scale.of(points)).ordered(np.array([1, 0]))
    assert found.centroids.tolist() == [[9.0], [0.5]]
    assert found.labels.tolist() == [1, 1, 0]


def of(silhouette: float) -> Scored:
    return Scored("any", np.zeros((1, 1)), np.zeros(1, np.intp), 1.0, np.array([silhouette]), np.zeros(1, np.intp))


def test_the_number_of_clusters_is_the_one_with_the_highest_silhouette() -> None:
    number, why = choose_number({3: of(0.2), 4: of(0.5), 5: of(0.4)}, None)
    assert number == 4
    assert why == "4 of 3 to 5 clusters: the highest silhouette, 0.50 (5 clusters: 0.40)"
    assert choose_number({6: of(0.1)}, None) == (6, "6 clusters: as the definition asks")


def test_the_number_of_clusters_stays_unless_another_is_clearly_better() -> None:
    number, why = choose_number({3: of(0.40), 4: of(0.40 + CLEARLY / 2)}, 3)
    assert number == 3
    assert why.startswith("3 of 3 to 4 clusters, as before: ")
    assert choose_number({3: of(0.40), 4: of(0.40 + 2 * CLEARLY)}, 3)[0] == 4
