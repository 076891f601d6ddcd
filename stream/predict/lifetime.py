"""What customers will be worth: how often each will buy, times what their orders are worth, future money discounted."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, log1p

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stream.features.worth import NODES, WEIGHTS
from stream.predict.alive import BgNbd
from stream.predict.spend import GammaGamma

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Horizon:
    """How far to look, and what later money is worth today.

    Parameters
    ----------
    length
        How far, in the unit of all times.
    year
        How long a year is in that unit.
    discount
        What money loses in a year: with 0.1 an order a year from now counts 1 / 1.1.
    """

    length: float
    year: float
    discount: float = 0.1

    def __post_init__(self) -> None:
        if not (all(map(isfinite, (self.length, self.year, self.discount))) and self.length > 0 and self.year > 0):
            raise ValueError("a horizon and its year must be above 0")
        if self.discount < 0:
            raise ValueError(f"the discount of a year must not be negative, and is {self.discount}")

    @property
    def rate(self) -> float:
        """The continuous rate a unit of time: money at u counts exp(-rate u)."""
        return log1p(self.discount) / self.year


def discounted_purchases(
    model: BgNbd, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, horizon: Horizon
) -> Floats:
    """How often each will buy within the horizon, each purchase discounted at its own time.

    The integral of exp(-rate u) dE(u), by parts: only the expectations E are needed, which are exact.
    """
    now = np.maximum(np.asarray(age, np.float64), np.asarray(recency, np.float64)) + model.alpha
    # Expectations are smooth in the logarithm of alpha + T + u, however long the horizon is.
    span = np.log1p(horizon.length / now)
    total = model.expected_purchases(frequency, recency, age, horizon.length) * np.exp(-horizon.rate * horizon.length)
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        u = now * np.expm1(node * span)
        until_then = model.expected_purchases(frequency, recency, age, u)
        total = total + weight * until_then * horizon.rate * np.exp(-horizon.rate * u) * (now + u) * span
    return np.asarray(total)


def lifetime_value(
    model: BgNbd,
    spend: GammaGamma,
    frequency: ArrayLike,
    recency: ArrayLike,
    age: ArrayLike,
    mean: ArrayLike,
    horizon: Horizon,
) -> Floats:
    """What each customer will spend within the horizon, in money of today.

    ``mean`` is what their repeat purchases were worth on average, so that it goes with ``frequency``.
    """
    purchases = discounted_purchases(model, frequency, recency, age, horizon)
    return np.asarray(purchases * spend.mean_value(frequency, mean))
