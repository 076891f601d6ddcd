"""A changelog that others have written to, or that was damaged: what cannot be read is set aside, the rest goes on."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.engine import rest
from stream.engine.layouts import shape_of
from stream.engine.shard import Shard
from stream.errors import UserError
from stream.learners.control import read_model
from stream.plan.plan import PLAIN, Plan
from tests.depth import examples
from tests.shards import Driver, event, logs, plan_of, told
from tests.shop import BUSY, LIFE, WISH, history

UNTIL = 400
#: It keeps texts, whose names are at rest beside the rows.
TASTE: dict[str, Any] = {
    "dimension": "taste",
    "features": {"item": {"favourite": "product_id", "of": ["Product Viewed", "Product Added to Wishlist"], "last": 3}},
    "segments": [{"segment": "early", "when": 'item in ("p", "q")'}, {"segment": "late", "when": "known(item)"}],
}
PLAN = plan_of(LIFE, BUSY, WISH, TASTE)


@pytest.fixture(scope="module")
def whole() -> Driver:
    """A shard with a history of some customers, and its changelog."""
    return Driver(PLAN, logs(history(1, customers=20), UNTIL)).finish()


def reopened(whole: Driver, changelog: list[tuple[bytes, bytes | None]], plan: Plan = PLAN) -> Driver:
    """A shard from that changelog, its records' offsets counted from 100."""
    driver = Driver(plan, whole.log)
    driver.shard = Shard(plan, 0, list(whole.log), changelog="log", plans=driver.plans, read_model=read_model)
    places = [(100 + k, 7) for k in range(len(changelog))]
    driver.shard.restore([k for k, _ in changelog], [v for _, v in changelog], places)
    assert driver.shard.restored()
    for source in driver.log:
        driver.shard.start(source, driver.shard.next_offset(source) or 0)
    driver.changelog = list(changelog)
    return driver


def someone(whole: Driver) -> tuple[bytes, bytes]:
    """A customer's key in the changelog, and the latest value."""
    latest = {key: value for key, value in whole.changelog if key[:1] == rest.ROW}
    key = sorted(latest)[3]
    return key, latest[key] or b""


def segments(driver: Driver) -> dict[bytes, Any]:
    """Where everybody is."""
    shard = driver.shard
    return {key: shard.segments(i) for key, i in shard.rows.index.items() if any(shard.segments(i).values())}


@pytest.mark.parametrize("how", ["nothing", "short", "cut", "longer", "noise", "other layout", "names beyond"])
def test_a_row_that_cannot_be_read_is_set_aside(whole: Driver, how: str) -> None:
    """It is told once, with its offset, lies in the dead letters with all its bytes, and its customer begins anew;
    everybody else is where they were.  The next opening knows nothing of it."""
    key, value = someone(whole)
    bad = {
        "nothing": b"",
        "short": value[:5],
        "cut": value[:-1],
        "longer": value + b"x",
        "noise": value[:8] + Random(1).randbytes(90),
        "other layout": b"8 bytes." + value[8:],
        "names beyond": value[:8] + b"\xff" * (len(value) - 8),
    }[how]
    others = {k: v for k, v in segments(whole).items() if k != key[1:]}
    driver = reopened(whole, [*whole.changelog, (key, bad)])
    assert segments(driver) == others
    (poison,) = driver.shard.poison
    assert str(100 + len(whole.changelog)) in str(poison)
    assert key[1:].decode() not in str(poison)  # the log says where, not who
    assert driver.step()
    (letter,) = driver.outputs[-1].dead
    place = (letter.reason, letter.topic, letter.partition, letter.offset, letter.key, letter.value, letter.timestamp)
    assert place == ("poison", "log", 0, 100 + len(whole.changelog), key, bad, 7)
    assert driver.counts.balanced()
    again = reopened(whole, driver.changelog)
    assert (list(again.shard.poison), again.step(), segments(again)) == ([], False, others)


def test_who_was_set_aside_begins_anew(whole: Driver) -> None:
    """With a first placement, as somebody who was never seen, bags and all."""
    key, value = someone(whole)
    name = key[1:].decode()
    events = [event(name, "Order Completed", UNTIL + k, total=30) for k in (1, 2)]
    driver = reopened(whole, [*whole.changelog, (key, value[:-1])])
    for source, records in logs([*history(1, customers=20), *events]).items():
        driver.log[source] = records if source[0] != "control" else driver.log[source]
    driver.finish()
    fresh = Driver(PLAN, logs(events)).finish()
    assert [row[:5] for row in told(driver.changes, name)] == [row[:5] for row in told(fresh.changes, name)]
    driver.open()
    assert segments(driver)[key[1:]] == segments(fresh)[key[1:]]


