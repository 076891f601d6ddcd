"""Event files -> records, one a line: JSONL of wire events untouched, or anything else through a mapping.

Plain or gzip, ``-`` for standard input. A line that is no event comes out too, with its problem: nothing is lost and
nothing stops. Only what makes a whole file unreadable is a UserError.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from stream.errors import UserError
from stream.history.mapped_rows import read_mapped_rows
from stream.history.mapping import Mapping
from stream.history.record import FileRecord
from stream.history.sort import sorted_by_time
from stream.history.wire_lines import read_wire_lines

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_BUFFER_BYTES = 1 << 20


def read_events(paths: Sequence[str | Path], mapping: Mapping | None, sort: bool) -> Iterator[FileRecord]:
    """Every line of the files, file after file; with ``sort`` in the order of event time (stable, bounded memory).

    A line without a readable time sorts with the line before it. UserError, before anything is read, where a file is
    not there; while reading, where a file lacks a column of the mapping or its gzip data is broken.
    """
    for path in paths:
        _check(path)
    records = (record for path in paths for record in _read_file(str(path), mapping))
    return sorted_by_time(records) if sort else records


def _check(path: str | Path) -> None:
    if str(path) == "-":
        return
    if not Path(path).exists():
        raise UserError(f"there is no file {path}: check the path")
    if Path(path).is_dir():
        raise UserError(f"{path} is a folder: name the event files in it")


def _read_file(file: str, mapping: Mapping | None) -> Iterator[FileRecord]:
    with _reading(file), _opened(file) as stream:
        yield from read_wire_lines(file, stream) if mapping is None else read_mapped_rows(file, stream, mapping)


@contextmanager
def _reading(file: str) -> Iterator[None]:
    """A file that breaks while it is read is one sentence."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{file} is no whole gzip file: {error}; copy it again") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}") from None


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked where it begins as gzip does, without a byte order mark."""
    with ExitStack() as stack:
        raw = sys.stdin.buffer if file == "-" else stack.enter_context(Path(file).open("rb", buffering=_BUFFER_BYTES))
        stream = cast(io.BufferedReader, raw)
        if stream.peek(2)[:2] == _GZIP:
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=stream))
            stream = stack.enter_context(io.BufferedReader(cast(io.RawIOBase, unpacked), _BUFFER_BYTES))
        if stream.peek(3)[:3] == _BOM:
            stream.read(3)
        yield stream
