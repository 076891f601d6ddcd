"""Packed rows as releases before 2026 wrote them, byte by byte: read, never written.

In order:

1. how many entries the row's bags have (only where the layout has bags);
2. the presence of columns: a bit for each byte of the map that is not 0, then those bytes;
3. the distinct instants: how many, the latest one, and the distances to the ones before it;
4. the values of all other columns, and of the bags' entries;
5. bits, to be read from the end of the row backwards: which instant a column means (1: the next later one than the one
   meant last; 0 and then its number), whether a real number is a whole one, which fields of a bag's entry are not what
   follows from the others.

Counts and distances are base-128 varints.  Values begin with a tag byte: below ``BYTES`` it is the value (zigzag);
``BYTES`` + n - 1: n bytes follow; ``CENTS`` + n - 1: the same, times 10,000 (micros that are whole cents);
``AGAIN`` + k: the k-th long value of this row; ``NAME`` + n - 1: n bytes of a text's number.  In all functions ``at``
is where the next byte is read, and ``bit`` which bit is next.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stream.events.leaf import leaf
from stream.features.pool import ADDED, OFFER_AT, OFFER_ENDS, PRICE_AT, PRODUCT, SAVED, STOCK_AT
from stream.plan.bits import BEYOND
from stream.plan.packed import (
    BITS,
    CENT,
    ENTRY_INSTANTS,
    INSTANT,
    REAL,
    WHOLE,
    expected,
    unzigzag,
    width_of,
)
from stream.plan.unpacking import FARTHEST, held_by

#: Bytes of 0 behind the last row: what is read of one value before it is found to be none.
PADDING = 32
BYTES, CENTS, AGAIN, NAME = 192, 200, 208, 248
#: Numbers of cents below this are 64 bits of micros.
MOST_CENTS = (1 << 63) // CENT
#: How many long values of a row can be named again.
REPEATED = NAME - AGAIN
#: Where the last seven bits of a count begin, at most: it has 63.
LONGEST_COUNT = 56


@leaf
def byte(data: Any, at: int) -> int:
    """A byte as a signed number, so that machine code goes on with signed numbers."""
    return int(np.int64(data[at]))


@leaf
def get_count(data: Any, at: int) -> tuple[int, int]:
    """A base-128 varint, and where the next byte is; -1 where so many bytes are no number."""
    n = 0
    shift = 0
    b = byte(data, at)
    while b > 127:
        if shift == LONGEST_COUNT:
            return -1, at
        n |= (b & 127) << shift
        shift += 7
        at += 1
        b = byte(data, at)
    return n | b << shift, at + 1


@leaf
def get_bytes(data: Any, at: int, n: int) -> int:
    """n bytes, the lowest first; the eighth brings the sign."""
    z = 0
    for k in range(n):
        b = byte(data, at + k)
        z |= (b if k < 7 else (b ^ 128) - 128) << (8 * k)
    return z


@leaf
def get_number(data: Any, at: int, long: Any, hashes: Any) -> tuple[int, int]:
    """A whole number or a text, and where the next byte is; BEYOND where it is neither."""
    tag = byte(data, at)
    at += 1
    if tag < BYTES:
        return unzigzag(tag), at
    if AGAIN <= tag < NAME:
        return long[1 + tag - AGAIN], at
    n = (tag & 7) + 1
    z = get_bytes(data, at, n)
    at += n
    if CENTS <= tag < AGAIN:
        whole = unzigzag(z)
        return (whole * CENT, at) if -MOST_CENTS < whole < MOST_CENTS else (0, BEYOND)
    if tag >= NAME and (z < 0 or z >= hashes.shape[0] or hashes[z] == 0):
        return 0, BEYOND
    v = hashes[z] if tag >= NAME else unzigzag(z)
    if (tag >= NAME or n == 8) and long[0] < REPEATED:
        long[0] += 1
        long[long[0]] = v
    return v, at


@leaf
def get_bits(data: Any, stop: int, bit: int, n: int) -> int:
    """n bits (at most 32), from the end of the row backwards."""
    first = stop - 1 - (bit >> 3)
    v = byte(data, first)
    for k in range(1, ((bit & 7) + n + 7) >> 3):
        v |= byte(data, first - k) << (8 * k)
    return (v >> (bit & 7)) & ((1 << n) - 1)


@leaf
def get_instants(data: Any, at: int, stop: int, instants: Any) -> tuple[int, int]:
    """The distinct instants, the latest first; how many, and where the next byte is."""
    n, at = get_count(data, at)
    if n > stop - at or n > instants.shape[0]:
        return -1, at
    v = 0
    for k in range(n):
        z, at = get_count(data, at)
        if z < 0 or z > FARTHEST or at > stop:
            return -1, at
        v = v - z if k else unzigzag(z)
        if v < -FARTHEST:
            return -1, at
        instants[k] = v
    return n, at


@leaf
def get_presence(data: Any, at: int, stop: int, width: int, present: Any) -> tuple[int, int]:
    """The columns that are written; how many, and where the next byte is."""
    maps = at
    at += (width + 63) // 64
    count = 0
    for group in range((width + 7) // 8):
        if at > stop:
            return -1, at
        if (byte(data, maps + group // 8) >> (group & 7)) & 1:
            found = byte(data, at)
            at += 1
            c = 8 * group
            while found:
                if found & 1:
                    if c >= width:
                        return -1, at
                    present[count] = c
                    count += 1
                c += 1
                found >>= 1
    return count, at


@leaf
def get_columns(
    data: Any, at: int, start: int, stop: int, present: Any, kinds: Any, instants: Any, n: int, long: Any, hashes: Any,
    r: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """The columns; (where the next byte is, the next bit, the instant meant last)."""
    bit = 0
    meant = 1
    width = width_of(n)
    for c in present:
        kind = kinds[c]
        if at > stop or (bit >> 3) > stop - start:
            return BEYOND, bit, meant
        if kind == INSTANT:
            if get_bits(data, stop, bit, 1):
                meant -= 1
                bit += 1
            else:
                meant = get_bits(data, stop, bit + 1, width)
                bit += 1 + width
            if meant < 0 or meant >= n:
                return BEYOND, bit, meant
            r[c] = instants[meant]
        elif kind == WHOLE:
            r[c], at = get_number(data, at, long, hashes)
        elif kind == BITS or get_bits(data, stop, bit, 1):
            r[c] = get_bytes(data, at, 8)
            at += 8
            bit += kind == REAL
        else:
            v, at = get_number(data, at, long, hashes)
            r[c] = np.float64(v).view(np.int64)
            bit += 1
    return at, bit, meant


@leaf
def get_entry(
    data: Any, at: int, start: int, stop: int, bit: int, meant: int, n: int, instants: Any, long: Any, hashes: Any,
    into: Any, e: int,
) -> tuple[int, int, int]:  # fmt: skip
    """One entry of a bag; returns what :func:`get_columns` does."""
    width = width_of(n)
    if at <= stop:
        into[e, PRODUCT], at = get_number(data, at, long, hashes)
    for c in range(1, SAVED):
        if at > stop or (bit >> 3) > stop - start:
            return BEYOND, bit, meant
        bit += 1
        if not get_bits(data, stop, bit - 1, 1):
            into[e, c] = expected(into, e, c)
        elif c not in (ADDED, PRICE_AT, OFFER_ENDS, OFFER_AT, STOCK_AT):
            into[e, c], at = get_number(data, at, long, hashes)
        else:
            if get_bits(data, stop, bit, 1):
                meant -= 1
                bit += 1
            else:
                meant = get_bits(data, stop, bit + 1, width)
                bit += 1 + width
            if meant < 0 or meant >= n:
                return BEYOND, bit, meant
            into[e, c] = instants[meant]
    return at, bit, meant


def unpack(data: Any, starts: Any, stops: Any, shape: Any, hashes: Any, ints: Any, entries: Any, sound: Any) -> int:
    """Read packed rows, ``data[starts[k]:stops[k]]`` (uint8), into ``ints[k]``, and their bags one after the other into
    ``entries`` (m, SAVED): row by row, the bags of a row in the order of ``shape.bags``.

    ``hashes`` int64: of the texts, by their number.  Behind ``data`` are PADDING bytes of 0.  Returns the number of
    entries that there are; where ``entries`` is too small for them, what is in it is worth nothing.  ``sound`` (uint8)
    becomes 1 for packed rows and 0 for bytes that are none: ``ints[k]`` is worth nothing then, and it has no entries.
    """
    long = np.zeros(1 + REPEATED, np.int64)
    instants = np.zeros(64, np.int64)
    present = np.zeros(ints.shape[1], np.int64)
    spare = np.zeros((1, SAVED), np.int64)
    total = 0
    for k in range(starts.shape[0]):
        start, at, stop, held = starts[k], starts[k], stops[k], 0
        sound[k] = 0
        if stop <= start:
            continue
        if shape.bags.shape[0]:
            held, at = get_count(data, at)
        if held < 0 or held > stop - at:
            continue
        if instants.shape[0] < ints.shape[1] + ENTRY_INSTANTS * held:
            instants = np.zeros(2 * (ints.shape[1] + ENTRY_INSTANTS * held), np.int64)
        count, at = get_presence(data, at, stop, ints.shape[1], present)
        if count < 0 or at > stop:
            continue
        n, at = get_instants(data, at, stop, instants)
        if n < 0:
            continue
        ints[k, :] = shape.blank
        long[0] = 0
        at, bit, meant = get_columns(
            data, at, start, stop, present[:count], shape.kinds, instants, n, long, hashes, ints[k]
        )
        if at > stop or held_by(ints[k], shape.bags) != held:
            continue
        for e in range(total, total + held):
            into = entries if e < entries.shape[0] else spare
            e = min(e, into.shape[0] - 1)
            at, bit, meant = get_entry(data, at, start, stop, bit, meant, n, instants, long, hashes, into, e)
        if at <= stop and at + ((bit + 7) >> 3) == stop:
            sound[k] = 1
            total += held
    return total
