"""Every kind of hostile input by its name: what becomes of it, and that nothing else is disturbed."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from stream.engine.rekey import LONGEST_SENT_ON, Home
from stream.engine.shard import Shard
from stream.events.batch import FORGET, Batch
from stream.events.decode import ORIGIN, Decoder
from stream.history.mapping import parse_mapping
from stream.history.reader import read_events
from stream.kafka.partitions import partition_of
from stream.learners.control import read_version
from tests.shards import TOPICS, Driver, Log, Record, event, logs, plan_of, told, wire_time
from tests.shop import BUSY, LIFE, WISH

NOW = 1_769_850_902_125
DAY = 86_400_000
PLAN = plan_of(LIFE, BUSY, WISH)


def order(customer: str = "eve", t: int = NOW, **changes: Any) -> dict[str, Any]:
    """An order of somebody of whom nothing is expected."""
    return {**event(customer, "Order Completed", t, total=5, id=f"{customer}{t}"), **changes}


def spoilt(old: bytes, new: bytes, **changes: Any) -> bytes:
    """An order with some of its bytes replaced."""
    value = orjson.dumps(order(**changes))
    assert old in value
    return value.replace(old, new)


def totals(text: bytes) -> bytes:
    """An order whose total is this text."""
    return spoilt(b'"total":5', b'"total":' + text)


def timed(text: bytes) -> bytes:
    """An order whose time is this text."""
    return spoilt(f'"timestamp":"{wire_time(NOW)}"'.encode(), b'"timestamp":' + text)


NEIGHBOURS = [
    event(who, "Order Completed", NOW + k, total=20, id=f"n{who}{k}") for who in ("ann", "bob") for k in (0, 5)
]


def log_of(values: list[bytes | None]) -> Log:
    """Neighbours' orders, and between them what is hostile."""
    good = [orjson.dumps(one) for one in NEIGHBOURS]
    found: Log = {(topic, 0): [] for topic in TOPICS}
    found["purchases", 0] = [Record(k, v, b"k", NOW) for k, v in enumerate([*good[:2], *values, *good[2:]])]
    return found


def live(log: Log) -> Driver:
    """A shard whose decoder refuses events from the future, as a worker's does."""
    driver = Driver(PLAN, log)
    driver.decoder = Decoder(PLAN.inputs, future_ms=DAY)
    return driver


def neighbours(driver: Driver) -> list[tuple[Any, ...]]:
    """What became of them."""
    return [row for who in ("ann", "bob") for row in told(driver.changes, who)]


def outcome(value: bytes | None) -> str:
    """What becomes of a record between others, through a shard and back from rest: applied, ignored or the reason why
    it is rejected; its neighbours live as if it had not come."""
    driver = live(log_of([value])).finish()
    assert driver.counts.balanced()
    assert driver.counts.read == len(NEIGHBOURS) + 1
    alone = live(log_of([])).finish()
    assert neighbours(driver) == neighbours(alone)
    driver.open()
    for key in driver.shard.rows.keys:
        orjson.dumps(driver.shard.describe(key.decode()))
        orjson.dumps(driver.shard.explain(key.decode(), DAY))
    if driver.counts.rejected:
        (dead,) = [letter for out in driver.outputs for letter in out.dead]
        assert (dead.value, dead.key, dead.offset, dead.topic) == (value, b"k", 2, "purchases")
        (reason,) = driver.counts.rejected
        return reason
    return "applied" if driver.counts.applied > len(NEIGHBOURS) else "ignored"


