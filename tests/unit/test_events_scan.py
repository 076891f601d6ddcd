"""The quick reading of records says what the decoder says, or that it is not sure."""

from __future__ import annotations

import datetime
import json
import math
from hashlib import blake2b
from typing import Any

import numba
import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream.events import json_bytes, scan
from stream.events.batch import Batch
from stream.events.blake import SCRATCH, digest
from stream.events.decode import Decoder
from stream.events.iso_bytes import NO_TIME, instant
from stream.events.quick import QuickReader
from tests.shards import Record, plan_of

SCHEMA = plan_of(
    {
        "dimension": "d",
        "features": {
            "spend": {"sum": "total", "of": "Order Completed"},
            "stars": {"sum": "rating", "of": "Product Reviewed"},
            "dear": {"count": "Product Viewed", "where": 'price >= 50 and category == "shoes"'},
            "country": {"latest": "country", "of": ["Identify", "Order Completed"]},
            "money": {"latest": "currency", "of": "Order Completed"},
            "born": {"latest": "born", "of": "Identify", "as": "instant"},
            "likes": {"latest": "likes", "of": "Identify", "as": "list"},
            "wishes": {"bag": "products", "add": ["Product Added to Wishlist", "Order Completed"]},
        },
        "segments": [{"segment": "a", "when": "spend > 0"}],
    }
).inputs
ALIASES = {"add_to_wishlist": "Product Added to Wishlist", "item": "Product Updated"}
DECODER = Decoder(SCHEMA, rates={"DKK": 0.125}, aliases=ALIASES, future_ms=1000)
NOW = 1_769_850_902_125


@pytest.fixture(scope="module")
def quick() -> QuickReader:
    """With its scan compiled, as it runs."""
    return QuickReader(numba.njit(scan.scan), SCHEMA, DECODER.codes, DECODER.product_names, DECODER.rates)


def both(quick: QuickReader, values: list[bytes]) -> tuple[Batch, Batch, list[bool]]:
    """What the decoder makes of the records, what the scan makes of them, and of which it is sure."""
    records = [Record(k, value, b"key", NOW) for k, value in enumerate(values)]
    slow, fast = (DECODER.decode("t", 0, records, 0, len(records)) for _ in range(2))
    blank = DECODER.decode("t", 0, [Record(k, b"", b"key", NOW) for k in range(len(values))], 0, len(values))
    blank.records = records
    fast = blank
    fast.dead.clear()
    return slow, fast, quick.read(fast, 1000).tolist()


def agree(quick: QuickReader, values: list[bytes]) -> list[bool]:
    """Whether the scan is sure of each; where it is, all that it says is what the decoder says."""
    slow, fast, sure = both(quick, values)
    at = 0
    for i, certain in enumerate(sure):
        count = int(fast.first[i + 1])
        if not certain:
            assert count == 0
            continue
        assert i not in slow.dead, (values[i], slow.dead[i])
        for column in ("codes", "instants", "messages", "offers", "texts"):
            assert np.array_equal(getattr(fast, column)[i], getattr(slow, column)[i]), (column, values[i])
        assert np.array_equal(fast.numbers[i], slow.numbers[i], equal_nan=True), values[i]
        assert fast.items[at : at + count].tolist() == slow.items[slow.first[i] : slow.first[i + 1]].tolist()
        assert fast.customers[i] == slow.customers[i]
        if slow.codes[i] >= 0:
            assert (fast.names[i], fast.ids[i]) == (slow.names[i], slow.ids[i])
        at += count
    return sure


def made(**changes: Any) -> bytes:
    """An order, with parts of its envelope replaced."""
    products = [{"product_id": "p1", "price": 29.95, "quantity": 2, "name": "Søk"}]
    event = {
        "messageId": "m1",
        "type": "track",
        "userId": "u1",
        "event": "Order Completed",
        "timestamp": "2026-01-31T09:15:02.125Z",
        "properties": {"total": 59.9, "currency": "EUR", "country": "DK", "products": products},
    }
    return orjson.dumps(event | changes)


