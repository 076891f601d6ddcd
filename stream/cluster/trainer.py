"""Learns clusters from a stream of feature vectors, one at a time, with river. Pure: no I/O, no clock."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, isnan, sqrt
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from river import cluster, compose, preprocessing

from stream.cluster.model import LARGEST, ClusterModel, usable
from stream.cluster.seeding import Reservoir, seed_centroids

#: A feature's place in the vector -> its value. Numbers, not names: river sums a distance in the order of a set of
#: these keys, which for text differs from process to process, and with it the last bit of the sum.
Sample = dict[int, float]


@dataclass(frozen=True)
class TrainerSettings:
    """How to learn.

    Parameters
    ----------
    features
        Names of the d features.
    clusters
        How many clusters, k.
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
    """

    features: tuple[str, ...]
    clusters: int = 6
    seed: int = 1
    halflife: float = 0.01
    publish_every: int = 5_000
    warm_up: int = 1_000
    dimension: str = "cluster"

    def __post_init__(self) -> None:
        if not self.features or self.clusters < 1 or self.publish_every < 1 or self.warm_up < 1:
            raise ValueError(
                "clusters need at least one feature, and clusters, publish_every and warm_up of at least 1"
            )
        if not 0 < self.halflife <= 1:
            raise ValueError(f"halflife must be above 0 and at most 1, not {self.halflife}")


class TrainerState(msgspec.Struct, frozen=True):
    """What a warmed-up trainer needs to go on where it was; travels in each snapshot."""

    features: tuple[str, ...]
    version: int
    effective: int
    learned: int
    counts: tuple[int, ...]
    means: tuple[float, ...]
    variances: tuple[float, ...]
    centroids: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        width = len(self.features)
        if width == 0:
            raise ValueError("a trainer's state must name its features")
        rows = (self.counts, self.means, self.variances, *self.centroids)
        if any(len(row) != width for row in rows):
            raise ValueError(f"every row of a trainer's state must hold {width} numbers, one for each feature")
        if (
            not all(isfinite(value) for row in rows for value in row)
            or min(self.counts + self.variances, default=0) < 0
        ):
            raise ValueError("a trainer's state must be finite, its counts and variances not negative")

    @classmethod
    def of(cls, model: ClusterModel) -> TrainerState | None:
        """The state in a snapshot, or None if it has none that this trainer understands."""
        try:
            return msgspec.json.decode(model.trainer, type=cls)
        except msgspec.DecodeError:
            return None


class Trainer:
    """A river pipeline, StandardScaler then KMeans, and the rule when to publish it.

    Parameters
    ----------
    settings
        How to learn.
    version, effective
        Of the last snapshot that was published, if there is one: the next is above both.
    """

    def __init__(self, settings: TrainerSettings, *, version: int = 0, effective: int = 0) -> None:
        self.settings = settings
        self.learned = 0
        self._version = version
        self._effective = effective
        self._published_at: int | None = None
        # Any: river's own methods are partly without types.
        self._scaler: Any = preprocessing.StandardScaler()
        self._kmeans: Any = cluster.KMeans(n_clusters=settings.clusters, halflife=settings.halflife, seed=settings.seed)
        self._pipeline: Any = self._scaler | compose.FuncTransformer(_bounded) | self._kmeans
        # Of the centroids that river draws at random some are never nearest to anything, so never move; ours are placed
        # at the end of the warm-up.
        self._reservoir: Reservoir | None = Reservoir(len(settings.features), random.Random(settings.seed))  # noqa: S311

    @classmethod
    def from_state(cls, settings: TrainerSettings, state: TrainerState) -> Trainer:
        """A trainer that goes on exactly as the one whose state it was; ValueError if it learned something else."""
        if state.features != settings.features or len(state.centroids) != settings.clusters:
            raise ValueError("the trainer's state is of other features or of another number of clusters")
        trainer = cls(settings, version=state.version, effective=state.effective)
        trainer.learned = trainer._published_at = state.learned
        trainer._scaler.counts = Counter(dict(enumerate(state.counts)))
        trainer._scaler.means = defaultdict(float, enumerate(state.means))
        trainer._scaler.vars = defaultdict(float, enumerate(state.variances))
        trainer._place(state.centroids)
        return trainer

    @classmethod
    def after(cls, settings: TrainerSettings, newest: ClusterModel) -> Trainer:
        """The trainer that wrote that version; a new one that counts on from it, if it learned something else."""
        state = TrainerState.of(newest)
        if state is None or state.features != settings.features or len(state.centroids) != settings.clusters:
            return cls(settings, version=newest.version, effective=newest.effective)
        return cls.from_state(settings, state)

    @property
    def warming_up(self) -> bool:
        """No centroids yet, so nothing to publish."""
        return self._reservoir is not None

    def until_due(self) -> int:
        """How many more vectors make the next snapshot due; 0: due now. While warming up: until that may end."""
        if self.warming_up:
            return self.settings.warm_up - self.learned % self.settings.warm_up
        if self._published_at is None:
            return 0
        return max(0, self._published_at + self.settings.publish_every - self.learned)

    def learn(self, vectors: NDArray[np.float64]) -> None:
        """Learn the rows of ``vectors`` (n, d) in order; values that are not finite are missing."""
        for values in usable(vectors).tolist():
            self._learn_one({place: value for place, value in enumerate(values) if not isnan(value)})

    def _learn_one(self, sample: Sample) -> None:
        self.learned += 1
        if self._reservoir is None:
            self._pipeline.learn_one(sample)
            return
        self._scaler.learn_one(sample)
        self._reservoir.add(sample)
        if self.learned % self.settings.warm_up == 0:
            self._end_warm_up(self._reservoir)

    def _end_warm_up(self, reservoir: Reservoir) -> None:
        """Place the centroids, unless there are fewer different customers so far than clusters."""
        scaled = [_bounded(self._scaler.transform_one(sample)) for sample in reservoir.samples]
        points = np.array([[sample.get(place, 0.0) for place in range(reservoir.width)] for sample in scaled])
        centroids = seed_centroids(points, self.settings.clusters, self.settings.seed)
        if centroids is not None:
            self._place(centroids.tolist())

    def _place(self, centroids: Iterable[Iterable[float]]) -> None:
        self._kmeans.centers = {i: defaultdict(float, enumerate(row)) for i, row in enumerate(centroids)}
        self._reservoir = None

    def state(self) -> TrainerState | None:
        """All that `from_state` needs, or None while warming up."""
        return None if self.warming_up else self._state()

    def _state(self) -> TrainerState:
        places = range(len(self.settings.features))
        return TrainerState(
            features=self.settings.features,
            version=self._version,
            effective=self._effective,
            learned=self.learned,
            counts=tuple(self._scaler.counts[place] for place in places),
            means=tuple(self._scaler.means[place] for place in places),
            variances=tuple(self._scaler.vars[place] for place in places),
            centroids=tuple(tuple(center[place] for place in places) for center in self._kmeans.centers.values()),
        )

    def snapshot(self, effective_ms: int, cursor: dict[int, int]) -> ClusterModel | None:
        """The next version, or None while warming up.

        It is effective at ``effective_ms``, or 1 ms after the version before if that is later: versions never overtake
        one another. ``cursor`` is where in the vectors topic this trainer stands.
        """
        if self.warming_up:
            return None
        self._version += 1
        self._effective = max(effective_ms, self._effective + 1)
        self._published_at = self.learned
        state = self._state()
        return ClusterModel(
            dimension=self.settings.dimension,
            version=state.version,
            effective=state.effective,
            features=state.features,
            mean=state.means,
            scale=tuple(sqrt(variance) for variance in state.variances),
            centroids=state.centroids,
            names=tuple(f"cluster-{number}" for number in range(self.settings.clusters)),
            learned=state.learned,
            cursor=cursor,
            trainer=msgspec.Raw(msgspec.json.encode(state)),
        )


def _bounded(sample: Sample) -> Sample:
    """Scaled values cut to what can be squared; a scale close to 0 makes anything large."""
    return {place: min(max(value, -LARGEST), LARGEST) for place, value in sample.items()}
