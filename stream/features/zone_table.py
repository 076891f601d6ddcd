"""The table of a time zone: all its changes of offset, from Python's own zoneinfo.

A table has one line for each span of time with one offset: its first instant, and the offset from UTC in milliseconds.
Python tells the offset at any instant but not when it changes next.  So the instants at which it may change are read
from the same file that it reads (RFC 8536); behind the last of them, where a rule goes on for ever, the table is worked
out by asking every four weeks.  No other module of the pure layers reads a file.
"""

from __future__ import annotations

import struct
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import resources
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stream.features.base import NEVER

#: The years whose changes of offset are known; before and after, the first and the last one hold.
FIRST_YEAR, LAST_YEAR = 1900, 2100
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = int(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp())
LAST = int(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp())
#: Rules change the offset twice a year, months apart.
STEP = 28 * 86_400
#: Bytes of a file's header, and what its counts say: of marks, of leap seconds, of changes, of types, of letters.
HEADER = struct.Struct(">4sc15x6l")


@lru_cache(maxsize=1024)
def transitions(zone: str) -> NDArray[np.int64]:
    """The table of a time zone (IANA)."""
    return table_of(tzif(zone))


@lru_cache(maxsize=1024)
def table_of(raw: bytes) -> NDArray[np.int64]:
    """The table that a file means; many zones have the same."""
    where = zoneinfo.ZoneInfo.from_file(BytesIO(raw))

    def offset(second: int) -> int:
        found = (EPOCH + timedelta(seconds=second)).astimezone(where).utcoffset() or timedelta()
        return found // timedelta(milliseconds=1)

    before = offset(FIRST)
    lines = [(NEVER, before)]
    for low, high in spans(raw):
        after = offset(high)
        if after != before:
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            lines.append((high * 1000, after))
            before = after
    return np.array(lines, dtype=np.int64)


def spans(raw: bytes) -> Iterator[tuple[int, int]]:
    """Spans of time, in order, in which the offset changes at most once: up to each known change, then four weeks."""
    changes, rule = changes_of(raw)
    for second in changes:
        if FIRST < second < LAST:
            yield second - 1, second
    if rule:
        first = max([FIRST, *changes[-1:]])
        yield from ((second, second + STEP) for second in range(first, LAST, STEP))


def tzif(zone: str) -> bytes:
    """The file that zoneinfo reads: that of the system, else that of the package tzdata."""
    for folder in zoneinfo.TZPATH:
        path = Path(folder, zone)
        if path.is_file():
            return path.read_bytes()
    return resources.files("tzdata.zoneinfo").joinpath(*zone.split("/")).read_bytes()


def changes_of(raw: bytes) -> tuple[list[int], bool]:
    """The changes that a file lists, in seconds, and whether a rule goes on behind them."""
    _, version, utc, std, leap, times, types, letters = HEADER.unpack_from(raw)
    if version < b"2":  # as before 2005: 32 bits, and no rule
        return list(struct.unpack_from(f">{times}l", raw, HEADER.size)), False
    start = HEADER.size + times * 5 + types * 6 + letters + leap * 8 + std + utc
    _, _, utc, std, leap, times, types, letters = HEADER.unpack_from(raw, start)
    start += HEADER.size
    end = start + times * 9 + types * 6 + letters + leap * 12 + std + utc
    return list(struct.unpack_from(f">{times}q", raw, start)), b"," in raw[end:]
