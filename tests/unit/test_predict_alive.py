"""BG/NBD: the paper's own figures on its own data, and the formulas against other ways to the same number."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from stream.predict.alive import BgNbd, fit_bgnbd
from stream.predict.histories import Histories
from tests.cdnow import Customers, customers
from tests.samples import sample

PAPER = BgNbd(0.243, 4.414, 0.793, 2.426)


@pytest.fixture(scope="module")
def cdnow() -> Customers:
    return customers(sample("cdnow-sample.txt"))


@pytest.fixture(scope="module")
def fitted(cdnow: Customers) -> BgNbd:
    return fit_bgnbd(Histories.of(cdnow.frequency, cdnow.recency, cdnow.age)).model


def test_the_fit_is_the_papers(cdnow: Customers) -> None:
    """Fader, Hardie and Lee 2005, table 2: the four parameters and the log-likelihood, to the printed digits."""
    fit = fit_bgnbd(Histories.of(cdnow.frequency, cdnow.recency, cdnow.age))
    found = fit.model
    assert [round(value, 3) for value in (found.r, found.alpha, found.a, found.b)] == [0.243, 4.414, 0.793, 2.426]
    assert round(fit.log_likelihood, 1) == -9582.4
    assert (fit.customers, fit.repeat_buyers, fit.unknown) == (2357, 946, ())


def test_one_customer_is_the_papers(fitted: BgNbd) -> None:
    """26 repeat purchases, the last one in week 30.86 of 31: P(alive), and purchases of the next 52 weeks."""
    assert round(float(fitted.p_alive(26, 30.86, 31)), 4) == 0.9689
    assert round(float(fitted.expected_purchases(26, 30.86, 31, 52)), 2) == 25.76


def test_the_holdout_is_met_as_well_as_in_the_paper(cdnow: Customers, fitted: BgNbd) -> None:
    """39 weeks on, by calibration frequency 0 to 7 and more: actual means as printed, expected ones as the paper's
    figure has them, and their correlation over customers."""
    expected = fitted.expected_purchases(cdnow.frequency, cdnow.recency, cdnow.age, 39)
    classes = np.minimum(cdnow.frequency, 7).astype(int)
    size = np.bincount(classes)
    actual = np.bincount(classes, weights=cdnow.later) / size
    assert actual.round(3).tolist() == [0.237, 0.697, 1.393, 1.560, 2.532, 2.947, 3.862, 6.359]
    assert (np.bincount(classes, weights=expected) / size).round(2).tolist() == [
        *(0.23, 0.52, 1.04, 1.52, 2.16, 2.65, 3.50, 6.16)
    ]
    assert round(float(np.corrcoef(expected, cdnow.later)[0, 1]), 2) == 0.63


def test_grouping_does_not_change_the_fit(cdnow: Customers, fitted: BgNbd) -> None:
    """Alike histories counted together are the same histories; so are those of two shards, added up."""
    half = len(cdnow.frequency) // 2
    shards = [
        Histories.of(cdnow.frequency[part], cdnow.recency[part], cdnow.age[part])
        for part in (slice(half), slice(half, None))
    ]
    alone = Histories(cdnow.frequency, cdnow.recency, cdnow.age, np.ones(len(cdnow.age)))
    together = shards[0] + shards[1]
    assert len(together.count) < len(alone.count) / 2
    assert PAPER.log_likelihood(together) == pytest.approx(PAPER.log_likelihood(alone), rel=1e-12)
    found = fit_bgnbd(alone, start=fitted).model
    assert [found.r, found.alpha, found.a, found.b] == pytest.approx([fitted.r, fitted.alpha, fitted.a, fitted.b], 1e-4)


def test_a_bounded_number_of_groups_gives_nearly_the_same_fit(cdnow: Customers, fitted: BgNbd) -> None:
    """`within` keeps its bound, all customers and all repeat buyers."""
    every = Histories.of(cdnow.frequency, cdnow.recency, cdnow.age)
    few = every.within(700)
    assert len(few.count) <= 700
    assert (few.customers, few.repeat_buyers) == (every.customers, every.repeat_buyers)
    assert few.frequency @ few.count == every.frequency @ every.count
    found = fit_bgnbd(few).model
    assert [found.r, found.a / (found.a + found.b)] == pytest.approx(
        [fitted.r, fitted.a / (fitted.a + fitted.b)], rel=0.1
    )


def test_grouping_in_steps_moves_nobody_further_than_half_a_step() -> None:
    """Recency and silence are each rounded, so that nobody's last purchase comes after the instant of looking."""
    rng = np.random.default_rng(4)
    recency = rng.uniform(0, 100, 500)
    age = recency + rng.uniform(0, 100, 500)
    for last, total in zip(recency, age, strict=True):
        found = Histories.of([3], [last], [total], step=0.5)
        assert abs(found.recency[0] - last) <= 0.25
        assert abs((found.age - found.recency)[0] - (total - last)) <= 0.25 + 1e-9