def test_the_usual_event_is_read(quick: QuickReader) -> None:
    """Orders, views, traits, product updates and names nobody uses need no decoder."""
    usual = [
        made(),
        made(event="Product Viewed", properties={"product_id": "p1", "price": 55, "category": "shoes", "x": [1, {}]}),
        made(event="Product Reviewed", properties={"rating": 4.5, "product_id": "p1"}),
        made(event="add_to_wishlist", properties={"product_id": "p1"}),
        made(event=None, type="page", properties={}),
        made(event="Nobody Asked"),
        made(event="Product Updated", properties={"product_id": "p", "price": 3, "offer_ends": "2026-02-01T00:00:00Z"}),
        made(event="Product Updated", properties={"product_id": "p", "in_stock": True}),
        made(event="Product Updated", properties={"product_id": "p", "in_stock": False, "price": 2}),
        made(properties={"products": [{"product_id": "p", "in_stock": False}, {"product_id": "q", "in_stock": 3}]}),
        made(event=None, type="identify", properties=None, traits={"country": "SE", "likes": None}),
        made(userId=None, anonymousId="a1"),
        made(properties=None),
    ]
    assert agree(quick, usual) == [True] * len(usual)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        b"[]",
        made()[:-1],
        made() + b"x",
        made().replace(b"Order", b"\\u004frder"),
        made().replace(b"u1", b"\xed\xa0\x80"),
        made().replace(b"u1", b"anonymous:1"),
        made(userId="x" * 981),
        made(userId=5),
        made(messageId=None),
        made(messageId=""),
        made(timestamp=1_769_850_902),
        made(timestamp="2026-02-30T00:00:00Z"),
        made(timestamp="2026-01-31T09:15:03.126Z"),
        made(properties={"total": "59.90"}),
        made(properties={"total": True}),
        made(properties={"total": 1e300}),
        made(properties={"currency": "XXX"}),
        made(properties={"products": {}}),
        made(event="Product Updated", properties={"price": 1}),
        made(type="identify", event=None, traits={"likes": ["a"]}, properties=None),
        made(type="identify", event=None, traits={"born": "2000-01-01"}, properties=None),
        made(type="identify"),
        made(traits={}),
        made().replace(b'"u1"', b'"u1","userId":"u2"'),
        made().replace(b'"total":59.9', b'"total":1,"total":2'),
        made().replace(b"59.9", b"0123"),
        made().replace(b"59.9", b"1e2"),
        made().replace(b"59.9", b"1234567890.123456"),
    ],
)
def test_what_is_not_usual_is_left_to_the_decoder(quick: QuickReader, value: bytes) -> None:
    """Whether it can be read or must be rejected: the scan does not say."""
    assert agree(quick, [made(), value, made()]) == [True, False, True]


def test_a_decoder_with_the_scan_is_one_without(quick: QuickReader) -> None:
    """Usual and unusual records together: the same batch, with every product in its place."""
    with_scan = Decoder(SCHEMA, rates={"DKK": 0.125}, aliases=ALIASES, future_ms=1000, scan=quick.scan)
    listed = made(properties={"products": [{"product_id": f"p{k}", "price": "5"} for k in range(3)]})
    values = [made(), listed, b"{", made(event="Other"), made(), made(messageId=None), listed, b"", made()]
    records = [Record(k, value, b"key", NOW) for k, value in enumerate(values)]
    for some in (records, records[1:3], records[:1], []):
        plain, fast = (decoder.decode("t", 0, some, 0, len(some)) for decoder in (DECODER, with_scan))
        for column in ("codes", "instants", "messages", "offers", "texts", "first", "items"):
            assert np.array_equal(getattr(fast, column), getattr(plain, column)), column
        assert list(fast.customers) == list(plain.customers)
        assert [fast.names[i] for i in range(len(some))] == plain.names
        assert np.array_equal(fast.numbers, plain.numbers, equal_nan=True)
        assert fast.dead == plain.dead
        assert fast.named == plain.named
        assert [fast.ids[i] for i in range(len(some)) if fast.codes[i] >= 0] == [
            plain.ids[i] for i in range(len(some)) if fast.codes[i] >= 0
        ]


def test_there_is_room_for_whatever_a_record_has(quick: QuickReader) -> None:
    """Many products, long ids and many texts, more than was thought of at first, are read like any others."""
    many = made(properties={"products": [{"product_id": f"p{k}", "price": k} for k in range(3000)]})
    known = [made(userId=f"{k:0900}", properties={"country": f"c{k}"}) for k in range(80)]
    assert agree(quick, [many, *known, many, made()]) == [True] * 83


