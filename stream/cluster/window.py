"""The recent past of the stream of vectors: an even sample of the latest ones, and the scale that they give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.cluster.model import LARGEST

Matrix = NDArray[np.float64]

#: At most so many vectors are kept, and at least half as many where there were as many.
CAPACITY = 4_096
#: Scaled values are cut to this many standard deviations, so that a few extremes place no centroid.
FAR = 10.0
#: Share at either end of a feature's values that its mean and scale are taken without.
EXTREME = 0.001


class Window:
    """Of the vectors of a stream, numbered from 0, an even sample of the latest.

    Which are kept depends on their numbers and on the share only: a window that is filled again from the same vectors
    is the same one.

    Parameters
    ----------
    width
        Features of a vector, d.
    oldest
        Vectors with lower numbers are passed over.
    share
        Share of the vectors kept; halved whenever they become too many.
    """

    def __init__(self, width: int, oldest: int = 0, share: float = 1.0) -> None:
        self.width = width
        self.oldest = oldest
        self.share = share
        self._numbers: NDArray[np.int64] = np.empty(0, np.int64)
        self._vectors: Matrix = np.empty((0, width))
        #: What was added since.
        self._parts: list[tuple[NDArray[np.int64], Matrix]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, first: int, vectors: Matrix) -> tuple[NDArray[np.int64], Matrix]:
        """Offer vectors (n, d) with the numbers ``first``, ``first`` + 1 ...; those that are kept, with their numbers.

        Missing values are NaN. The answer is the same for one by one.
        """
        numbers = np.arange(first, first + len(vectors), dtype=np.int64)
        hashed, at = _hashed(numbers), 0
        picks = [np.empty(0, np.intp)]
        while at < len(numbers):  # up to the one that is too many: those behind it are thinned by more
            fitting = (hashed[at:] < self.share) & (numbers[at:] >= self.oldest)
            kept = at + np.flatnonzero(fitting)[: CAPACITY + 1 - self._count]
            self._parts.append((numbers[kept], np.array(vectors[kept])))
            self._count += len(kept)
            at = int(kept[-1]) + 1 if self._count > CAPACITY else len(numbers)
            picks.append(kept)
            while self._count > CAPACITY:
                self.share /= 2
                self._keep(lambda numbers: _hashed(numbers) < self.share)
        found = np.concatenate(picks)
        return numbers[found], np.array(vectors[found])

    def forget(self, before: int) -> None:
        """Let go of vectors with lower numbers."""
        self.oldest = max(self.oldest, before)
        self._keep(lambda numbers: numbers >= self.oldest)

    def samples(self) -> Matrix:
        """The vectors kept (n, d), the latest last."""
        self._keep(lambda numbers: numbers >= 0)
        return self._vectors

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The numbers of `samples`."""
        self._keep(lambda numbers: numbers >= 0)
        return self._numbers

    def _keep(self, which: Callable[[NDArray[np.int64]], NDArray[np.bool_]]) -> None:
        numbers = np.concatenate([self._numbers, *(numbers for numbers, _ in self._parts)])
        vectors = np.concatenate([self._vectors, *(vectors for _, vectors in self._parts)])
        kept = which(numbers)
        self._numbers, self._vectors, self._parts = numbers[kept], vectors[kept], []
        self._count = len(self._numbers)


@dataclass(frozen=True, eq=False)
class Space:
    """A scale in which features can be compared: mean 0 and standard deviation 1 over some sample.

    ``mean`` and ``scale`` are (d,); a scale of 0 counts as 1.
    """

    mean: Matrix
    scale: Matrix

    @classmethod
    def of(cls, samples: Matrix) -> Space:
        """The space of these vectors (n, d), NaN where a value is missing."""
        return cls(*(np.array(numbers, np.float64) for numbers in zip(*_moments(samples), strict=True)))

    def scaled(self, vectors: Matrix) -> Matrix:
        """Vectors in this space, cut to `FAR`; a missing value is at the mean."""
        with np.errstate(over="ignore"):
            found = np.clip((vectors - self.mean) / self._divisor, -FAR, FAR)
        return np.where(np.isnan(found), 0.0, found)

    def raw(self, points: Matrix) -> Matrix:
        """Points of this space as plain vectors."""
        return np.asarray(np.clip(points * self._divisor + self.mean, -LARGEST, LARGEST), np.float64)

    def from_other(self, points: Matrix, other: Space) -> Matrix:
        """Points of another space in this one."""
        return self.scaled(other.raw(points))

    @property
    def _divisor(self) -> Matrix:
        return np.where(self.scale == 0.0, 1.0, self.scale)


def _moments(samples: Matrix) -> Iterator[tuple[float, float]]:
    for column in samples.T:
        values = column[~np.isnan(column)]
        if not len(values):
            yield 0.0, 0.0
            continue
        low, high = np.quantile(values, [EXTREME, 1 - EXTREME], method="nearest")
        inner = np.clip(values, low, high)
        yield float(inner.mean()), float(inner.std())


def _hashed(numbers: NDArray[np.int64]) -> Matrix:
    """A number in [0, 1) for each, evenly spread (the finalizer of SplitMix64)."""
    x = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((x ^ (x >> np.uint64(31))) / float(1 << 64), np.float64)