def test_the_unit_of_time_does_not_matter(cdnow: Customers, fitted: BgNbd) -> None:
    """In milliseconds alpha is as many times greater, and nothing else differs."""
    ms = 604_800_000.0
    found = fit_bgnbd(Histories.of(cdnow.frequency, cdnow.recency * ms, cdnow.age * ms)).model
    assert [found.r, found.alpha / ms, found.a, found.b] == pytest.approx(
        [fitted.r, fitted.alpha, fitted.a, fitted.b], rel=1e-4
    )


def test_a_drawn_population_is_found_again() -> None:
    """20,000 customers drawn as the model says, who are looked at after 1 to 2 years of weeks."""
    truth = BgNbd(0.8, 10.0, 1.2, 5.0)
    rng = np.random.default_rng(7)
    histories = drawn(truth, rng.uniform(52, 104, 20_000), rng).within(5_000)
    fit = fit_bgnbd(histories)
    found = fit.model
    assert [found.r, found.alpha, found.a, found.b] == pytest.approx([0.8, 10.0, 1.2, 5.0], rel=0.12)
    # Twice the difference is chi-squared with four degrees of freedom: beyond 20 once in two thousand samples.
    assert 0 <= 2 * (fit.log_likelihood - truth.log_likelihood(histories)) < 20


def drawn(model: BgNbd, ages: np.ndarray[tuple[int], np.dtype[np.float64]], rng: np.random.Generator) -> Histories:
    """Histories as the model tells that they come about."""
    rows = []
    rates, leaves = rng.gamma(model.r, 1 / model.alpha, len(ages)), rng.beta(model.a, model.b, len(ages))
    for age, rate, leave in zip(ages.tolist(), rates.tolist(), leaves.tolist(), strict=True):
        x, last, now = 0, 0.0, rng.exponential(1 / max(rate, 1e-12))
        while now <= age:
            x, last = x + 1, now
            if rng.random() < leave:
                break
            now += rng.exponential(1 / rate)
        rows.append((x, last, age))
    return Histories.of(*np.array(rows).T)


parameters = st.builds(
    BgNbd, st.floats(0.05, 20), st.floats(0.05, 100), st.one_of(st.just(1.0), st.floats(0.05, 20)), st.floats(0.05, 20)
)
pasts = st.tuples(st.integers(0, 60), st.floats(0, 1), st.floats(0.1, 300))


def log_likelihood_by_mpmath(model: BgNbd, x: int, last: float, age: float) -> mpmath.mpf:
    """Equation (6) of the paper as it stands, in 50 digits."""
    with mpmath.workdps(50):
        r, alpha, a, b, tx, t = map(mpmath.mpf, (model.r, model.alpha, model.a, model.b, last, age))
        front = mpmath.gamma(r + x) / mpmath.gamma(r) * alpha**r
        stays = mpmath.beta(a, b + x) / mpmath.beta(a, b) * (alpha + t) ** -(r + x)
        leaves = mpmath.beta(a + 1, b + x - 1) / mpmath.beta(a, b) * (alpha + tx) ** -(r + x) if x else mpmath.mpf(0)
        return mpmath.log(front * (stays + leaves))


