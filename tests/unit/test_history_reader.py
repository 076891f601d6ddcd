"""Lines of event files become records: mapped or untouched, none lost, whatever is wrong with them."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import orjson
import pytest

from stream.errors import UserError
from stream.history.mapping import Mapping, parse_mapping
from stream.history.reader import read_events
from stream.history.record import FileRecord

CSV = """\
format: {kind: csv}
customer: {userId: user, anonymousId: cookie}
time: {column: time, unit: ms}
event: {column: event, names: {view: Product Viewed, buy: Order Completed, visit: Page Viewed, data: Identify}}
messageId: id
properties:
  Product Viewed: {product_id: item, price: {column: price, type: number}}
  Order Completed: {items: {column: items, type: count}, currency: {value: EUR}}
  Identify: {country: country}
"""
HEADER = "id,user,cookie,time,event,item,price,items,country\n"
SECONDS = "format: {kind: csv}\ncustomer: {userId: who}\ntime: {column: when, %s}\nevent: {name: Page Viewed}\n"


def mapping(text: str = CSV) -> Mapping:
    return parse_mapping(text, "m.yaml")


def read(tmp_path: Path, text: str | bytes, rules: Mapping | None, *, sort: bool = False) -> list[FileRecord]:
    path = tmp_path / "events"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_events([path], rules, sort))


def row(tmp_path: Path, line: str) -> FileRecord:
    [record] = read(tmp_path, HEADER + line, mapping())
    return record


def test_a_row_becomes_a_wire_event_with_key_topic_and_time(tmp_path: Path) -> None:
    record = row(tmp_path, "m1,u1,,1769850902125,view,p9,19.90,,")
    assert orjson.loads(record.value) == {
        "messageId": "m1",
        "type": "track",
        "event": "Product Viewed",
        "userId": "u1",
        "timestamp": "2026-01-31T09:15:02.125Z",
        "properties": {"product_id": "p9", "price": 19.9},
    }
    assert (record.key, record.topic, record.timestamp_ms) == (b"u1", "clickstream", 1769850902125)
    assert (record.line, record.offset, record.problem) == (2, 2, "")


def test_a_row_without_a_user_is_anonymous(tmp_path: Path) -> None:
    record = row(tmp_path, ",,k7,0,buy,,,3,")
    assert orjson.loads(record.value)["anonymousId"] == "k7"
    assert orjson.loads(record.value)["properties"] == {"currency": "EUR", "items": 3}
    assert (record.key, record.topic) == (b"k7", "purchases")


def test_pages_and_profiles_have_their_own_envelopes(tmp_path: Path) -> None:
    page = orjson.loads(row(tmp_path, ",u,,0,visit,,,,").value)
    assert page["type"] == "page"
    assert "event" not in page
    profile = row(tmp_path, ",u,,0,data,,,,DE")
    assert orjson.loads(profile.value)["type"] == "identify"
    assert orjson.loads(profile.value)["traits"] == {"country": "DE"}
    assert profile.topic == "profiles"


def test_a_name_that_is_not_in_the_table_is_taken_as_it_is(tmp_path: Path) -> None:
    assert orjson.loads(row(tmp_path, ",u,,0,wink,,,,").value)["event"] == "wink"


@pytest.mark.parametrize(
    ("line", "problem", "says"),
    [
        (",,,0,view,,,,", "no-customer", "names no customer"),
        (", , ,0,view,,,,", "no-customer", "names no customer"),
        (",u,,yesterday,view,,,,", "bad-time", "yesterday"),
        (",u,,,view,,,,", "bad-time", "empty"),
        (",u,,99999999999999999,view,,,,", "bad-time", "is the unit right?"),
        (",u,,0,,,,,", "no-event", "empty"),
        (",u,,0,view,p,cheap,,", "bad-number", "cheap"),
        (",u,,0,view,p,nan,,", "bad-number", "nan"),
        (",u,,0,buy,,,1.5,", "bad-count", "1.5"),
        (",u,,0,view", "bad-line", "5 columns and not 9"),
        (",u,,0,view,,,,,", "bad-line", "10 columns and not 9"),
    ],
)
def test_a_row_that_is_no_event_comes_out_with_its_problem(tmp_path: Path, line: str, problem: str, says: str) -> None:
    good = ",u,,0,view,,,,"
    before, bad, after = read(tmp_path, f"{HEADER}{good}\n{line}\n{good}\n", mapping())
    assert (bad.problem, bad.line, bad.value) == (problem, 3, line.encode())
    assert says in bad.detail
    assert before.problem == after.problem == ""


def test_bytes_that_are_not_utf8_spoil_their_own_row_only(tmp_path: Path) -> None:
    lines = [HEADER.encode(), b",u\xff,,0,view,,,,\n", b",u,,0,view,,,,\xff\n"]
    bad, good = read(tmp_path, b"".join(lines), mapping())
    assert (bad.problem, bad.value) == ("bad-text", b",u\xff,,0,view,,,,")
    assert good.problem == ""  # that column is not used


def test_a_quoted_value_may_hold_delimiters_and_lines_and_the_next_line_number_is_right(tmp_path: Path) -> None:
    first, second = read(tmp_path, HEADER + ',u,,0,view,"a,\nb",,,\n\n,u,,0,view,c,,,\n', mapping())
    assert orjson.loads(first.value)["properties"] == {"product_id": "a,\nb"}
    assert (first.line, second.line) == (2, 5)


def test_a_column_that_the_file_lacks_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no column 'user', which m\.yaml names \(did you mean 'users'\?\)"):
        read(tmp_path, HEADER.replace("user", "users"), mapping())


def test_a_file_with_other_columns_than_declared_is_one_sentence(tmp_path: Path) -> None:
    text = SECONDS.replace("{kind: csv}", "{kind: columns, header: false, columns: [who, when]}") % "unit: s"
    with pytest.raises(UserError, match=r"has 3 columns, but m\.yaml names 2"):
        read(tmp_path, "u 1 2\n", mapping(text))


def test_files_that_are_not_there_are_one_sentence_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        read_events([tmp_path / "none"], None, False)
    with pytest.raises(UserError, match="is a folder"):
        read_events([tmp_path], None, False)


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("unit: s", "1511848894", 1511848894000),
        ("unit: s", "1511848894.5", 1511848894500),
        ("unit: us", "1511848894000999", 1511848894000),
        ("unit: ms", "-1", -1),
        ('format: "%Y%m%d"', "19970101", 852076800000),
        ('format: "%Y-%m-%d %H:%M:%S UTC"', "2019-10-01 00:00:01 UTC", 1569888001000),
        ('format: "%Y-%m-%d %H:%M:%S", zone: Europe/Berlin', "2019-10-01 02:00:01", 1569888001000),
        ('format: "%d.%m.%Y %H:%M"', "01.10.2019 00:00", 1569888000000),
        ('format: "%Y-%m-%d %H:%M:%S%z", zone: Europe/Berlin', "2019-10-01 00:00:01+0000", 1569888001000),
        ("format: iso", "2019-10-01T00:00:01.5Z", 1569888001500),
    ],
)
def test_times_in_every_form(tmp_path: Path, rule: str, text: str, expected: int) -> None:
    [record] = read(tmp_path, f"who,when\nu,{text}\n", mapping(SECONDS % rule))
    assert (record.problem, record.timestamp_ms) == ("", expected)


@pytest.mark.parametrize("text", ["2019-W40-2", "2019/10/01", "2019-10-1x", "2019-13-01", ""])
def test_a_text_of_another_form_is_no_time(tmp_path: Path, text: str) -> None:
    [record] = read(tmp_path, f"who,when\nu,{text}\n", mapping(SECONDS % 'format: "%Y-%m-%d"'))
    assert record.problem == "bad-time"


def test_objects_of_another_schema_are_mapped_by_dotted_keys(tmp_path: Path) -> None:
    text = SECONDS.replace("csv", "jsonl").replace("who", "user.id") % "unit: us"
    text += "properties: {Page Viewed: {path: page.path, n: {column: n, type: count}}}\n"
    lines = [
        b'{"user": {"id": 7}, "when": 1511848894000000, "page": {"path": "/a"}, "n": 0}',
        b"{not json",
        b"[1]",
        b'{"user": "x", "when": 1}',
        b'{"user": {"id": ["u"]}, "when": 1}',
    ]
    good, *bad = read(tmp_path, b"\n".join(lines), mapping(text))
    assert orjson.loads(good.value)["properties"] == {"path": "/a", "n": 0}
    assert (good.key, good.timestamp_ms) == (b"7", 1511848894000)
    assert [record.problem for record in bad] == ["not-json", "not-json", "no-customer", "bad-text"]
    assert [record.value for record in bad] == lines[1:]


WIRE = [
    b'{"type":"track","event":"Order Completed","userId":"u1","timestamp":"2026-01-31T09:15:02.125Z","properties":{}}',
    b'{ "type": "identify", "userId": "u2", "timestamp": "1970-01-01T00:00:01Z", "traits": {"event": "Order x"} }',
    b'{"type":"page","anonymousId":"a1","timestamp":"1970-01-01T01:00:00+01:00"}',
    b'{"type":"track","event":"Product Updated","timestamp":"1970-01-01T00:00:00Z","properties":{"product_id":"p1"}}',
    b'{"type":"track","event":"Order Completed","userId":7,"timestamp":1769850902.125}',
    b'{"type":"track","event":"Order Completed","userId":"u1"}',
    b'{"type":"track","event":"Order Completed","userId":"u1","timestamp":"soon"}',
    b'{"type":"track","event":"Order Completed","userId":["u1"]}',
    b"not json at all \xff",
]


def test_wire_events_pass_untouched_with_what_routing_needs(tmp_path: Path) -> None:
    """Malformed lines too: it is for the engine to reject them."""
    records = read(tmp_path, b"\n".join(WIRE) + b"\r\n\n  \n", None)
    assert [record.value for record in records] == WIRE
    assert [(record.topic, record.key, record.timestamp_ms) for record in records] == [
        ("purchases", b"u1", 1769850902125),
        ("profiles", b"u2", 1000),
        ("clickstream", b"a1", 0),
        ("products", b"p1", 0),
        ("purchases", b"7", 1769850902125),
        ("purchases", b"u1", None),
        ("clickstream", None, None),
        ("clickstream", None, None),
        ("clickstream", None, None),
    ]


def test_gzip_and_standard_input_and_a_byte_order_mark_read_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (HEADER + "m,u,,0,view,,,,\n").encode()
    [plain] = read(tmp_path, text, mapping())
    [packed] = read(tmp_path, gzip.compress(b"\xef\xbb\xbf" + text), mapping())
    assert packed == plain
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(gzip.compress(text)))))
    [piped] = read_events(["-"], mapping(), False)
    assert (piped.value, piped.file) == (plain.value, "-")


def test_a_cut_gzip_file_is_one_sentence(tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + "m,u,,0,view,,,,\n" * 100).encode())
    with pytest.raises(UserError, match="no whole gzip file"):
        read(tmp_path, whole[:-20], mapping())


def test_an_empty_file_has_no_events(tmp_path: Path) -> None:
    assert read(tmp_path, "", mapping()) == []
    assert read(tmp_path, HEADER, mapping()) == []
    assert read(tmp_path, "", None) == []
