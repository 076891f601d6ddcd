"""What BG/NBD is fitted to: how often customers bought again, when last, and since when they are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stream.predict.groups import KEY_BITS, MOST_DIGITS, about, alike, merged

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Histories:
    """Histories of many customers, alike ones counted together; ValueError where one is impossible.

    All times are in one unit, whichever the caller likes; what is fitted to them is in the same.

    Parameters
    ----------
    frequency
        Purchases after the first one, x.
    recency
        From the first purchase to the last one, t_x; 0 where there is one only (also: two at the same instant).
    age
        From the first purchase to the instant at which it is looked, T; at least the recency.
    count
        How many customers have this history.
    """

    frequency: Floats
    recency: Floats
    age: Floats
    count: Floats

    def __post_init__(self) -> None:
        columns = (self.frequency, self.recency, self.age, self.count)
        if any(column.ndim != 1 or len(column) != len(self.frequency) for column in columns):
            raise ValueError("histories are four columns of one length: frequency, recency, age and count")
        if not all(np.isfinite(column).all() and (column >= 0).all() for column in columns):
            raise ValueError("a history's frequency, recency, age and count must be finite and not negative")
        if (self.recency > self.age).any():
            raise ValueError("a history's last purchase lies after the instant at which it is looked")
        if (self.recency[self.frequency == 0] > 0).any():
            raise ValueError("a history of one purchase has a recency: its last purchase is its first")

    @classmethod
    def of(cls, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, *, step: float = 0.0) -> Histories:
        """Histories of customers, one a place, grouped.

        ``step``: recency and the silence since are rounded to multiples of it, so that more are alike; 0: not.
        """
        x, last, total = (np.atleast_1d(np.asarray(column, np.float64)) for column in (frequency, recency, age))
        return cls(x, last, total, np.ones(len(x))).grouped(step)

    def grouped(self, step: float = 0.0) -> Histories:
        """The same with alike histories counted together, see `of`."""
        recency, silence = self.recency, self.age - self.recency
        if step > 0:
            recency, silence = np.rint(recency / step) * step, np.rint(silence / step) * step
            age = recency + silence
        else:
            age = self.age
        (frequency, last, total), count = alike((self.frequency, recency, age), self.count)
        return Histories(frequency, last, total, count)

    def within(self, most: int) -> Histories:
        """The same in at most ``most`` groups, or in some hundreds: as they are if that is enough, else those are alike
        whose frequency, recency and silence are about the same, to as many binary digits as may be, and what is kept of
        them is the mean. So what a fit costs is bounded, whatever the number of customers."""
        found, columns = self.grouped(), (self.frequency, self.recency, self.age - self.recency)
        for digits in range(MOST_DIGITS, 0, -1):
            if len(found.count) <= most:
                break
            keys = np.zeros(len(self.count), np.int64)
            for column in columns:
                keys = (keys << KEY_BITS) | about(column, digits)
            (frequency, recency, silence), count = merged(keys, columns, self.count)
            found = Histories(frequency, recency, recency + silence, count)
        return found

    def scaled(self, factor: float) -> Histories:
        """The same with times in another unit, of which ``factor`` make one of this."""
        return Histories(self.frequency, self.recency * factor, self.age * factor, self.count)

    @classmethod
    def joined(cls, parts: Iterable[Histories]) -> Histories:
        """The customers of all, as shards add up."""
        known = [one._columns for one in parts] or [(np.zeros(0),) * 4]
        frequency, recency, age, count = (np.concatenate(columns) for columns in zip(*known, strict=True))
        return cls(frequency, recency, age, count).grouped()

    def __add__(self, other: Histories) -> Histories:
        """The customers of both."""
        return Histories.joined((self, other))

    @property
    def _columns(self) -> tuple[Floats, Floats, Floats, Floats]:
        return self.frequency, self.recency, self.age, self.count

    @property
    def customers(self) -> float:
        """How many customers these are."""
        return float(self.count.sum())

    @property
    def repeat_buyers(self) -> float:
        """How many of them bought more than once."""
        return float(self.count[self.frequency > 0].sum())