def test_a_record_that_was_mended_since_is_no_matter(whole: Driver) -> None:
    """Only the latest record of a key counts."""
    key, value = someone(whole)
    driver = reopened(whole, [*whole.changelog, (key, b"noise"), (key, value)])
    assert not driver.shard.poison
    assert segments(driver) == segments(whole)


def nonsense(**what: Any) -> bytes:
    """A layout that reads as one, but by which no row could be read."""
    return orjson.dumps({"columns": [["a", False]], "bags": [], "segments": {}, "form": 1, **what})


def compacted(changelog: list[tuple[bytes, bytes | None]]) -> list[tuple[bytes, bytes | None]]:
    """What compaction leaves of it, once it is through with tombstones as well."""
    latest = {key: at for at, (key, _) in enumerate(changelog)}
    return [(k, v) for at, (k, v) in enumerate(changelog) if k and latest[k] == at and v is not None]


#: Nested deeper than the decoder goes, where nobody asks for it.
DEEP = b'{"more":' + b"[" * 5000 + b"]" * 5000 + b"}"
STRANGE: list[tuple[bytes, bytes | None]] = [
    (b"", b"x"),
    (b"hello", b"world"),
    (b"shop", b"{}"),
    (b"s", b"{"),
    (b"m", b"noise"),
    (b"visitor-17", b"{}"),
    (b"n", b"x"),
    (b"n\xff\xff\xff\xff", b"x"),
    (b"n\0\0\0\0", b"\xff"),
    (b"l12345678", b"x"),
    (b"lx", b"x"),
    (b"customer", b"{}"),
    (b"\xff\x00", b"\xff"),
    (b"s", DEEP),
    (b"l12345678", DEEP),
    (b"l12345678", nonsense(kinds=[300], blank=[0])),
    (b"l12345678", nonsense(kinds=[1], blank=[1 << 63])),
    (b"l12345678", nonsense(kinds=[1, 1], blank=[0, 0])),
    (b"l12345678", nonsense(bags=[7])),
    (b"l12345678", nonsense(bags=[-1])),
    (b"c", b'{"some":"json, of some length"}'),
    (b"vcuts/7", b'[true,1,1,0,[],{"type":"cuts"}]'),
    (b"vdefinitions/7", b'[true,1,1,0,[],{"type":"definitions"}]'),
    (b"vclusters of x/7", b'[true,1,1,0,[],{"type":"model"}]'),
    (b"vcuts/7", b'[true,1,1,0,[],{"type":5}]'),
]


@pytest.mark.parametrize("record", STRANGE, ids=lambda record: repr(record)[:60])
@pytest.mark.parametrize("where", ["first", "last"])
def test_whatever_else_lies_there_does_no_harm(whole: Driver, record: tuple[bytes, bytes | None], where: str) -> None:
    """Keys that begin like ours, our own keys with something else in them: copied to the dead letters, and everybody is
    where they were, also the next time."""
    changelog = [record, *whole.changelog] if where == "first" else [*whole.changelog, record]
    mended = where == "first" and record[0] in (b"s", b"n\0\0\0\0")
    driver = reopened(whole, changelog)
    assert segments(driver) == segments(whole)
    assert [one.key for one in driver.shard.poison] == ([] if mended else [record[0]])
    driver.step()
    assert [(x.key, x.value) for out in driver.outputs for x in out.dead] == ([] if mended else [record])
    for left in ([(k, v) for k, v in driver.changelog if k], compacted(driver.changelog)):
        again = reopened(whole, left)
        assert not again.shard.poison
        assert kept(again) == kept(whole)
        assert not again.step()


def test_a_row_under_no_name_is_nobodys(whole: Driver) -> None:
    """A sound row whose key names no customer is set aside; nobody is known by it, also where a tombstone follows."""
    row = (rest.ROW, someone(whole)[1])
    driver = reopened(whole, [*whole.changelog, row])
    assert segments(driver) == segments(whole)
    assert len(driver.shard.rows.index) == len(driver.shard.rows) == len(whole.shard.rows)
    assert [one.key for one in driver.shard.poison] == [rest.ROW]
    assert len(reopened(whole, [*whole.changelog, row, (rest.ROW, None)]).shard.rows) == len(whole.shard.rows)


@pytest.mark.parametrize("number", [0, 1, -1])
@pytest.mark.parametrize("left", [b"\xff", None])
def test_a_name_that_is_lost_takes_no_other_with_it(whole: Driver, number: int, left: bytes | None) -> None:
    """Compaction has kept only what damaged it, or not even that: a name of its own takes its place and number, for
    good, every other text keeps its own, and no row is set aside."""
    names = [key for key, _ in whole.changelog if key[:1] == rest.NAME]
    key = names[number]
    changelog = compacted([*whole.changelog, (key, left)])
    texts = [
        f"lost text {rest.number_of(key)}" if one == key else whole.shard.rows.texts.known(rest.number_of(one))
        for one in names
    ]
    if (number, left) == (-1, None):
        texts.pop()  # nothing says that there ever was one
    for _ in range(2):
        driver = reopened(whole, changelog)
        found = driver.shard.rows.texts
        assert [found.known(k) for k in range(len(texts))] == texts
        if len(texts) == len(names):
            assert len(driver.shard.rows.index) == len(whole.shard.rows.index)
        driver.step()
        changelog = compacted(driver.changelog)


