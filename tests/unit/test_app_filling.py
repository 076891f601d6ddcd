"""Rows of a rebuild as a worker reads them: whole ones of the right version only."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from stream.app.filling import Rows
from stream.app.rebuild import EDGE, Edge


@dataclass
class Record:
    key: bytes
    value: bytes


def begin(version: int) -> Record:
    return Record(EDGE, msgspec.json.encode(Edge(version)))


def end(version: int, rows: int, since: int | None = None) -> Record:
    return Record(EDGE, msgspec.json.encode(Edge(version, rows, since)))


def taken(version: int, *records: Record) -> tuple[list[bytes], Edge] | None:
    """The keys of the rows that are whole, taken one record at a time."""
    rows = Rows(version)
    for record in records:
        rows.take([record])
    return None if rows.done is None else ([key for key, _ in rows.done[0]], rows.done[1])


A, B, C = (Record(b"c%d" % k, b"row") for k in range(3))


def test_rows_count_when_their_end_has_come() -> None:
    assert taken(1, begin(1), A, B) is None
    assert taken(1, begin(1), A, B, end(1, 2, 77)) == ([b"c0", b"c1"], Edge(1, 2, 77))


def test_a_try_that_broke_off_is_forgotten() -> None:
    """It may have had a row that the next one has not."""
    assert taken(1, begin(1), A, B, begin(1), C, end(1, 1)) == ([b"c2"], Edge(1, 1))


def test_rows_of_other_versions_are_passed_over() -> None:
    assert taken(2, begin(1), A, end(1, 1)) is None
    assert taken(2, begin(1), A, end(1, 1), begin(2), B, end(2, 1), begin(3), C) == ([b"c1"], Edge(2, 1))


def test_an_end_without_a_beginning_is_nothing() -> None:
    """Retention has taken the beginning: what is left may be half of it."""
    assert taken(1, A, end(1, 1)) is None
