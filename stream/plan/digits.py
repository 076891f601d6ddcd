"""Single values written as text, byte by byte, by kernels: whole numbers, amounts, durations, instants, varints.

Each function writes into ``out`` from ``at`` on and returns where the next byte goes.  What they write is what JSON has
for the same value of Python's (:func:`stream.engine.change.shown`), which the tests hold against each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import overload

from stream.events.leaf import leaf

#: Amounts below this in micros have at most 15 digits, so that the shortest text of the float is the amount itself;
#: and from the second on they are written without an exponent.
MOST_MICROS, LEAST_MICROS = 10**15, 1_000
#: The longest text of one value that is written here.
LONGEST = 40

#: Units of lengths of time in milliseconds, and the letters for them: d, h, m, s.
_UNITS = ((86_400_000, 100), (3_600_000, 104), (60_000, 109), (1_000, 115))
_DAY = 86_400_000
#: Days from 0000-03-01 to 1970-01-01, and in 400 years.
_ERA_SHIFT, _ERA_DAYS = 719_468, 146_097


def put_bytes(out: Any, at: int, data: Any, start: int, stop: int) -> int:
    """Some bytes of another array."""
    out[at : at + stop - start] = data[start:stop]
    return at + stop - start


@overload(put_bytes)
def _put_bytes(out: Any, at: Any, data: Any, start: Any, stop: Any) -> Any:
    """The same in machine code, where a slice of an array costs more than ten times the copying: places without a sign
    need no look at whether they count from the end, so this becomes one plain copy."""

    def put(out: Any, at: Any, data: Any, start: Any, stop: Any) -> Any:
        to, begun = np.uint64(at), np.uint64(start)
        for k in range(np.uint64(stop - start)):
            out[to + k] = data[begun + k]
        return at + stop - start

    return put


@leaf
def put_whole(out: Any, at: int, n: int) -> int:
    """A whole number in decimal."""
    if n < 0:
        out[at] = 45
        at += 1
        n = -n
    size, rest = 1, n
    while rest >= 10:
        rest //= 10
        size += 1
    for k in range(at + size - 1, at - 1, -1):
        out[k] = 48 + n % 10
        n //= 10
    return at + size


@leaf
def put_padded(out: Any, at: int, n: int, size: int) -> int:
    """A number of so many digits, with zeros before it."""
    for k in range(at + size - 1, at - 1, -1):
        out[k] = 48 + n % 10
        n //= 10
    return at + size


@leaf
def put_amount(out: Any, at: int, micros: int) -> int:
    """An amount in whole units, as a float is written: at least one digit behind the point and no more than needed."""
    if micros < 0:
        out[at] = 45
        at += 1
        micros = -micros
    at = put_whole(out, at, micros // 1_000_000)
    out[at] = 46
    at = put_padded(out, at + 1, micros % 1_000_000, 6)
    for _ in range(5):
        if out[at - 1] != 48:
            break
        at -= 1
    return at


@leaf
def put_duration(out: Any, at: int, ms: int) -> int:
    """A length of time in quotes (:func:`stream.durations.format_duration`), with a sign where it is negative."""
    out[at] = 34
    at += 1
    if ms < 0:
        out[at] = 45
        at += 1
        ms = -ms
    if ms == 0:
        out[at] = 48
        out[at + 1] = 115
        at += 2
    for unit, letter in _UNITS:
        if ms >= unit:
            at = put_whole(out, at, ms // unit)
            out[at] = letter
            at += 1
            ms %= unit
    if ms > 0:
        at = put_whole(out, at, ms)
        out[at] = 109
        out[at + 1] = 115
        at += 2
    out[at] = 34
    return at + 1


@leaf
def put_instant(out: Any, at: int, ms: int) -> int:
    """An instant of the years 1 to 9999 (:func:`stream.events.instant.iso`): 24 bytes.

    The date is counted from March on, so that the day that some years have more is the last of its year.
    """
    days, rest = ms // _DAY, ms % _DAY
    shifted = days + _ERA_SHIFT
    era, day = shifted // _ERA_DAYS, shifted % _ERA_DAYS
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    year += 400 * era
    if month < 10:
        month += 3
    else:
        month -= 9
        year += 1
    at = put_padded(out, at, year, 4)
    out[at] = 45
    at = put_padded(out, at + 1, month, 2)
    out[at] = 45
    at = put_padded(out, at + 1, day + 1, 2)
    out[at] = 84
    at = put_padded(out, at + 1, rest // 3_600_000, 2)
    out[at] = 58
    at = put_padded(out, at + 1, rest // 60_000 % 60, 2)
    out[at] = 58
    at = put_padded(out, at + 1, rest // 1_000 % 60, 2)
    out[at] = 46
    at = put_padded(out, at + 1, rest % 1_000, 3)
    out[at] = 90
    return at + 1


@leaf
def put_count(out: Any, at: int, n: int) -> int:
    """A base-128 varint of a number that is not negative."""
    while n >= 128:
        out[at] = (n & 127) | 128
        n >>= 7
        at += 1
    out[at] = n
    return at + 1


@leaf
def put_length(out: Any, at: int, n: int) -> int:
    """A number that is not negative as Kafka's records have lengths: a signed varint."""
    return put_count(out, at, n << 1)


@leaf
def length_size(n: int) -> int:
    """How many bytes `put_length` writes."""
    n <<= 1
    size = 1
    while n >= 128:
        n >>= 7
        size += 1
    return size
