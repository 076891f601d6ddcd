"""Packed rows read back, and put where they belong; the format is told in :mod:`stream.plan.packing`.

In all functions ``at`` is where the next byte is read, and ``bit`` which bit is next.  Bytes that are no packed row are
told apart, and nothing beyond the row and what pads it is touched: a place after ``stop`` says so, counts are negative.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from stream.features import pool
from stream.features.pool import ADDED, HEAD, NONE, OFFER_AT, OFFER_ENDS, PRICE_AT, PRODUCT, SAVED, SIZE, STOCK_AT
from stream.plan.packed import (
    BEYOND,
    BITS,
    ENTRY_INSTANTS,
    INSTANT,
    REAL,
    REPEATED,
    SKIPPED,
    WHOLE,
    byte,
    expected,
    get_bits,
    get_bytes,
    get_count,
    get_number,
    unzigzag,
    width_of,
)

#: Bytes of 0 behind the last row: what is read of one value before it is found to be none.
PADDING = 32
#: No instant, and no distance between two, is farther than this.
FARTHEST = 1 << 61
#: No bag holds more.
MOST_HELD = 1 << 32


@register_jitable(_nrt=False)
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


@register_jitable(_nrt=False)
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


@register_jitable(_nrt=False)
def get_columns(
    data: Any, at: int, start: int, stop: int, present: Any, kinds: Any, instants: Any, n: int, long: Any, hashes: Any,
    r: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """What :func:`put_values` wrote; (where the next byte is, the next bit, the instant meant last)."""
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


@register_jitable(_nrt=False)
def get_entry(
    data: Any, at: int, start: int, stop: int, bit: int, meant: int, n: int, instants: Any, long: Any, hashes: Any,
    into: Any, e: int,
) -> tuple[int, int, int]:  # fmt: skip
    """One of what :func:`put_entries` wrote; returns what :func:`get_columns` does."""
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


@register_jitable(_nrt=False)
def held_by(r: Any, bags: Any) -> int:
    """How many entries the row's bags say that they have; negative where one says nonsense."""
    held = 0
    for p in bags:
        if r[p + SIZE] < 0 or r[p + SIZE] > MOST_HELD:
            return -1
        held += r[p + SIZE]
    return held


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


def place(ints: Any, bags: Any, picks: Any, shape: Any, read: Any, entries: Any) -> None:
    """Put rows that were read, and their bags, in place of what ``picks`` held; the pool has room for the entries."""
    n = 0
    for k in range(picks.shape[0]):
        r = ints[picks[k]]
        for p in shape.bags:
            while r[p + HEAD] != NONE:
                pool.unlink(bags, r, p, r[p + HEAD])
        for c in range(r.shape[0]):
            if shape.kinds[c] != SKIPPED:
                r[c] = read[k, c]
        for p in shape.bags:
            size = read[k, p + SIZE]
            r[p + SIZE] = 0
            for j in range(n + size - 1, n - 1, -1):  # what is put in last comes first
                e = pool.take(bags)
                for c in range(SAVED):
                    bags.entries[e, c] = entries[j, c]
                pool.link(bags, r, p, picks[k], e)
            n += size
