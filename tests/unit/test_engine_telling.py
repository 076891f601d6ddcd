"""Many changes written at once are, byte for byte, what each says of itself; and so are their record batches."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import orjson
import pytest
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.compiled import compile_framing, compile_packing
from stream.durations import format_duration
from stream.engine.changes import Block, Changes
from stream.engine.kinds import Kinds
from stream.engine.latest import Last, Latest
from stream.engine.records import AtRest, Column, Records, json_texts
from stream.engine.rows import Rows
from stream.engine.teller import Teller
from stream.events.instant import EARLIEST_MS, LATEST_MS, iso
from stream.events.text import text_hash
from stream.features.base import NEVER
from stream.kafka import framing
from stream.kafka.framed import LibraryBuilder, Picked, framed
from stream.plan import digits, header
from stream.plan.plan import PLAIN, Packing, twin_plan
from tests.conftest import REPOSITORY
from tests.plain_changes import PlainChanges, headers_on_the_wire, told
from tests.shards import definitions

CACHE = Path(REPOSITORY) / ".segstream" / "plans"
#: Of every kind of value; and more dimensions than any of them has segments, as in the catalogue.
DIMENSIONS: list[dict[str, Any]] = [
    {
        "dimension": "every kind",
        "features": {
            "orders": {"count": "Order Completed"},
            "since": {"since": "Order Completed"},
            "spend": {"sum": "total", "of": "Order Completed"},
            "shops": {"favourite": "shop", "of": "Order Completed", "last": 5},
        },
        "segments": [
            {
                "segment": 'the "best" é',
                "when": 'orders >= 2 and since < 9d and spend >= 9 and shops == "a"',
                "topic": "best",
            },
            {"segment": "some", "when": "orders >= 1 and shops.variety >= 0", "topic": "some"},
        ],
        "otherwise": "rest",
    },
    {
        "dimension": "cart",
        "features": {"added": {"since": "Product Added"}},
        "segments": [{"segment": "left", "when": "added >= 1h"}],
        "otherwise": "none-left",
    },
    *(
        {
            "dimension": f"further-{k}",
            "features": {"orders": {"count": "Order Completed"}},
            "segments": [{"segment": f"{n}-orders-{k}", "when": f"orders >= {n}"} for n in (3, 2)],
            "otherwise": f"fewer-{k}",
        }
        for k in range(10)
    ),
]
TEXTS = ["a", 'quoted " \\', "é ☃", "tab\t", ""]
KEYS = [b"c1", "ünï".encode(), b'he said "no"', b"back\\slash", b"k" * 1000, b"\x01", b"anonymous:7"]
ODD = [0.0, -0.0, 0.1, 1.5, 1e-7, 1e22, 1e16, -3.0, 2.0**53, 59_900_000.0, 999.0, 1_000.0, -59_900_001.0, math.nan]
INSTANTS = st.integers(EARLIEST_MS, LATEST_MS)


@dataclass
class Batch:
    """What is asked of a decoded batch."""

    names: list[str]
    ids: list[str]
    timestamps: np.ndarray[Any, Any]


@dataclass
class Piece:
    """Of that batch."""

    batch: Batch


class Run:
    """Events in the order of their batch."""

    def __init__(self, random: Random, count: int) -> None:
        names = [random.choice(["Order Completed", 'An "event"', "ö"]) for _ in range(count)]
        ids = [random.choice(["m%d", 'id "%d"', "é%d"]) % random.randrange(1 << 40) for _ in range(count)]
        self.pieces = [Piece(Batch(names, ids, np.arange(count) // 2))]
        self.piece, self.at = np.zeros(count, np.int64), np.arange(count)

    def column(self, name: str) -> Any:
        """In that order, too."""
        return getattr(self.pieces[0].batch, name)


@cache
def rows_with(kernels: Packing) -> Rows:
    rows = Rows(twin_plan(definitions(*DIMENSIONS), packing=kernels))
    rows.find(KEYS)
    rows.texts.learn({text_hash(text): text for text in TEXTS[:-1]})
    rows.code(1, "a former one")
    return rows


def drawn(random: Random, teller: Teller, count: int) -> Block:
    """Changes with whatever values, of rows, segments and causes that there are."""
    events = random.choice([0, 5])
    ints = np.zeros((count, header.EVIDENCE + teller.width), np.int64)
    floats = ints.view(np.float64)
    for row, values in zip(ints, floats, strict=True):
        j = random.randrange(len(DIMENSIONS))
        row[header.ROW], row[header.DIMENSION] = random.randrange(len(KEYS)), j
        row[header.FROM], row[header.TO] = random.randint(-1, 3), random.randint(-1, 3)
        row[header.AT] = random.choice([0, -1, EARLIEST_MS, LATEST_MS, random.randint(EARLIEST_MS, LATEST_MS)])
        row[header.CAUSE] = random.randint(-3, events - 1)
        row[header.SINCE], row[header.AWAY] = random.choice([NEVER, 5]), random.choice([NEVER, 6])
        row[header.NUMBER] = random.choice([1, 9, 10, random.randint(1, 1 << 40)])
        for k, (_, kind) in enumerate(teller.evidence[j], start=header.EVIDENCE):
            if kind.value == "text":
                row[k] = random.choice([0, -5, 12345, *map(text_hash, TEXTS)])
            else:
                values[k] = random.choice(
                    [*ODD, random.uniform(-1e9, 1e9), float(random.randint(-(1 << 52), 1 << 52)), random.expovariate(1)]
                )
    run: Any = Run(random, events) if events else None
    more = {k: {"clusters": {"model": k, "name": 'é"'}} for k in range(0, count, 3) if random.random() < 0.5}
    return Block(teller, ints, run, more)


def of(random: Random, kernels: Packing, most: int) -> Changes:
    changes, teller = Changes(), Teller(rows_with(kernels))
    for _ in range(random.randint(1, 3)):
        changes.add(drawn(random, teller, random.randint(0, most)))
    return changes


def same(changes: Changes) -> None:
    """In bulk as one by one."""
    plain, every = PlainChanges(changes), range(len(changes))
    assert told(changes.records(), every) == told(plain.records(), every)
    assert changes.causes.tolist() == plain.causes.tolist()
    assert changes.at_ms.tolist() == plain.at_ms.tolist()
    bulk, one_by_one = changes.topics(), plain.topics()
    assert {t: p.tolist() for t, p in bulk.items()} == {t: p.tolist() for t, p in one_by_one.items()}
    assert (changes.stayed_ms.tolist(), changes.away_ms.tolist()) == (plain.stayed_ms.tolist(), plain.away_ms.tolist())
    found: dict[Any, list[int]] = {}
    for sort, picks in changes.sorts():
        found.setdefault(sort, []).extend(picks.tolist())
    assert {sort: sorted(picks) for sort, picks in found.items()} == {s: picks.tolist() for s, picks in plain.sorts()}
    assert sorted(changes.caused()) == sorted(plain.caused())
    last = changes.last()
    said = zip(last.customers, last.at_ms.tolist(), last.sequences.tolist(), strict=True)
    assert list(said) == [(key, *of) for key, of in {c.key: (c.at_ms, c.sequence) for c in plain}.items()]


@given(st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None)
def test_many_changes_are_written_as_each_of_them_is(seed: int) -> None:
    """Whoever reads the topic cannot tell whether a change came alone or in a flood."""
    same(of(Random(seed), PLAIN, 12))


def test_machine_code_writes_the_same() -> None:
    """What runs live, on more of them than one block has room for."""
    kernels = compile_packing(CACHE)
    for seed in range(20):
        same(of(Random(seed), kernels, 2_000))


@given(INSTANTS, st.integers(0, 1 << 53), st.integers(-(10**15) + 1, 10**15 - 1), st.integers(-(1 << 62), 1 << 62))
def test_single_values_are_written_as_python_writes_them(instant: int, ms: int, micros: int, whole: int) -> None:
    """Dates of all years that can be written; amounts without an exponent."""
    out = np.zeros(80, np.uint8)

    def written(put: Any, value: int) -> str:
        return out[: put(out, 0, value)].tobytes().decode()

    assert written(digits.put_instant, instant) == iso(instant)
    assert written(digits.put_duration, ms) == f'"{format_duration(ms)}"'
    assert written(digits.put_duration, -ms - 1) == f'"-{format_duration(ms + 1)}"'
    assert written(digits.put_whole, whole) == str(whole)
    if abs(micros) >= digits.LEAST_MICROS:
        assert written(digits.put_amount, micros) == repr(micros / 1_000_000)


def test_an_instant_that_cannot_be_written_is_an_error() -> None:
    """And no date of another year."""
    teller = Teller(rows_with(PLAIN))
    block = drawn(Random(1), teller, 3)
    block.ints[1, header.AT] = LATEST_MS + 1
    with pytest.raises(ValueError, match="outside the years"):
        teller.records(block)


@given(st.lists(st.text().map(lambda text: text.encode("utf-8", "replace")), max_size=8))
def test_ids_are_quoted_as_json_has_them(texts: list[bytes]) -> None:
    """Plain ones all at once, others one by one."""
    for some in (texts, [text for text in texts if text.isalnum() and text.isascii()]):
        assert list(json_texts(Column.of(some))) == [orjson.dumps(text.decode()) for text in some]


def test_fragments_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments may come and go for years."""
    monkeypatch.setattr("stream.engine.teller.MOST_FRAGMENTS", 30)
    teller = Teller(rows_with(PLAIN))
    for k in range(100):
        block = drawn(Random(k), teller, 5)
        called = [[f"{name} {k}" for name in names] for names in block.kinds.names]
        block.kinds = Kinds(block.kinds.dimensions, called)
        changes = Changes()
        changes.add(block)
        same(changes)
    assert len(teller._fragments) < 60


