"""Whether a customer still is one, as time passes without a purchase: plain Python that numba accepts.

The model is BG/NBD (:mod:`stream.predict.alive` fits it and says what its numbers mean); here are its answers about one
customer at one instant, and when they change.  Instants and ``alpha`` are in milliseconds; ``orders`` counts all of a
customer's purchases, the first one too.  Between purchases all of these only ever fall, so each crosses a threshold
once.
"""

from __future__ import annotations

import math

from stream.events.leaf import leaf
from stream.features.base import FOREVER

#: Where what is left out is this share of the sum of expected purchases.
REST = 1e-15
#: Sums that would need more terms than this, roughly, are taken as an integral instead.
FAR = 20_000.0
MOST_TERMS = 200_000
#: The step of that integral in the logit of the probability of leaving, at most: the error is below the last digit.
STEP = 0.2
#: Terms grow beyond any float before they fall: what passes this is divided by it, and its logarithm kept apart.
LARGE = 1e100
LOG_LARGE = math.log(LARGE)
#: No silence is looked at beyond this: some 285,000 years.
LONGEST = 1 << 53


@leaf
def is_far(s: float, tau: float) -> bool:
    """Whether the sum of :func:`purchases_if_alive` would have too many terms."""
    return s * tau + 40.0 * (1.0 + tau) > FAR


@leaf
def purchases_if_alive(s: float, a: float, b: float, tau: float) -> float:
    """Purchases that a customer of rate Gamma(s, 1) and leaving Beta(a, b) makes within ``tau``.

    The usual formula, (a + b - 1) / (a - 1) times one minus a power times 2F1, overflows where there are many
    purchases, cancels where the horizon is short, and divides by 0 at a = 1.  The same number is a sum of positive
    terms.  Without ever leaving the customer would make k purchases with the probability (negative binomial)

        P(k) = (s)_k / k! (1 + tau)^-s (tau / (1 + tau))^k,   and of them   W(k) = sum over n < k of (b)_n / (a + b)_n

    are made before leaving.  The answer is the sum of P(k) W(k), cut where the rest is below 1e-15 of it.
    """
    if is_far(s, tau):
        return _far(s, a, b, tau)
    z = tau / (1.0 + tau)
    log_scale = -s * math.log1p(tau)
    scale = math.exp(log_scale)
    chance = 1.0
    survives = 1.0
    made = 0.0
    total = 0.0
    for k in range(MOST_TERMS):
        ratio = z * (s + k) / (k + 1.0)
        chance *= ratio
        made += survives
        survives *= (b + k) / (a + b + k)
        if chance > LARGE:
            chance /= LARGE
            log_scale += LOG_LARGE
            scale = math.exp(log_scale)
        term = chance * scale * made
        total += term
        falls = max(ratio, z) * (k + 2.0) / (k + 1.0)
        if falls < 1.0 and term * falls <= REST * (1.0 - falls) * total:
            break
    return total


@leaf
def _rest(fall: float) -> float:
    """The sum of exp(-fall n) over n >= 1."""
    return math.exp(-fall) / -math.expm1(-fall)


@leaf
def _far(s: float, a: float, b: float, tau: float) -> float:
    """The same as the mean over leaving, Beta(a, b), of (1 - (1 + p tau)^-s) / p: for the long and the many.

    By the trapezoidal rule in y = log(p / (1 - p)), which converges faster than any power there.  Where p is so near to
    0 or 1 that only the weight still moves, the rest of the rule is a geometric series.
    """
    low = math.log(1e-17) - math.log1p(s * tau + tau + b)
    high = 40.0 + math.log1p(a)
    # Half a standard deviation of the logit, where many have been seen to leave or to stay.
    step = min(STEP, 0.5 * math.sqrt(1.0 / a + 1.0 / b))
    steps = int((high - low) / step) + 1
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    total = 0.0
    for i in range(steps + 1):
        y = low + i * step
        log_p = -math.log1p(math.exp(-y)) if y > 0.0 else y - math.log1p(math.exp(y))
        p = math.exp(log_p)
        made = -math.expm1(-s * math.log1p(p * tau)) / p
        term = made * math.exp(a * log_p + b * (log_p - y) - log_beta)
        total += term
        if i == 0:
            total += term * _rest(a * step)
        elif i == steps:
            total += term * _rest(b * step)
    return total * step


@leaf
def alive(orders: int, first: int, last: int, now: int, r: float, alpha: float, a: float, b: float) -> float:
    """The probability that the customer still is one at ``now``; missing (NaN) before the first order.

    After a single order it is the population's, as though the first purchase, too, might have been the last.
    """
    if orders < 1:
        return math.nan
    x = orders - 1.0
    recency = float(max(last - first, 0)) if orders > 1 else 0.0
    silence = float(max(now - last, 0))
    odds = math.log(a / (b + max(x, 1.0) - 1.0)) + (r + x) * math.log1p(silence / (alpha + recency))
    if odds > 700.0:
        return math.exp(-odds)
    return 1.0 / (1.0 + math.exp(odds))


