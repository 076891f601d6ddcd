"""Rows at rest: packing loses nothing, every format that was ever written stays readable, texts keep their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.engine import names as engine_names
from stream.engine import rest
from stream.engine.layouts import decode_layout
from stream.engine.memory import FORMAT
from stream.engine.names import Names
from stream.errors import UserError
from stream.events.text import text_hash
from stream.features import pool
from stream.features.base import FOREVER, NEVER
from stream.plan.packed import BITS, DATED, INSTANT, REAL, SKIPPED, WHOLE, Shape
from stream.plan.packing import pack
from stream.plan.plan import PLAIN, Plan
from tests import release_sample
from tests.depth import examples
from tests.shards import Driver, event, logs, plan_of, run
from tests.shop import BUSY, LIFE, UNTIL, WISH, history

DATA = Path(__file__).parents[1] / "data"
BRAND: dict[str, Any] = {
    "dimension": "brand",
    "features": {"brand": {"latest": "brand", "of": "Product Viewed"}},
    "segments": [{"segment": "own", "when": 'brand == "Marlow"'}],
    "otherwise": "other",
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Every kind of memory: counts, instants, sums, decayed rates, bags, texts."""
    return plan_of(LIFE, BUSY, WISH, BRAND)


# Packing

INTEGERS = st.one_of(
    st.integers(-200, 200),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.sampled_from([10_000 * k for k in range(1, 2000, 37)]),
    st.sampled_from([7 << 60, (1 << 63) - 1, -(1 << 63)]),
)
INSTANTS = st.one_of(st.integers(0, 30), st.integers(1_700_000_000_000, 1_800_000_000_000), st.just(FOREVER))
REALS = st.one_of(
    st.floats(width=64),
    st.integers(-(10**7), 10**7).map(lambda q: q / 100),
    st.integers(-(1 << 54), 1 << 54).map(float),
    st.just(-0.0),
)
OF_KIND = {
    WHOLE: INTEGERS,
    INSTANT: INSTANTS | st.just(NEVER),
    BITS: INTEGERS,
    DATED: st.integers(-(1 << 50), 1 << 60) | st.just(NEVER),
    SKIPPED: st.just(0),
}
ENTRY = st.tuples(
    st.integers(1, 5) | INTEGERS.filter(bool),
    INSTANTS,
    st.just(-1) | st.integers(0, 10**9),
    st.just(-1) | st.integers(0, 10**9),
    INSTANTS,
    INSTANTS | st.just(NEVER),
    INSTANTS | st.just(NEVER),
    st.integers(0, 300),
    st.integers(0, 2),
    INSTANTS,
)


