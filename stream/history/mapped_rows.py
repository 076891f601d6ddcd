"""Rows of a mapped file (CSV, columns, JSON objects) -> records; a row that is no event has a problem."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO

import orjson

from stream.errors import UserError
from stream.history.document import did_you_mean
from stream.history.mapping import Mapping
from stream.history.record import FileRecord
from stream.history.row import RowError, RowMapper

#: The line that a row begins on, and its values, or why it has none.
_Numbered = tuple[int, list[str] | RowError]


def read_mapped_rows(file: str, stream: BinaryIO, mapping: Mapping) -> Iterator[FileRecord]:
    """One record a row. UserError where the file does not have the mapping's columns."""
    return _objects(file, stream, mapping) if mapping.format.kind == "jsonl" else _tables(file, stream, mapping)


def _objects(file: str, stream: BinaryIO, mapping: Mapping) -> Iterator[FileRecord]:
    columns = mapping.columns()
    mapper = RowMapper(mapping, columns)
    paths = [column.split(".") for column in columns]
    for number, line in enumerate(stream, 1):
        raw = line.rstrip(b"\r\n")
        if not raw or raw.isspace():
            continue
        try:
            whole = orjson.loads(raw)
            if not isinstance(whole, dict):
                raise RowError("not-json", "the line is no JSON object")
            yield FileRecord(file, number, *mapper.event([_at(whole, path) for path in paths]))
        except (orjson.JSONDecodeError, RecursionError) as error:  # the latter where a value is told
            yield _rejected(file, number, raw, RowError("not-json", f"the line is not JSON: {error}"))
        except RowError as problem:
            yield _rejected(file, number, raw, problem)


def _at(whole: dict[str, Any], path: list[str]) -> Any:
    """The value at a path of keys, None where there is nothing."""
    value: Any = whole
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _tables(file: str, stream: BinaryIO, mapping: Mapping) -> Iterator[FileRecord]:
    # Bytes that are not UTF-8 survive decoding, so that they spoil their own row and not the file.
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
    comma = mapping.format.delimiter if mapping.format.kind == "csv" else " "
    rows = _csv_rows(text, comma) if mapping.format.kind == "csv" else _blank_separated_rows(text)
    first = next(rows, None)
    if first is None:
        return
    columns = _columns(file, first, mapping)
    if mapping.format.columns is not None:
        rows = chain([first], rows)
    mapper = RowMapper(mapping, columns)
    width = len(columns)
    for number, row in rows:
        try:
            if isinstance(row, RowError):
                raise row
            if len(row) != width:
                raise RowError("bad-line", f"the line has {len(row)} columns and not {width}")
            yield FileRecord(file, number, *mapper.event(row))
        except RowError as problem:
            raw = b"" if isinstance(row, RowError) else comma.join(row).encode("utf-8", "surrogateescape")
            yield _rejected(file, number, raw, problem)


def _columns(file: str, first: _Numbered, mapping: Mapping) -> list[str]:
    """The names of the file's columns: from its first row, or from the mapping, which that row must then fit."""
    number, row = first
    if isinstance(row, RowError):
        raise UserError(f"{file}:{number}: the first line cannot be read: {row.detail}")
    declared = mapping.format.columns
    if declared is not None:
        if len(row) != len(declared):
            what = f"{len(row)} columns, but {mapping.file} names {len(declared)}: {', '.join(declared)}"
            raise UserError(f"{file}:{number} has {what}; correct format.columns, or the delimiter")
        return list(declared)
    header = [name.strip() for name in row]
    for column in mapping.columns():
        if column not in header:
            has = f"it has {', '.join(header)}"
            raise UserError(
                f"{file} has no column '{column}', which {mapping.file} names{did_you_mean(column, header)}; {has}"
            )
    return header


def _csv_rows(text: io.TextIOWrapper, delimiter: str) -> Iterator[_Numbered]:
    reader = csv.reader(text, delimiter=delimiter)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, RowError("bad-line", f"the line is not CSV: {error}")
            continue
        if row:
            yield number, row


def _blank_separated_rows(text: io.TextIOWrapper) -> Iterator[_Numbered]:
    for number, line in enumerate(text, 1):
        row = line.split()
        if row:
            yield number, row


def _rejected(file: str, number: int, raw: bytes, problem: RowError) -> FileRecord:
    return FileRecord(file, number, "clickstream", None, raw, None, problem.problem, problem.detail)
