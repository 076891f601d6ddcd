"""What a customer will spend: how often they will buy (BG/NBD), times what an order of theirs is worth (Gamma-Gamma),
future money discounted.  Plain Python that numba accepts; :mod:`stream.predict.lifetime` says the same of arrays of
customers.
"""

from __future__ import annotations

import math

import numpy as np
from numba.extending import register_jitable

from stream.features.base import FOREVER
from stream.features.fading import LONGEST, expected

#: Points at which purchases are worked out on the way to the horizon: what is integrated is smooth.  Measured against
#: 40 of them: off by 2e-14 at most over 5 years at 10 %, 2e-10 over 20.
POINTS = 12
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(POINTS)
#: Of the integral from 0 to 1.
NODES = tuple(float(node) for node in (_NODES + 1.0) / 2.0)
WEIGHTS = tuple(float(weight) for weight in _WEIGHTS / 2.0)
#: No search for an instant needs more steps.
MOST_STEPS = 400


@register_jitable
def order_value(orders: int, worth: float, p: float, q: float, gamma: float) -> float:
    """What an order of the customer will be worth on average, whose ``orders - 1`` repeat purchases were worth
    ``worth`` together.  The population's where there are none, or they are worth nothing or less, as refunds leave it.
    """
    if orders < 1:
        return math.nan
    population = p * gamma / (q - 1.0)
    x = orders - 1.0
    if x <= 0.0 or not worth > 0.0:
        return population
    own = p * x / (p * x + q - 1.0)
    return own * (worth / x) + (1.0 - own) * population


@register_jitable
def discounted(
    orders: int,
    first: int,
    last: int,
    now: int,
    horizon: float,
    rate: float,
    r: float,
    alpha: float,
    a: float,
    b: float,
) -> float:
    """How often the customer will buy within ``horizon`` milliseconds, a purchase after u ms counting exp(-rate u).

    The integral of exp(-rate u) dE(u), by parts: only the expectations E are needed.
    """
    if orders < 1:
        return math.nan
    total = expected(orders, first, last, now, horizon, r, alpha, a, b)
    if rate == 0.0:
        return total
    total *= math.exp(-rate * horizon)
    # Expectations are smooth in the logarithm of alpha + age + u, however long the horizon is.
    begun = float(max((max(now, last) if orders > 1 else now) - first, 0)) + alpha
    span = math.log1p(horizon / begun)
    for k in range(POINTS):
        u = begun * math.expm1(NODES[k] * span)
        until_then = expected(orders, first, last, now, u, r, alpha, a, b)
        total += WEIGHTS[k] * until_then * rate * math.exp(-rate * u) * (begun + u) * span
    return total


@register_jitable
def discounted_until(
    orders: int,
    first: int,
    last: int,
    now: int,
    k: float,
    horizon: float,
    rate: float,
    r: float,
    alpha: float,
    a: float,
    b: float,
) -> int:
    """The first instant after ``now`` at which ``discounted >= k`` no longer holds; FOREVER: that does not change by
    itself.  With ``k`` NaN, the next instant.

    Between an instant at which it holds and one at which it does not, where a line through the logarithms of both meets
    that of k (the Illinois rule), until the two are neighbours.
    """
    if orders < 1:
        return FOREVER
    if k != k:
        return now + 1
    above = discounted(orders, first, last, now, horizon, rate, r, alpha, a, b)
    if k <= 0.0 or not above >= k:
        return FOREVER
    low, step = now, int(alpha) + max(last - first, 0) + 1
    high = max(now, last) + step
    below = discounted(orders, first, last, high, horizon, rate, r, alpha, a, b)
    while below >= k:
        low, above = high, below
        step *= 2
        high += step
        if high - last > LONGEST:
            return FOREVER
        below = discounted(orders, first, last, high, horizon, rate, r, alpha, a, b)
    over, under = math.log(above / k), math.log(below / k) if below > 0.0 else -1.0
    side = 0
    for count in range(MOST_STEPS):
        if high - low <= 1:
            break
        part = over / (over - under) if count % 4 < 3 else 0.5
        middle = min(max(low + int((high - low) * part), low + 1), high - 1)
        found = discounted(orders, first, last, middle, horizon, rate, r, alpha, a, b)
        if found >= k:
            low, over = middle, math.log(found / k)
            under = under / 2.0 if side > 0 else under
            side = 1
        else:
            high, under = middle, math.log(found / k) if found > 0.0 else -1.0
            over = over / 2.0 if side < 0 else over
            side = -1
    return high
