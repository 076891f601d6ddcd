"""What a trainer needs to go on where it was, beside the clusters themselves and the recent vectors."""

from __future__ import annotations

from math import isfinite

import msgspec

from stream.cluster.model import ClusterModel


class Mark(msgspec.Struct, frozen=True):
    """A place in the stream of vectors: how many were learned by then, and where that is in the topic."""

    learned: int
    cursor: dict[int, int]


class TrainerState(msgspec.Struct, frozen=True):
    """Travels in each version; broken ones cannot be made (ValueError).

    Parameters
    ----------
    next_id
        Of the next cluster that is born.
    resting
        Places that a cluster left, each with the version in which it did.
    marks
        From the place on from which the sample reaches back, to the one of this version.
    oldest, share
        Of the sample, see `stream.cluster.window.Window`.
    mean, scale
        The space in which the candidates learn.
    placed
        Candidate -> its centroids there.
    levels, told
        Series -> the mean that drift is measured from, and the number of the vector at which it was told last.
    stayed
        Series -> versions in a row in which it did not move.
    unrest
        Number of the vector up to which the world counts as moving.
    """

    next_id: int
    resting: dict[int, int]
    marks: tuple[Mark, ...]
    oldest: int
    share: float
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    placed: dict[str, tuple[tuple[float, ...], ...]]
    levels: dict[str, float]
    told: dict[str, int]
    stayed: dict[str, int] = {}
    unrest: int = 0

    def __post_init__(self) -> None:
        rows = [self.mean, self.scale, *(row for rows in self.placed.values() for row in rows)]
        if len({len(row) for row in rows}) > 1 or any(not rows for rows in self.placed.values()):
            raise ValueError("every row of a trainer's state must hold one number for each feature")
        numbers = [value for row in rows for value in row] + list(self.levels.values())
        if not all(map(isfinite, numbers)) or min(self.scale, default=0) < 0:
            raise ValueError("a trainer's state must be finite, its scale not negative")
        if any(min(item) < 0 for mark in self.marks for item in mark.cursor.items()):
            raise ValueError("a place in the stream of vectors must not be negative")
        if not self.marks or not 0 < self.share <= 1 or self.next_id < 0:
            raise ValueError("a trainer's state needs a mark, a share in (0, 1] and an id that is not negative")

    @classmethod
    def of(cls, model: ClusterModel) -> TrainerState | None:
        """The state in a version, or None if it has none that this trainer understands."""
        try:
            state = msgspec.json.decode(model.trainer, type=cls)
        except msgspec.DecodeError:
            return None
        return state if len(state.mean) == len(model.features) else None
