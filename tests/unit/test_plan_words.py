"""Every word of the feature language through the whole engine, against the oracle, every millisecond judged anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.features import Happened
from tests.unit.test_plan_conditions import CUSTOMERS, DEEP, LENGTH, START, check

EVENTS = ("Product Viewed", "Product Added", "Order Completed", "Identify")
comparisons = st.sampled_from([">=", ">", "<=", "<", "==", "!="])
equalities = st.sampled_from(["==", "!="])
durations = st.integers(1, 70).map(lambda n: f"{n}ms")

brands = st.sampled_from("xyz")
#: Feature (or a view of the one before) -> what conditions compare it with.
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
    "kinds": ({"distinct": "kind", "of": "Product Viewed", "within": "30ms"}, ("1", "2")),
    "brands": ({"distinct": "products.brand", "of": "Order Completed"}, ("1", "2", "3")),
    "often": ({"favourite": "kind", "of": "Product Viewed", "last": 3, "within": "40ms"}, ('"a"', '"b"')),
    "often.share": ({}, ("0.5", "0.7")),
    "often.variety": ({}, ("0", "0.5", "1")),
    "often.switching": ({}, ("0", "0.5")),
    "often.choices": ({}, ("1", "2")),
    "channel": (
        {"favourite": "label", "of": {"web": ["Product Viewed", "Product Added"], "shop": "Order Completed"}},
        ('"web"', '"shop"'),
    ),
    "steady": ({"spread": ["Product Viewed", "Product Added"], "last": 3}, ("5ms", "20ms")),
    "steady.mean": ({}, ("5ms", "20ms")),
    "steady.ratio": ({}, ("0.5", "1")),
    "more": ({"trend": ["Product Viewed", "Product Added"], "within": "20ms"}, ("0", "1", "-1")),
    "more.ratio": ({}, ("0.5", "1")),
    "bought": (
        {"sequence": ["Product Viewed", ["Product Added", "Identify"], "Order Completed"], "within": "50ms"},
        ("5ms", "20ms"),
    ),
    "added": (
        {"sequence": ["Product Viewed", "Product Added"], "within": "30ms", "where": "price < 15"},
        ("9ms", "30ms"),
    ),
    "limit": ({"latest": "limit", "of": "Identify", "as": "money"}, ("18", "40.5")),
}


@st.composite
def conditions(draw: st.DrawFn) -> str:
    """One comparison with one of the features, or two of them."""
    name = draw(st.sampled_from(sorted(FEATURES)))
    other = draw(st.sampled_from(FEATURES[name][1]))
    operators = equalities if other.startswith('"') else comparisons
    one = f"{name} {draw(operators)} {other}"
    if draw(st.integers(0, 2)):
        return one
    return f"({one} {draw(st.sampled_from(['and', 'or']))} {draw(conditions())})"


@st.composite
def happenings(draw: st.DrawFn) -> list[Happened]:
    """A history with late events; no two at one instant, as of two texts the hash decides which comes first."""
    found = []
    for k, t in enumerate(draw(st.lists(st.integers(0, LENGTH), min_size=1, max_size=12, unique=True))):
        name = draw(st.sampled_from(EVENTS))
        body: dict[str, Any] = {}
        if name == "Identify":
            body = {"age": draw(st.sampled_from([17.0, 18.0, 41.0])), "limit": draw(st.sampled_from([18.0, 50.0]))}
        elif draw(st.booleans()):
            body = {"price": draw(st.sampled_from([5.0, 10.0, 17.5])), "kind": draw(st.sampled_from("ab"))}
            if name == "Order Completed":
                body["products"] = [{"product_id": "p", "brand": brand} for brand in draw(st.lists(brands, max_size=3))]
        found.append(Happened(START + t, name, draw(st.sampled_from(CUSTOMERS)), f"m{k}", body))
    return found


@DEEP
@given(st.lists(conditions(), min_size=1, max_size=3), happenings(), st.booleans())
def test_the_engine_says_what_the_oracle_says(when: list[str], history: list[Happened], in_order: bool) -> None:
    """Segments that ask any of the words change at the same instants, also where events come late."""
    if in_order:
        history = sorted(history, key=lambda e: e.t)
    rules = [{"segment": f"s{k}", "when": text} for k, text in enumerate(when)]
    asked = [name for name in FEATURES if "." not in name and any(name in text for text in when)]
    features = {name: dict(FEATURES[name][0]) for name in asked}
    check([{"dimension": "d", "features": features, "segments": rules}], history, 1000)
