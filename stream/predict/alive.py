"""BG/NBD (Fader, Hardie and Lee 2005): whether a customer still is one, and how often they will buy.

While alive, a customer buys at random at a rate of their own, Gamma(r, alpha) over the population; after each repeat
purchase they leave for good with a probability of their own, Beta(a, b). All of it is worked out in logarithms, so that
neither ten thousand purchases nor twenty years overflow.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import betaln, digamma, expit, gammaln

from stream.predict.histories import Histories
from stream.predict.purchases import purchases_while_alive

Floats = NDArray[np.float64]

#: The logarithms of what a fit may find, alpha in mean ages. A parameter at one of them is not known from the data.
BOUNDS = (-9.0, 9.0)
#: Where the search begins; the best end is taken.
STARTS = ((1.0, 1.0, 1.0, 1.0), (0.25, 0.15, 0.8, 2.5), (2.0, 1.0, 0.3, 5.0))
#: Fewer repeat buyers than this say nothing about a population.
LEAST_REPEAT_BUYERS = 20


class BgNbd(msgspec.Struct, frozen=True):
    """The population: four numbers above 0 (ValueError otherwise).

    Parameters
    ----------
    r, alpha
        Rates of buying are Gamma(r, alpha) over customers, mean r / alpha; alpha is in the unit of all times.
    a, b
        Probabilities of leaving after a repeat purchase are Beta(a, b) over customers, mean a / (a + b).
    """

    r: float
    alpha: float
    a: float
    b: float

    def __post_init__(self) -> None:
        numbers = (self.r, self.alpha, self.a, self.b)
        if not all(np.isfinite(number) and number > 0 for number in numbers):
            raise ValueError(f"r, alpha, a and b of BG/NBD must be finite and above 0, not {numbers}")

    def p_alive(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Floats:
        """The probability that each is still a customer at their age.

        Who bought once cannot have left by the model's own letter, which is no answer: for them the population speaks
        (see `of_the_population`), as though the first purchase, too, might have been the last.
        """
        x, last, total = _columns(frequency, recency, age)
        return np.asarray(expit(-self._odds_of_gone(np.where(x > 0, x, 1.0), x, last, total)))

    def of_the_population(self, frequency: ArrayLike) -> NDArray[np.bool_]:
        """Whom `p_alive` answers for the population alone: who has no repeat purchase, so no history of their own."""
        return np.asarray(frequency, np.float64) <= 0

    def expected_purchases(
        self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, horizon: ArrayLike
    ) -> Floats:
        """How often each will buy within ``horizon`` from their age on; one for all, or one each."""
        x, last, total = _columns(frequency, recency, age)
        # The model's own: its rates of who bought once were fitted with all of them alive.
        alive = np.where(x > 0, self.p_alive(x, last, total), 1.0)
        return alive * self.purchases_if_alive(x, total, horizon)

    def p_buys(self, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """The probability that each buys at least once within ``horizon`` from their age on."""
        x, last, total = _columns(frequency, recency, age)
        alive = np.where(x > 0, self.p_alive(x, last, total), 1.0)
        log_none = -(self.r + x) * np.log1p(np.asarray(horizon, np.float64) / (self.alpha + total))
        return np.asarray(alive * -np.expm1(log_none))

    def purchases_if_alive(self, frequency: ArrayLike, age: ArrayLike, horizon: ArrayLike) -> Floats:
        """How often each will buy within ``horizon`` from their age on, if they are still a customer then."""
        x, total = np.broadcast_arrays(np.asarray(frequency, np.float64), np.asarray(age, np.float64))
        return purchases_while_alive(
            self.r + x, self.a, self.b + x, np.asarray(horizon, np.float64) / (self.alpha + total)
        )

    def purchases_of_new(self, horizon: float) -> float:
        """How often someone who has just bought for the first time will buy again within ``horizon``."""
        return float(self.purchases_if_alive(np.zeros(1), np.zeros(1), horizon)[0])

    def log_likelihood(self, histories: Histories) -> float:
        """Natural logarithm of the likelihood of all these histories."""
        return _log_likelihood(np.array([self.r, self.alpha, self.a, self.b]), _Terms.of(histories))[0]

    def slope(self, histories: Histories) -> Floats:
        """How the log-likelihood grows with r, alpha, a and b."""
        return _log_likelihood(np.array([self.r, self.alpha, self.a, self.b]), _Terms.of(histories))[1]

    def _odds_of_gone(self, drops: Floats, x: Floats, last: Floats, total: Floats) -> Floats:
        """Logarithm of P(gone) / P(alive) after so many purchases at which they could leave."""
        silence = np.log1p((total - last) / (self.alpha + last))
        return np.asarray(np.log(self.a) - np.log(self.b + drops - 1.0) + (self.r + x) * silence)


def _columns(frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Times that late events or two clocks have mixed up are put in order: 0 <= recency <= age."""
    x = np.maximum(np.asarray(frequency, np.float64), 0.0)
    last = np.where(x > 0, np.maximum(np.asarray(recency, np.float64), 0.0), 0.0)
    return x, last, np.maximum(np.asarray(age, np.float64), last)