@leaf
def alive_until(
    orders: int, first: int, last: int, now: int, k: float, r: float, alpha: float, a: float, b: float
) -> int:
    """The first instant after ``now`` at which ``alive >= k`` no longer holds; FOREVER: that does not change by itself.

    With ``k`` NaN, the next instant: it always moves.
    """
    if orders < 1:
        return FOREVER
    if k != k:
        return now + 1
    if k <= 0.0 or alive(orders, first, last, now, r, alpha, a, b) < k:
        return FOREVER
    x = orders - 1.0
    recency = float(max(last - first, 0)) if orders > 1 else 0.0
    # Where the odds of being gone are those of k, by the closed form; then exactly, by the function itself.
    power = 0.0 if k >= 1.0 else (math.log1p(-k) - math.log(k) - math.log(a / (b + max(x, 1.0) - 1.0))) / (r + x)
    if power > 700.0:
        return FOREVER
    silence = (alpha + recency) * math.expm1(max(power, 0.0))
    if silence >= LONGEST:
        return FOREVER
    low, step = now, 1
    high = max(last + int(silence), now + 1)
    while alive(orders, first, last, high, r, alpha, a, b) >= k:
        low = high
        high += step
        step *= 2
        if high - last > LONGEST:
            return FOREVER
    step = 1
    while high - step > low and alive(orders, first, last, high - step, r, alpha, a, b) < k:
        high -= step
        step *= 2
    low = max(low, high - step)
    while high - low > 1:
        middle = low + (high - low) // 2
        if alive(orders, first, last, middle, r, alpha, a, b) >= k:
            low = middle
        else:
            high = middle
    return high


@leaf
def buys(
    orders: int, first: int, last: int, now: int, horizon: float, r: float, alpha: float, a: float, b: float
) -> float:
    """The probability that the customer buys within ``horizon`` milliseconds from ``now``; missing before any order."""
    if orders < 1:
        return math.nan
    x = orders - 1.0
    age = age_at(orders, first, last, now)
    still = still_one(orders, first, last, now, r, alpha, a, b)
    return still * -math.expm1(-(r + x) * math.log1p(horizon / (alpha + age)))


@leaf
def buys_until(
    orders: int, first: int, last: int, now: int, k: float, horizon: float, r: float, alpha: float, a: float, b: float
) -> int:
    """The first instant after ``now`` at which ``buys >= k`` no longer holds; see `alive_until`."""
    return _crossing(True, orders, first, last, now, k, horizon, r, alpha, a, b)


@leaf
def still_one(orders: int, first: int, last: int, now: int, r: float, alpha: float, a: float, b: float) -> float:
    """P(alive) by the model's own: its rates of who bought once were fitted with all of them alive."""
    return alive(orders, first, last, now, r, alpha, a, b) if orders > 1 else 1.0


@leaf
def age_at(orders: int, first: int, last: int, now: int) -> float:
    """Milliseconds since the first order; of one order the last is the first."""
    return float(max((max(now, last) if orders > 1 else now) - first, 0))


@leaf
def expected(
    orders: int, first: int, last: int, now: int, horizon: float, r: float, alpha: float, a: float, b: float
) -> float:
    """How often the customer will buy within ``horizon`` milliseconds from ``now``; missing before the first order."""
    if orders < 1:
        return math.nan
    x = orders - 1.0
    age = age_at(orders, first, last, now)
    still = still_one(orders, first, last, now, r, alpha, a, b)
    return still * purchases_if_alive(r + x, a, b + x, horizon / (alpha + age))


@leaf
def expected_until(
    orders: int, first: int, last: int, now: int, k: float, horizon: float, r: float, alpha: float, a: float, b: float
) -> int:
    """The first instant after ``now`` at which ``expected >= k`` no longer holds; see `alive_until`."""
    return _crossing(False, orders, first, last, now, k, horizon, r, alpha, a, b)


@leaf
def _ahead(
    whether: bool,
    orders: int,
    first: int,
    last: int,
    now: int,
    horizon: float,
    r: float,
    alpha: float,
    a: float,
    b: float,
) -> float:
    """Whether the customer buys within the horizon, or how often."""
    if whether:
        return buys(orders, first, last, now, horizon, r, alpha, a, b)
    return expected(orders, first, last, now, horizon, r, alpha, a, b)


@leaf
def _crossing(
    whether: bool,
    orders: int,
    first: int,
    last: int,
    now: int,
    k: float,
    horizon: float,
    r: float,
    alpha: float,
    a: float,
    b: float,
) -> int:
    """By bisection, as these have no closed form."""
    if orders < 1:
        return FOREVER
    if k != k:
        return now + 1
    if k <= 0.0 or _ahead(whether, orders, first, last, now, horizon, r, alpha, a, b) < k:
        return FOREVER
    low = now
    step = int(alpha) + max(last - first, 0) + 1
    high = max(now, last) + step
    while _ahead(whether, orders, first, last, high, horizon, r, alpha, a, b) >= k:
        low = high
        step *= 2
        high += step
        if high - last > LONGEST:
            return FOREVER
    while high - low > 1:
        middle = low + (high - low) // 2
        if _ahead(whether, orders, first, last, middle, horizon, r, alpha, a, b) >= k:
            low = middle
        else:
            high = middle
    return high