def test_a_changelog_of_something_else_is_not_taken_apart(whole: Driver) -> None:
    """Where most rows cannot be read, as after a later release wrote them, the shard does not start."""
    changelog = [(k, b"v2" + (v or b"") if k[:1] == rest.ROW else v) for k, v in whole.changelog]
    with pytest.raises(UserError, match="cannot be read, and 0 can"):
        reopened(whole, changelog)


@examples(200)
@given(st.data())
def test_no_bytes_pass_for_a_row_that_are_none(whole: Driver, data: st.DataObject) -> None:
    """A row that is cut, lengthened, or has bytes changed is read or refused: never is anything read or written beyond
    it, and the rows beside it are what they were."""
    rows = whole.shard.rows
    packed = [value or b"" for _, value in rest.encode_rows(rows, np.arange(3), rest.fingerprint(PLAN))]
    shape = shape_of(PLAN.layout)
    good = rest.unpack(PLAIN, packed, shape, rows.texts)
    spoilt = bytearray(packed[1])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(8, len(spoilt) - 1))
        spoilt[at] = data.draw(st.sampled_from([0, 1, 127, 128, 200, 207, 208, 247, 248, 255]) | st.integers(0, 255))
    cut = data.draw(st.integers(8, len(spoilt)))
    middle = bytes(spoilt[:cut]) + data.draw(st.binary(max_size=6))
    read = rest.unpack(PLAIN, [packed[0], middle, packed[2]], shape, rows.texts)
    assert read.sound[[0, 2]].all()
    np.testing.assert_array_equal(read.ints[[0, 2]], good.ints[[0, 2]])
    if middle != packed[1] and middle.startswith(packed[1][:-1]):
        assert not read.sound[1] or len(middle) == len(packed[1])
    bags = shape.bags + 1
    assert len(read.entries) == read.ints[read.sound][:, bags].sum()


def test_poison_is_no_record_of_the_books(whole: Driver) -> None:
    """What is set aside was booked when it came."""
    key, value = someone(whole)
    driver = reopened(whole, [*whole.changelog, (key, value[:-1])])
    before = dict(driver.shard.books)
    driver.step()
    assert driver.shard.books == before
    assert orjson.loads(dict(driver.outputs[-1].rows)[rest.SHARD] or b"")["books"] == before


def kept(driver: Driver) -> tuple[dict[bytes, Any], list[str]]:
    """Everybody's whole rows, without the order in which they lie; and what was set aside."""
    rows = driver.shard.rows
    who = sorted(rows.index.items())
    packed = rest.encode_rows(rows, np.array([i for _, i in who], np.int64), rest.fingerprint(PLAN))
    return dict(zip([key for key, _ in who], packed.values, strict=True)), [str(one) for one in driver.shard.poison]


@examples(60)
@given(st.data())
def test_it_does_not_matter_how_a_changelog_is_cut(whole: Driver, data: st.DataObject) -> None:
    """All at once, in pieces or record by record, with tombstones, bytes that are no rows and rows that came before
    strewn in: only the latest record of each customer counts, and nobody who has none is known."""
    theirs = [(key, value) for key, value in whole.changelog if key[:1] == rest.ROW]
    strange = st.sampled_from([None, b"", b"short", b"8 bytes. and more", rest.ROW])
    strewn: list[tuple[bytes, bytes | None]] = data.draw(
        st.lists(
            st.sampled_from(theirs)
            | st.tuples(st.sampled_from([*(key for key, _ in theirs[:6]), b"cnobody", b"cother"]), strange),
            max_size=12,
        )
    )
    changelog = [*whole.changelog, *strewn]
    marks = [(k, 0) for k in range(len(changelog))]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(changelog)), max_size=6)))
    found = []
    for pieces in ([0, len(changelog)], [0, *cuts, len(changelog)], range(len(changelog) + 1)):
        driver = Driver(PLAN, {source: [] for source in whole.log})
        driver.shard = Shard(PLAN, 0, list(whole.log), changelog="log", plans=driver.plans, read_model=read_model)
        for first, last in pairwise(pieces):
            some = changelog[first:last]
            driver.shard.restore([k for k, _ in some], [v for _, v in some], marks[first:last])
        assert driver.shard.restored()
        found.append(kept(driver))
    assert found[0] == found[1] == found[2]
    latest = {key[1:]: value for key, value in changelog if key[:1] == rest.ROW}
    good = dict(theirs).values()
    assert found[0][0].keys() == {key for key, value in latest.items() if value in good}
