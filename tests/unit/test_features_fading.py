"""P(alive) and what is expected, of one customer from instant to instant: the values, and when they cross."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.features.base import FOREVER
from stream.features.fading import alive, alive_until, buys, buys_until, expected, expected_until
from stream.predict.alive import BgNbd

DAY = 86_400_000
START = 1_700_000_000_000
#: The CDNOW population, alpha in milliseconds.
MODEL = (0.243, 4.414 * 7 * DAY, 0.793, 2.426)

populations = st.tuples(
    st.floats(0.05, 20), st.floats(1e-3, 1e3).map(lambda days: days * DAY), st.floats(0.05, 20), st.floats(0.05, 20)
)
#: Orders, from the first to the last, silence since.
pasts = st.tuples(st.integers(1, 80), st.integers(0, 2_000 * DAY), st.integers(0, 2_000 * DAY))


def as_batch(past: tuple[int, int, int], population: tuple[float, ...]) -> list[float]:
    """P(alive), and whether and how often within 30 days, by the functions for arrays."""
    orders, last, silence = past
    recency = last if orders > 1 else 0
    age = float(recency + silence)
    model = BgNbd(*population)
    at = (orders - 1, recency, age)
    found = model.p_alive(*at), model.p_buys(*at, 30 * DAY), model.expected_purchases(*at, 30 * DAY)
    return [float(value) for value in found]


def at(past: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """The same as the scalar functions take it: orders, first, last, now."""
    orders, last, silence = past
    recency = last if orders > 1 else 0
    return orders, START, START + recency, START + recency + silence


@settings(max_examples=60, deadline=None)
@given(pasts, populations)
def test_one_customer_is_answered_as_in_a_batch(past: tuple[int, int, int], population: tuple[float, ...]) -> None:
    """What a shard says of one and what is worked out over all are the same number."""
    alone = [alive(*at(past), *population), *(f(*at(past), 30.0 * DAY, *population) for f in (buys, expected))]
    assert alone == pytest.approx(as_batch(past, population), rel=1e-9)


@settings(max_examples=80, deadline=None)
@given(pasts, populations, st.one_of(st.floats(0.0, 1.0), st.just(1.0), st.floats(0.0, 1e-9)))
def test_p_alive_crosses_at_its_very_millisecond(
    past: tuple[int, int, int], population: tuple[float, ...], k: float
) -> None:
    """The first instant at which it is below: the one before still is not. And it never comes back by itself."""
    orders, first, last, now = at(past)
    found = alive_until(orders, first, last, now, k, *population)
    if found == FOREVER:
        far = now + 280_000 * 365 * DAY
        assert (
            k <= 0
            or alive(orders, first, last, now, *population) < k
            or alive(orders, first, last, far, *population) >= k
        )
        return
    assert found > now
    assert alive(orders, first, last, found, *population) < k <= alive(orders, first, last, found - 1, *population)
    assert alive_until(orders, first, last, found, k, *population) == FOREVER


@pytest.mark.parametrize("orders", [1, 2, 5])
def test_p_alive_crosses_at_its_very_millisecond_after_ages(orders: int) -> None:
    """Also where the closed form is off by some milliseconds, because the silence is so long."""
    far = 0
    for k in np.geomspace(1e-8, 0.9, 2_000).tolist():
        found = alive_until(orders, START, START + DAY, START + DAY, k, 0.243, 1e12, 0.793, 2.426)
        if found != FOREVER:
            far += found > 1e14
            before, after = (
                alive(orders, START, START + DAY, t, 0.243, 1e12, 0.793, 2.426) for t in (found - 1, found)
            )
            assert after < k <= before
    assert far


@pytest.mark.parametrize(("read", "until"), [(buys, buys_until), (expected, expected_until)])
@settings(max_examples=15, deadline=None)
@given(past=pasts, population=populations, k=st.floats(0.01, 2))
def test_what_is_ahead_crosses_at_its_very_millisecond(
    read: Any, until: Any, past: tuple[int, int, int], population: tuple[float, ...], k: float
) -> None:
    """The same rule, by bisection alone: there is no closed form."""
    orders, first, last, now = at(past)

    def value(t: int) -> float:
        return float(read(orders, first, last, t, 30.0 * DAY, *population))

    found = until(orders, first, last, now, k, 30.0 * DAY, *population)
    if found == FOREVER:
        assert value(now) < k
    else:
        assert found > now
        assert value(found) < k <= value(found - 1)


def test_nothing_is_said_before_the_first_order() -> None:
    """A value that is missing does not change by itself."""
    assert math.isnan(alive(0, -(1 << 60), -(1 << 60), START, *MODEL))
    assert alive_until(0, -(1 << 60), -(1 << 60), START, 0.5, *MODEL) == FOREVER
    for read, until in ((buys, buys_until), (expected, expected_until)):
        assert math.isnan(read(0, -(1 << 60), -(1 << 60), START, 1.0 * DAY, *MODEL))
        assert until(0, -(1 << 60), -(1 << 60), START, 0.5, 1.0 * DAY, *MODEL) == FOREVER


def test_a_value_that_moves_always_moves_at_the_next_instant() -> None:
    """Whoever asks for the value itself, not for a threshold."""
    assert alive_until(3, START, START + DAY, START + 2 * DAY, math.nan, *MODEL) == START + 2 * DAY + 1
    for until in (buys_until, expected_until):
        assert until(3, START, START + DAY, START + 2 * DAY, math.nan, 1.0 * DAY, *MODEL) == START + 2 * DAY + 1


@pytest.mark.parametrize("orders", [1, 2, 10_001])
def test_extremes_stay_probabilities(orders: int) -> None:
    """All orders in one instant, then twenty years of silence; a clock that stands before the last order."""
    years = 20 * 365 * DAY
    for now in (START - DAY, START, START + 1, START + years):
        assert 0 <= alive(orders, START, START, now, *MODEL) <= 1
        assert 0 <= buys(orders, START, START, now, 52.0 * 7 * DAY, *MODEL) <= 1
        assert math.isfinite(expected(orders, START, START, now, 52.0 * 7 * DAY, *MODEL))
    assert alive(orders, START, START, START + years, *MODEL) < alive(orders, START, START, START, *MODEL)


@numba.njit
def compiled(case: Any, k: float, horizon: float, r: float, alpha: float, a: float, b: float) -> Any:
    """All of them as part of a compiled kernel."""
    orders, first, last, now = case
    return (
        alive(orders, first, last, now, r, alpha, a, b),
        alive_until(orders, first, last, now, k, r, alpha, a, b),
        buys(orders, first, last, now, horizon, r, alpha, a, b),
        buys_until(orders, first, last, now, k, horizon, r, alpha, a, b),
        expected(orders, first, last, now, horizon, r, alpha, a, b),
        expected_until(orders, first, last, now, k, horizon, r, alpha, a, b),
    )


def test_numba_gives_the_same_answers() -> None:
    """A plan is compiled: values within the last bits, instants within what these move them by."""
    rng = np.random.default_rng(5)
    for _ in range(50):
        case = at((int(rng.integers(1, 40)), int(rng.integers(0, 500 * DAY)), int(rng.integers(0, 500 * DAY))))
        k, horizon = float(rng.uniform(0.05, 0.9)), 180.0 * DAY
        values, instants = compiled(case, k, horizon, *MODEL)[::2], compiled(case, k, horizon, *MODEL)[1::2]
        plain = (alive(*case, *MODEL), buys(*case, horizon, *MODEL), expected(*case, horizon, *MODEL))
        assert values == pytest.approx(plain, rel=1e-12)
        untils = (buys_until(*case, k, horizon, *MODEL), expected_until(*case, k, horizon, *MODEL))
        assert instants == pytest.approx((alive_until(*case, k, *MODEL), *untils), rel=0, abs=100)
