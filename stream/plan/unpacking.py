"""Packed rows read back, and put where they belong; the format is told in :mod:`stream.plan.packing`.

In all functions ``at`` is the bit that is read next.  Bytes that are no packed row are told apart, and nothing beyond
the row and what pads it is touched: a place after ``stop`` says so, counts are 0 or negative.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stream.events.leaf import leaf
from stream.features import pool
from stream.features.pool import ADDED, HEAD, NONE, OFFER_AT, OFFER_ENDS, PRICE_AT, PRODUCT, SAVED, SIZE, STOCK_AT
from stream.plan.bits import BEYOND, get, get_count, get_long, get_sized
from stream.plan.packed import (
    BITS,
    DATED,
    ENTRY_INSTANTS,
    INSTANT,
    KEYS,
    LATELY,
    NUMBER,
    PART,
    SKIPPED,
    WHOLE,
    expected,
    get_number,
    get_real,
    learn,
    recall,
    unzigzag,
    width_of,
)
from stream.plan.packing import AS_BEFORE, GAP_SIZE, JUMP_BITS, LONG_GAP, NEXT_LATER, NUMBERED

#: Words behind a row that are 0: what is read of one value before it is found to be none.
PADDING = 8
#: No instant, and no distance between two, is farther than this.
FARTHEST = 1 << 61
#: No bag holds more.
MOST_HELD = 1 << 32


@leaf
def get_presence(words: Any, at: int, stop: int, kinds: Any, present: Any) -> tuple[int, int]:
    """The columns that are written; how many, and where the next bit is."""
    count, alike, found = 0, -1, 0
    for c in range(kinds.shape[0]):
        if kinds[c] == SKIPPED:
            continue
        if alike <= 0:
            found = 1 - found
            if alike < 0:
                found = get(words, at, 1)
                at += 1
            alike, at = get_count(words, at)
            if alike == 0 or at > stop:
                return -1, at
        alike -= 1
        if found:
            present[count] = c
            count += 1
    return (count, at) if alike <= 0 else (-1, at)


@leaf
def get_instants(words: Any, at: int, stop: int, instants: Any, behind: Any) -> tuple[int, int]:
    """The distinct instants, the latest first; how many, and where the next bit is."""
    n, at = get_count(words, at)
    n -= 1
    if n < 0 or n > instants.shape[0]:
        return -1, at
    v = 0
    for k in range(n):
        if k == 0:
            z, at = get_sized(words, at)
            v = unzigzag(z)
        else:
            size = get(words, at, GAP_SIZE)
            z, at = (0, at + GAP_SIZE) if size < LONG_GAP else get_sized(words, at + GAP_SIZE)
            if size < LONG_GAP:
                z = 1 << size | get(words, at, size)
                at += size
            v -= z
        if z < 0 or z > FARTHEST << 1 or v < -FARTHEST or at > stop:
            return -1, at
        instants[k] = v
        behind[k] = k - 2
    return n, at


@leaf
def get_meant(words: Any, at: int, last: int, behind: Any, n: int, width: int) -> tuple[int, int]:
    """Which of n instants is meant after ``last``, and where the next bit is; BEYOND where it is none of them."""
    how = get(words, at, 2)
    at += 2
    if how == AS_BEFORE:
        k = behind[last]
    elif how == NEXT_LATER:
        k = last - 1
    elif how == NUMBERED:
        k = get(words, at, width)
        at += width
    elif not get(words, at, 1):
        k = n - 1
        at += 1
    else:
        k = last - 2 - get(words, at + 1, JUMP_BITS)
        at += 1 + JUMP_BITS
    if k < 0 or k >= n:
        return 0, BEYOND
    behind[last] = k
    return k, at


@leaf
def get_columns(
    words: Any, at: int, stop: int, present: Any, kinds: Any, instants: Any, behind: Any, n: int, lately: Any,
    hashes: Any, r: Any,
) -> tuple[int, int]:  # fmt: skip
    """What :func:`stream.plan.packing.put_values` wrote; where the next bit is, and the instant meant last."""
    last = 0
    width = width_of(n)
    for c in present:
        kind = kinds[c]
        if at > stop:
            break
        if kind in (INSTANT, DATED):
            last, at = get_meant(words, at, last, behind, n, width)
            r[c] = instants[last]
            if kind == DATED and at <= stop:
                r[c] = instants[last] << PART | get(words, at, PART)
                at += PART
        elif kind == WHOLE:
            r[c], at = get_number(words, at, lately, hashes)
        elif kind != BITS:
            r[c], at = get_real(words, at, lately, hashes)
        elif get(words, at, 1):
            d, at = get_count(words, at + 1)
            r[c] = recall(lately, KEYS, d)
            if r[c] == 0:
                return BEYOND, last
        else:
            r[c] = learn(lately, KEYS, get_long(words, at + 1))
            at += 65
    return at, last


@leaf
def get_entry(
    words: Any, at: int, stop: int, last: int, instants: Any, behind: Any, n: int, lately: Any, hashes: Any, into: Any,
    e: int,
) -> tuple[int, int]:  # fmt: skip
    """One of what :func:`stream.plan.packing.put_entries` wrote; returns what :func:`get_columns` does."""
    width = width_of(n)
    if at <= stop:
        into[e, PRODUCT], at = get_number(words, at, lately, hashes)
    for c in range(1, SAVED):
        if at > stop:
            return BEYOND, last
        at += 1
        if not get(words, at - 1, 1):
            into[e, c] = expected(into, e, c)
        elif c in (ADDED, PRICE_AT, OFFER_ENDS, OFFER_AT, STOCK_AT):
            last, at = get_meant(words, at, last, behind, n, width)
            into[e, c] = instants[last]
        else:
            into[e, c], at = get_number(words, at, lately, hashes)
    return at, last


@leaf
def held_by(r: Any, bags: Any) -> int:
    """How many entries the row's bags say that they have; negative where one says nonsense."""
    held = 0
    for p in bags:
        if r[p + SIZE] < 0 or r[p + SIZE] > MOST_HELD:
            return -1
        held += r[p + SIZE]
    return held


