"""Gamma-Gamma: the published figures on CDNOW, and the formulas against other ways to the same number."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.predict.spend import GammaGamma, correlation, fit_spend
from stream.predict.spends import Spends
from tests.cdnow import Customers, customers
from tests.samples import sample

PUBLISHED = GammaGamma(6.25, 3.74, 15.44)


@pytest.fixture(scope="module")
def cdnow() -> Customers:
    return customers(sample("cdnow-sample.txt"))


def test_the_fit_is_the_published_one(cdnow: Customers) -> None:
    """Fader and Hardie 2013, over the 946 who bought more than once: to the printed digits."""
    fit = fit_spend(Spends.of(cdnow.frequency, cdnow.mean))
    assert (round(fit.model.p, 2), round(fit.model.q, 2), round(fit.model.gamma, 2)) == (6.25, 3.74, 15.44)
    assert (fit.customers, fit.without_value, fit.unknown) == (946, 0, ())


def test_what_it_takes_for_granted_is_reported(cdnow: Customers) -> None:
    """Frequency and value hardly go together among CDNOW's customers (published: 0.11)."""
    fit = fit_spend(Spends.of(cdnow.frequency, cdnow.mean))
    assert round(fit.correlation, 2) == 0.11
    assert fit.independent
    x = np.arange(1, 101.0)
    assert not fit_spend(Spends.of(x, 10 + x + np.random.default_rng(1).normal(0, 1, 100))).independent


def test_nobody_without_value_is_used_and_they_are_counted(cdnow: Customers) -> None:
    """Zero spend, refunds beyond it, and a value that is missing: left out, and said so."""
    x = np.concatenate([cdnow.frequency, [3, 2, 1, 0]])
    mean = np.concatenate([cdnow.mean, [0.0, -12.5, np.nan, 20.0]])
    fit = fit_spend(Spends.of(x, mean))
    assert (fit.customers, fit.without_value) == (946, 3)
    assert fit.model == fit_spend(Spends.of(cdnow.frequency, cdnow.mean)).model


def test_the_unit_of_money_does_not_matter(cdnow: Customers) -> None:
    """In micros gamma is a million times greater, and nothing else differs."""
    found = fit_spend(Spends.of(cdnow.frequency, cdnow.mean * 1e6)).model
    plain = fit_spend(Spends.of(cdnow.frequency, cdnow.mean)).model
    assert [found.p, found.q, found.gamma / 1e6] == pytest.approx([plain.p, plain.q, plain.gamma], rel=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.1, 50), st.floats(1.1, 50), st.floats(0.01, 1e3), st.integers(1, 500), st.floats(0.01, 1e4))
def test_the_likelihood_is_that_of_the_definition(p: float, q: float, gamma: float, x: int, mean: float) -> None:
    """The density of the mean of x orders, as published, in 50 digits."""
    with mpmath.workdps(50):
        p_, q_, g, m = map(mpmath.mpf, (p, q, gamma, mean))
        density = mpmath.gamma(p_ * x + q_) / (mpmath.gamma(p_ * x) * mpmath.gamma(q_))
        density *= g**q_ * m ** (p_ * x - 1) * mpmath.mpf(x) ** (p_ * x) / (g + m * x) ** (p_ * x + q_)
        truth = float(mpmath.log(density))
    assert GammaGamma(p, q, gamma).log_likelihood(x, mean) == pytest.approx(truth, rel=1e-9, abs=1e-8)


@pytest.mark.parametrize(("x", "mean"), [(1, 0.01), (3, 40.0), (20, 500.0)])
def test_the_mean_of_a_customer_is_that_of_bayes(x: int, mean: float) -> None:
    """The mean over the population of own means, weighted by how likely each makes what was seen."""
    model = PUBLISHED
    with mpmath.workdps(30):
        total = mpmath.mpf(x) * mean

        def weight(nu: mpmath.mpf) -> mpmath.mpf:
            """Prior of nu (Gamma(q, gamma)) times the likelihood of the total (Gamma(p x, nu))."""
            return nu ** (model.q - 1 + model.p * x) * mpmath.exp(-nu * (model.gamma + total))

        peak = (model.q - 1 + model.p * x) / (model.gamma + total)
        parts = [share * peak for share in (0, 0.3, 0.6, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 8, 64)]
        expected = mpmath.quad(lambda nu: model.p / nu * weight(nu), parts) / mpmath.quad(weight, parts)
    assert float(model.mean_value(x, mean)) == pytest.approx(float(expected), rel=1e-9)


def test_little_history_is_drawn_to_the_population() -> None:
    """None at all, nothing spent, more refunded than bought: the population's mean; many orders: their own."""
    mean = PUBLISHED.mean_value([0, 2, 2, 2, 10_000], [99.0, 0.0, -5.0, np.nan, 99.0])
    assert mean[:4].tolist() == pytest.approx([PUBLISHED.population_mean] * 4)
    assert mean[4] == pytest.approx(99.0, rel=1e-2)


def test_a_drawn_population_is_found_again() -> None:
    """20,000 customers drawn as the model says."""
    rng = np.random.default_rng(11)
    x = rng.integers(1, 12, 20_000).astype(float)
    nu = rng.gamma(3.0, 1 / 20.0, len(x))
    mean = rng.gamma(4.0 * x, 1 / nu) / x
    fit = fit_spend(Spends.of(x, mean))
    assert [fit.model.p, fit.model.q, fit.model.gamma] == pytest.approx([4.0, 3.0, 20.0], rel=0.08)
    assert abs(correlation(x, mean)) < 0.05


def test_what_cannot_be_fitted_says_so() -> None:
    """One sentence, with what to do; orders of one price are a bound, not an error."""
    with pytest.raises(ValueError, match="1 customers have orders of any value"):
        fit_spend(Spends.of([1, 2, 3], [0.0, -1.0, 5.0]))
    same = fit_spend(Spends.of(np.full(50, 3), np.full(50, 9.99)))
    assert same.unknown
    assert same.model.mean_value(2, 9.99) == pytest.approx(9.99, rel=1e-3)
    with pytest.raises(ValueError, match="q above 1"):
        GammaGamma(1.0, 1.0, 1.0)
