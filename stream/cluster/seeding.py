"""Where centroids stand that nobody has moved yet: chosen from a sample of the vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import ClusterError, kmeans2, vq

#: Starts tried; the tightest is taken. One alone is looser (tests/benchmarks/cluster_seeding.py).
STARTS = 8
#: Decimals: customers closer than this are alike, and the square of a distance never vanishes.
ALIKE = 9
#: Lloyd steps of each start.
STEPS = 10


def seed_centroids(points: NDArray[np.float64], clusters: int, seed: int) -> NDArray[np.float64] | None:
    """The best of several k-means++ starts over ``points`` (n, d): (clusters, d), or None if too few points differ."""
    points = points.round(ALIKE)
    if len(np.unique(points, axis=0)) < clusters:
        return None
    rng = np.random.default_rng(seed)
    starts = [start for _ in range(STARTS) if (start := _start(points, clusters, rng)) is not None]
    if not starts:
        return None
    best = min(starts, key=lambda centroids: float(np.square(vq(points, centroids)[1]).sum()))
    return np.asarray(best, np.float64)


def refine(points: NDArray[np.float64], centroids: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Centroids (k, d) moved to the middle of what is nearest to them in ``points``; None where one is left by all."""
    try:
        return np.asarray(kmeans2(points, centroids, iter=STEPS, minit="matrix", missing="raise")[0], np.float64)
    except ClusterError:
        return None


def _start(points: NDArray[np.float64], clusters: int, rng: np.random.Generator) -> NDArray[np.float64] | None:
    """One start, or None where a cluster was left by all its points."""
    try:
        centroids: NDArray[np.float64] = kmeans2(points, clusters, iter=STEPS, minit="++", missing="raise", rng=rng)[0]
    except ClusterError:
        return None
    return centroids