@settings(max_examples=60, deadline=None)
@given(parameters, pasts)
def test_the_likelihood_is_that_of_the_definition(model: BgNbd, past: tuple[int, float, float]) -> None:
    """In logarithms throughout, without losing a digit that a fit could miss."""
    x, share, age = past
    last = share * age if x else 0.0
    ours = model.log_likelihood(Histories.of([x], [last], [age]))
    assert ours == pytest.approx(float(log_likelihood_by_mpmath(model, x, last, age)), rel=1e-10, abs=1e-9)


def test_the_slope_is_that_of_the_likelihood() -> None:
    """A fit goes by it; by differences, at a point that is no optimum."""
    histories = Histories.of([0, 1, 5, 40], [0, 3, 20, 30], [50, 52, 21, 30.5])
    at = np.array([0.7, 3.0, 1.4, 2.0])
    by_difference = approx_fprime(at, lambda p: BgNbd(*p.tolist()).log_likelihood(histories), 1e-6)
    assert BgNbd(*at.tolist()).slope(histories) == pytest.approx(by_difference, rel=1e-4)


def purchases_by_mpmath(model: BgNbd, x: int, age: float, horizon: float) -> float:
    """The mean over Beta(a, b + x) of the purchases until leaving, by 2F1 in many digits; a = 1 by its neighbour."""
    with mpmath.workdps(120):
        r, alpha, a, b, t, h = map(mpmath.mpf, (model.r, model.alpha, model.a, model.b, age, horizon))
        if a == 1:
            a += mpmath.mpf(10) ** -40
        power = ((alpha + t) / (alpha + t + h)) ** (r + x)
        hyper = mpmath.hyp2f1(r + x, b + x, a + b + x - 1, h / (alpha + t + h))
        return float((a + b + x - 1) / (a - 1) * (1 - power * hyper))


@settings(max_examples=40, deadline=None)
@given(parameters, pasts, st.floats(1e-6, 500))
def test_expected_purchases_are_those_of_the_papers_formula(
    model: BgNbd, past: tuple[int, float, float], horizon: float
) -> None:
    """Equation (10), in 120 digits, because in 16 it cancels; ours does not, nor at a = 1."""
    x, _, age = past
    ours = float(model.purchases_if_alive(x, age, horizon))
    assert ours == pytest.approx(purchases_by_mpmath(model, x, age, horizon), rel=1e-11)


@pytest.mark.parametrize("x", [0, 1, 10_000])
@pytest.mark.parametrize("horizon", [1e-9, 52.0, 1043.0])
@pytest.mark.parametrize("age", [0.0, 1043.0])
def test_extremes_neither_overflow_nor_lose_digits(x: int, age: float, horizon: float) -> None:
    """10,000 purchases, 20 years (1,043 weeks), all of it in one instant, a horizon of a millisecond."""
    ours = float(PAPER.purchases_if_alive(x, age, horizon))
    assert ours == pytest.approx(purchases_by_mpmath(PAPER, x, age, horizon), rel=1e-10)
    alive = float(PAPER.p_alive(x, age, age))
    assert 0 < alive <= 1
    assert 0 <= float(PAPER.p_alive(x, 0.0, age)) <= 1
    assert np.isfinite(PAPER.log_likelihood(Histories.of([x], [age if x else 0.0], [age])))


