"""How good a set of centroids is on a sample, how many clusters it has, and why so many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Matrix = NDArray[np.float64]
Labels = NDArray[np.intp]

#: Silhouettes are taken over so many points at most: each needs the distances to all others.
JUDGED = 1_000
#: With so many points or more, clusters are found on one half of them and judged by the other.
HALVED = 500
#: Another number of clusters than the present one must be better by this much of a silhouette.
CLEARLY = 0.02


@dataclass(frozen=True, eq=False)
class Scale:
    """Points (n, d) of one space to score on.

    What is found anew is found on every second of them, and all is judged by the others: else what was fitted to a
    sample would beat what is published by the noise of the sample alone. ``held`` are the rows that judge; ``judged``
    some of them, with the distances ``between`` them, for silhouettes.
    """

    points: Matrix
    held: NDArray[np.intp]
    judged: NDArray[np.intp]
    between: Matrix

    @classmethod
    def of(cls, points: Matrix) -> Scale:
        """Score on these points."""
        held = np.arange(1 if len(points) >= HALVED else 0, len(points), 2 if len(points) >= HALVED else 1)
        judged = held[np.unique(np.linspace(0, len(held) - 1, min(JUDGED, len(held))).astype(np.intp))]
        return cls(points, held, judged, np.asarray(cdist(points[judged], points[judged]), np.float64))

    @property
    def fitted(self) -> Matrix:
        """The points that clusters are found on."""
        return self.points[::2] if len(self.points) >= HALVED else self.points


@dataclass(frozen=True, eq=False)
class Scored:
    """Centroids (k, d) that serve somebody, the row of each point's, and how good that is.

    ``inertia`` is the mean squared distance of a point held out from its centroid; ``silhouettes`` are of the points
    ``judged``.
    """

    name: str
    centroids: Matrix
    labels: Labels
    inertia: float
    silhouettes: Matrix
    judged: NDArray[np.intp]

    def ordered(self, rows: NDArray[np.intp]) -> Scored:
        """The same clusters in another order: first the one of the first of these rows."""
        return replace(self, centroids=self.centroids[rows], labels=np.argsort(rows)[self.labels])

    @property
    def silhouette_by_cluster(self) -> list[float]:
        """The mean silhouette of each cluster, 0 where nobody in it was judged."""
        labels, rows = self.labels[self.judged], len(self.centroids)
        sizes = np.maximum(np.bincount(labels, minlength=rows), 1)
        return [float(mean) for mean in np.bincount(labels, self.silhouettes, minlength=rows) / sizes]

    @property
    def silhouette(self) -> float:
        """The mean silhouette, in [-1, 1]; 0 where there is one cluster only."""
        return float(self.silhouettes.mean()) if len(self.silhouettes) else 0.0

    @property
    def clusters(self) -> int:
        """How many there are."""
        return len(self.centroids)


def nearest(points: Matrix, centroids: Matrix) -> Labels:
    """The nearest centroid's row, of each point."""
    return np.asarray(cdist(points, centroids, "sqeuclidean").argmin(axis=1), np.intp)


def score(name: str, centroids: Matrix, scale: Scale) -> Scored:
    """Score centroids of the same space; those nearest to nobody are left out."""
    labels = nearest(scale.points, centroids)
    used, labels = np.unique(labels, return_inverse=True)
    return score_as(name, centroids[used], labels, scale)


def score_as(name: str, centroids: Matrix, labels: Labels, scale: Scale) -> Scored:
    """The same for points that were assigned by another measure of distance."""
    inertia = float(np.square(scale.points[scale.held] - centroids[labels[scale.held]]).sum(axis=1).mean())
    return Scored(name, centroids, labels, inertia, silhouettes(scale.between, labels[scale.judged]), scale.judged)


def silhouettes(between: Matrix, labels: Labels) -> Matrix:
    """The silhouette of each point by the distances between all of them (n, n), 0 for who is alone in a cluster."""
    members = np.bincount(labels, minlength=int(labels.max(initial=0)) + 1)
    if len(members) < 2 or not len(labels):
        return np.zeros(len(labels))
    belongs = (labels[:, np.newaxis] == np.arange(len(members))).astype(np.float64)
    sums = between @ belongs
    rows = np.arange(len(labels))
    own = sums[rows, labels] / np.maximum(members[labels] - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums / members
    means[:, members == 0] = np.inf
    means[rows, labels] = np.inf
    other = means.min(axis=1)
    largest = np.maximum(own, other)
    found = np.divide(other - own, largest, out=np.zeros_like(own), where=(largest > 0) & np.isfinite(largest))
    return np.asarray(np.where(members[labels] > 1, found, 0.0), np.float64)


def choose_number(found: Mapping[int, Scored], present: int | None) -> tuple[int, str]:
    """How many clusters, of the numbers tried, and why in one sentence; ``present`` is how many there are now."""
    best = max(found, key=lambda k: (found[k].silhouette, -k))
    if present is not None and present in found and found[best].silhouette <= found[present].silhouette + CLEARLY:
        best = present
    others = [k for k in found if k != best]
    if not others:
        return best, f"{best} clusters: as the definition asks"
    rival = max(others, key=lambda k: (found[k].silhouette, -k))
    mine, theirs = found[best].silhouette, found[rival].silhouette
    asked = f"of {min(found)} to {max(found)} clusters"
    if mine >= theirs:
        return best, f"{best} {asked}: the highest silhouette, {mine:.2f} ({rival} clusters: {theirs:.2f})"
    return (
        best,
        f"{best} {asked}, as before: silhouette {mine:.2f}, and {rival} clusters with {theirs:.2f} are no clear gain",
    )
