"""Decoding: every record ends as an event, as ignored, or rejected with its reason; nothing raises."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream.events.batch import CONTROL, IGNORED, REJECTED, Batch
from stream.events.customer import customer_id
from stream.events.decode import Decoder
from stream.events.text import text_hash
from tests.shards import Record, plan_of, read_control

SCHEMA = plan_of(
    {
        "dimension": "d",
        "features": {
            "spend": {"sum": "total", "of": "Order Completed"},
            "stars": {"sum": "rating", "of": "Product Reviewed"},
            "country": {"latest": "country", "of": ["Identify", "Order Completed"]},
            "money": {"latest": "currency", "of": "Order Completed"},
            "wishes": {"bag": "products", "add": ["Product Added to Wishlist", "Order Completed"]},
        },
        "segments": [{"segment": "a", "when": "spend > 0"}],
    }
).inputs
NOW = 1_769_850_902_125
ORDER: dict[str, Any] = {
    "messageId": "m1",
    "type": "track",
    "userId": "u1",
    "event": "Order Completed",
    "timestamp": "2026-01-31T09:15:02.125Z",
    "properties": {
        "total": 59.9,
        "currency": "EUR",
        "country": "DK",
        "products": [{"product_id": "p1", "price": 29.95, "quantity": 2}],
    },
}


def decode(*values: bytes | None, topic: str = "purchases", at: int | None = NOW, **options: Any) -> Batch:
    """A batch of these values."""
    records = [Record(7 + k, value, b"key", at) for k, value in enumerate(values)]
    decoder = Decoder(SCHEMA, control=read_control, **options)
    return decoder.decode(topic, 3, records, 7, 7 + len(values))


def changed(path: str, value: Any, event: dict[str, Any] = ORDER) -> bytes:
    """The order with one part replaced; ``...`` removes it."""
    made = copy.deepcopy(event)
    *parents, last = path.split(".")
    at: Any = made
    for name in parents:
        at = at[int(name)] if isinstance(at, list) else at[name]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return orjson.dumps(made)


def reason(value: bytes | None, **options: Any) -> str:
    """Why a record is rejected; empty where it is not."""
    batch = decode(value, **options)
    return batch.dead[0].reason if batch.dead else ""


def test_an_order_as_columns() -> None:
    """What the plan reads, in its slots; money in micros; the ids for the evidence."""
    batch = decode(orjson.dumps(ORDER))
    assert batch.codes.tolist() == [SCHEMA.codes["Order Completed"]]
    assert batch.instants.tolist() == [NOW]
    assert (list(batch.customers), batch.names, batch.ids) == ([b"u1"], ["Order Completed"], ["m1"])
    assert batch.numbers[0, SCHEMA.numbers["total"]] == 59_900_000
    assert batch.texts[0, SCHEMA.texts["country"]] == text_hash("DK")
    assert batch.items.tolist() == [[text_hash("p1"), 29_950_000, 2, -1]]
    assert (batch.first.tolist(), batch.timestamps.tolist()) == ([0, 1], [NOW])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"{", "not-json"),
        (b"\xff\xfe", "not-json"),
        (b'{"event": NaN}', "not-json"),
        (b'{"userId": "\xff"}', "not-json"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not-json"),
        (b'{"userId": "\\ud800"}', "not-json"),
        (b"[1]", "mistyped"),
        (b"null", "mistyped"),
        (b'"text"', "mistyped"),
        (b"{}", "no-event"),
        (changed("event", ...), "no-event"),
        (changed("event", ""), "no-event"),
        (changed("event", 5), "mistyped"),
        (changed("timestamp", ...), "no-time"),
        (changed("timestamp", None), "no-time"),
        (changed("timestamp", "yesterday"), "mistyped"),
        (changed("timestamp", "nan"), "bad-time"),
        (changed("timestamp", 1e17), "bad-time"),
        (changed("timestamp", -99_999_999_999), "bad-time"),
        (changed("timestamp", "0001-01-01T00:00:00+23:59"), "bad-time"),
        (changed("timestamp", "9999-12-31T23:59:59-23:59"), "bad-time"),
        (changed("timestamp", True), "mistyped"),
        (changed("userId", ...), "no-customer"),
        (changed("userId", ""), "no-customer"),
        (changed("userId", [1]), "mistyped"),
        (changed("userId", 1.5), "mistyped"),
        (changed("properties", "text"), "mistyped"),
        (changed("properties.total", "much"), "mistyped"),
        (changed("properties.total", "inf"), "mistyped"),
        (changed("properties.total", 1e300), "mistyped"),
        (changed("properties.total", 9_007_199_255), "mistyped"),
        (changed("properties.total", 1).replace(b'"total":1,', b'"total":1e400,'), "mistyped"),
        (changed("properties.total", 1).replace(b'"total":1,', b'"total":' + b"9" * 400 + b","), "mistyped"),
        (changed("properties.total", "9" * 400), "mistyped"),
        (changed("properties.products", {"a": 1}), "mistyped"),
        (changed("properties.products.0.price", 1e300), "mistyped"),
        (changed("properties.currency", "XXX"), "currency"),
        (changed("properties.currency", 5), "mistyped"),
        (changed("properties.currency", True), "mistyped"),
        (orjson.dumps({"event": "Product Updated", "timestamp": NOW, "properties": {"price": 1}}), "no-product"),
        (orjson.dumps({"event": "Product Updated", "timestamp": NOW, "properties": {"product_id": ""}}), "no-product"),
        (orjson.dumps({"event": "Product Updated", "timestamp": NOW}), "no-product"),
    ],
)
def test_what_cannot_be_applied_says_why(value: bytes | None, expected: str) -> None:
    """The reason is a word to count by; the letter carries all of the record."""
    batch = decode(value)
    letter = batch.dead[0]
    assert letter.reason == expected
    assert (letter.topic, letter.partition, letter.offset) == ("purchases", 3, 7)
    assert (letter.key, letter.value, letter.timestamp) == (b"key", value, NOW)
    assert letter.detail
    assert batch.codes.tolist() == [REJECTED]
    assert batch.instants[0] < -(1 << 50)


def test_a_bad_record_does_not_disturb_its_neighbours() -> None:
    """Columns stay in step, the products too."""
    batch = decode(orjson.dumps(ORDER), b"{", changed("properties.currency", "XXX"), orjson.dumps(ORDER))
    assert (batch.codes >= 0).tolist() == [True, False, False, True]
    assert batch.first.tolist() == [0, 1, 1, 1, 2]
    assert sorted(batch.dead) == [1, 2]


@pytest.mark.parametrize(
    ("time", "instant"),
    [
        ("2026-01-31T09:15:02.125Z", NOW),
        ("2026-01-31T10:15:02.125+01:00", NOW),
        ("2026-01-31T09:15:02.125", NOW),
        ("2026-01-31T09:15:02.1259Z", NOW),
        ("2026-01-31 09:15:02.125Z", NOW),
        (1_769_850_902, 1_769_850_902_000),
        (1_769_850_902.125, NOW),
        ("1769850902.125", NOW),
        (NOW, NOW),
        (str(NOW), NOW),
        (NOW * 1000 + 999, NOW),
        (0, 0),
        (-1, -1000),
    ],
)
def test_times_in_every_unit_and_zone(time: Any, instant: int) -> None:
    """Seconds, milliseconds and microseconds by their size; ISO with and without a zone; rounded down."""
    assert decode(changed("timestamp", time)).instants.tolist() == [instant]


@settings(max_examples=200, deadline=None)
@given(st.integers(-(1 << 40), 1 << 40))
@example((1 << 32) * 100 - 1)
@example(876_549_048_161)
def test_money_is_exact_to_the_cent(cents: int) -> None:
    """Whatever the amount, its micros are those of its decimal text."""
    sign, rest = ("-" if cents < 0 else ""), abs(cents)
    if rest // 100 >= 1 << 32:
        return
    text = f"{sign}{rest // 100}.{rest % 100:02d}"
    value = changed("properties.total", 1).replace(b'"total":1,', b'"total":%b,' % text.encode())
    assert decode(value).numbers[0, SCHEMA.numbers["total"]] == cents * 10_000


def test_other_currencies_by_their_rate() -> None:
    """Where one is configured."""
    batch = decode(changed("properties.currency", "DKK"), rates={"DKK": 0.125})
    assert batch.numbers[0, SCHEMA.numbers["total"]] == 7_487_500
    assert batch.items[0, 1] == 3_743_750
    assert reason(changed("properties.currency", "EUR"), currency="DKK") == "currency"


names = st.text(max_size=12)


@settings(max_examples=200, deadline=None)
@given(names, names, names, names)
def test_no_two_customers_share_an_id(user: str, anonymous: str, user2: str, anonymous2: str) -> None:
    """userId and anonymousId are separate namespaces, also against ids that look like ours."""
    prefixes = ["", "user:", "anonymous:", "user:anonymous:"]
    people = {
        (kind, prefix + name)
        for kind, name in (("user", user), ("anonymous", anonymous), ("user", user2), ("anonymous", anonymous2))
        for prefix in prefixes
        if prefix + name
    }
    ids = {customer_id(name, None) if kind == "user" else customer_id(None, name) for kind, name in people}
    assert len(ids) == len(people)


def test_the_user_id_goes_before_the_anonymous_one() -> None:
    """And numbers are texts."""
    assert list(decode(changed("anonymousId", "a1")).customers) == [b"u1"]
    assert list(decode(changed("anonymousId", 5, {**ORDER, "userId": ""})).customers) == [b"anonymous:5"]
    assert list(decode(changed("userId", 17)).customers) == list(decode(changed("userId", "17")).customers)


def test_a_message_without_an_id_is_known_by_its_place() -> None:
    """Never by its content: two equal orders may be two orders."""
    assert decode(changed("messageId", ...), changed("messageId", "")).ids == ["purchases/3/7", "purchases/3/8"]
    assert decode(changed("messageId", 0)).ids == ["0"]


def test_aliases_and_types_give_names() -> None:
    """Another vocabulary's name stands for ours; identify brings its data in ``traits``."""
    bought = decode(changed("event", "purchase"), aliases={"purchase": "Order Completed", "x": "Unheard"})
    assert (bought.codes[0], bought.names) == (SCHEMA.codes["Order Completed"], ["purchase"])
    known = {"type": "identify", "userId": "u", "timestamp": NOW, "traits": {"country": "SE"}}
    batch = decode(orjson.dumps({**known, "properties": {"country": "NO"}}))
    assert batch.names == ["Identify"]
    assert batch.texts[0, SCHEMA.texts["country"]] == text_hash("SE")
    priced = {"event": "price", "timestamp": NOW, "properties": {"product_id": "p", "price": 2}}
    updated = decode(orjson.dumps(priced), aliases={"price": "Product Updated"})
    assert (list(updated.customers), updated.codes[0]) == ([None], SCHEMA.codes["Product Updated"])


