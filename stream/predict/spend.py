"""Gamma-Gamma (Fader and Hardie 2013): what an order of a customer is worth on average, given the few that were seen.

The worth of a customer's orders varies around a mean of their own (shape p), and these means over customers (shape q,
scale gamma). Whoever has few orders is drawn towards the population. It takes for granted that how often somebody buys
says nothing about how much: `correlation` reports whether that is so.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import betaln, digamma

from stream.predict.spends import CORRELATED, Spends

Floats = NDArray[np.float64]

#: The logarithms of what a fit may find, gamma in mean order values.
BOUNDS = (-9.0, 9.0)
#: Logarithm of the least q: with 1 or less the population would have no mean.
LEAST_LOG_Q = float(np.log(1.02))
STARTS = ((2.0, 3.0, 1.0), (6.0, 4.0, 0.5), (0.5, 2.0, 2.0))
#: Fewer customers than this say nothing about a population.
LEAST_CUSTOMERS = 20


class GammaGamma(msgspec.Struct, frozen=True):
    """The population: p and gamma above 0, q above 1 (ValueError otherwise). gamma is in the unit of money."""

    p: float
    q: float
    gamma: float

    def __post_init__(self) -> None:
        if not all(np.isfinite(number) for number in (self.p, self.q, self.gamma)) or not (
            self.p > 0 and self.gamma > 0 and self.q > 1
        ):
            raise ValueError(
                f"p and gamma of Gamma-Gamma must be above 0 and q above 1, not {self.p}, {self.gamma} and {self.q}"
            )

    @property
    def population_mean(self) -> float:
        """What an order is worth over all customers."""
        return self.p * self.gamma / (self.q - 1.0)

    def mean_value(self, orders: ArrayLike, mean: ArrayLike) -> Floats:
        """What each customer's orders will be worth on average, after so many orders of that mean.

        The population's where there are none, or where their mean is nothing or less, as refunds leave it.
        """
        x, seen = np.broadcast_arrays(np.asarray(orders, np.float64), np.asarray(mean, np.float64))
        known = (x > 0) & (seen > 0) & np.isfinite(seen)
        x, seen = np.where(known, x, 0.0), np.where(known, seen, 0.0)
        own = self.p * x / (self.p * x + self.q - 1.0)
        return np.asarray(own * seen + (1.0 - own) * self.population_mean)

    def log_likelihood(self, orders: ArrayLike, mean: ArrayLike, count: ArrayLike = 1.0) -> float:
        """Natural logarithm of the likelihood of these customers; those without a mean above 0 do not count.

        ``count``: how many customers each stands for.
        """
        return _log_likelihood(np.array([self.p, self.q, self.gamma]), *_usable(orders, mean, count))[0]


@dataclass(frozen=True)
class SpendFit:
    """What a fit found.

    Parameters
    ----------
    model
        The most likely population.
    log_likelihood
        Of the customers used, under it.
    customers
        How many were used.
    without_value
        How many were left out because their orders were worth nothing or less.
    correlation
        Between how many orders a customer has and what they are worth, see `correlation`.
    unknown
        Parameters that ran to a bound of the search.
    """

    model: GammaGamma
    log_likelihood: float
    customers: float
    without_value: float
    correlation: float
    unknown: tuple[str, ...]

    @property
    def independent(self) -> bool:
        """Whether what the model takes for granted holds well enough."""
        return abs(self.correlation) <= CORRELATED


def correlation(orders: ArrayLike, mean: ArrayLike, count: ArrayLike = 1.0) -> float:
    """Pearson's, between the number of orders and their mean value over customers; 0 where either does not vary.

    ``count``: how many customers each stands for.
    """
    x, seen, n = _usable(orders, mean, count)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(seen) == 0:
        return 0.0
    together = np.cov(x, seen, aweights=n)
    return float(together[0, 1] / np.sqrt(together[0, 0] * together[1, 1]))


def fit_spend(spends: Spends, start: GammaGamma | None = None) -> SpendFit:
    """The most likely population; ``start``: of an earlier fit, so that this one is found sooner.

    ValueError where too few have orders of any value.
    """
    if spends.customers < LEAST_CUSTOMERS:
        raise ValueError(
            f"{spends.customers:.0f} customers have orders of any value: "
            f"Gamma-Gamma needs {LEAST_CUSTOMERS} at least; wait for more"
        )
    x, seen, count = spends.orders, spends.mean, spends.count
    unit = float(np.average(seen, weights=count))

    def loss(logs: Floats) -> tuple[float, Floats]:
        parameters = np.exp(logs)
        value, slope = _log_likelihood(parameters, x, seen / unit, count)
        return -value / spends.customers, -slope * parameters / spends.customers

    bounds = [BOUNDS, (LEAST_LOG_Q, BOUNDS[1]), BOUNDS]
    starts = STARTS if start is None else ((start.p, start.q, start.gamma / unit),)
    ends = [
        minimize(
            loss,
            np.clip(np.log(np.array(begin)), *np.array(bounds).T),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 1_000},
        )
        for begin in starts
    ]
    best = min(ends, key=lambda end: float(end.fun))
    p, q, gamma = (float(value) for value in np.exp(best.x))
    model = GammaGamma(p, q, gamma * unit)
    near = [min(abs(at - low), abs(at - high)) < 1e-6 for at, (low, high) in zip(best.x, bounds, strict=True)]
    return SpendFit(
        model,
        model.log_likelihood(x, seen, count),
        spends.customers,
        spends.without_value,
        correlation(x, seen, count),
        tuple(name for name, bound in zip(("p", "q", "gamma"), near, strict=True) if bound),
    )


def _usable(orders: ArrayLike, mean: ArrayLike, count: ArrayLike) -> tuple[Floats, Floats, Floats]:
    columns = [np.atleast_1d(np.asarray(column, np.float64)) for column in (orders, mean, count)]
    x, seen, n = np.broadcast_arrays(*columns)
    used = np.isfinite(x) & (x > 0) & np.isfinite(seen) & (seen > 0)
    return x[used], seen[used], n[used]


def _log_likelihood(parameters: Floats, x: Floats, seen: Floats, count: Floats) -> tuple[float, Floats]:
    """Of all customers, and its slope in (p, q, gamma); in ratios, so that no two large logarithms cancel."""
    p, q, gamma = parameters
    total = x * seen
    below, above = np.log1p(gamma / total), np.log1p(total / gamma)
    value = count @ (-betaln(p * x, q) - p * x * below - q * above - np.log(seen))
    both = digamma(p * x + q)
    slope_p = count @ (x * (both - digamma(p * x) - below))
    slope_q = count @ (both - digamma(q) - above)
    slope_gamma = count @ (q / gamma - (p * x + q) / (gamma + total))
    return float(value), np.array([slope_p, slope_q, slope_gamma])
