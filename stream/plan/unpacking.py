"""Packed rows read back, and put where they belong; the format is told in :mod:`stream.plan.packing`.

In all functions ``at`` is where the next byte is read, and ``bit`` which bit is next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from stream.features import pool
from stream.features.pool import ADDED, HEAD, NONE, OFFER_AT, OFFER_ENDS, PRICE_AT, PRODUCT, SAVED, SIZE, STOCK_AT
from stream.plan.packed import (
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


@register_jitable
def get_instants(data: Any, at: int, instants: Any) -> tuple[int, int]:
    """The distinct instants, the latest first; how many, and where the next byte is."""
    n, at = get_count(data, at)
    v = 0
    for k in range(n):
        z, at = get_count(data, at)
        v = v - z if k else unzigzag(z)
        instants[k] = v
    return n, at


@register_jitable
def get_presence(data: Any, at: int, width: int, present: Any) -> tuple[int, int]:
    """The columns that are written; how many, and where the next byte is."""
    maps = at
    at += (width + 63) // 64
    count = 0
    for group in range((width + 7) // 8):
        if (byte(data, maps + group // 8) >> (group & 7)) & 1:
            found = byte(data, at)
            at += 1
            c = 8 * group
            while found:
                if found & 1:
                    present[count] = c
                    count += 1
                c += 1
                found >>= 1
    return count, at


@register_jitable
def get_columns(
    data: Any, at: int, stop: int, present: Any, kinds: Any, instants: Any, width: int, long: Any, hashes: Any, r: Any
) -> tuple[int, int, int]:
    """What :func:`put_values` wrote; (where the next byte is, the next bit, the instant meant last)."""
    bit = 0
    meant = 1
    for c in present:
        kind = kinds[c]
        if kind == INSTANT:
            if get_bits(data, stop, bit, 1):
                meant -= 1
                bit += 1
            else:
                meant = get_bits(data, stop, bit + 1, width)
                bit += 1 + width
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


@register_jitable
def get_entry(
    data: Any, at: int, stop: int, bit: int, meant: int, width: int, instants: Any, long: Any, hashes: Any, into: Any,
    e: int,
) -> tuple[int, int, int]:  # fmt: skip
    """One of what :func:`put_entries` wrote; returns what :func:`get_columns` does."""
    into[e, PRODUCT], at = get_number(data, at, long, hashes)
    for c in range(1, SAVED):
        bit += 1
        if not get_bits(data, stop, bit - 1, 1):
            into[e, c] = expected(into, e, c)
        elif c not in (ADDED, PRICE_AT, OFFER_ENDS, OFFER_AT, STOCK_AT):
            into[e, c], at = get_number(data, at, long, hashes)
        elif get_bits(data, stop, bit, 1):
            meant -= 1
            bit += 1
            into[e, c] = instants[meant]
        else:
            meant = get_bits(data, stop, bit + 1, width)
            bit += 1 + width
            into[e, c] = instants[meant]
    return at, bit, meant


def unpack(data: Any, starts: Any, stops: Any, shape: Any, hashes: Any, ints: Any, entries: Any) -> int:
    """Read packed rows, ``data[starts[k]:stops[k]]`` (uint8), into ``ints[k]``, and their bags one after the other into
    ``entries`` (m, SAVED): row by row, the bags of a row in the order of ``shape.bags``.

    ``hashes`` int64: of the texts, by their number.  Returns the number of entries that there are; where ``entries`` is
    too small for them, what is in it is worth nothing.
    """
    long = np.zeros(1 + REPEATED, np.int64)
    instants = np.zeros(64, np.int64)
    present = np.zeros(ints.shape[1], np.int64)
    spare = np.zeros((1, SAVED), np.int64)
    total = 0
    held = 0
    for k in range(starts.shape[0]):
        at, stop = starts[k], stops[k]
        if shape.bags.shape[0]:
            held, at = get_count(data, at)
        if instants.shape[0] < ints.shape[1] + ENTRY_INSTANTS * held:
            instants = np.zeros(2 * (ints.shape[1] + ENTRY_INSTANTS * held), np.int64)
        count, at = get_presence(data, at, ints.shape[1], present)
        n, at = get_instants(data, at, instants)
        width = width_of(n)
        ints[k, :] = shape.blank
        long[0] = 0
        at, bit, meant = get_columns(
            data, at, stop, present[:count], shape.kinds, instants, width, long, hashes, ints[k]
        )
        for e in range(total, total + held):
            into = entries if e < entries.shape[0] else spare
            e = min(e, into.shape[0] - 1)
            at, bit, meant = get_entry(data, at, stop, bit, meant, width, instants, long, hashes, into, e)
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