def test_every_text_of_a_batch_has_its_name(quick: QuickReader) -> None:
    """Found: from the 4,097th different text of a batch on none was kept, so that evidence showed a number where a
    replay, in other batches, showed the text."""
    listed = [made(properties={"country": f"c{k % 4500}"}, messageId=str(k)) for k in range(5000)]
    slow, fast, sure = both(quick, listed)
    assert all(sure)
    assert fast.named == slow.named
    assert len(fast.named) == 4500


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**16), 10**16),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(-9999, 9999, places=2).map(float),
    st.sampled_from(["", "EUR", "DKK", "shoes", "p1", "2026-01-31T09:15:02.125Z", "2026-01-31T10:15:02+01:00", "é😀"]),
    st.text(max_size=6),
)
nested = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner))
item = st.dictionaries(
    st.sampled_from(["product_id", "price", "quantity", "in_stock", "category", "x"]), scalars, max_size=4
)
properties = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["total", "rating", "price", "category", "country", "currency", "product_id"], scalars),
        **dict.fromkeys(["offer_ends", "quantity", "in_stock", "born", "likes"], scalars),
        "products": st.lists(item, max_size=3) | nested,
        "other": nested,
    },
)
NAMES = [
    "Order Completed",
    "Product Viewed",
    "Product Updated",
    "item",
    "add_to_wishlist",
    "Identify",
    "Other",
    "",
    None,
]
event = st.fixed_dictionaries(
    {"messageId": st.sampled_from(["m1", "m2", "é", "", None, 5]), "event": st.sampled_from(NAMES)},
    optional={
        "type": st.sampled_from(["track", "page", "identify", "screen", None, 1]),
        "userId": st.sampled_from(["u1", "u1", "", None, 7, "user:x", "a:b"]),
        "anonymousId": st.sampled_from(["a1", "", None]),
        "timestamp": st.sampled_from(
            ["2026-01-31T09:15:02.125Z", "2026-01-31T09:15:02", "2025-12-01T00:00:00-05:30", 1_769_850_000, "x", None]
        ),
        "properties": properties | nested,
        "traits": properties | nested,
        "other": nested,
    },
)
spaced = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(event, spaced, st.booleans()), max_size=4), st.data())
def test_the_scan_agrees_with_the_decoder(
    quick: QuickReader, drawn: list[tuple[dict[str, Any], tuple[str, str], bool]], data: st.DataObject
) -> None:
    """On events of every make, and on the same with a byte changed, the scan is right or not sure."""
    values = [json.dumps(e, ensure_ascii=a, separators=separators).encode() for e, separators, a in drawn]
    agree(quick, values)
    for k, value in enumerate(values):
        spoilt = bytearray(value)
        spoilt[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
        values[k] = bytes(spoilt)
    agree(quick, values)


@numba.njit
def skipped(b: Any) -> int:
    """Where any value of JSON ends."""
    return json_bytes.skip(b, 0, len(b))


@numba.njit
def numbered(b: Any) -> tuple[int, float]:
    """A number, and where it ends."""
    return json_bytes.number(b, 0, len(b))


@numba.njit
def timed(b: Any) -> int:
    """An instant."""
    return instant(b, 0, len(b))


@numba.njit
def hashed(b: Any, words: Any) -> int:
    """The digest of the bytes."""
    return digest(b, 0, len(b), words)


def array(data: bytes) -> Any:
    """Bytes as compiled code takes them."""
    return np.frombuffer(data, np.uint8)


@settings(max_examples=300, deadline=None)
@given(nested, spaced, st.data())
def test_only_json_is_passed_over(value: Any, separators: tuple[str, str], data: st.DataObject) -> None:
    """What is skipped as a value is one, to its last byte."""
    text = json.dumps(value, ensure_ascii=False, separators=separators).encode("utf-8", "surrogatepass")
    assert skipped(array(text)) in (len(text), json_bytes.NOT_SURE)
    spoilt = bytearray(text)
    spoilt[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    if skipped(array(bytes(spoilt))) == len(spoilt):
        json.loads(bytes(spoilt))


def test_nesting_is_bounded() -> None:
    """Ten thousand brackets are no reason to run out of anything."""
    assert skipped(array(b"[" * 50 + b"]" * 50)) == 100
    assert skipped(array(b"[" * 10_000 + b"]" * 10_000)) == json_bytes.NOT_SURE


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.decimals(-(10**9), 10**9, places=4).map(str), st.floats().map(repr), st.integers().map(str)))
@example("-0.0")
@example("0.1")
def test_numbers_are_those_that_are_written(text: str) -> None:
    """To the last bit, or not at all."""
    end, value = numbered(array(text.encode()))
    if end == len(text):
        assert value == float(text)
        assert math.copysign(1, value) == math.copysign(1, float(text))


CALENDAR = [datetime.datetime.fromisoformat(text) for text in ("1001-01-01", "9998-01-01")]
zones = st.integers(-1439, 1439).map(lambda m: datetime.timezone(datetime.timedelta(minutes=m)))


@settings(max_examples=500, deadline=None)
@given(st.datetimes(*CALENDAR, timezones=zones))
def test_times_are_those_that_are_written(moment: datetime.datetime) -> None:
    """As the standard library reads them."""
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    assert timed(array(moment.isoformat().encode())) == (moment - epoch) // datetime.timedelta(milliseconds=1)


@pytest.mark.parametrize("text", ["2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-31", "2026-01-31T24:00:00Z"])
def test_no_times(text: str) -> None:
    """A day that does not exist, a day alone, and what only some calendars allow."""
    assert timed(array(text.encode())) == NO_TIME


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_the_digest_is_blake2b(data: bytes) -> None:
    """For every length, over the borders of blocks too."""
    expected = int.from_bytes(blake2b(data, digest_size=8).digest(), "little", signed=True)
    assert hashed(array(data), np.zeros(SCRATCH, np.uint64)) == (expected or 1)
