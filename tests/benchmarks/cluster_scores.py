"""How good a clustering is: beside the truth, and beside batch k-means of scikit-learn on the same vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.preprocessing import StandardScaler

from stream.cluster.model import ClusterModel

Matrix = NDArray[np.float64]
Labels = NDArray[np.intp]

#: Starts of batch k-means; the tightest is taken.
STARTS = 10
#: Vectors that a silhouette is taken of, drawn at random: its cost grows with their square.
SHOWN = 5_000


@dataclass(frozen=True)
class Scores:
    """One clustering beside the batch result; ``truth`` and ``batch_truth`` are adjusted Rand indices, NaN where the
    truth is not known, and ``both`` that of the two clusterings.  Distances are in units of standard deviations."""

    clusters: int
    used: int
    truth: float
    batch_truth: float
    both: float
    silhouette: float
    batch_silhouette: float
    inertia: float
    batch_inertia: float


def scaled(vectors: Matrix) -> Matrix:
    """Vectors with mean 0 and standard deviation 1 in every part; what is missing counts as the mean."""
    known: Matrix = np.where(np.isfinite(vectors), vectors, np.nan)
    empty = np.isnan(known).all(0)
    known[:, empty] = 0.0
    filled = np.where(np.isnan(known), np.nanmean(known, axis=0), known)
    return np.asarray(StandardScaler().fit_transform(filled), np.float64)


def score(model: ClusterModel, vectors: Matrix, truth: Sequence[str] | None, seed: int) -> Scores:
    """Judge a model by vectors that it may or may not have learned, one of each customer."""
    return score_labels(model.assign(vectors), len(model.centroids), vectors, truth, seed)


def score_labels(labels: Labels, clusters: int, vectors: Matrix, truth: Sequence[str] | None, seed: int) -> Scores:
    """The same of any labelling, beside batch k-means with as many clusters."""
    points = scaled(vectors)
    batch = KMeans(clusters, n_init=STARTS, random_state=seed).fit(points)
    counts = np.bincount(labels)
    return Scores(
        clusters,
        int((counts >= 0.005 * len(labels)).sum()),
        float("nan") if truth is None else float(adjusted_rand_score(truth, labels)),
        float("nan") if truth is None else float(adjusted_rand_score(truth, batch.labels_)),
        float(adjusted_rand_score(labels, batch.labels_)),
        _silhouette(points, labels, seed),
        _silhouette(points, batch.labels_, seed),
        inertia(points, labels),
        float(batch.inertia_) / len(points),
    )


def inertia(points: Matrix, labels: Labels) -> float:
    """Mean squared distance of a point from the mean of its cluster."""
    total = sum(
        float(np.square(points[labels == one] - points[labels == one].mean(0)).sum()) for one in np.unique(labels)
    )
    return total / len(points)


def _silhouette(points: Matrix, labels: Labels, seed: int) -> float:
    if len(np.unique(labels)) < 2:
        return float("nan")
    return float(silhouette_score(points, labels, sample_size=min(SHOWN, len(points)), random_state=seed))
