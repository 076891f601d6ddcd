"""A published version of the clusters: what every shard assigns with, and where the trainer goes on from."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

#: Raw and scaled values beyond this are cut to it, so that no square of a difference overflows.
LARGEST = 1e100


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
        k rows of d numbers, in scaled space. A cluster's id is its row number, the same in every version.
    names
        k segment names.
    learned
        Vectors learned so far.
    cursor
        Partition of the vectors topic -> offset of the first record not yet learned.
    trainer
        The trainer's own state as JSON, read by the trainer only (`stream.cluster.trainer.TrainerState`).
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

    def assign(self, vectors: NDArray[np.float64]) -> NDArray[np.intp]:
        """Nearest centroid of each row of ``vectors`` (n, d): n cluster ids, ties to the lowest.

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
    if not model.dimension:
        return "`dimension` must not be empty"
    if model.version < 1 or model.learned < 0 or any(min(item) < 0 for item in model.cursor.items()):
        return "`version` must be at least 1, `learned` and `cursor` must not be negative"
    return None


def _small(*rows: tuple[Any, ...]) -> bool:
    return all(abs(value) <= LARGEST for row in rows for value in row)
