"""What customers will be worth, against the integral that defines it and against drawing."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from stream.predict.alive import BgNbd, fit_bgnbd
from stream.predict.histories import Histories
from stream.predict.lifetime import Horizon, discounted_purchases, lifetime_value
from stream.predict.spend import GammaGamma, fit_spend
from stream.predict.spends import Spends
from tests.cdnow import customers
from tests.samples import sample

MODEL = BgNbd(0.243, 4.414, 0.793, 2.426)
SPEND = GammaGamma(6.25, 3.74, 15.44)
YEAR = 365.25 / 7


@pytest.mark.parametrize(("x", "last", "age"), [(0, 0.0, 0.0), (1, 0.0, 30.0), (26, 30.86, 31.0), (2, 5.0, 300.0)])
@pytest.mark.parametrize(("years", "discount"), [(1, 0.0), (1, 0.15), (10, 0.15)])
def test_discounting_is_that_of_the_integral(x: int, last: float, age: float, years: int, discount: float) -> None:
    """Of exp(-rate u) times the rate of purchases at u, which is the mean of p-thinned gamma rates."""
    horizon = Horizon(years * YEAR, YEAR, discount)
    s, b = MODEL.r + x, MODEL.b + x

    def rate(u: mpmath.mpf) -> mpmath.mpf:
        return s / (MODEL.alpha + age) * mpmath.hyp2f1(s + 1, MODEL.a, MODEL.a + b, -u / (MODEL.alpha + age))

    end = horizon.length
    truth = mpmath.quad(
        lambda u: mpmath.exp(-horizon.rate * u) * rate(u), [0, end / 256, end / 64, end / 16, end / 4, end]
    )
    alive = float(MODEL.p_alive(x, last, age)) if x else 1.0
    ours = float(discounted_purchases(MODEL, x, last, age, horizon))
    assert ours == pytest.approx(alive * float(truth), rel=1e-8)


def test_without_a_discount_it_is_purchases_times_value() -> None:
    """The plain product, customer by customer."""
    x, last, age, mean = np.array([0, 1, 9]), np.array([0, 2.0, 30]), np.array([9, 9.0, 39]), np.array([0, 12.0, 80])
    value = lifetime_value(MODEL, SPEND, x, last, age, mean, Horizon(52, YEAR, 0.0))
    assert value == pytest.approx(MODEL.expected_purchases(x, last, age, 52) * SPEND.mean_value(x, mean))


def test_what_cdnow_spent_later_is_foretold() -> None:
    """Of those who had bought again, the tenth of the highest value made more than a third of later purchases; the
    expected ones of these 39 weeks are within a fifth of what came."""
    found = customers(sample("cdnow-sample.txt"))
    model = fit_bgnbd(Histories.of(found.frequency, found.recency, found.age)).model
    spend = fit_spend(Spends.of(found.frequency, found.mean)).model
    value = lifetime_value(
        model, spend, found.frequency, found.recency, found.age, found.mean, Horizon(39.0, YEAR, 0.1)
    )
    best = value >= np.quantile(value, 0.9)
    assert found.later[best].sum() > 0.33 * found.later.sum()
    expected = model.expected_purchases(found.frequency, found.recency, found.age, 39.0).sum()
    assert expected == pytest.approx(found.later.sum(), rel=0.2)


@pytest.mark.parametrize("wrong", [(0.0, YEAR, 0.1), (52.0, 0.0, 0.1), (52.0, YEAR, -0.1), (float("nan"), YEAR, 0.1)])
def test_a_horizon_that_makes_no_sense_is_refused(wrong: tuple[float, float, float]) -> None:
    """One sentence."""
    with pytest.raises(ValueError, match=r"horizon|discount"):
        Horizon(*wrong)
