"""Every word of the feature language through the whole engine, against the oracle, every millisecond judged anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.oracle_features import Happened
from tests.unit.test_plan_conditions import CUSTOMERS, DEEP, LENGTH, START, check

EVENTS = ("Product Viewed", "Product Added", "Order Completed", "Identify")
comparisons = st.sampled_from([">=", ">", "<=", "<", "==", "!="])
durations = st.integers(1, 70).map(lambda n: f"{n}ms")

#: Feature -> what conditions compare it with.
FEATURES: dict[str, tuple[Mapping[str, Any], tuple[str, ...]]] = {
    "dear": ({"count": "Product Viewed", "where": "price >= 10"}, ("1", "2")),
    "fresh": ({"count": "Product Viewed", "after": "Order Completed", "up_to": 5}, ("0", "1", "3")),
    "recent": ({"sum": "price", "of": "Product Viewed", "within": "30ms"}, ("0", "10", "17.5")),
    "usual": ({"mean": "price", "of": ["Product Viewed", "Product Added"], "within": "25ms", "last": 3}, ("7.5", "10")),
    "most": ({"max": "price", "of": "Product Viewed", "within": "40ms"}, ("5", "10")),
    "least": ({"min": "price", "of": "Product Viewed", "within": "40ms"}, ("5", "10")),
    "ever": ({"max": "price", "of": "Product Viewed", "where": 'kind == "a"'}, ("5", "10")),
    "mean": ({"mean": "price", "of": "Product Viewed"}, ("5", "7.5")),
    "basket": ({"sum": "price", "of": "Product Added", "after": "Order Completed"}, ("5", "20")),
    "age": ({"latest": "age", "of": "Identify", "as": "number"}, ("18", "40.5")),
    "limit": ({"latest": "limit", "of": "Identify", "as": "money"}, ("18", "40.5")),
}


@st.composite
def conditions(draw: st.DrawFn) -> str:
    """One comparison with one of the features, or two of them."""
    name = draw(st.sampled_from(sorted(FEATURES)))
    one = f"{name} {draw(comparisons)} {draw(st.sampled_from(FEATURES[name][1]))}"
    if draw(st.integers(0, 2)):
        return one
    return f"({one} {draw(st.sampled_from(['and', 'or']))} {draw(conditions())})"


@st.composite
def happenings(draw: st.DrawFn) -> list[Happened]:
    """A history in which nothing depends on the order at one instant, but for the properties."""
    found = []
    for k, t in enumerate(draw(st.lists(st.integers(0, LENGTH), min_size=1, max_size=12))):
        name = draw(st.sampled_from(EVENTS))
        body: dict[str, Any] = {}
        if name == "Identify":
            body = {"age": draw(st.sampled_from([17.0, 18.0, 41.0])), "limit": draw(st.sampled_from([18.0, 50.0]))}
        elif draw(st.booleans()):
            body = {"price": draw(st.sampled_from([5.0, 10.0, 17.5])), "kind": draw(st.sampled_from("ab"))}
        found.append(Happened(START + t, name, draw(st.sampled_from(CUSTOMERS)), f"m{k}", body))
    return found


@DEEP
@given(st.lists(conditions(), min_size=1, max_size=3), happenings(), st.booleans())
def test_the_engine_says_what_the_oracle_says(when: list[str], history: list[Happened], in_order: bool) -> None:
    """Segments that ask any of the words change at the same instants, also where events come late."""
    if in_order:
        history = sorted(history, key=lambda e: e.t)
    rules = [{"segment": f"s{k}", "when": text} for k, text in enumerate(when)]
    features = {name: dict(spec) for name, (spec, _) in FEATURES.items() if any(name in text for text in when)}
    check([{"dimension": "d", "features": features, "segments": rules}], history, 1000)
