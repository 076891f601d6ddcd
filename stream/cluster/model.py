"""A published version of the clusters: what every shard assigns with, and where the trainer goes on from."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

#: Raw and scaled values beyond this are cut to it, so that no square of a difference overflows.
LARGEST = 1e100
#: Most characters of a name that a person gives.
LONGEST_NAME = 100


class Happening(msgspec.Struct, frozen=True):
    """What became of a cluster in this version, measured against the version before.

    Parameters
    ----------
    kind
        `born`: nothing like it was there; `split`: it came out of ``others``, which live on; `died`: its customers went
        nowhere in particular; `merged`: they went to ``others``.
    id
        Of the cluster that came or went.
    others
        Ids of the clusters concerned beside it.
    """

    kind: Literal["born", "died", "split", "merged"]
    id: int
    others: tuple[int, ...] = ()


class Trait(msgspec.Struct, frozen=True):
    """One thing that sets a cluster apart from all customers.

    Parameters
    ----------
    feature
        Name of the part of the vector.
    deviations
        How far the centre of the cluster is from the mean of all, in standard deviations; negative: below it.
    words
        What a person calls that, such as "frequent".
    """

    feature: str
    deviations: float
    words: str


class Profile(msgspec.Struct, frozen=True):
    """What is known of one cluster when the version was made, from a sample of the vectors of late.

    Parameters
    ----------
    share
        Of the sample, in [0, 1].
    homogeneity
        1 less the ratio of the mean squared distance from its own centre to that from the mean of all: 1 where its
        customers are all alike, 0 or less where they differ as much as any do.
    silhouette
        Mean of its customers' silhouettes, in [-1, 1].
    born
        The version in which it came up.
    traits
        What sets it apart, the most telling first.
    warning
        What makes it of little use (too small, too loose), in one sentence; empty: nothing.
    """

    share: float
    homogeneity: float
    silhouette: float = 0.0
    born: int = 1
    traits: tuple[Trait, ...] = ()
    warning: str = ""


class Score(msgspec.Struct, frozen=True):
    """How well one way of learning did on the same sample.

    Parameters
    ----------
    candidate
        Its name, such as "kmeans-0.01".
    clusters
        How many it found.
    inertia
        Mean squared distance of a vector from its nearest centre, in scaled space.
    silhouette
        Mean silhouette over the sample, in [-1, 1].
    chosen
        Whether this version is made of it.
    """

    candidate: str
    clusters: int
    inertia: float
    silhouette: float
    chosen: bool = False


class ClusterModel(msgspec.Struct, frozen=True, dict=True, tag="model", tag_field="type"):
    """One snapshot of the trainer; broken ones cannot be made (ValueError, one sentence).

    Unknown fields are ignored, so that a worker can read what a newer trainer wrote.

    Parameters
    ----------
    dimension
        The dimension whose segments are these clusters.
    version
        1 for the first snapshot, one more for each later one.
    effective
        Event time in ms from which the model is in force; greater in each later version.
    features
        Names of the d features, in the order of a vector's values.
    mean, scale
        d numbers each; a scale of 0 counts as 1.
    centroids
        k rows of d numbers, in scaled space.
    names
        k names for people, all different.
    learned
        Vectors learned so far.
    cursor
        Partition of the vectors topic -> offset of the first record not yet learned.
    trainer
        The trainer's own state as JSON, read by the trainer only (`stream.cluster.trainer.TrainerState`).
    ids
        k numbers, each of them a cluster's for ever; empty: the row numbers.
    slots
        k places of clusters in customers' rows; empty: the row numbers. A place that a cluster left is another's two
        versions later at the earliest, so that what came and what went in one version never share one.
    given
        Ids of the clusters whose name a person gave.
    story
        What happened to clusters since the version before.
    profiles
        k profiles, or none where nothing was measured.
    scores
        The candidates, and which one this is.
    why
        Why this candidate and this many clusters, in one sentence.
    drifted
        What was seen to drift since the version before: features, and "inertia".
    """

    dimension: str
    version: int
    effective: int
    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    centroids: tuple[tuple[float, ...], ...]
    names: tuple[str, ...]
    learned: int
    cursor: dict[int, int]
    trainer: msgspec.Raw = msgspec.Raw(b"null")
    ids: tuple[int, ...] = ()
    slots: tuple[int, ...] = ()
    given: tuple[int, ...] = ()
    story: tuple[Happening, ...] = ()
    profiles: tuple[Profile, ...] = ()
    scores: tuple[Score, ...] = ()
    why: str = ""
    drifted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        mistake = _mistake(self)
        if mistake is not None:
            raise ValueError(mistake)

    @classmethod
    def from_json(cls, data: bytes) -> ClusterModel:
        """Read one snapshot; ValueError says in one sentence what is wrong with it."""
        try:
            model = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"broken cluster model: {error}") from error
        # A Raw is a view into the message that it came from; a copy lets that message go.
        return msgspec.structs.replace(model, trainer=model.trainer.copy())

    def to_json(self) -> bytes:
        """The snapshot as one line of JSON."""
        return msgspec.json.encode(self)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The cluster's id of each row."""
        return self.ids or tuple(range(len(self.centroids)))

    @property
    def places(self) -> tuple[int, ...]:
        """The cluster's place in customers' rows, of each row."""
        return self.slots or tuple(range(len(self.centroids)))

    @property
    def segments(self) -> tuple[str, ...]:
        """The cluster's segment, of each row."""
        return tuple(segment_of(number) for number in self.numbers)

    def assign(self, vectors: NDArray[np.float64]) -> NDArray[np.intp]:
        """Nearest centroid of each row of ``vectors`` (n, d): n row numbers of ``centroids``, ties to the lowest.

        A value that is missing (not finite) counts as the mean. A row's answer depends on that row only, to the last
        bit, so it does not matter how rows are cut into batches.
        """
        if vectors.ndim != 2 or vectors.shape[1] != len(self.features):
            raise ValueError(f"vectors of shape (n, {len(self.features)}) expected, not {vectors.shape}")
        scaled = self._scaled(vectors)
        distances = np.zeros((len(vectors), len(self.centroids)))
        # Feature by feature: sums over a matrix's axis may add in another order for another number of rows.
        for feature, centers in enumerate(self._arrays[2].T):
            distances += np.square(scaled[:, feature, np.newaxis] - centers)
        nearest: NDArray[np.intp] = distances.argmin(axis=1)
        return nearest

    def _scaled(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        mean, scale, _ = self._arrays
        with np.errstate(over="ignore"):
            scaled = np.clip((usable(vectors) - mean) / scale, -LARGEST, LARGEST)
        return np.where(np.isnan(scaled), 0.0, scaled)

    @cached_property
    def _arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        scale = np.asarray(self.scale, np.float64)
        return np.asarray(self.mean, np.float64), np.where(scale == 0.0, 1.0, scale), np.asarray(self.centroids)


def segment_of(number: int) -> str:
    """The segment of the cluster with that id."""
    return f"cluster-{number}"


class ClusterName(msgspec.Struct, frozen=True, tag="cluster-name", tag_field="type"):
    """A person's wish on the control topic: what a cluster is called from now on.

    Shards pass over it; the trainer publishes a version that differs in the name only, and keeps it in all later ones.

    Parameters
    ----------
    dimension
        The learned dimension.
    id
        Of the cluster.
    name
        What people are to call it, one line; empty: back to the name that the trainer makes.
    """

    dimension: str
    id: int
    name: str

    def __post_init__(self) -> None:
        if not self.dimension or self.id < 0:
            raise ValueError("`dimension` must not be empty, `id` must not be negative")
        if len(self.name) > LONGEST_NAME or self.name != self.name.strip() or self.name == "none":
            raise ValueError(f"`name` must be at most {LONGEST_NAME} characters without space around, and not 'none'")
        if self.name and not self.name.isprintable():
            raise ValueError("`name` must be one line of printable characters")

    @classmethod
    def from_json(cls, data: bytes) -> ClusterName:
        """Read one request; ValueError says in one sentence what is wrong with it."""
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"broken request to name a cluster: {error}") from error

    def to_json(self) -> bytes:
        """The request as one line of JSON."""
        return msgspec.json.encode(self)


