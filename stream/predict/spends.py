"""What Gamma-Gamma is fitted to: how many orders customers have, and what these are worth on average."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import log1p

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stream.predict.groups import alike

Floats = NDArray[np.float64]

#: Mean values are rounded to steps of this share first, then of twice as much and so on.
STEP = 0.01
#: A correlation between orders and mean beyond this is worth a warning: values are then too high for one kind of
#: customers, too low for others.
CORRELATED = 0.3


@dataclass(frozen=True)
class Spends:
    """Customers by their orders and what these are worth, alike ones counted together; ValueError where one cannot be.

    Parameters
    ----------
    orders
        How many orders the mean is of, from 1 on.
    mean
        What one of them is worth, in the unit of money; above 0.
    count
        How many customers have these.
    without_value
        Customers whose orders are worth nothing or less: known of, and not among the others.
    """

    orders: Floats
    mean: Floats
    count: Floats
    without_value: float = 0.0

    def __post_init__(self) -> None:
        columns = (self.orders, self.mean, self.count)
        if any(column.ndim != 1 or len(column) != len(self.orders) for column in columns):
            raise ValueError("spends are three columns of one length: orders, mean and count")
        if not all(np.isfinite(column).all() and (column > 0).all() for column in columns):
            raise ValueError("orders, mean and count of spends must be finite and above 0")
        if not (np.isfinite(self.without_value) and self.without_value >= 0):
            raise ValueError("the number of customers without value must not be negative")

    @classmethod
    def of(cls, orders: ArrayLike, mean: ArrayLike) -> Spends:
        """Of customers, one a place, grouped; those without orders are passed over."""
        x, seen = np.atleast_1d(np.asarray(orders, np.float64)), np.atleast_1d(np.asarray(mean, np.float64))
        some = np.isfinite(x) & (x > 0)
        used = some & np.isfinite(seen) & (seen > 0)
        return cls(x[used], seen[used], np.ones(int(used.sum())), float(some.sum() - used.sum())).grouped()

    @classmethod
    def joined(cls, parts: Iterable[Spends]) -> Spends:
        """The customers of all, as shards add up."""
        known = list(parts)
        columns = [one._columns for one in known] or [(np.zeros(0),) * 3]
        orders, mean, count = (np.concatenate(found) for found in zip(*columns, strict=True))
        return cls(orders, mean, count, sum(one.without_value for one in known)).grouped()

    def grouped(self, step: float = 0.0) -> Spends:
        """The same with alike customers counted together; ``step``: means are rounded to such shares, 0: not."""
        mean = self.mean if step <= 0 else np.exp(np.rint(np.log(self.mean) / log1p(step)) * log1p(step))
        (orders, values), count = alike((self.orders, mean), self.count)
        return Spends(orders, values, count, self.without_value)

    def within(self, most: int) -> Spends:
        """The same in at most ``most`` groups, or in as few as there are numbers of orders."""
        found, step = self.grouped(), STEP
        while len(found.count) > most and step < 1.0:
            found, step = found.grouped(step), 2 * step
        return found

    @property
    def _columns(self) -> tuple[Floats, Floats, Floats]:
        return self.orders, self.mean, self.count

    @property
    def customers(self) -> float:
        """How many customers these are."""
        return float(self.count.sum())
