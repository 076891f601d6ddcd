"""Where the records of Kafka's record batches (version 2) lie in their bytes, as a function that is compiled.

Nothing is taken for granted: bytes that are no records are answered with NO_RECORDS, and never read beyond.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stream.events.leaf import leaf
from stream.events.raw import HEADERS, HEADERS_END, KEY, KEY_END, PLACES, VALUE, VALUE_END

NO_RECORDS = -1
#: Most bits of a number that are shifted in: one more byte would not fit.
_MOST_BITS = 63


@leaf
def number(b: Any, at: int, stop: int) -> tuple[int, int]:
    """A signed number of any length (zigzag, base 128): its value, and what is behind it, which is NO_RECORDS where it
    does not end before ``stop``."""
    found: Any = np.int64(0)
    bits = 0
    while at < stop and bits <= _MOST_BITS:
        byte = np.int64(b[at])
        found = found | (byte & 127) << bits
        at += 1
        if byte < 128:
            return ((found >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(found & 1), at
        bits += 7
    return 0, NO_RECORDS


@leaf
def text(b: Any, at: int, stop: int) -> tuple[int, int]:
    """Where a text with its length before it begins (NO_RECORDS: it is null), and what is behind it (NO_RECORDS: it is
    none)."""
    size, at = number(b, at, stop)
    if at < 0 or size < -1 or size > stop - at:
        return NO_RECORDS, NO_RECORDS
    return (at, at + size) if size >= 0 else (NO_RECORDS, at)


@leaf
def headers(b: Any, at: int, stop: int) -> int:
    """Behind the headers; NO_RECORDS where they are none."""
    count, at = number(b, at, stop)
    if at < 0 or count < 0:
        return NO_RECORDS
    for _ in range(count):
        key, at = text(b, at, stop)
        if at < 0 or key < 0:
            return NO_RECORDS
        _, at = text(b, at, stop)
        if at < 0:
            return NO_RECORDS
    return at


def unframe(
    b: Any,
    at: int,
    stop: int,
    base: int,
    first: int,
    fixed: int,
    begin: int,
    end: int,
    places: Any,
    offsets: Any,
    times: Any,
) -> int:
    """The records in ``b[at:stop]`` (uint8) as numbers ``begin`` to ``end``; ``end``, or NO_RECORDS.

    ``base`` and ``first``: what offsets and times (ms) count from; ``fixed``: the time of all, where that is not
    negative.  ``places`` int64 (n, PLACES), ``offsets`` and ``times`` int64 (n) are written.
    """
    for r in range(begin, end):
        size, at = number(b, at, stop)
        if at < 0 or size < 1 or size > stop - at:
            return NO_RECORDS
        behind = at + size
        later, at = number(b, at + 1, behind)  # one byte of attributes, which mean nothing
        if at < 0:
            return NO_RECORDS
        further, at = number(b, at, behind)
        offsets[r] = base + further
        if at < 0 or (r > begin and offsets[r] <= offsets[r - 1]):
            return NO_RECORDS
        times[r] = first + later if fixed < 0 else fixed
        places[r, KEY], at = text(b, at, behind)
        if at < 0:
            return NO_RECORDS
        places[r, KEY_END] = at if places[r, KEY] >= 0 else NO_RECORDS
        places[r, VALUE], at = text(b, at, behind)
        if at < 0:
            return NO_RECORDS
        places[r, VALUE_END] = at if places[r, VALUE] >= 0 else NO_RECORDS
        places[r, HEADERS], places[r, HEADERS_END] = at, behind
        if headers(b, at, behind) != behind:
            return NO_RECORDS
        at = behind
    return end if at == stop else NO_RECORDS


def warm(unframe: Callable[..., int]) -> None:
    """Have it compiled, or loaded from the cache, before it is needed."""
    nothing = np.zeros(0, np.int64)
    unframe(np.frombuffer(b" ", np.uint8), 0, 0, 0, 0, -1, 0, 0, np.zeros((0, PLACES), np.int64), nothing, nothing)
