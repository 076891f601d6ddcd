"""Where the first centroids stand: chosen from a sample of the vectors seen while warming up."""

from __future__ import annotations

from random import Random

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2, vq

#: Vectors kept of a warm-up of any length.
CAPACITY = 4_096
#: Starts tried; the tightest is taken. One alone is looser (tests/benchmarks/cluster_seeding.py).
STARTS = 8
#: Decimals: customers closer than this are alike, and the square of a distance never vanishes.
ALIKE = 9
#: Lloyd steps of each start.
STEPS = 10


class Reservoir:
    """A uniform sample of a stream, of bounded size (Vitter's algorithm R).

    Parameters
    ----------
    width
        Features of a vector, d.
    rng
        Decides who stays.
    """

    def __init__(self, width: int, rng: Random) -> None:
        self.width = width
        self.samples: list[dict[int, float]] = []
        self._seen = 0
        self._rng = rng

    def add(self, sample: dict[int, float]) -> None:
        """Offer one vector (place -> value, missing ones left out)."""
        self._seen += 1
        if len(self.samples) < CAPACITY:
            self.samples.append(sample)
            return
        place = self._rng.randrange(self._seen)
        if place < CAPACITY:
            self.samples[place] = sample


def seed_centroids(points: NDArray[np.float64], clusters: int, seed: int) -> NDArray[np.float64] | None:
    """The best of several k-means++ starts over ``points`` (n, d): (clusters, d), or None if too few points differ."""
    points = points.round(ALIKE)
    if len(np.unique(points, axis=0)) < clusters:
        return None
    rng = np.random.default_rng(seed)
    starts = [kmeans2(points, clusters, iter=STEPS, minit="++", rng=rng)[0] for _ in range(STARTS)]
    best = min(starts, key=lambda centroids: float(np.square(vq(points, centroids)[1]).sum()))
    return np.asarray(best, np.float64)
