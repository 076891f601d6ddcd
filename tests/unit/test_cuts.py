"""Cuts by share: exact where values are few, within the promised bound where they are many, whatever the shards."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream.cuts.merge import cut, learn, merge
from stream.cuts.summary import LARGEST, ShardSummary, summarize, summarize_shard
from stream.engine.versions import CutsVersion

SHARES = [0.01, 0.1, 0.2, 0.25, 1 / 3, 0.5, 0.55, 0.6, 0.8, 0.9, 1 - 0.9, 0.999, 1.0]
numbers = st.one_of(st.integers(-5, 5).map(float), st.floats(width=32), st.just(math.nan))


def by_definition(values: list[float], share: float) -> float | None:
    """The smallest value such that at least the share of all have at most that."""
    known = sorted(min(max(v, -LARGEST), LARGEST) for v in values if not math.isnan(v))
    share_of_all = Fraction(str(round(share, 9)))
    return next((v for v in known if Fraction(sum(w <= v for w in known), len(known)) >= share_of_all), None)


def column(values: list[float]) -> NDArray[np.float64]:
    return np.array(values, np.float64)


@given(st.lists(numbers, max_size=40), st.sampled_from(SHARES), st.integers(1, 5))
def test_a_cut_of_few_values_is_exact_whatever_the_shards(values: list[float], share: float, shards: int) -> None:
    """Customers may lie on one shard or on several."""
    parts = [summarize(column(values[k::shards])) for k in range(shards)]
    assert cut(merge(parts), share) == by_definition(values, share)


@pytest.mark.parametrize("share", [0.2, 0.55, 0.7, 1 - 0.9])
def test_a_share_of_a_round_number_is_not_off_by_one(share: float) -> None:
    """0.55 * 20 and 1 - 0.9 are not exact in floating point, but the customer counted is."""
    values = [float(v) for v in range(1, 21)]
    assert cut(summarize(column(values)), share) == round(share * 20)


@given(
    st.lists(st.one_of(st.integers(0, 400).map(float), st.floats(-1e6, 1e6)), min_size=1, max_size=600),
    st.integers(2, 40),
    st.integers(1, 4),
    st.sampled_from(SHARES),
)
def test_a_cut_of_many_values_is_within_the_promised_bound(
    values: list[float], points: int, shards: int, share: float
) -> None:
    """At least the share lies at or below it, and less than the share and the slack strictly below it."""
    parts = [summarize(column(values[k::shards]), points) for k in range(shards)]
    found = cut(merge(parts), share)
    assert found in values
    n, asked = len(values), Fraction(str(round(share, 9)))
    slack = sum(part.slack for part in parts)
    assert slack <= sum(math.ceil(len(values[k::shards]) / points) for k in range(shards))
    assert Fraction(sum(v <= found for v in values), n) >= asked
    if slack:
        assert Fraction(sum(v < found for v in values), n) < asked + Fraction(slack, n)
    else:
        assert found == by_definition(values, share)


@given(st.lists(numbers, max_size=300), st.integers(2, 30))
def test_a_summary_counts_everyone_once_and_stays_small(values: list[float], points: int) -> None:
    made = summarize(column(values), points)
    assert made.customers == sum(not math.isnan(v) for v in values)
    assert len(made.values) <= points + 1
    assert np.all(np.diff(made.values) > 0)
    assert np.all(made.counts > 0)


def test_a_value_that_most_have_is_told_exactly_among_many_others() -> None:
    """A heavy value never hides what lies beside it: those above it are not counted as having it."""
    values = column([7.0] * 5_000 + [float(k) / 7 for k in range(5_000)])
    made = merge([summarize(values[k::3], 50) for k in range(3)])
    below = np.mean(values < 7.0)
    assert cut(made, float(below) + 0.2) == 7.0


def table(values: list[tuple[float, float]]) -> NDArray[np.float64]:
    return np.array(values, np.float64).reshape(len(values), 2)


def test_a_shard_summary_arrives_as_it_was_sent() -> None:
    sent = summarize_shard(3, 99, ["rfm: ago", "rfm: spend"], [(0, 0.2), (1, 0.5), (0, 0.8), (0, 0.2)], table([(1, 2)]))
    assert ShardSummary.decode(sent.encode()) == sent
    assert sent.shares == {"rfm: ago": [0.2, 0.8], "rfm: spend": [0.5]}
    assert sent.summary("rfm: spend").values.tolist() == [2.0]


@pytest.mark.parametrize("data", [b"", b"\x80", b"not that", b"\xc1"])
def test_what_is_no_summary_is_one_sentence(data: bytes) -> None:
    with pytest.raises(ValueError, match="broken summary"):
        ShardSummary.decode(data)


def test_many_measures_still_fit_one_record() -> None:
    """The record stays below what a broker takes by default (1 MB), however many measures the definitions ask for."""
    rng = np.random.default_rng(1)
    for measures in (1, 60, 400):
        values = rng.normal(size=(5_000, measures))
        made = summarize_shard(0, 0, [f"measure {j}" for j in range(measures)], [], values)
        assert len(made.encode()) < 700_000


def test_cuts_are_learned_of_all_shards_together() -> None:
    """Each shard alone would cut elsewhere."""
    measures, cuts = ["a", "b"], [(0, 0.5), (1, 0.5), (1, 0.75)]
    one = summarize_shard(0, 5, measures, cuts, table([(1, 10), (2, math.nan)]))
    two = summarize_shard(1, 6, measures, cuts, table([(3, 20), (4, 30), (5, math.nan)]))
    learned = learn([one, two])
    assert learned is not None
    assert learned.cuts == [("a", 0.5, 3.0), ("b", 0.5, 20.0), ("b", 0.75, 30.0)]
    assert learned.customers == {"a": 5, "b": 3}
    first = learned.after(None, 77)
    assert first == CutsVersion(1, 77, learned.cuts, learned.customers)
    assert learned.after(first, 99) is None, "nothing is another"
    moved = learned.after(CutsVersion(4, 120, [("a", 0.5, 9.0)], {}), 99)
    assert moved == CutsVersion(5, 121, learned.cuts, learned.customers), "instants rise"


def test_nothing_is_learned_of_no_customers_or_of_shards_with_different_definitions() -> None:
    """In the middle of a change of definitions half of the customers would cut for all."""
    nobody = summarize_shard(0, 5, ["a"], [(0, 0.5)], np.zeros((0, 1)))
    assert learn([]) is None
    assert learn([nobody, nobody]) is None
    some = summarize_shard(1, 5, ["a"], [(0, 0.5)], np.ones((1, 1)))
    other = summarize_shard(0, 5, ["a"], [(0, 0.4)], np.ones((1, 1)))
    assert learn([some, other]) is None
    assert learn([some, nobody]) is not None
