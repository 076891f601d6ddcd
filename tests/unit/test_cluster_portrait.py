"""Names say what sets a cluster apart, are all different, and stay while they are true; useless clusters are told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.cluster.portrait import LOOSE, PLAIN, SMALL, name_of, profiles_of, still_holds, traits_of

FEATURES = ("recency", "orders", "discounts", "hours")
WORDS = {"recency": ("recent", "long ago"), "discounts": ("full price", "discount-driven, mostly")}


def test_the_most_telling_traits_come_first_in_the_words_of_the_definition() -> None:
    traits = traits_of(FEATURES, (-0.6, 0.4, 2.0, -0.9), WORDS)
    assert [(trait.feature, trait.words) for trait in traits] == [
        ("discounts", "discount-driven, mostly"),
        ("hours", "low hours"),
        ("recency", "recent"),
    ]
    assert name_of(traits, set()) == "discount-driven, mostly, low hours, recent"


def test_a_name_that_is_taken_says_more_or_gets_a_number() -> None:
    traits = traits_of(("a", "b", "c", "d"), (4.0, 3.0, 2.0, 1.0), {})
    first = name_of(traits, set())
    second = name_of(traits, {first})
    assert (first, second) == ("high a, high b, high c", "high a, high b, high c, high d")
    assert name_of(traits, {first, second}) == f"{first} (2)"
    assert name_of([], {PLAIN}) == f"{PLAIN} (2)"


@given(st.lists(st.floats(-5, 5), min_size=4, max_size=4), st.sets(st.integers(0, 3)))
def test_a_name_just_made_holds_whatever_the_numbers(deviations: list[float], taken: set[int]) -> None:
    traits = traits_of(FEATURES, deviations, WORDS)
    names: set[str] = set()
    for _ in range(len(taken) + 1):
        names.add(name_of(traits, names))
    assert len(names) == len(taken) + 1
    assert all(still_holds(name, FEATURES, deviations, WORDS) for name in names)


@pytest.mark.parametrize(
    ("deviations", "holds"),
    [((-0.3, 0, 1, 0), True), ((-0.05, 0, 1, 0), False), ((0.3, 0, 1, 0), False), ((-2, 3, 0.3, 3), True)],
)
def test_a_name_stays_while_each_of_its_words_is_still_true(deviations: tuple[float, ...], holds: bool) -> None:
    assert still_holds("discount-driven, mostly, recent", FEATURES, deviations, WORDS) is holds


def test_in_other_words_a_name_does_not_hold() -> None:
    assert not still_holds("recent", FEATURES, (-2, 0, 0, 0), {"recency": ("lately", "long ago")})


def test_homogeneity_is_how_much_nearer_customers_are_to_their_centre_than_all_to_the_mean() -> None:
    points = np.array([[-3.0], [-1.0], [1.0], [3.0]])
    one, other = profiles_of(("a",), {}, points, np.array([0, 0, 1, 1]), np.array([[-2.0], [2.0]]), [0.5, 0.4], [1, 7])
    assert (one.share, one.homogeneity, one.silhouette, one.born, one.warning) == (0.5, 0.8, 0.5, 1, "")
    assert [trait.words for trait in other.traits] == ["high a"]
    assert other.born == 7


def test_what_is_too_small_or_too_loose_is_told() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(0, 1, (1_000, 2))
    labels = np.zeros(1_000, np.intp)
    labels[: int(1_000 * SMALL) - 1] = 1
    points[labels == 1] = 4.0
    loose, small = profiles_of(("a", "b"), {}, points, labels, np.array([[0.0, 0.0], [4.0, 4.0]]), [0.0, 1.0], [1, 1])
    assert loose.homogeneity < LOOSE
    assert loose.warning.startswith("too loose: ")
    assert small.warning == "too small: 0.9% of the customers"
