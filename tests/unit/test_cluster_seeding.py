"""The sample of the warm-up is bounded and fair, and the first centroids need customers that differ."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from stream.cluster.seeding import CAPACITY, Reservoir, seed_centroids


def test_a_short_warm_up_is_kept_whole_and_a_long_one_is_sampled_evenly() -> None:
    reservoir = Reservoir(1, Random(3))
    for number in range(CAPACITY):
        reservoir.add({0: float(number)})
    assert [sample[0] for sample in reservoir.samples] == list(range(CAPACITY))
    for number in range(CAPACITY, 4 * CAPACITY):
        reservoir.add({0: float(number)})
    assert len(reservoir.samples) == CAPACITY
    quarters = np.bincount([int(sample[0]) // CAPACITY for sample in reservoir.samples], minlength=4)
    assert quarters.min() > 0.22 * CAPACITY


@pytest.mark.parametrize("spread", [0.0, 1e-12, 1e-200])
def test_customers_that_are_alike_seed_no_clusters(spread: float) -> None:
    assert seed_centroids(np.array([[0.0], [spread], [2 * spread]]), 2, 1) is None


def test_as_many_centroids_as_asked_for_where_points_differ() -> None:
    centroids = seed_centroids(np.array([[0.0], [5.0], [9.0], [9.0]]), 3, 1)
    assert centroids is not None
    assert sorted(centroids[:, 0].tolist()) == [0.0, 5.0, 9.0]