@pytest.mark.parametrize("compiled", [False, True])
def test_latest_segments_are_json_of_each_customer(compiled: bool) -> None:
    """All dimensions with their segments, null where they are in none; whoever is gone has a tombstone, before them."""
    rows = rows_with(compile_packing(CACHE) if compiled else PLAIN)
    for k, customer in enumerate(KEYS):
        for j, column in enumerate(rows.plan.layout.segment):
            rows.table.ints[rows.index[customer], column] = (k + j) % 4 - 1
    last = {customer: (1_700_000_000_000 - k, k + 9) for k, customer in enumerate(KEYS)}
    names = [d.name for d in rows.plan.definitions.dimensions]
    expected: list[tuple[bytes, bytes | None]] = [(b"gone", None), (b"went", None)]
    for k, (customer, (at_ms, sequence)) in enumerate(last.items()):
        segments = {name: rows.name(j, (k + j) % 4 - 1) for j, name in enumerate(names)}
        told = {"customer": customer.decode(), "segments": segments, "at": at_ms, "sequence": sequence}
        expected.append((customer, orjson.dumps(told)))
    everyone = Last(list(last), *np.array(list(last.values())).T.copy())
    latest = Latest(rows)
    found = latest.records(everyone, [b"gone", b"went"])
    assert (list(found), len(found)) == (expected, len(KEYS) + 2)
    assert list(latest.records(everyone.without({KEYS[0]}), [])) == expected[3:]
    assert list(latest.records(everyone.without(set(KEYS)), [])) == []


