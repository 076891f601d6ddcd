"""Events as nobody should send them: values that break programs, in the fields that definitions read.

What is drawn here goes through the decoder and the fold (tests/unit/test_hostile_fold.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st

from stream.events.names import MONEY_PROPERTIES
from stream.plan.definitions import parse_definitions
from stream.plan.plan import Plan, twin_plan
from tests.conftest import REPOSITORY
from tests.shards import files_of

#: Numbers that are no amounts: sums of them leave every range.
NUMBERS: dict[str, Any] = {
    "dimension": "numbers",
    "features": {
        "sum": {"sum": "rating", "of": "Product Reviewed", "less": "Order Refunded"},
        "lately": {"sum": "rating", "of": "Product Reviewed", "within": "30d", "last": 8},
        "mean": {"mean": "rating", "of": "Product Reviewed"},
        "top": {"max": "rating", "of": "Product Reviewed"},
        "low": {"min": "rating", "of": "Product Reviewed"},
        "monthly": {"sum": "rating", "of": "Product Reviewed", "this": "month"},
        "latest": {"latest": "rating", "of": "Product Reviewed", "as": "number"},
        "spread": {"spread": "Product Reviewed", "last": 6},
        "trend": {"trend": "Product Reviewed", "within": "30d", "up_to": 20},
        "rate": {"rate": "Product Reviewed", "half_life": "7d"},
        "gap": {"gap": "Product Reviewed", "default": "45d", "after": 3},
        "since": {"since": "Product Reviewed"},
        "until": {"anniversary": "born", "of": "Identify"},
        "instant": {"latest": "born", "of": "Identify", "as": "instant"},
        "list": {"latest": "likes", "of": "Identify", "as": "list"},
        "dear": {"count": "Product Reviewed", "where": "rating >= 1000000 and price >= 5"},
        "steps": {"sequence": ["Product Viewed", "Product Reviewed"], "within": "7d"},
        "words": {"distinct": "category", "of": "Product Reviewed", "within": "30d", "up_to": 10},
        "usual": {"recurring": "weekday", "of": "Product Reviewed", "last": 10},
    },
    "segments": [
        {"segment": "a", "when": "sum > mean and rate > 0.5"},
        {"segment": "b", "when": "lately >= 10 or monthly > 3"},
        {"segment": "c", "when": "since >= 2 * gap or spread > 3d"},
        {"segment": "d", "when": "trend.ratio > 2 or trend > 1"},
        {"segment": "e", "when": "until < 7d and instant >= 30d"},
        {"segment": "f", "when": "top > low and latest < top"},
        {"segment": "g", "when": '"a" in list or dear >= 1 or steps < 1d or words >= 3 or usual < 1h'},
    ],
    "otherwise": "none-of-them",
}


@cache
def plan() -> Plan:
    """The whole shipped catalogue, and what it does not ask for."""
    files = {path.name: path.read_text() for path in (REPOSITORY / "config" / "segments").glob("*.yaml")}
    return twin_plan(parse_definitions(files | files_of(NUMBERS)))


#: JSON, as text: what `json.dumps` would not write is among it.
LITERALS = [
    *("null", "true", "false", "0", "-0", "-1", "1.5", "1e308", "-1e308", "1e-308", "1e400", "NaN", "Infinity"),
    *(
        "9" * 400,
        "-" + "9" * 400,
        "0." + "1" * 400,
        "9" * 5000,
        str(1 << 63),
        str(-(1 << 63)),
        str(1 << 64),
        "01",
        "1.",
    ),
    *('""', '"x"', '"\\u0000"', '"\\ud800"', '"\\u202e"', '"' + "é" * 300 + '"', '"' + "x" * 2000 + '"', '"nan"'),
    *('"1e308"', '"-5"', '"' + "9" * 400 + '"', "[]", "{}", "[[]]", '[{"price": {}}]', '{"a": {"b": []}}', "[null]"),
    *('"2026-01-31"', '"1969-12-31T23:59:59Z"', '"2100-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59.999Z"'),
    *('"0001-01-01T00:00:00Z"', '"2024-02-29"', "-62135596800", "253402300799", "4102444800000", '["a", "a", 1, null]'),
    *("[" * 10_000 + "]" * 10_000, "[" * 10_000, '{"a":' * 500 + "1" + "}" * 500),
]
literals = st.sampled_from(LITERALS)
#: What a good producer writes; without some of it nothing would be folded.
good = {
    "userId": st.sampled_from(['"ann"', '"bob"', '"\\u0007\\u0000"', '"' + "c" * 1000 + '"', "17"]),
    "messageId": st.integers(0, 60).map(str),
    "timestamp": st.integers(1_700_000_000_000, 1_700_000_000_000 + 400 * 86_400_000).map(str),
    "type": st.just('"track"'),
}
NUMERALS = ["0", "1", "2", "19.99", "-3", "1e300", "-1e308", "1e308", '"7.5"', "4294967295", "86400000", "null", '""']
AMOUNTS = ["0", "5", "19.99", "-3", "4294967295", "-4294967295", '"7.5"', "0.000001", "null"]
WORDS = [
    '"a"',
    '"shoes"',
    '"DE"',
    '"credit"',
    "true",
    '"p1"',
    '"p2"',
    "5",
    "2.5",
    "null",
    '"\\u0000"',
    '"' + "w" * 300 + '"',
]
TIMES = ['"2001-02-28"', '"1904-02-29"', "0", "1700000000", '"2026-01-31T09:15:02+01:00"', "-62135596800", "null"]
LISTS = ['["a", "b"]', '["a", "a", 1, null]', "[]", '"a"', "[" + ", ".join(f'"{k}"' for k in range(50)) + "]"]
OTHERS = {
    "currency": ['"EUR"'],
    "products": ["null", "[]"],
    "offer_ends": TIMES,
    "in_stock": ["true", "false", "0", '"x"'],
}


def _object(members: Sequence[tuple[str, str]]) -> str:
    """An object as text: keys may come twice."""
    return "{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in members) + "}"


def _members(read_as: dict[str, list[str]], most: int) -> st.SearchStrategy[list[tuple[str, str]]]:
    """Some members with values that can be read."""
    one = st.sampled_from(sorted(read_as)).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from(read_as[name]))
    )
    return st.lists(one, max_size=most)


@cache
def _fields() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Of an event, and of a product: what the definitions read, and values for it."""
    schema = plan().inputs
    numbers = {name: AMOUNTS if name in MONEY_PROPERTIES else NUMERALS for name in schema.numbers}
    times = dict.fromkeys([*schema.instants, *schema.dates], TIMES)
    event = numbers | dict.fromkeys(schema.texts, WORDS) | times | dict.fromkeys(schema.lists, LISTS)
    product = {name: AMOUNTS if name in MONEY_PROPERTIES else NUMERALS for name in schema.product_numbers}
    product |= dict.fromkeys(schema.product_texts, WORDS)
    product |= {"product_id": ['"p1"', '"p2"', "5", '""'], "price": AMOUNTS, "quantity": NUMERALS}
    return event | OTHERS | {"price": AMOUNTS}, product | {"in_stock": OTHERS["in_stock"]}


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """One event, as bytes: one that can be read, in three of four cases spoilt in one place."""
    event, product = _fields()
    name = draw(st.sampled_from([*plan().inputs.codes, "Unheard"]))
    inside = draw(_members(event, 5))
    items = [_object(draw(_members(product, 4))) for _ in range(draw(st.integers(0, 3)))]
    if items:
        inside.append(("products", f"[{', '.join(items)}]"))
    members = [(key, draw(values)) for key, values in good.items()]
    members = [(key, '"identify"' if key == "type" and name == "Identify" else value) for key, value in members]
    where = draw(st.sampled_from(["nowhere", "envelope", "properties", "product"]))
    if where == "properties":
        inside.append((draw(st.sampled_from([*event, "other"])), draw(literals)))
    elif where == "product":
        inside.append(("products", f"[{_object([(draw(st.sampled_from(sorted(product))), draw(literals))])}]"))
    members += [("event", json.dumps(name)), ("properties", _object(inside)), ("traits", _object(inside))]
    if where == "envelope":
        key = draw(st.sampled_from([*good, "anonymousId", "event", "properties", "other"]))
        if draw(st.booleans()):
            members = [(k, v) for k, v in members if k != key]
        members.append((key, draw(literals)))
    return _object(members).encode("utf-8", "surrogatepass")
