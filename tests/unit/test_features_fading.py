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
from stream.features.fading import alive, alive_until, expected, expected_until
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


def as_batch(past: tuple[int, int, int], population: tuple[float, ...]) -> tuple[float, float]:
    """P(alive) and 30 days' expectation by the functions for arrays."""
    orders, last, silence = past
    recency = last if orders > 1 else 0
    age = float(recency + silence)
    model = BgNbd(*population)
    at = (orders - 1, recency, age)
    return float(model.p_alive(*at)), float(model.expected_purchases(*at, 30 * DAY))


def at(past: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """The same as the scalar functions take it: orders, first, last, now."""
    orders, last, silence = past
    recency = last if orders > 1 else 0
    return orders, START, START + recency, START + recency + silence


@settings(max_examples=60, deadline=None)
@given(pasts, populations)
def test_one_customer_is_answered_as_in_a_batch(past: tuple[int, int, int], population: tuple[float, ...]) -> None:
    """What a shard says of one and what is worked out over all are the same number."""
    r, alpha, a, b = population
    p, purchases = as_batch(past, population)
    assert alive(*at(past), r, alpha, a, b) == pytest.approx(p, rel=1e-9)
    assert expected(*at(past), 30.0 * DAY, r, alpha, a, b) == pytest.approx(purchases, rel=1e-9)


@settings(max_examples=150, deadline=None)
@given(pasts, populations, st.one_of(st.floats(0.0, 1.0), st.just(1.0), st.floats(0.0, 1e-9)))
def test_p_alive_crosses_at_its_very_millisecond(
    past: tuple[int, int, int], population: tuple[float, ...], k: float
) -> None:
    """The first instant at which it is below: the one before still is not. And it never comes back by itself."""
    orders, first, last, now = at(past)
    found = alive_until(orders, first, last, now, k, *population)
    if found == FOREVER:
        far = now + 400_000 * 365 * DAY
        assert (
            k <= 0
            or alive(orders, first, last, now, *population) < k
            or alive(orders, first, last, far, *population) >= k
        )
        return
    assert found > now
    assert alive(orders, first, last, found, *population) < k <= alive(orders, first, last, found - 1, *population)
    assert alive_until(orders, first, last, found, k, *population) == FOREVER


@settings(max_examples=15, deadline=None)
@given(pasts, populations, st.floats(0.01, 5))
def test_expected_purchases_cross_at_their_very_millisecond(
    past: tuple[int, int, int], population: tuple[float, ...], k: float
) -> None:
    """The same rule, by bisection alone: there is no closed form."""
    orders, first, last, now = at(past)

    def value(t: int) -> float:
        return expected(orders, first, last, t, 30.0 * DAY, *population)

    found = expected_until(orders, first, last, now, k, 30.0 * DAY, *population)
    if found == FOREVER:
        assert value(now) < k
    else:
        assert found > now
        assert value(found) < k <= value(found - 1)


def test_nothing_is_said_before_the_first_order() -> None:
    """A value that is missing does not change by itself."""
    assert math.isnan(alive(0, -(1 << 60), -(1 << 60), START, *MODEL))
    assert math.isnan(expected(0, -(1 << 60), -(1 << 60), START, 1.0 * DAY, *MODEL))
    assert alive_until(0, -(1 << 60), -(1 << 60), START, 0.5, *MODEL) == FOREVER
    assert expected_until(0, -(1 << 60), -(1 << 60), START, 0.5, 1.0 * DAY, *MODEL) == FOREVER


def test_a_value_that_moves_always_moves_at_the_next_instant() -> None:
    """Whoever asks for the value itself, not for a threshold."""
    assert alive_until(3, START, START + DAY, START + 2 * DAY, math.nan, *MODEL) == START + 2 * DAY + 1
    assert expected_until(3, START, START + DAY, START + 2 * DAY, math.nan, 1.0 * DAY, *MODEL) == START + 2 * DAY + 1


@pytest.mark.parametrize("orders", [1, 2, 10_001])
def test_extremes_stay_probabilities(orders: int) -> None:
    """All orders in one instant, then twenty years of silence; a clock that stands before the last order."""
    years = 20 * 365 * DAY
    for now in (START - DAY, START, START + 1, START + years):
        assert 0 <= alive(orders, START, START, now, *MODEL) <= 1
        assert math.isfinite(expected(orders, START, START, now, 52.0 * 7 * DAY, *MODEL))
    assert alive(orders, START, START, START + years, *MODEL) < alive(orders, START, START, START, *MODEL)


@numba.njit
def compiled(case: Any, k: float, horizon: float, r: float, alpha: float, a: float, b: float) -> Any:
    """All four as part of a compiled kernel."""
    orders, first, last, now = case
    return (
        alive(orders, first, last, now, r, alpha, a, b),
        alive_until(orders, first, last, now, k, r, alpha, a, b),
        expected(orders, first, last, now, horizon, r, alpha, a, b),
        expected_until(orders, first, last, now, k, horizon, r, alpha, a, b),
    )


def test_numba_gives_the_same_answers() -> None:
    """A plan is compiled: values within the last bits, instants within what these move them by."""
    rng = np.random.default_rng(5)
    for _ in range(50):
        case = at((int(rng.integers(1, 40)), int(rng.integers(0, 500 * DAY)), int(rng.integers(0, 500 * DAY))))
        k, horizon = float(rng.uniform(0.05, 0.9)), 180.0 * DAY
        p, p_until, purchases, until = compiled(case, k, horizon, *MODEL)
        assert p == pytest.approx(alive(*case, *MODEL), rel=1e-13)
        assert purchases == pytest.approx(expected(*case, horizon, *MODEL), rel=1e-12)
        assert p_until == pytest.approx(alive_until(*case, k, *MODEL), abs=2)
        assert until == pytest.approx(expected_until(*case, k, horizon, *MODEL), abs=100)