RECORD = st.tuples(st.binary(max_size=200), st.none() | st.binary(max_size=300))


@given(st.lists(RECORD, min_size=1, max_size=40), st.integers(100, 600), st.booleans(), st.randoms())
@settings(max_examples=60, deadline=None)
def test_record_batches_are_those_of_aiokafka(
    pairs: list[tuple[bytes, bytes | None]], most: int, with_headers: bool, random: Random
) -> None:
    """The same bytes in as many batches, apart from the timestamps: aiokafka asks for the time at every record; also of
    several parts, of which one has what all its keys and values begin with only once."""
    headers = [
        [("ce_id", key[:9]), ("content-type", b"x" * (len(key) % 3))] if with_headers else [] for key, _ in pairs
    ]
    cut = random.randint(0, len(pairs))
    before = random.choice([(b"", b""), (b"c", b"the mark"), (b"", b"v" * 200)])
    some = [Records.of(pairs[:cut]), replace(Records.of(pairs[cut:]), before=before)]
    begun = [(before[0] + key, None if value is None else before[1] + value) for key, value in pairs[cut:]]
    pairs = [*pairs[:cut], *begun]
    if with_headers:
        wired = [headers_on_the_wire(one) for one in headers]
        texts = Column.of(wired[:cut]), Column.of(wired[cut:])
        some = [replace(one, headers=text) for one, text in zip(some, texts, strict=True)]
    assert [pair for one in some for pair in one] == pairs
    picks = sorted(random.sample(range(len(pairs)), random.randint(1, len(pairs))))
    numbers = [k for k in picks if k < cut], [k - cut for k in picks if k >= cut]
    parts = [Picked(one, np.array(own, np.int64)) for one, own in zip(some, numbers, strict=True)]
    for frame in (framing.frame, compile_framing(CACHE)):
        found = []
        for batch in framed(frame, parts, most):
            batch._set_producer_state(4, 5, 6)
            found.append(bytes(batch._build()))
        stamps = [struct.unpack_from(">q", one, 27)[0] for one in found]
        assert found == plainly(pairs, headers, picks, most, stamps)


