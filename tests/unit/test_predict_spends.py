"""Mean order values, counted together: the same population is fitted to groups of shards as to all customers."""

from __future__ import annotations

import numpy as np
import pytest

from stream.predict.spend import correlation, fit_spend
from stream.predict.spends import Spends
from tests.cdnow import Customers, Floats, customers
from tests.samples import sample


@pytest.fixture(scope="module")
def cdnow() -> Customers:
    return customers(sample("cdnow-sample.txt"))


def test_shards_add_up_to_all_customers(cdnow: Customers) -> None:
    """However customers are spread over shards, and also where some of them have no orders or no value."""
    mean = np.where(np.arange(len(cdnow.mean)) % 50 == 0, -1.0, cdnow.mean)
    every = Spends.of(cdnow.frequency, mean)
    joined = Spends.joined(Spends.of(cdnow.frequency[part::3], mean[part::3]) for part in range(3))
    for name in ("orders", "mean", "count"):
        assert np.array_equal(getattr(every, name), getattr(joined, name))
    assert every.without_value == joined.without_value == (cdnow.frequency[::50] > 0).sum() > 0
    assert every.customers + every.without_value == (cdnow.frequency > 0).sum()
    assert Spends.joined([]).customers == 0


def test_alike_customers_count_as_often_as_there_are(cdnow: Customers) -> None:
    """A group of three is three customers, to the fit and to the correlation."""
    plain = Spends.of(cdnow.frequency, cdnow.mean)
    thrice = Spends(plain.orders, plain.mean, 3 * plain.count)
    listed = Spends.joined([plain] * 3)
    assert np.array_equal(thrice.count, listed.count)
    found, once = fit_spend(thrice).model, fit_spend(plain).model
    assert [found.p, found.q, found.gamma] == pytest.approx([once.p, once.q, once.gamma], rel=1e-4)
    assert fit_spend(thrice).log_likelihood == pytest.approx(3 * fit_spend(plain).log_likelihood)
    assert fit_spend(thrice).customers == 3 * 946
    assert fit_spend(thrice).correlation == pytest.approx(correlation(*usable(cdnow)))
    assert correlation([1, 2, 3, 3], [5, 7, 6, 6]) == pytest.approx(correlation([1, 2, 3], [5, 7, 6], [1, 1, 2]))


def test_a_bounded_number_of_groups_gives_nearly_the_same_population(cdnow: Customers) -> None:
    """`within` keeps its bound, all customers, and what is expected of each to a hundredth."""
    few = Spends.of(cdnow.frequency, cdnow.mean).within(500)
    assert len(few.count) <= 500
    assert few.customers == 946
    plain, coarse = fit_spend(Spends.of(cdnow.frequency, cdnow.mean)).model, fit_spend(few).model
    x, mean = usable(cdnow)
    assert coarse.mean_value(x, mean) == pytest.approx(plain.mean_value(x, mean), rel=0.01)


def test_a_fit_goes_on_from_an_earlier_one(cdnow: Customers) -> None:
    """The end of the search does not depend on where it began."""
    spends = Spends.of(cdnow.frequency, cdnow.mean)
    cold = fit_spend(spends).model
    earlier = fit_spend(Spends.of(cdnow.frequency[::2], cdnow.mean[::2])).model
    warm = fit_spend(spends, earlier).model
    assert [warm.p, warm.q, warm.gamma] == pytest.approx([cold.p, cold.q, cold.gamma], rel=1e-3)


def test_what_no_customer_can_have_is_refused() -> None:
    """A mean of nothing would have no logarithm; those customers are `without_value`."""
    one = np.ones(1)
    for broken in ((0 * one, one, one), (one, 0 * one, one), (one, one, 0 * one), (one, one * np.nan, one)):
        with pytest.raises(ValueError, match="finite and above 0"):
            Spends(*broken)
    with pytest.raises(ValueError, match="three columns of one length"):
        Spends(one, one, np.ones(2))


def usable(cdnow: Customers) -> tuple[Floats, Floats]:
    """Orders and mean of who has bought again."""
    again = cdnow.frequency > 0
    return cdnow.frequency[again], cdnow.mean[again]