def test_names_that_nobody_uses_are_ignored_but_tell_the_time() -> None:
    """They are no mistakes, and move the clock; who they are from does not matter."""
    batch = decode(changed("event", "Unheard", {k: v for k, v in ORDER.items() if k != "userId"}))
    assert (batch.codes.tolist(), batch.instants.tolist(), batch.dead) == ([IGNORED], [NOW], {})


def test_events_from_the_future_are_rejected_against_their_record() -> None:
    """To the millisecond, so that a retry decides the same; unchecked where no limit is set."""
    value = changed("timestamp", NOW + 1000)
    assert reason(value, future_ms=1000) == ""
    assert reason(value, future_ms=999) == "future"
    assert reason(value) == ""
    assert reason(value, future_ms=0, at=None) == ""


def test_the_last_of_two_equal_keys_counts() -> None:
    """As in every JSON parser our producers use."""
    twice = orjson.dumps(ORDER).replace(b'"userId":"u1"', b'"userId":"u1","userId":"u2"')
    assert list(decode(twice).customers) == [b"u2"]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b'{"type": "clock", "timestamp": "2026-01-31T09:15:02.125Z"}', CONTROL),
        (b'{"type": "clock", "timestamp": "never"}', REJECTED),
        (b'{"type": "model"}', REJECTED),
        (None, REJECTED),
        (b"{", REJECTED),
    ],
)
def test_control_records(value: bytes | None, code: int) -> None:
    """Broken ones are dead letters like all others."""
    assert decode(value, topic="control").codes.tolist() == [code]