@st.composite
def packed_rows(draw: st.DrawFn) -> tuple[Shape, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A layout, rows of it with the heads of their bags, and the pool's entries."""
    bags = draw(st.integers(0, 2))
    kinds = draw(st.lists(st.sampled_from([WHOLE, INSTANT, REAL, BITS, SKIPPED, DATED]), max_size=140))
    heads = [len(kinds) + 3 * k for k in range(bags)]
    kinds += [SKIPPED, WHOLE, INSTANT] * bags
    blank = np.array([NEVER if k in (INSTANT, DATED) else 0 for k in kinds], np.int64)
    blank[heads] = pool.NONE
    rows: list[Any] = []
    entries: list[tuple[int, ...]] = []
    for _ in range(draw(st.integers(1, 4))):
        row = blank.copy()
        for c, kind in enumerate(kinds):
            if kind == REAL:
                row[c] = np.float64(draw(REALS)).view(np.int64)
            elif c not in heads and c - 1 not in heads:
                row[c] = draw(OF_KIND[kind])
        for p in heads:
            held = draw(st.lists(ENTRY, max_size=4))
            for k, one in enumerate(held):
                after = len(entries) + 1 if k + 1 < len(held) else pool.NONE
                entries.append((*one, after, 0, 0, 0, 0))
            row[p], row[p + 1] = (len(entries) - len(held) if held else pool.NONE), len(held)
        rows.append(row)
    shape = Shape(np.array(kinds, np.int8), blank, np.array(heads, np.int64))
    return shape, np.array(rows), np.array(entries, np.int64).reshape(-1, pool.WIDTH)


@settings(max_examples=150, deadline=None)
@given(packed_rows(), st.booleans())
def test_what_is_packed_is_read_back_bit_by_bit(
    made: tuple[Shape, np.ndarray[Any, Any], np.ndarray[Any, Any]], named: bool
) -> None:
    """Any bits in any column, whole numbers or not, -0.0 and NaN; what lies in bags keeps its order."""
    shape, ints, entries = made
    names = Names()
    if named:
        known = [*ints[:, shape.kinds == WHOLE].ravel().tolist(), 7 << 60]
        for number, code in enumerate(c for c in dict.fromkeys(known) if c):
            names._add(code, str(number))
    out, ends = np.zeros(1 << 17, np.uint8), np.zeros(len(ints), np.int64)
    picks = np.arange(len(ints))
    assert pack(ints, ints.view(np.float64), entries, picks, shape, names.table, out, ends, 0) == len(ints)
    data, starts = out.tobytes(), [0, *ends.tolist()]
    values = [b"8 bytes." + data[a:b] for a, b in zip(starts, ends.tolist(), strict=False)]
    read, held, sound = rest.unpack(PLAIN, values, shape, names)
    assert sound.all()
    kept = np.where(shape.kinds == SKIPPED, shape.blank, ints)
    np.testing.assert_array_equal(read, kept)
    np.testing.assert_array_equal(held, entries[:, : pool.SAVED])


def test_packing_goes_on_where_room_ran_out(plan: Plan) -> None:
    """More than the first guess holds is packed the same."""
    driver = Driver(plan, logs(history(1, customers=40, length=400), UNTIL)).finish()
    picks = np.arange(len(driver.shard.rows))
    expected, ends = rest.pack(driver.shard.rows, picks)
    guess, rest.GUESS = rest.GUESS, -(1 << 16) // len(picks) + 60
    try:
        out, again = rest.pack(driver.shard.rows, picks)
    finally:
        rest.GUESS = guess
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(again, ends)


def test_a_packed_row_is_small(plan: Plan) -> None:
    """What the packing is for: less than half of what the columns take, message ids and all."""
    driver = Driver(plan, logs(history(2, length=200), UNTIL)).finish()
    _, ends = rest.pack(driver.shard.rows, np.arange(len(driver.shard.rows)))
    assert ends[-1] / len(ends) < plan.layout.width * 8 / 2


# Formats

FORMATS = ["rows-plain", "rows-packed"]


@pytest.mark.parametrize("sample", FORMATS)
def test_rows_written_by_earlier_releases_stay_readable(sample: str) -> None:
    """tests/data holds the changelog of each format as it was written then, and what was in the rows."""
    found = orjson.loads((DATA / f"{sample}.json").read_bytes())
    names, layouts, rows = Names(), {}, {}
    for key, value in ((bytes.fromhex(k), bytes.fromhex(v)) for k, v in found["changelog"]):
        if key[:1] == rest.NAME:
            names.restore(*rest.decode_name(key, value))
        elif key[:1] == rest.LAYOUT:
            layouts[key[1:]] = decode_layout(value)
        else:
            rows[key[1:].decode()] = value
    for row in found["rows"]:
        value = rows.pop(row["customer"])
        layout = layouts[value[:8]]
        assert bool(layout.kinds) is (sample != "rows-plain")
        ints, entries, sound = rest.read_rows([value], layout, names, PLAIN)
        assert sound.all()
        read = {
            name: x for (name, _), x in zip(layout.columns, ints[0].tolist(), strict=True) if name in row["columns"]
        }
        assert read == row["columns"]
        written = [entry for p in layout.bags for entry in row["bags"][layout.columns[p][0]]]
        # What was not kept of an entry's stock then is what is known of a product when it is put in: nothing bad.
        assert entries.tolist() == [[*entry, 0, entry[pool.ADDED]][: pool.SAVED] for entry in written]
    assert not rows


#: What later events do otherwise by now: a refund of an order that nobody knows no longer counts against a mean.
LATER_OTHERWISE = {"spend.mean"}
RELEASES = sorted(path.name for path in DATA.glob("release-*.json"))


@pytest.mark.parametrize("release", RELEASES)
def test_a_shard_written_by_an_earlier_release_goes_on_as_that_one_would(release: str) -> None:
    """All that it keeps: rows, names, layouts, the versions in force and to come, its own row.  Nobody is another, and
    what happens next makes the same changes at the same instants, now and after this release has written it anew."""
    found = orjson.loads((DATA / release).read_bytes())
    changelog = [(bytes.fromhex(k), None if v is None else bytes.fromhex(v)) for k, v in found["changelog"]]
    assert {key[:1] for key, _ in changelog} == {b"c", b"s", b"l", b"n", b"m", b"v"}
    _, whole = release_sample.parts()
    driver = release_sample.opened(changelog, whole)
    for said, then in ((found["said"], False), (found["then"], True)):
        if then:
            driver.finish()
            assert release_sample.made(driver) == found["changes"]
            driver.open()
        now = release_sample.said(driver)
        assert now.keys() == said.keys()
        for customer, was in said.items():
            for part in ("segments", "features"):
                told = {name: x for name, x in was[part].items() if not (then and name in LATER_OTHERWISE)}
                assert {name: now[customer][part].get(name) for name in told} == told


def test_what_a_later_release_wrote_is_left_alone(plan: Plan) -> None:
    """Setting aside what it cannot read, a worker that was rolled back would destroy what the other keeps."""
    driver = Driver(plan, logs(history(1), UNTIL)).finish()
    key, value = driver.changelog[-1]
    assert key == rest.SHARD
    own = orjson.loads(value or b"")
    assert own["format"] == FORMAT
    driver.changelog.append((key, orjson.dumps({"format": FORMAT + 1, "sources": "told otherwise"})))
    with pytest.raises(UserError, match="written by a later release of segstream"):
        driver.open()


def test_rows_of_an_unknown_layout_are_refused(plan: Plan) -> None:
    """Guessing what a column means would be worse than not starting."""
    driver = Driver(plan, logs(history(1, customers=20), UNTIL)).finish()
    driver.changelog = [(k, v) for k, v in driver.changelog if k[:1] != rest.LAYOUT]
    driver.plan = plan_of(LIFE)
    with pytest.raises(UserError, match=r"read, and 0 can: .* layout that is not known.* Nothing was changed"):
        driver.open(driver.plan)


# Names


def viewed(*brands: str) -> list[dict[str, Any]]:
    """One customer's views of products of these brands."""
    return [event("ann", "Product Viewed", k, brand=brand, id=f"v{k}") for k, brand in enumerate(brands, start=1)]


def test_evidence_and_features_show_texts_as_they_were_written(plan: Plan) -> None:
    """A hash means nothing to whoever receives a change."""
    changes = [c for c in run(plan, viewed("Hearth", "Marlow")) if c.dimension == "brand"]
    assert [c.evidence["brand"] for c in changes] == ["Hearth", "Marlow"]


def test_names_survive_a_restart(plan: Plan) -> None:
    """They are in the changelog, before the rows that need them, and are written once."""
    driver = Driver(plan, logs(viewed("Hearth", "Hørkram", "Hearth"))).finish()
    driver.open()
    described = driver.shard.describe("ann")
    assert described is not None
    assert described["features"]["brand"] == "Hearth"
    written = [rest.decode_name(k, v or b"") for k, v in driver.changelog if k[:1] == rest.NAME]
    assert [text for _, text in written if text.startswith("H")] == ["Hearth", "Hørkram"]
    letters = [k[:1] for k, _ in driver.changelog]
    assert letters.index(rest.NAME) < letters.index(rest.ROW)


def test_beyond_the_limit_texts_are_shown_by_their_hash(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dictionary is bounded; what does not fit is counted, compared and kept as ever."""
    monkeypatch.setattr(engine_names, "MOST_NAMES", 1)
    driver = Driver(plan, logs(viewed("Hearth", "Marlow"))).finish()
    changes = [c for c in driver.changes if c.dimension == "brand"]
    assert [c.evidence["brand"] for c in changes] == ["Hearth", f"#{text_hash('Marlow') & (1 << 64) - 1:x}"]
    assert changes[-1].to_segment == "own"
    driver.open()
    described = driver.shard.describe("ann")
    assert described is not None
    assert described["segments"]["brand"] == "own"


def test_names_come_back_under_their_numbers() -> None:
    """Rows refer to them; a repetition is no error, another text is, and so is the text of another number."""
    names = Names()
    names.learn({text_hash(f"t{k}"): f"t{k}" for k in range(100)})
    assert names.new() == [(k, f"t{k}") for k in range(100)]
    assert names.new() == []
    again = Names()
    for number, text in [*enumerate(names.texts.values()), (5, "t5")]:
        again.restore(number, text)
    assert (again.hashes[:100] == names.hashes[:100]).all()
    assert again.new() == []
    for number, text in ((5, "t6"), (100, "t5"), (engine_names.MOST_NAMES, "late")):
        with pytest.raises(ValueError, match=f"text {number} "):
            again.restore(number, text)


@examples(60)
@given(st.data())
def test_names_may_come_back_in_any_order(data: st.DataObject) -> None:
    """As compaction leaves them where some were mended: each number has its text again.  One that is gone, with others
    behind it, has a name of its own, which is written once; with far too many missing the rest is nobody's."""
    count, most = 30, engine_names.MOST_LOST
    order = data.draw(st.permutations(range(count)))
    lost = data.draw(st.sets(st.integers(0, count - 1), max_size=12))
    names = Names()
    for number in order:
        if number not in lost:
            names.restore(number, f"t{number}")
    names.close()
    kept = [number for number in range(count) if number not in lost]
    known = 0
    for number in kept:
        if number - known > most:
            break
        known = number + 1
    assert [names.known(k) for k in range(count)] == [
        None if k >= known else f"lost text {k}" if k in lost else f"t{k}" for k in range(count)
    ]
    assert names.new() == [(k, f"lost text {k}") for k in sorted(lost) if k < known]
    assert names.new() == []


def test_other_definitions_read_what_they_know_of_a_row() -> None:
    """Columns, bags and segments by name, over a whole batch at once; what is new starts empty."""
    driver = Driver(plan_of(LIFE, WISH, BRAND), logs(history(4, customers=6, length=150), UNTIL)).finish()
    before = {k: driver.shard.describe(k.decode()) for k in driver.shard.rows.keys}
    driver.open(plan_of(WISH, BUSY, LIFE))
    for key, was in before.items():
        now = driver.shard.describe(key.decode())
        assert was is not None
        assert now is not None
        assert {n: v for n, v in now["features"].items() if n.startswith("wish")} == {
            n: v for n, v in was["features"].items() if n.startswith("wish")
        }
        assert now["segments"]["life"] == was["segments"]["life"]
        assert now["features"]["near"] == 0
