"""How clusters are learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: What can learn side by side (`stream.cluster.candidates`), and what is `fresh`: placed anew on the recent sample.
CANDIDATES = ("kmeans", "kmeans-fast", "kmeans-slow", "streamkmeans", "clustream", "dbstream", "fresh")


@dataclass(frozen=True)
class TrainerSettings:
    """How to learn; ValueError where that cannot work.

    Parameters
    ----------
    features
        Names of the d features.
    clusters
        How many clusters, or the fewest and the most of them.
    seed
        The same seed and the same vectors give the same model.
    halflife
        river's name for the share of the way that a centroid moves towards a vector of its cluster, in (0, 1].
    publish_every
        Vectors from one snapshot to the next.
    warm_up
        Vectors before the first centroids are placed.
    dimension
        The dimension whose segments the clusters are.
    window
        How many of the latest vectors count when candidates are scored.
    candidates
        What learns side by side, of `CANDIDATES`.
    redraw_gain
        Published clusters are drawn anew where a candidate's inertia is lower by this share; of candidates that differ
        by less, the one that moves the fewest customers is taken.
    words
        Feature -> what a person calls a low and a high value of it.
    """

    features: tuple[str, ...]
    clusters: int | tuple[int, int] = 6
    seed: int = 1
    halflife: float = 0.01
    publish_every: int = 5_000
    warm_up: int = 1_000
    dimension: str = "cluster"
    window: int = 40_000
    candidates: tuple[str, ...] = ("kmeans", "kmeans-slow", "fresh")
    redraw_gain: float = 0.03
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.features or self.publish_every < 1 or self.warm_up < 1 or not 1 <= self.fewest <= self.most:
            raise ValueError(
                "clusters need at least one feature, publish_every and warm_up of at least 1, and a number of clusters "
                "or a range of them, from 1 on"
            )
        if not 0 < self.halflife <= 1:
            raise ValueError(f"halflife must be above 0 and at most 1, not {self.halflife}")
        unknown = sorted(set(self.candidates) - set(CANDIDATES))
        if unknown or not self.candidates:
            raise ValueError(
                f"candidates of clusters must be some of {', '.join(CANDIDATES)}, not {', '.join(unknown) or 'none'}"
            )
        if not 0 < self.redraw_gain < 1 or self.window < 1:
            raise ValueError("redraw_gain of clusters must be between 0 and 1, and window at least 1")

    @property
    def fewest(self) -> int:
        """The fewest clusters there may be."""
        return self.clusters if isinstance(self.clusters, int) else self.clusters[0]

    @property
    def most(self) -> int:
        """The most clusters there may be."""
        return self.clusters if isinstance(self.clusters, int) else self.clusters[1]