DEEP = b"[" * 10_000 + b"]" * 10_000
KINDS: dict[str, tuple[bytes | None, str]] = {
    "a null value": (None, "empty"),
    "an empty value": (b"", "empty"),
    "no JSON": (b"<order/>", "not-json"),
    "half of an event": (orjson.dumps(order())[:-9], "not-json"),
    "two events in one": (orjson.dumps(order()) * 2, "not-json"),
    "invalid UTF-8": (spoilt(b"eve", b"\xc3\x28"), "not-json"),
    "half of a surrogate pair": (spoilt(b"eve", b"\\ud83d"), "not-json"),
    "NaN": (totals(b"NaN"), "not-json"),
    "infinity": (totals(b"Infinity"), "not-json"),
    "infinity as text": (totals(b'"inf"'), "mistyped"),
    "a number of 400 digits": (totals(b"9" * 400), "mistyped"),
    "a number of 5,000 digits": (totals(b"9" * 5_000), "mistyped"),
    "1e308": (totals(b"1e308"), "mistyped"),
    "1e309": (totals(b"1e309"), "mistyped"),
    "400 digits that nobody reads": (spoilt(b'"total":5', b'"total":5,"x":' + b"9" * 400), "applied"),
    "nesting of 10,000": (spoilt(b'"total":5', b'"total":5,"x":' + DEEP), "not-json"),
    "nesting of 10,000 as a total": (totals(DEEP), "mistyped"),
    "5 MB of an order": (spoilt(b'"total":5', b'"total":5,"x":"' + b"x" * 5_000_000 + b'"'), "applied"),
    "5 MB of products": (
        spoilt(b'"total":5', b'"total":5,"products":[' + b'{"product_id":"p"},' * 260_000 + b"{}]"),
        "applied",
    ),
    "5 MB of anything": (b"x" * 5_000_000, "not-json"),
    "a number for the event's name": (spoilt(b'"Order Completed"', b"5"), "mistyped"),
    "a list for properties": (spoilt(b'{"total":5}', b"[]"), "mistyped"),
    "an object for an id": (spoilt(b'"userId":"eve"', b'"userId":{}'), "mistyped"),
    "an unknown event": (orjson.dumps(order(event="Coffee Brewed")), "ignored"),
    "an unknown event with wrong types": (
        orjson.dumps(order(event="Coffee Brewed", properties=[1], userId={})),
        "ignored",
    ),
    "an unknown event without a time": (orjson.dumps(order(event="Coffee Brewed", timestamp=None)), "ignored"),
    "no name": (orjson.dumps(order(event=None)), "no-event"),
    "nobody": (orjson.dumps(order(userId=None)), "no-customer"),
    "unknown properties": (spoilt(b'"total":5', b'"total":5,"x":{"y":[1,{}]},"":null'), "applied"),
    "a key twice": (spoilt(b'"userId":"eve"', b'"userId":{},"userId":"eve"'), "mistyped"),
    "a key twice, both can be read": (spoilt(b'"userId":"eve"', b'"userId":"x","userId":"eve"'), "applied"),
    "a time in seconds": (timed(b"1769850902"), "applied"),
    "a time in milliseconds": (timed(b"1769850902125"), "applied"),
    "a time in microseconds": (timed(b"1769850902125000"), "applied"),
    "a time in nanoseconds": (timed(b"1769850902125000000"), "bad-time"),
    "a time in another zone": (timed(b'"2026-01-31T23:15:02.125+14:00"'), "applied"),
    "a time before 1970": (timed(b'"1969-12-31T23:59:59Z"'), "applied"),
    "the first of all times": (timed(b'"0001-01-01T00:00:00Z"'), "applied"),
    "a time after 2100": (timed(b'"2107-01-31T09:15:02Z"'), "future"),
    "the last of all times": (timed(b'"9999-12-31T23:59:59.999Z"'), "future"),
    "a time beyond": (timed(b'"9999-12-31T23:59:59.999-01:00"'), "bad-time"),
    "a leap second": (timed(b'"2016-12-31T23:59:60Z"'), "mistyped"),
    "a day that does not exist": (timed(b'"2026-02-30T00:00:00Z"'), "mistyped"),
    "a negative total": (totals(b"-5"), "applied"),
    "a negative price": (spoilt(b'"total":5', b'"total":5,"products":[{"product_id":"p","price":-9}]'), "applied"),
    "a negative quantity": (
        spoilt(b'"total":5', b'"total":5,"products":[{"product_id":"p","quantity":-9}]'),
        "applied",
    ),
    "a refund of an unknown order": (orjson.dumps(order(event="Order Refunded")), "applied"),
    "an id of 1 MB": (orjson.dumps(order(userId="x" * 1_000_000)), "too-long"),
    "a messageId of 1 MB": (orjson.dumps(order(messageId="x" * 1_000_000)), "too-long"),
    "control characters in the id": (orjson.dumps(order(userId="\x00\x1b[2J\r\n\x7f")), "applied"),
    "an id that turns text around": (orjson.dumps(order(userId="\u202egnp.exe")), "applied"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_input(kind: str) -> None:
    """It is applied, ignored or rejected, as is said; nobody else notices."""
    value, expected = KINDS[kind]
    assert outcome(value) == expected


@pytest.mark.parametrize("year", [1, 1969, 2101, 9999])
def test_times_far_away_are_times(year: int) -> None:
    """The customer is placed, told about and explained; a change at the instant itself, nothing beyond the calendar."""
    log = log_of([timed(b'"%04d-06-01T00:00:00Z"' % year)])
    del log["purchases", 0][3:]
    driver = Driver(PLAN, log).finish()
    (change,) = [c for c in driver.changes if c.subject == "eve" and c.dimension == "life" and c.sequence == 1]
    assert change.to_segment == "buys"
    assert b'"evidence"' in change.cloud_event()


def decoded(value: dict[str, Any], headers: Any, future_ms: int | None = None) -> Batch:
    """One record with headers."""
    record = Record(7, orjson.dumps(value), b"k", NOW)
    object.__setattr__(record, "headers", headers)
    return Decoder(PLAN.inputs, future_ms=future_ms).decode("purchases", 3, [record], 7, 8)


@pytest.mark.parametrize("depth", [900, 2_000, 100_000])
@pytest.mark.parametrize("sort", [False, True])
def test_nesting_in_a_file_costs_its_own_line_only(tmp_path: Path, depth: int, sort: bool) -> None:
    """Found: a replay of a file with such a line ended in a traceback."""
    deep = spoilt(b'"total":5', b'"total":5,"x":' + b"[" * depth + b"]" * depth)
    good = [orjson.dumps(one) for one in NEIGHBOURS]
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join([good[0], deep, *good[1:]]))
    records = list(read_events([file], None, sort))
    assert sorted(one.value for one in records) == sorted([*good, deep])
    batch = Decoder(PLAN.inputs).decode("purchases", 0, records, 0, len(records) + 1)
    assert (batch.codes >= 0).sum() >= len(good)
    assert [letter.reason for letter in batch.dead.values()] == ["not-json"] * (depth > 1_000)


@pytest.mark.parametrize("key", ["a", "when"])
@pytest.mark.parametrize("depth", [900, 1_020, 2_000])
def test_nesting_in_an_object_that_is_mapped_is_its_own_problem(tmp_path: Path, key: str, depth: int) -> None:
    """Also where the nested value is one that the mapping reads, and that the problem tells of."""
    rules = parse_mapping(
        "format: {kind: jsonl}\ncustomer: {userId: a}\ntime: {column: when, unit: s}\nevent: {name: Page Viewed}\n",
        "m.yaml",
    )
    good = b'{"a":"u","when":5}'
    deep = {"a": b'"u"', "when": b"5"} | {key: b"[" * depth + b"]" * depth}
    file = tmp_path / "events.jsonl"
    file.write_bytes(good + b'\n{"a":%b,"when":%b}\n' % (deep["a"], deep["when"]) + good)
    before, bad, after = read_events([file], rules, False)
    assert bad.problem in ("not-json", "bad-text", "bad-time")
    assert before.problem == after.problem == ""


@pytest.mark.parametrize("properties", [{"total": "bad", "products": "x"}, [], "x", 5])
def test_who_asks_to_be_forgotten_is_whatever_the_properties_hold(properties: Any) -> None:
    """Found: such a request was rejected as mistyped, and its customer kept."""
    decoder = Decoder(PLAN.inputs, forget=["User Deleted"])

    def read(**changes: Any) -> Batch:
        value = orjson.dumps(order(event="User Deleted", properties=properties, **changes))
        return decoder.decode("profiles", 0, [Record(7, value, b"k", NOW)], 7, 8)

    batch = read()
    assert (batch.codes[0], batch.customers[0], batch.instants[0]) == (FORGET, b"eve", NOW)
    assert (batch.ids[0], batch.dead) == (f"eve{NOW}", {})
    for changes, reason in (
        ({"userId": {}}, "mistyped"),
        ({"userId": None}, "no-customer"),
        ({"timestamp": None}, "no-time"),
    ):
        assert read(**changes).dead[0].reason == reason


def test_nested_versions_are_broken_ones() -> None:
    """A ValueError, as for any other record of the control topic that is no version."""
    nested = b"[" * 100_000 + b"]" * 100_000
    for value in (b'{"x":' + nested + b',"type":"model"}', b'{"type":"model","x":' + nested + b"}"):
        with pytest.raises(ValueError, match="recursion"):
            read_version(value)


@pytest.mark.parametrize(
    "headers",
    [
        [(ORIGIN, None)],
        [(ORIGIN, b"web")],
        [(ORIGIN, b"\xff" * 1_000_000)],
        [(ORIGIN, b"a/1/" + b"9" * 30)],
        [("origin", b"shop/1/5")],
        [("", b"")],
    ],
)
def test_headers_of_others_say_nothing(headers: list[tuple[str, bytes | None]]) -> None:
    """Found: a header without a value stopped the worker, and one that said `origin: web`, as producers' do, made one
    message of all events without a messageId, so that all but the first were dropped as retries."""
    assert decoded(order(messageId=None), headers).ids[0] == "purchases/3/7"


def test_an_event_sent_on_keeps_its_place() -> None:
    """By our own header, which also names topics with points and dashes."""
    assert decoded(order(messageId=None), [(ORIGIN, b"eu.shop-1_x/12/345")]).ids[0] == "eu.shop-1_x/12/345"


def test_texts_of_megabytes_are_not_remembered() -> None:
    """Found: hashes were remembered together with their texts, 65,536 of any length."""
    decoder = Decoder(PLAN.inputs)
    wish = {"event": "Product Added to Wishlist", "userId": "eve", "messageId": "m", "timestamp": NOW}

    def read(k: int) -> None:
        value = orjson.dumps({**wish, "properties": {"product_id": f"{k:08d}" * 50_000}})
        assert decoder.decode("clickstream", 0, [Record(k, value)], k, k + 1).codes[0] >= 0

    read(0)
    tracemalloc.start()
    try:
        for k in range(1, 40):
            read(k)
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


def home(partition: int) -> Callable[..., Shard]:
    """Shards that know which customers are theirs."""

    def make(*args: Any, **options: Any) -> Shard:
        return Shard(*args, **options, home=Home(partition, lambda key: partition_of(key, 8), "rekeyed"))

    return make


def test_what_is_too_long_to_be_sent_on_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found: an event of megabytes under another partitioner's key made a transaction that no broker takes."""
    monkeypatch.setattr("tests.shards.Shard", home(0))
    away = next(name for name in map(str, range(99)) if partition_of(name.encode(), 8) != 0)
    here = next(name for name in map(str, range(99)) if partition_of(name.encode(), 8) == 0)
    sizes = (10, LONGEST_SENT_ON + 1)
    events = [order(who, x="x" * n, messageId=f"{who}{n}") for who in (away, here) for n in sizes]
    driver = Driver(PLAN, logs(events)).finish()
    counts = driver.counts
    assert (counts.applied, counts.rekeyed, counts.rejected) == (2, 1, {"misplaced": 1})
    assert counts.balanced()
    (dead,) = [letter for out in driver.outputs for letter in out.dead]
    assert dead.value == orjson.dumps(events[1])