@leaf
def longest(starts: Any, stops: Any) -> int:
    """The most bytes that one of the rows has."""
    most = 0
    for k in range(starts.shape[0]):
        most = max(most, stops[k] - starts[k])
    return most


def unpack(data: Any, starts: Any, stops: Any, shape: Any, hashes: Any, ints: Any, entries: Any, sound: Any) -> int:
    """Read packed rows, ``data[starts[k]:stops[k]]`` (uint8), into ``ints[k]``, and their bags one after the other into
    ``entries`` (m, SAVED): row by row, the bags of a row in the order of ``shape.bags``.

    ``hashes`` int64: of the texts, by their number.  Returns the number of entries that there are; where ``entries``
    is too small for them, what is in it is worth nothing.  ``sound`` (uint8) becomes 1 for packed rows and 0 for bytes
    that are none: ``ints[k]`` is worth nothing then, and it has no entries.
    """
    lately = np.zeros((NUMBER + 1, 1 + LATELY), np.int64)
    instants, behind = np.zeros(64, np.int64), np.zeros(64, np.int64)
    present = np.zeros(ints.shape[1], np.int64)
    spare = np.zeros((1, SAVED), np.int64)
    words = np.zeros((longest(starts, stops) >> 3) + 1 + PADDING, np.int64)
    octets = words.view(np.uint8)
    total = 0
    for k in range(starts.shape[0]):
        size, at, held = stops[k] - starts[k], 0, 0
        sound[k] = 0
        if size <= 0:
            continue
        for b in range(size):
            octets[b] = data[starts[k] + b]
        stop = 8 * size
        if shape.bags.shape[0]:
            held, at = get_count(words, at)
            held -= 1
        if held < 0 or held > size:  # an entry takes more than a byte
            continue
        if instants.shape[0] < ints.shape[1] + ENTRY_INSTANTS * held:
            instants = np.zeros(2 * (ints.shape[1] + ENTRY_INSTANTS * held), np.int64)
            behind = np.zeros_like(instants)
        count, at = get_presence(words, at, stop, shape.kinds, present)
        if count < 0 or at > stop:
            continue
        n, at = get_instants(words, at, stop, instants, behind)
        if n < 0 or at > stop:
            continue
        ints[k, :] = shape.blank
        for which in range(NUMBER + 1):
            lately[which, 0] = 0
        at, last = get_columns(
            words, at, stop, present[:count], shape.kinds, instants, behind, n, lately, hashes, ints[k]
        )
        if at > stop or held_by(ints[k], shape.bags) != held:
            continue
        for e in range(total, total + held):
            into = entries if e < entries.shape[0] else spare
            e = min(e, into.shape[0] - 1)
            at, last = get_entry(words, at, stop, last, instants, behind, n, lately, hashes, into, e)
        if at <= stop < at + 8:
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