HOSTILE: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 1e300, -1e300, 10**18, "", "x", "1", "nan", "-inf", "1e400", "9" * 5000, [], {}),
    *([1], [[]], [{}], {"a": {"b": []}}, "\x00", "é" * 5000, "2026-01-31", "9999-12-31T23:59:59Z", "true", "null"),
]
PATHS = [
    *("messageId", "type", "userId", "anonymousId", "event", "timestamp", "properties", "traits", "properties.total"),
    *("properties.currency", "properties.country", "properties.rating", "properties.products", "properties.products.0"),
    *("properties.products.0.product_id", "properties.products.0.price", "properties.products.0.quantity"),
    *("properties.product_id", "properties.price", "properties.quantity", "properties.offer_ends"),
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", [*SCHEMA.codes, "Unheard"])
def test_no_value_in_any_field_raises(path: str, name: str) -> None:
    """Each hostile value in each field ends as an event, as ignored or as a dead letter."""
    event = {**ORDER, "event": name, "type": "identify" if name == "Identify" else "track"}
    event["traits"] = event["properties"]
    for value in HOSTILE:
        made = copy.deepcopy(event)
        *parents, last = path.split(".")
        at: Any = made
        for part in parents:
            at = at[int(part)] if isinstance(at, list) else at[part]
        at[int(last) if isinstance(at, list) else last] = value
        batch = decode(orjson.dumps(made))
        assert (batch.codes[0] == REJECTED) == bool(batch.dead)


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5)
)
def test_no_bytes_raise(raw: bytes, value: Any) -> None:
    """Random bytes, and random JSON in the place of the properties."""
    decode(raw, orjson.dumps(ORDER)[:-20] + raw, orjson.dumps({**ORDER, "properties": value}))
