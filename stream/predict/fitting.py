"""From what all shards tell to the next version of the model of lifetimes. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream.predict.alive import BgNbd, BgNbdFit, fit_bgnbd
from stream.predict.histories import Histories
from stream.predict.lifetime_model import LifetimeModel
from stream.predict.spend import SpendFit, fit_spend
from stream.predict.spends import Spends
from stream.predict.telling import DAY, ShardHistories

#: What a fit costs is bounded by these numbers of groups.
HISTORIES, SPENDS = 20_000, 20_000
#: How far ahead purchases are compared, to tell how much a version changes, in ms.
YEAR = 365 * DAY


@dataclass(frozen=True)
class Fitted:
    """What a fit found.

    Parameters
    ----------
    model
        The population, as the version that would come next.
    change
        How much predictions differ from those of the version before: the greatest of the mean difference in P(alive),
        the relative ones in all purchases of the next year, and in the mean value of an order. Infinite where there was
        none before, or one of other purchases, or one of the two does not know what an order is worth.
    """

    model: LifetimeModel
    change: float


def fit_lifetime(told: Sequence[ShardHistories], effective: int, previous: LifetimeModel | None = None) -> Fitted:
    """The most likely population of the customers of all these shards, who tell of the same purchases.

    It is in force from ``effective`` on (event time, ms), or later than ``previous``: the version before, from which
    the search begins.

    ValueError where too few customers bought again.
    """
    histories = Histories.joined(one.histories for one in told).within(HISTORIES)
    spends = Spends.joined(one.spends for one in told).within(SPENDS) if all(one.valued for one in told) else None
    alive = _alive(histories, previous)
    spend = None if spends is None else _spend(spends, previous)
    number, of = 1, told[0].of if told else ""
    if previous is not None:
        number, effective = previous.version + 1, max(effective, previous.effective + 1)
    model = _version(alive, spend, number, effective, max((one.at for one in told), default=0), of)
    if previous is None or previous.learned_from != of:
        return Fitted(model, float("inf"))
    return Fitted(model, change(previous, model, histories))


def change(before: LifetimeModel, after: LifetimeModel, histories: Histories) -> float:
    """How much the predictions of two versions differ for these customers, see `Fitted`."""
    x, last, age, n = histories.frequency, histories.recency, histories.age, histories.count
    old, new = before.purchases, after.purchases
    alive = np.average(np.abs(new.p_alive(x, last, age) - old.p_alive(x, last, age)), weights=n)
    coming, was = (float(n @ one.expected_purchases(x, last, age, YEAR)) for one in (new, old))
    found = [float(alive), abs(coming / was - 1.0) if was > 0 else float("inf")]
    if before.spend is not None and after.spend is not None:
        found.append(abs(after.spend.population_mean / before.spend.population_mean - 1.0))
    elif before.spend is not after.spend:
        found.append(float("inf"))
    return max(found)


def _alive(histories: Histories, previous: LifetimeModel | None) -> BgNbdFit:
    """From where the last fit ended; where that leads to a bound of the search, also from everywhere else."""
    if previous is None:
        return fit_bgnbd(histories)
    warm = fit_bgnbd(histories, previous.purchases)
    return warm if not warm.unknown else max(warm, fit_bgnbd(histories), key=lambda fit: fit.log_likelihood)


def _spend(spends: Spends, previous: LifetimeModel | None) -> SpendFit | None:
    """The same of what orders are worth; None where too few are worth anything: then nobody's orders have a value."""
    start = None if previous is None else previous.spend
    try:
        warm = fit_spend(spends, start)
    except ValueError:
        return None
    if start is None or not warm.unknown:
        return warm
    return max(warm, fit_spend(spends), key=lambda fit: fit.log_likelihood)


def _version(alive: BgNbdFit, spend: SpendFit | None, number: int, effective: int, at: int, of: str) -> LifetimeModel:
    who: BgNbd = alive.model
    unknown = (*alive.unknown, *(spend.unknown if spend is not None else ()))
    return LifetimeModel(
        version=number,
        effective=effective,
        r=who.r,
        alpha=who.alpha,
        a=who.a,
        b=who.b,
        p=None if spend is None else spend.model.p,
        q=None if spend is None else spend.model.q,
        gamma=None if spend is None else spend.model.gamma,
        learned_from=of,
        learned_at=at,
        customers=alive.customers,
        repeat_buyers=alive.repeat_buyers,
        spenders=0.0 if spend is None else spend.customers,
        log_likelihood=alive.log_likelihood,
        spend_log_likelihood=0.0 if spend is None else spend.log_likelihood,
        correlation=0.0 if spend is None else spend.correlation,
        unknown=unknown,
    )
