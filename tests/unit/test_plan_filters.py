"""``where:``, through decoding and a whole plan: who is counted is who the filter, read independently, lets pass."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.plan.definitions import parse_definitions
from stream.plan.problems import DefinitionError
from tests.oracle.filters import passing, products_of
from tests.shards import Driver, event, logs, plan_of

START = 1_700_000_000_000
FILTERS = [
    'category == "shoes"',
    'category != "shoes"',
    '"shoes" == category',
    'category in ("shoes", "hats")',
    'category not in ("shoes", "hats")',
    "price >= 50",
    "price < 50",
    "price == 19.9",
    "price != 19.9",
    "10 < price <= 50",
    "weight in (1, 2.5)",
    "weight not in (1, 2.5)",
    "discount > 0.2 * price",
    "price / weight >= 20",
    "-price < -20",
    "price - 10 > 9.8",
    "known(coupon)",
    "not known(coupon)",
    'not category == "shoes"',
    'category == "shoes" and price >= 50',
    'category == "shoes" or price >= 50 and not known(coupon)',
    '"sale" in tags',
    '"sale" not in tags',
    'products.brand == "Acme"',
    "products.price >= 20",
    "products.margin < 0.25",
    "products.quantity >= 2",
    'products.brand == "Acme" and products.price >= 20',
    'not products.brand == "Acme"',
    'products.product_id in ("p1", "p2") and category == "shoes"',
    "known(products.brand)",
]
prices = st.sampled_from([5.0, 19.9, 20.0, 50.0])
products = st.fixed_dictionaries(
    {"product_id": st.sampled_from(["p1", "p3"])},
    optional={
        "brand": st.sampled_from(["Acme", "Bolt"]),
        "price": prices,
        "margin": st.sampled_from([0.2, 0.3]),
        "quantity": st.integers(1, 3),
    },
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "category": st.sampled_from(["shoes", "hats", "bags"]),
        "weight": st.sampled_from([1, 2, 2.5]),
        "discount": prices,
        "coupon": st.sampled_from(["SPRING", 5]),
        "tags": st.lists(st.sampled_from(["sale", "new"]), unique=True),
        "price": prices,
        "products": st.lists(products, max_size=3),
    },
)


def features(**found: Any) -> dict[str, Any]:
    """What a shard tells of the only customer, after the events under ``events``."""
    events = found.pop("events")
    dimension = {
        "dimension": "d",
        "features": found,
        "segments": [{"segment": "a", "when": f"{next(iter(found))} > 0"}],
    }
    plan = plan_of(dimension)
    made = [event("ann", name, START + k, **body, id=f"m{k}") for k, (name, body) in enumerate(events)]
    driver = Driver(plan, logs(made, START + 1000)).finish()
    assert not driver.counts.rejected
    described = driver.shard.describe("ann")
    assert described is not None
    return dict(described["features"])


@pytest.mark.parametrize("where", FILTERS)
@settings(max_examples=25, deadline=None)
@given(sent=st.lists(bodies, min_size=1, max_size=4))
def test_what_passes_is_counted(where: str, sent: list[dict[str, Any]]) -> None:
    """A missing property makes a comparison false; money counts in whole units."""
    told = features(n={"count": "E", "where": where}, events=[("E", body) for body in sent])
    assert told["n"] == sum(passing(where, body) for body in sent)


@settings(max_examples=50, deadline=None)
@given(sent=st.lists(bodies, min_size=1, max_size=4))
def test_each_product_is_asked(sent: list[dict[str, Any]]) -> None:
    """A feature of products gets each product that passes; the event's own properties are the same for all."""
    told = features(
        spend={"sum": "products.price", "of": "E", "where": 'products.brand == "Acme" and category == "shoes"'},
        heavy={"sum": "products.margin", "of": "E"},
        events=[("E", body) for body in sent],
    )
    shoes = [p for body in sent if body.get("category") == "shoes" for p in products_of(body)]
    assert told["spend"] == pytest.approx(sum(p.get("price", 0.0) for p in shoes if p.get("brand") == "Acme"))
    margins = [p.get("margin", 0.0) for body in sent for p in products_of(body)]
    assert told["heavy"] == pytest.approx(sum(margins))


def test_an_event_about_one_product() -> None:
    """It counts as one product, with its own properties."""
    body = {"product_id": "p1", "brand": "Acme", "price": 20, "margin": 0.5}
    told = features(
        n={"count": "E", "where": 'products.brand == "Acme"'},
        spend={"sum": "products.price", "of": "E"},
        margin={"max": "products.margin", "of": "E"},
        events=[("E", body), ("E", {"brand": "Acme"})],
    )
    assert told == {"n": 1, "spend": 20.0, "spend.mean": 20.0, "margin": 0.5}


def test_marks_are_not_filtered() -> None:
    """``after`` names the event that starts the count anew, whatever its properties."""
    events = [("E", {"price": 9}), ("M", {}), ("E", {"price": 9}), ("E", {"price": 1})]
    assert features(n={"count": "E", "after": "M", "up_to": 5, "where": "price > 5"}, events=events) == {"n": 1}


@pytest.mark.parametrize(
    ("where", "column", "sentence"),
    [
        ("price >", 31, "something is missing behind `>`"),
        ("price 1", 31, "this cannot be read as a filter"),
        ("price", 25, "a filter compares properties"),
        ('price >= "x"', 34, "a text is compared with == or !="),
        ("price + 1", 25, "a filter compares properties"),
        ("f(price) > 1", 25, "a number or the name of a property is needed here"),
        ("known(products)", 31, "the name of a property is needed here"),
        ("products.price == \"x\"", 25, "'products.price' is a number, not a text"),
        ("price is 1", 25, "compare with"),
        ("category in \"shoes\"", 37, "write the texts in brackets"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_where_it_stands(where: str, column: int, sentence: str) -> None:
    """With the column inside the filter."""
    text = f"dimension: d\nfeatures:\n  n: {{count: E, where: '{where}'}}\nsegments:\n  - {{segment: a, when: n > 0}}\n"
    assert yaml.safe_load(text)
    with pytest.raises(DefinitionError) as caught:
        parse_definitions({"d.yaml": text})
    [(place, message)] = caught.value.found
    assert (place.line, place.column) == (3, column), message
    assert message.startswith(sentence)


def test_a_bag_takes_no_filter() -> None:
    """And says why."""
    with pytest.raises(DefinitionError, match="a bag takes no filter"):
        features(b={"bag": "products", "add": "E", "where": "price > 1"}, events=[])