@pytest.mark.parametrize(("a", "b"), [(0.02, 0.4), (0.5, 0.02), (60.0, 40.0), (1.0, 2000.0)])
@pytest.mark.parametrize("x", [0, 25])
def test_far_horizons_are_those_of_the_papers_formula(a: float, b: float, x: int) -> None:
    """40 years for customers whose alpha is an hour: the sum would need millions of terms, and is an integral there."""
    model = BgNbd(0.3, 0.006, a, b)
    ours = float(model.purchases_if_alive(x, 0.5, 2_000.0))
    assert ours == pytest.approx(purchases_by_mpmath(model, x, 0.5, 2_000.0), rel=1e-10)


def test_expected_purchases_are_what_drawn_customers_do() -> None:
    """The mean of what 20,000 of them buy within 30 weeks of their first purchase, by drawing alone."""
    model = BgNbd(0.8, 6.0, 1.0, 3.0)
    histories = drawn(model, np.full(20_000, 30.0), np.random.default_rng(3))
    mean = float(histories.frequency @ histories.count / histories.customers)
    assert model.purchases_of_new(30.0) == pytest.approx(mean, rel=0.04)
    assert float(model.p_buys(0, 0, 0, 30.0)) == pytest.approx(histories.repeat_buyers / histories.customers, rel=0.02)


def test_buying_within_a_moment_is_buying_once() -> None:
    """The probability and the expectation of an hour are nearly one; the probability is never the greater."""
    past = ([0, 1, 9, 40], [0, 3, 20, 30], [50, 52, 21, 30.5])
    assert PAPER.p_buys(*past, 1 / 168) == pytest.approx(PAPER.expected_purchases(*past, 1 / 168), rel=0.01)
    assert (PAPER.p_buys(*past, 52) < PAPER.expected_purchases(*past, 52)).all()
    assert (PAPER.p_buys(*past, 1e9) <= PAPER.p_alive(*past)).tolist()[1:] == [True, True, True]


def test_nobody_is_missing() -> None:
    """One purchase, the same instant twice, clocks that disagree, negative counts: a probability for each."""
    x = np.array([0, 0, 1, 3, 2, -1])
    last = np.array([0, 5, 0, 0, 9, 0])
    age = np.array([0, 10, 0, 40, 4, 3])
    alive = PAPER.p_alive(x, last, age)
    assert ((alive > 0) & (alive <= 1)).all()
    assert np.isfinite(PAPER.expected_purchases(x, last, age, 52)).all()


def test_who_bought_once_is_answered_for_by_the_population() -> None:
    """The model's letter says 1 for ever; ours falls with silence, and says whose answer it is."""
    ages = np.array([0.0, 10.0, 50.0, 500.0])
    alive = PAPER.p_alive(np.zeros(4), np.zeros(4), ages)
    assert (np.diff(alive) < 0).all()
    assert alive[0] == pytest.approx(PAPER.b / (PAPER.a + PAPER.b))
    assert PAPER.of_the_population([0, 1, 2]).tolist() == [True, False, False]


def test_what_cannot_be_fitted_says_so() -> None:
    """One sentence, with what to do; a parameter that the data do not tell is named."""
    with pytest.raises(ValueError, match="3 customers bought more than once"):
        fit_bgnbd(Histories.of([0, 1, 1, 2], [0, 1, 2, 3], [5, 5, 5, 5]))
    with pytest.raises(ValueError, match="no time has passed"):
        fit_bgnbd(Histories.of(np.ones(30), np.zeros(30), np.zeros(30)))
    nobody_leaves = fit_bgnbd(Histories.of(np.full(50, 10), np.full(50, 10.0), np.full(50, 10.0)))
    assert nobody_leaves.unknown


@pytest.mark.parametrize(
    ("x", "last", "age", "says"),
    [(1, 3, 2, "after the instant"), (0, 1, 2, "recency"), (-1, 0, 1, "not negative"), (1, np.nan, 2, "finite")],
)
def test_impossible_histories_are_refused(x: float, last: float, age: float, says: str) -> None:
    """They would be fitted to without a word."""
    with pytest.raises(ValueError, match=says):
        Histories.of([x], [last], [age])
