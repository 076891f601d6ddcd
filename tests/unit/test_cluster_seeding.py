"""The first centroids need customers that differ."""

from __future__ import annotations

import numpy as np
import pytest

from stream.cluster.seeding import seed_centroids


@pytest.mark.parametrize("spread", [0.0, 1e-12, 1e-200])
def test_customers_that_are_alike_seed_no_clusters(spread: float) -> None:
    assert seed_centroids(np.array([[0.0], [spread], [2 * spread]]), 2, 1) is None


def test_as_many_centroids_as_asked_for_where_points_differ() -> None:
    centroids = seed_centroids(np.array([[0.0], [5.0], [9.0], [9.0]]), 3, 1)
    assert centroids is not None
    assert sorted(centroids[:, 0].tolist()) == [0.0, 5.0, 9.0]
