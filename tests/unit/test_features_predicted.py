"""What is predicted of a customer: the history it goes by, its agreement with the library, its exact expiry."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.features import fading, worth
from stream.features.base import FOREVER, arguments, books
from stream.features.history import COUNT, FIRST, FIRST_WORTH, LAST, REMEMBERED, WORTH, History
from stream.features.predicted import YEAR, Alive, Buys, LifetimeValue, OrderValue, Predicted
from stream.predict.lifetime import Horizon, lifetime_value
from stream.predict.lifetime_model import LifetimeModel

DAY = 86_400_000
WEEK = 7 * DAY
MODEL = LifetimeModel(1, 0, 0.243, 4.414 * WEEK, 0.793, 2.426, 6.25, 3.74, 15.44e6)
KEPT = History(("Order Completed",), DAY, "total")
HALF = 182 * DAY
FEATURES: list[Predicted] = [
    Alive(KEPT),
    Buys(KEPT, HALF),
    Buys(KEPT, YEAR, often=True),
    LifetimeValue(KEPT, YEAR, 0.1),
]
NAMES = ["alive", "buys", "expected", "clv"]

Orders = list[tuple[int, float]]
orders = st.lists(
    st.tuples(st.integers(0, 400 * DAY), st.sampled_from([math.nan, 0.0, 12e6, 30e6, 99e6])), min_size=1, max_size=12
)


def row(history: History, bought: Orders) -> Any:
    """The columns of a history after these orders."""
    blank = [int(column.initial) for column in history.columns()]
    ints = np.array(blank, np.int64)
    reaction = history.reactions()["Order Completed"]
    for t, x in bought:
        reads = () if reaction.reads is None else (x,)
        reaction.fold(ints, ints.view(np.float64), 0, t, *reads, *reaction.constants)
    return ints


def call(feature: Predicted, ints: Any, what: str, *given: Any) -> Any:
    """Its value or expiry for a row that holds its history alone."""
    rest = arguments(feature.constants(), model=lambda wanted: np.array(MODEL.numbers(wanted.names)))
    return getattr(feature.views()[""], what)(ints, ints.view(np.float64), 0, *given, 0, *rest)


@settings(max_examples=150, deadline=None)
@given(bought=orders, data=st.data())
def test_a_history_is_of_days_whatever_the_order_of_events(bought: Orders, data: st.DataObject) -> None:
    """Orders of one day are one purchase; what those of the first day were worth is kept apart from all later ones."""
    bought = [(t % (REMEMBERED * DAY), x) for t, x in bought]
    days = {t // DAY for t, _ in bought}
    ints = row(KEPT, data.draw(st.permutations(bought)))
    floats = ints.view(np.float64)
    assert (ints[COUNT], ints[FIRST], ints[LAST]) == (len(days), min(bought)[0], max(t for t, _ in bought))
    worth = [sum(x for t, x in bought if x == x and (t // DAY == min(days)) == first) for first in (True, False)]
    assert [floats[FIRST_WORTH], floats[WORTH]] == worth
    assert (row(History(("Order Completed",), DAY), bought)[: LAST + 1] == ints[: LAST + 1]).all()


def test_a_late_order_of_the_first_day_is_known_however_long_ago_that_was() -> None:
    """Of days in between only the latest are remembered: later than that it counts as one of its own."""
    begun = [(0, 1e6), (5 * DAY, 1e6), (200 * DAY, 1e6)]
    assert row(KEPT, [*begun, (9, 1e6)])[COUNT] == 3
    assert row(KEPT, [*begun, (150 * DAY, 1e6), (150 * DAY, 1e6)])[COUNT] == 4
    assert row(KEPT, [*begun, (5 * DAY, 1e6)])[COUNT] == 4


@settings(max_examples=20, deadline=None)
@given(bought=orders, silence=st.integers(0, 900 * DAY))
def test_values_are_those_of_the_models_own_library(bought: Orders, silence: int) -> None:
    """The formulas of one customer agree with those of arrays of customers."""
    bought.sort()
    ints = row(KEPT, bought)
    now = bought[-1][0] + silence
    x = int(ints[COUNT]) - 1
    recency, age = (float(ints[LAST] - ints[FIRST]) if x else 0.0), float(now - ints[FIRST])
    worth = float(ints.view(np.float64)[WORTH])
    purchases, spend = MODEL.purchases, MODEL.spend
    assert spend is not None
    mean = worth / x if x else math.nan
    wanted = [
        purchases.p_alive(x, recency, age),
        purchases.p_buys(x, recency, age, HALF),
        purchases.expected_purchases(x, recency, age, YEAR),
        lifetime_value(purchases, spend, x, recency, age, mean, Horizon(YEAR, YEAR, 0.1)),
    ]
    for feature, value in zip(FEATURES, wanted, strict=True):
        assert math.isclose(call(feature, ints, "value", now), float(value), rel_tol=1e-9, abs_tol=1e-300)
    assert math.isclose(call(OrderValue(KEPT), ints, "value", now), float(spend.mean_value(x, mean)), rel_tol=1e-9)


@pytest.mark.parametrize("feature", FEATURES, ids=NAMES)
@settings(max_examples=8, deadline=None)
@given(bought=orders, part=st.floats(0.01, 0.99), silence=st.integers(0, 90 * DAY))
def test_the_expiry_is_the_first_millisecond_below(
    feature: Predicted, bought: Orders, part: float, silence: int
) -> None:
    """One before, the value is still at the threshold or above; who is below it has no deadline."""
    bought.sort()
    ints = row(KEPT, bought)
    now = bought[-1][0] + silence
    k = part * call(feature, ints, "value", now)
    until = call(feature, ints, "until", now, k)
    if until < FOREVER:
        assert until > now
        assert call(feature, ints, "value", until) < k <= call(feature, ints, "value", until - 1)
    assert call(feature, ints, "until", now, 1.01 * call(feature, ints, "value", now)) == FOREVER


@settings(max_examples=40, deadline=None)
@given(bought=orders, part=st.floats(0.01, 0.999999), silence=st.integers(0, 90 * DAY))
def test_looking_again_leads_to_the_first_millisecond_below(bought: Orders, part: float, silence: int) -> None:
    """What is far off is not searched for, but looked at again before it is there: never too late, and soon enough that
    it costs a few looks."""
    bought.sort()
    feature, ints = LifetimeValue(KEPT, YEAR, 0.1), row(KEPT, bought)
    now = bought[-1][0] + silence
    k = part * call(feature, ints, "value", now)
    until = call(feature, ints, "until", now, k)
    looks = 0
    while now < min(until, 3000 * YEAR):
        found = call(feature, ints, "near", now, k, call(feature, ints, "value", now))
        assert now < found <= until
        assert found == until or found - now >= DAY
        now, looks = found, looks + 1
    assert looks <= 60


@pytest.mark.parametrize("feature", [*FEATURES, OrderValue(KEPT)], ids=[*NAMES, "order_value"])
def test_without_a_model_or_an_order_nothing_is_known(feature: Predicted) -> None:
    """A value that is missing has no deadline either, and nothing is said to be of the population."""
    view, ints = feature.views()[""], row(KEPT, [(0, 1e6)])
    assert view.of_population is not None
    unknown = arguments(feature.constants())
    floats = ints.view(np.float64)
    assert math.isnan(view.value(ints, floats, 0, DAY, 0, *unknown))
    assert not view.of_population(ints, floats, 0, DAY, 0, *unknown)
    assert call(feature, ints, "of_population", DAY)
    assert not call(feature, row(KEPT, [(0, 1e6), (2 * DAY, 1e6)]), "of_population", DAY)
    assert math.isnan(call(feature, row(KEPT, []), "value", DAY))
    if view.until is not None:
        assert view.until(ints, floats, 0, DAY, 0.5, 0, *unknown) == FOREVER
        assert call(feature, row(KEPT, []), "until", DAY, 0.5) == FOREVER


def test_features_of_the_same_purchases_share_a_history() -> None:
    """However many are asked for, a row keeps it once."""
    plain = History(("Order Completed",), DAY)
    kept = {book for feature in (Alive(plain), Buys(plain, 9), Buys(plain, 9, often=True)) for book in books(feature)}
    assert kept == {plain}
    assert len({feature.of for feature in (*FEATURES, Alive(plain))}) == 1


@settings(max_examples=300)
@given(
    count=st.integers(1, 60),
    age=st.integers(0, 3_000),
    part=st.floats(0, 1),
    r=st.floats(0.05, 20),
    alpha=st.floats(0.5, 400),
    a=st.floats(0.05, 5),
    b=st.floats(0.05, 20),
    years=st.sampled_from([0.25, 1, 5]),
)
def test_side_by_side_is_as_one_by_one(
    count: int, age: int, part: float, r: float, alpha: float, a: float, b: float, years: float
) -> None:
    """Working out all points of the integral at once changes nothing but the last digits."""
    last = round(age * part) * DAY if count > 1 else 0
    horizon, rate, numbers = years * YEAR, math.log1p(0.1) / YEAR, (r, alpha * DAY, a, b)
    begun = alpha * DAY + fading.age_at(count, 0, last, age * DAY)
    span = math.log1p(horizon / begun)
    total = fading.expected(count, 0, last, age * DAY, horizon, *numbers) * math.exp(-rate * horizon)
    for place, weight in zip(worth.NODES, worth.WEIGHTS, strict=True):
        u = begun * math.expm1(place * span)
        until_then = fading.expected(count, 0, last, age * DAY, u, *numbers)
        total += weight * until_then * rate * math.exp(-rate * u) * (begun + u) * span
    assert worth.discounted(count, 0, last, age * DAY, horizon, rate, *numbers) == pytest.approx(total, rel=1e-12)
