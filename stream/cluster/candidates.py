"""What learns side by side: river's clusterers behind one contract, one vector at a time.

Of a clusterer only what the contract says outlives a version: those that move centroids go on with them, those that
keep small clusters of their own learn anew from the recent sample. So one that goes on from a published version is the
same as one that never stopped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import cluster

from stream.cluster.settings import TrainerSettings

Matrix = NDArray[np.float64]

#: Any: river's own constructors are partly without types.
_RIVER: Any = cluster

#: A feature's place in the vector -> its value. Numbers, not names: river sums a distance in the order of a set of
#: these keys, which for text differs from process to process, and with it the last bit of the sum.
Point = dict[int, float]

#: Candidate -> its half-life, as a multiple of the one that is set.
PACES = {"kmeans": 1.0, "kmeans-fast": 5.0, "kmeans-slow": 0.2}
#: Vectors of the recent sample that a clusterer without centroids of its own learns anew from, at each version.
LEARNED_AGAIN = 500


class Candidate(ABC):
    """Learns points of one space (`stream.cluster.window.Space`), each once."""

    @abstractmethod
    def learn_one(self, point: Point) -> None:
        """Learn one point."""

    @abstractmethod
    def centers(self) -> Iterable[Point]:
        """The centroids found so far."""

    def centroids(self, width: int) -> Matrix:
        """The same as a matrix (k, width), k may be 0; a number that is not finite counts as 0."""
        rows = [[center.get(place, 0.0) for place in range(width)] for center in self.centers()]
        return np.nan_to_num(np.array(rows, np.float64).reshape(-1, width), posinf=0.0, neginf=0.0)


class Following(Candidate):
    """river's KMeans: the nearest centroid goes a share of the way to each point."""

    def __init__(self, placed: Matrix, halflife: float, seed: int) -> None:
        self._kmeans: Any = _RIVER.KMeans(n_clusters=len(placed), halflife=halflife, seed=seed)
        self._kmeans.centers = _centers(placed)

    def learn_one(self, point: Point) -> None:
        self._kmeans.learn_one(point)

    def centers(self) -> Iterable[Point]:
        return list(self._kmeans.centers.values())


class Chunked(Candidate):
    """river's STREAMKMeans: a k-means of each chunk, and one over their centroids."""

    def __init__(self, placed: Matrix, halflife: float, seed: int) -> None:
        self._stream: Any = _RIVER.STREAMKMeans(chunk_size=100, n_clusters=len(placed), halflife=halflife, seed=seed)
        self._stream._kmeans.centers = self._stream.centers = _centers(placed)

    def learn_one(self, point: Point) -> None:
        self._stream.learn_one(point)

    def centers(self) -> Iterable[Point]:
        return list(self._stream.centers.values())


class Micro(Candidate):
    """river's CluStream: a hundred small clusters, and a k-means over them."""

    def __init__(self, clusters: int, halflife: float, seed: int) -> None:
        self._stream: Any = _RIVER.CluStream(
            n_macro_clusters=clusters, max_micro_clusters=100, time_gap=100, seed=seed, halflife=max(halflife, 0.05)
        )

    def learn_one(self, point: Point) -> None:
        self._stream.learn_one(point)

    def centers(self) -> Iterable[Point]:
        return list(self._stream.centers.values())


class Dense(Candidate):
    """river's DBSTREAM: regions in which points lie densely; it finds their number itself."""

    def __init__(self, width: int) -> None:
        self._stream: Any = _RIVER.DBSTREAM(
            clustering_threshold=0.5 * width**0.5,
            fading_factor=0.001,
            cleanup_interval=100,
            intersection_factor=0.3,
            minimum_weight=5.0,
        )
        self._any = False

    def learn_one(self, point: Point) -> None:
        self._stream.learn_one(point)
        self._any = True

    def centers(self) -> Iterable[Point]:
        if not self._any:
            return []
        self._stream._recluster()
        return list(self._stream._centers.values())


def make(name: str, settings: TrainerSettings, placed: Matrix, recent: Matrix) -> Candidate | None:
    """The candidate of that name, None for `fresh`, which learns nothing between versions.

    It goes on from the centroids ``placed`` (k, d), or learns the latest of ``recent`` (n, d) first.
    """
    seed, halflife = settings.seed, settings.halflife
    if name in PACES:
        return Following(placed, min(1.0, halflife * PACES[name]), seed)
    if name == "streamkmeans":
        return Chunked(placed, halflife, seed)
    if name == "fresh":
        return None
    found: Candidate = Micro(len(placed), halflife, seed) if name == "clustream" else Dense(placed.shape[1])
    for point in points(recent[-LEARNED_AGAIN:]):
        found.learn_one(point)
    return found


def goes_on(name: str) -> bool:
    """Whether a candidate takes its centroids from one version to the next."""
    return name in PACES or name == "streamkmeans"


def points(rows: Matrix) -> Iterable[Point]:
    """Rows (n, d) as river takes them."""
    return (dict(enumerate(row)) for row in rows.tolist())


def _centers(placed: Matrix) -> dict[int, defaultdict[int, float]]:
    return {number: defaultdict(float, enumerate(row)) for number, row in enumerate(placed.tolist())}