def test_records_at_rest_are_written_in_the_order_in_which_they_were_added() -> None:
    """One by one or many at once: what begins alike goes together, and nothing overtakes anything."""
    rest = AtRest()
    rest.append((b"n", b"name"))
    rest += [(b"x", None)]
    for k in range(3):
        rest += replace(Records.of([(b"%d" % k, b"row"), (b"%d-" % k, None)]), before=(b"c", b"m"))
    rest.append((b"s", b"own"))
    rest.put_first([(b"p", b"instead")])
    rows: list[tuple[bytes, bytes | None]] = [(b"c0", b"mrow"), (b"c0-", None), (b"c1", b"mrow"), (b"c1-", None)]
    expected = [
        (b"p", b"instead"),
        (b"n", b"name"),
        (b"x", None),
        *rows,
        (b"c2", b"mrow"),
        (b"c2-", None),
        (b"s", b"own"),
    ]
    assert (list(rest), len(rest), rest[0], rest[-2:]) == (expected, 10, expected[0], expected[-2:])
    assert [len(one) for one in rest.records()] == [3, 6, 1]
    assert [pair for one in rest.records() for pair in one] == expected
    assert AtRest().records() == []


def plainly(
    pairs: list[tuple[bytes, bytes | None]], headers: list[Any], picks: list[int], most: int, stamps: list[int]
) -> list[bytes]:
    """The same by aiokafka, record by record."""
    found: list[bytes] = []
    builder, count = None, 0
    for k in picks:
        while True:
            if builder is None:
                builder, count = LibraryBuilder(2, 0, 1, 4, 5, 6, most), 0
            row = (count, stamps[min(len(found), len(stamps) - 1)], *pairs[k], headers[k])
            if builder.append(*row) is not None:
                count += 1
                break
            found.append(bytes(builder.build()))
            builder = None
    assert builder is not None
    return [*found, bytes(builder.build())]


def test_a_compressed_batch_can_be_read() -> None:
    """`compression_type` of the producer holds for what is written at once, too."""
    pairs: list[tuple[bytes, bytes | None]] = [(b"k%d" % k, b"value " * 20) for k in range(500)]
    parts = [Picked(Records.of(pairs), np.arange(500))]
    (batch,) = framed(framing.frame, parts, 1_000_000, LibraryBuilder.CODEC_LZ4)
    data = bytes(batch._build())
    read = DefaultRecordBatch(data)
    assert len(data) < 20_000
    assert read.validate_crc()
    assert [(one.key, one.value) for one in read] == pairs
    assert (batch.record_count(), batch.closed()) == (500, True)