@dataclass(frozen=True)
class BgNbdFit:
    """What a fit found.

    Parameters
    ----------
    model
        The most likely population.
    log_likelihood
        Of the histories, under it.
    customers, repeat_buyers
        What it was learned from.
    unknown
        Parameters that ran to a bound of the search: the data do not tell them, though predictions may be fair.
    """

    model: BgNbd
    log_likelihood: float
    customers: float
    repeat_buyers: float
    unknown: tuple[str, ...]


def fit_bgnbd(histories: Histories, start: BgNbd | None = None) -> BgNbdFit:
    """The most likely population; ``start``: of an earlier fit, so that this one is found sooner.

    ValueError where too few bought again, or nothing was ever seen after a first purchase.
    """
    if histories.repeat_buyers < LEAST_REPEAT_BUYERS:
        raise ValueError(
            f"{histories.repeat_buyers:.0f} customers bought more than once: "
            f"BG/NBD needs {LEAST_REPEAT_BUYERS} at least; wait for more"
        )
    unit = float(np.average(histories.age, weights=histories.count))
    if unit <= 0:
        raise ValueError("all customers are looked at in the instant of their first purchase: no time has passed")
    terms = _Terms.of(histories, unit)

    def loss(logs: Floats) -> tuple[float, Floats]:
        parameters = np.exp(logs)
        value, slope = _log_likelihood(parameters, terms)
        return -value / histories.customers, -slope * parameters / histories.customers

    starts = [np.log(np.array(begin)) for begin in STARTS]
    if start is not None:
        starts = [np.log(np.array([start.r, start.alpha / unit, start.a, start.b]))]
    ends = [
        minimize(
            loss,
            np.clip(begin, *BOUNDS),
            jac=True,
            method="L-BFGS-B",
            bounds=[BOUNDS] * 4,
            options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 1_000, "maxcor": 20},
        )
        for begin in starts
    ]
    best = min(ends, key=lambda end: float(end.fun))
    r, alpha, a, b = (float(value) for value in np.exp(best.x))
    model = BgNbd(r, alpha * unit, a, b)
    at_bound = np.abs(np.abs(best.x) - BOUNDS[1]) < 1e-6
    unknown = tuple(name for name, bound in zip(("r", "alpha", "a", "b"), at_bound, strict=True) if bound)
    return BgNbdFit(model, model.log_likelihood(histories), histories.customers, histories.repeat_buyers, unknown)


@dataclass(frozen=True)
class _Terms:
    """Histories as the likelihood takes them: what depends on the frequency alone is worked out once a frequency."""

    x: Floats
    last: Floats
    silence: Floats
    age: Floats
    count: Floats
    again: NDArray[np.bool_]
    frequencies: Floats
    of_frequency: Floats

    @classmethod
    def of(cls, histories: Histories, unit: float = 1.0) -> _Terms:
        frequencies, place = np.unique(histories.frequency, return_inverse=True)
        age, last = histories.age / unit, histories.recency / unit
        return cls(
            histories.frequency,
            last,
            age - last,
            age,
            histories.count,
            histories.frequency > 0,
            frequencies,
            np.bincount(place.ravel(), weights=histories.count).astype(np.float64),
        )


def _log_likelihood(parameters: Floats, terms: _Terms) -> tuple[float, Floats]:
    """Of all customers, and its slope in (r, alpha, a, b)."""
    r, alpha, a, b = parameters
    n, counts = terms.frequencies, terms.of_frequency
    total = counts @ (gammaln(r + n) - gammaln(r) + r * np.log(alpha) + betaln(a, b + n) - betaln(a, b))
    slope_r = counts @ (digamma(r + n) - digamma(r) + np.log(alpha))
    slope_alpha = counts.sum() * r / alpha
    lost = digamma(a + b) - digamma(a + b + n)
    slope_a = counts @ lost
    slope_b = counts @ (digamma(b + n) - digamma(b) + lost)
    # Still a customer: (alpha + T)^-(r + x); gone after the last purchase: a / (b + x - 1) (alpha + t_x)^-(r + x).
    drops = np.where(terms.again, b + terms.x - 1.0, 1.0)
    log_age, log_last = np.log(alpha + terms.age), np.log(alpha + terms.last)
    odds = np.log(a) - np.log(drops) + (r + terms.x) * np.log1p(terms.silence / (alpha + terms.last))
    gone = np.where(terms.again, expit(odds), 0.0)
    alive = 1.0 - gone
    either = np.where(terms.again, np.logaddexp(0.0, odds), 0.0)
    total += terms.count @ (either - (r + terms.x) * log_age)
    slope_r -= terms.count @ (alive * log_age + gone * log_last)
    slope_alpha -= terms.count @ ((r + terms.x) * (alive / (alpha + terms.age) + gone / (alpha + terms.last)))
    slope_a += terms.count @ gone / a
    slope_b -= terms.count @ (gone / drops)
    return float(total), np.array([slope_r, slope_alpha, slope_a, slope_b])
