"""Records in the order of event time, however many: sorted runs in temporary files, merged."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import itemgetter
from typing import BinaryIO, cast

import msgspec

from stream.errors import UserError
from stream.events.instant import EARLIEST_MS
from stream.history.record import FileRecord

#: A record and the instant it sorts by.
_Dated = tuple[int, FileRecord]

#: About how many bytes of events are sorted in memory at a time; objects around them take about as much again.
RUN_BYTES = 64 << 20
#: What a record costs beside its bytes, about.
_RECORD_BYTES = 200
#: How many runs are merged at a time: each is an open file and a block in memory.
RUNS = 32
_BLOCK = 512

_by_time = itemgetter(0)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Dated]).decode


def sorted_by_time(records: Iterable[FileRecord], run_bytes: int = RUN_BYTES, runs: int = RUNS) -> Iterator[FileRecord]:
    """All the records, by time; equal times keep their order, and a record without a time follows the one before it."""
    spilled: list[BinaryIO] = []
    rest: list[_Dated] = []
    try:
        for run in _sorted_runs(_dated(records), run_bytes):
            spilled += [_spill(rest)] if rest else []
            rest = run
            if len(spilled) == runs:
                spilled = [_spill_merged(spilled)]
        for _, record in heapq.merge(*map(_unspill, spilled), rest, key=_by_time):
            yield record
    finally:
        for file in spilled:
            file.close()


def _dated(records: Iterable[FileRecord]) -> Iterator[_Dated]:
    """A line without a time belongs to the lines around it, so it takes the time of the last one of its file."""
    file, last = "", EARLIEST_MS
    for record in records:
        if record.file != file:
            file, last = record.file, EARLIEST_MS
        if record.timestamp_ms is not None:
            last = record.timestamp_ms
        yield last, record


def _sorted_runs(records: Iterable[_Dated], run_bytes: int) -> Iterator[list[_Dated]]:
    run: list[_Dated] = []
    size = 0
    for dated in records:
        run.append(dated)
        size += len(dated[1].value) + _RECORD_BYTES
        if size >= run_bytes:
            run.sort(key=_by_time)
            yield run
            run, size = [], 0
    run.sort(key=_by_time)
    yield run


def _spill_merged(runs: list[BinaryIO]) -> BinaryIO:
    """One run out of several, in their order, so that any number of them needs few open files."""
    merged = _spill(heapq.merge(*map(_unspill, runs), key=_by_time))
    for run in runs:
        run.close()
    return merged


def _spill(run: Iterable[_Dated]) -> BinaryIO:
    """Writes a run to a temporary file that vanishes when closed, in blocks, each with its length before it."""
    file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - closed by whoever merges it
    left = iter(run)
    try:
        while block := list(islice(left, _BLOCK)):
            data = _encode(block)
            file.write(len(data).to_bytes(8, "big"))
            file.write(data)
    except OSError as error:
        file.close()
        where = tempfile.gettempdir()
        raise UserError(f"sorting needs room in {where}: {error.strerror}; set TMPDIR to a folder with more") from None
    return file


def _unspill(file: BinaryIO) -> Iterator[_Dated]:
    file.seek(0)
    while size := int.from_bytes(file.read(8), "big"):
        yield from _decode(file.read(size))
