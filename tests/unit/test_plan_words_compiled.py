"""Every word of the feature language as machine code and as its uncompiled twin: numba accepts it, and they agree."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from stream.compiled import compile_plan
from stream.engine.change import Change
from stream.plan.features import READERS
from stream.plan.plan import Plan, twin_plan
from stream.predict.lifetime_model import LifetimeModel
from tests.shards import CONTROL, Driver, Log, Record, definitions, event, logs

START, STEP = 1_700_000_000_000, 7 * 3_600_000
ORDER, VIEW = "Order Completed", "Product Viewed"

#: Which purchases lifetimes are of.
BOUGHT = {"less": "Order Refunded", "merge": "7d", "where": "total >= 70"}
#: A condition, and the features it asks.
WORDS: list[tuple[str, dict[str, dict[str, Any]]]] = [
    (
        "n >= 1 and near >= 2",
        {
            "n": {"count": ORDER, "less": "Order Refunded", "where": "total >= 70 and known(coupon)"},
            "near": {"count": VIEW, "within": "8d"},
        },
    ),
    (
        "fresh >= 1 and month >= 1 or late >= 9 and ago >= 1",
        {
            "fresh": {"count": VIEW, "after": ORDER, "up_to": 5},
            "month": {"count": ORDER, "this": "month"},
            "late": {"count": ORDER, "where": 'time.hour >= 12 and products.brand == "Acme"'},
            "ago": {"count": VIEW, "year_ago": "week"},
        },
    ),
    (
        "spend >= 100 and recent >= 90",
        {"spend": {"sum": "total", "of": ORDER}, "recent": {"sum": "total", "of": ORDER, "within": "30d"}},
    ),
    (
        "basket > 9 and year > 80",
        {
            "basket": {"mean": "price", "of": "Product Added", "after": ORDER},
            "year": {"max": "total", "of": ORDER, "this": "year"},
        },
    ),
    (
        "usual > 5 and most > 9 and least < 99",
        {
            "usual": {"mean": "total", "of": ORDER},
            "most": {"max": "total", "of": ORDER},
            "least": {"min": "total", "of": ORDER},
        },
    ),
    (
        "ago >= 2 * gap and born > 9d",
        {"ago": {"since": ORDER}, "gap": {"gap": ORDER, "default": "5d"}, "born": {"since first": VIEW}},
    ),
    ("steady < 5d and steady.ratio < 0.5", {"steady": {"spread": ORDER}}),
    (
        "rate > 2 and more >= 1 and more.ratio > 1",
        {"rate": {"rate": VIEW, "half_life": "7d"}, "more": {"trend": VIEW, "within": "9d"}},
    ),
    (
        "kinds >= 2 and days >= 3 and week >= 1",
        {
            "kinds": {"distinct": "category", "of": VIEW, "within": "30d"},
            "days": {"distinct": "time.day", "of": VIEW, "within": "30d"},
            "week": {"count": VIEW, "this": "week"},
        },
    ),
    (
        'brand == "Acme" and brand.share > 0.4 and brand.variety < 0.9 and brand.switching > 0.1',
        {"brand": {"favourite": "products.brand", "of": ORDER, "where": "products.price >= 10"}},
    ),
    (
        'day != "monday" and channel == "email"',
        {
            "day": {"favourite": "time.weekday", "of": VIEW, "within": "20d"},
            "channel": {"favourite": "label", "of": {"web": "Page Viewed", "email": "Email Opened"}},
        },
    ),
    ("bought < 3d", {"bought": {"sequence": [VIEW, "Product Added", ORDER], "within": "7d"}}),
    (
        'country == "DK" and age > 18 and "sport" in interests and trial > 3d',
        {
            "country": {"latest": "country", "of": "Identify"},
            "age": {"latest": "age", "of": "Identify", "as": "number"},
            "interests": {"latest": "interests", "of": "Identify", "as": "list"},
            "trial": {"latest": "trial_ends", "of": "Identify", "as": "instant"},
        },
    ),
    (
        "birthday <= 170d and weekday <= 1d and holiday <= 9d",
        {
            "birthday": {"anniversary": "birthday", "of": "Identify"},
            "weekday": {"recurring": "weekday", "of": ORDER},
            "holiday": {"holiday": ["DE", "DK"], "by": "country", "of": "Identify"},
        },
    ),
    (
        "alive < 0.7 and buys < 0.9 and often < 9 and clv < 2000 and each > 30",
        {
            "alive": {"alive": ORDER, **BOUGHT},
            "buys": {"buys": ORDER, "within": "30d", **BOUGHT},
            "often": {"expected": ORDER, "within": "90d", **BOUGHT},
            "clv": {"clv": "total", "of": ORDER, "within": "90d", "discount": "5%", **BOUGHT},
            "each": {"order_value": "total", "of": ORDER, **BOUGHT},
        },
    ),
    ("cart >= 1", {"cart": {"bag": "products", "add": "Product Added", "clear": ORDER}}),
]
#: Which of them go by each customer's own zone, beside those that go by one zone for all.
OWN = {"trait": "timezone", "else": "Europe/Copenhagen"}
LOCAL = (1, 3, 10, 13)
NAMES = (VIEW, "Product Added", ORDER, "Page Viewed", "Email Opened", "Identify", "Order Refunded")
TRAITS = {"country": "DK", "age": 33, "interests": ["sport"], "trial_ends": "2023-12-01", "birthday": "1990-05-17"}


def happened(k: int) -> dict[str, Any]:
    """The k-th event of a customer who does everything in turn, with a pause now and then."""
    name, t = NAMES[k * k % 11 % 7], START + (k + k // 40 * 60) * STEP
    if name == "Identify":
        zone = ("America/New_York", "Asia/Kathmandu", "Nowhere")[k % 3]
        made = event("ann", name, t, id=f"m{k}", timezone=zone, **TRAITS)
        return {**made, "type": "identify", "traits": made.pop("properties")}
    products = [{"product_id": "p", "brand": ["Acme", "Bolt"][k % 2], "price": 15}]
    told_of = {"total": 60 + k % 50, "price": 12.5, "category": ["shoes", "hats"][k % 3 % 2], "coupon": "x"}
    return event("ann", name, t, id=f"m{k}", products=products, **told_of)


def changes(plan: Plan, log: Log) -> list[Change]:
    """What the plan makes of it."""
    return Driver(plan, log).finish().changes


def same(one: Any, other: Any) -> bool:
    """Equal values, or numbers that are equal but for rounding."""
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other)


def test_every_word_compiles_and_agrees_with_its_twin(tmp_path: Path) -> None:
    """The same changes at the same instants, with the same evidence to nine digits; each dimension moves."""
    made = definitions(
        *(
            {"dimension": f"d{k}", "zone": OWN if k in LOCAL else "Europe/Copenhagen", "features": features,
             "segments": [{"segment": "in", "when": when}], "otherwise": "out"}
            for k, (when, features) in enumerate(WORDS)
        )
    )  # fmt: skip
    elsewhere = {"predict"}  # tests/unit/test_engine_propensity.py
    assert {word for _, features in WORDS for spec in features.values() for word in spec} >= set(READERS) - elsewhere
    log = logs([happened(k) for k in range(200)], START + 900 * STEP)
    model = LifetimeModel(1, START + 30 * STEP, 0.9, 9e8, 0.8, 2.4, 6.0, 3.7, 15e6)
    log[CONTROL, 0].insert(0, Record(-1, model.to_json()))
    code, twin = changes(compile_plan(made, tmp_path), log), changes(twin_plan(made), log)
    told = [(c.dimension, c.to_segment, c.at_ms, c.cause) for c in twin]
    assert [(c.dimension, c.to_segment, c.at_ms, c.cause) for c in code] == told
    assert {dimension for dimension, to, _, _ in told if to == "in"} == {f"d{k}" for k in range(len(WORDS))}
    for a, b in zip(code, twin, strict=True):
        assert a.evidence.keys() == b.evidence.keys()
        assert all(same(a.evidence[name], b.evidence[name]) for name in a.evidence), (a, b)