def usable(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same vectors, NaN where a value is not finite, and none beyond `LARGEST`."""
    return np.where(np.isfinite(vectors), np.clip(vectors, -LARGEST, LARGEST), np.nan)


def _mistake(model: ClusterModel) -> str | None:
    """The first thing wrong with a model, or None."""
    width, clusters = len(model.features), len(model.centroids)
    if width == 0 or len(set(model.features)) < width or not all(model.features):
        return "`features` must be different names, at least one"
    if clusters == 0:
        return "`centroids` must hold at least one centroid"
    if any(len(row) != width for row in (model.mean, model.scale, *model.centroids)):
        return f"`mean`, `scale` and each of `centroids` must hold {width} numbers, one for each feature"
    if not _small(model.mean, model.scale, *model.centroids):
        return f"`mean`, `scale` and `centroids` must be finite and not beyond {LARGEST:g}"
    if min(model.scale) < 0:
        return "`scale` must not be negative"
    if len(model.names) != clusters or len(set(model.names)) < clusters or not {"", "none"}.isdisjoint(model.names):
        return f"`names` must be {clusters} different names, none empty and none called 'none'"
    if not _apart(model.ids, clusters) or not _apart(model.slots, clusters):
        return f"`ids` and `slots` must be {clusters} different numbers each, none negative, or empty"
    if model.profiles and len(model.profiles) != clusters:
        return f"`profiles` must be {clusters}, or empty"
    if not model.dimension:
        return "`dimension` must not be empty"
    if model.version < 1 or model.learned < 0 or any(min(item) < 0 for item in model.cursor.items()):
        return "`version` must be at least 1, `learned` and `cursor` must not be negative"
    return None


def _apart(numbers: tuple[int, ...], clusters: int) -> bool:
    return not numbers or (len(numbers) == len(set(numbers)) == clusters and min(numbers) >= 0)


def _small(*rows: tuple[Any, ...]) -> bool:
    return all(abs(value) <= LARGEST for row in rows for value in row)
