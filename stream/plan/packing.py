"""Rows as few bits: how a customer's row is written at rest, and read again, without loss.

A row is mostly instants, and most of them are the same few: one order is the latest order, an entry of three windows
and the moment a segment was entered.  So a packed row lists its distinct instants once, as distances from the one
before, and its columns say which of them they mean.  What a column holds before anything happened is not written at
all; numbers and texts take as few bits as :mod:`stream.plan.packed` can do with.  A row is one stream of bits
(:mod:`stream.plan.bits`), filled up to a byte:

1. how many entries the row's bags have, and one (only where the layout has bags);
2. whether the first column is present (columns that are never kept are left out here), and how many columns in turn
   are like the one before them;
3. the distinct instants: how many, and one; the latest one; and the distances to the ones before it;
4. the columns that are present, in their order;
5. the entries of bags: each product, and of every other field a bit, whether it is what follows from the others; if
   not, the field.

Counts are written as :func:`stream.plan.bits.put_count` does.  Which instant is meant is told by where it lies to the
one meant last, in two bits: as the last time behind that one; the next later one; any, by its number; and a third bit
for the earliest one of all, or one of the ``JUMP`` that come after the next later one.  An instant with a part of its
date or time (a column that is ``DATED``) is followed by that part.

The functions are plain Python that numba accepts.  :func:`pack` does not depend on the definitions, so it is compiled
once for all of them; likewise what reads packed rows (:mod:`stream.plan.unpacking`).  Rows as they were packed before
are read by :mod:`stream.plan.earlier_rows`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from stream.events.leaf import leaf
from stream.features.pool import ADDED, HEAD, NEXT, NONE, OFFER_AT, OFFER_ENDS, PRICE_AT, PRODUCT, SAVED, SIZE, STOCK_AT
from stream.plan.bits import length, put, put_count, put_long, put_sized
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
    back,
    expected,
    put_number,
    put_real,
    width_of,
    zigzag,
)

#: The most bytes that a column, an entry of a bag, and the rest of a row can take.
COLUMN_BYTES, ENTRY_BYTES, ROW_BYTES = 24, 192, 64
#: How a distance between two instants begins: how many bits it takes, less one; or that it takes more.
GAP_SIZE, LONG_GAP = 5, 31
#: How an instant is told: as the last time, the next later one, by its number, otherwise; and then which way.
AS_BEFORE, NEXT_LATER, NUMBERED, OTHERWISE = range(4)
#: How many of those after the next later one can be told, and in how many bits.
JUMP, JUMP_BITS = 8, 3

#: Columns of the table of instants: the instant, where it was found first, and the row in which it counts.
KEY, PLACE, STAMP = range(3)


class Work(NamedTuple):
    """Room to work on one row; all int64 but ``octets``.

    ``present``: columns that are written; ``meant``: the instants that columns and entries of bags mean, one after the
    other, then their places among the distinct ones; ``instants``: these, as they were found, then from the latest to
    the earliest; ``order``: where they were before, ``rank``: the reverse; ``behind``: of each, which one was meant
    behind it the last time; ``table`` (power of two, 3): a hash table of them; ``lately``: see
    :mod:`stream.plan.packed`; ``words``: what is written, and ``octets`` uint8 the same bytes.
    """

    present: NDArray[np.int64]
    meant: NDArray[np.int64]
    instants: NDArray[np.int64]
    order: NDArray[np.int64]
    rank: NDArray[np.int64]
    behind: NDArray[np.int64]
    table: NDArray[np.int64]
    lately: NDArray[np.int64]
    words: NDArray[np.int64]
    octets: NDArray[np.uint8]


@register_jitable
def make_work(width: int, entries: int) -> Work:
    """Room for rows of this many columns and at most this many entries in bags."""
    most = width + ENTRY_INSTANTS * entries
    size = 64
    while size < 2 * most:
        size *= 2
    words = np.zeros((width * COLUMN_BYTES + entries * ENTRY_BYTES + ROW_BYTES) // 8, np.int64)
    return Work(
        np.zeros(width, np.int64),
        np.zeros(most, np.int64),
        np.zeros(most, np.int64),
        np.zeros(most, np.int64),
        np.zeros(most, np.int64),
        np.zeros(most, np.int64),
        np.zeros((size, 3), np.int64),
        np.zeros((NUMBER + 1, 1 + LATELY), np.int64),
        words,
        words.view(np.uint8),
    )


@leaf
def instant_of(v: int, kind: int) -> int:
    """The instant in a column of this kind."""
    return v >> PART if kind == DATED else v


@leaf
def gather(r: Any, entries: Any, shape: Any, present: Any, meant: Any, count: int) -> int:
    """List the instants of the ``count`` present columns and of the bags, in the order of writing; how many."""
    kinds = shape.kinds
    n = 0
    for k in range(count):
        kind = kinds[present[k]]
        if kind in (INSTANT, DATED):
            meant[n] = instant_of(r[present[k]], kind)
            n += 1
    for p in shape.bags:
        e = r[p + HEAD]
        while e != NONE:
            for c in (ADDED, PRICE_AT, OFFER_ENDS, OFFER_AT, STOCK_AT):
                if entries[e, c] != expected(entries, e, c):
                    meant[n] = entries[e, c]
                    n += 1
            e = entries[e, NEXT]
    return n


@leaf
def distinguish(meant: Any, count: int, table: Any, stamp: int, instants: Any) -> int:
    """Put each instant once into ``instants``, and its place there where it was in ``meant``; how many there are."""
    mask = table.shape[0] - 1
    n = 0
    for k in range(count):
        v = meant[k]
        i = (v ^ (v >> 7) ^ (v >> 19)) & mask
        while table[i, STAMP] == stamp and table[i, KEY] != v:
            i = (i + 1) & mask
        if table[i, STAMP] != stamp:
            table[i, STAMP] = stamp
            table[i, KEY] = v
            table[i, PLACE] = n
            instants[n] = v
            n += 1
        meant[k] = table[i, PLACE]
    return n


@leaf
def put_gap(words: Any, at: int, gap: int) -> int:
    """A distance between two instants, from 1 on; its first bit need not be written."""
    n = length(gap)
    if n > LONG_GAP:
        return put_sized(words, put(words, at, LONG_GAP, GAP_SIZE), gap)
    return put(words, put(words, at, n - 1, GAP_SIZE), gap - (1 << (n - 1)), n - 1)


@leaf
def put_instants(words: Any, at: int, work: Any, n: int) -> int:
    """Bring the n distinct instants into order, and write them."""
    order, instants, rank = work.order, work.instants, work.rank
    for k in range(n):
        v = instants[k]
        j = k
        while j > 0 and instants[j - 1] < v:
            instants[j] = instants[j - 1]
            order[j] = order[j - 1]
            j -= 1
        instants[j] = v
        order[j] = k
    at = put_count(words, at, n + 1)
    for k in range(n):
        rank[order[k]] = k
        work.behind[k] = k - 2
        at = put_gap(words, at, instants[k - 1] - instants[k]) if k else put_sized(words, at, zigzag(instants[0]))
    return at


@leaf
def put_meant(words: Any, at: int, k: int, last: int, behind: Any, n: int, width: int) -> int:
    """Which of n instants is meant: k, after ``last``."""
    was = behind[last]
    behind[last] = k
    if k == was:
        return put(words, at, AS_BEFORE, 2)
    if k == last - 1:
        return put(words, at, NEXT_LATER, 2)
    if k == n - 1:
        return put(words, at, OTHERWISE, 3)
    if 2 <= last - k < 2 + JUMP:
        return put(words, put(words, at, OTHERWISE | 4, 3), last - k - 2, JUMP_BITS)
    return put(words, put(words, at, NUMBERED, 2), k, width)


@leaf
def put_presence(words: Any, at: int, r: Any, shape: Any, present: Any) -> tuple[int, int]:
    """Write which columns hold anything but what they began with; (where the next bit goes, how many)."""
    kinds, blank = shape.kinds, shape.blank
    count, alike, was = 0, 0, False
    for c in range(r.shape[0]):
        if kinds[c] == SKIPPED:
            continue
        found = r[c] != blank[c]
        if alike == 0:
            at = put(words, at, 1 if found else 0, 1)
        elif found != was:
            at = put_count(words, at, alike)
            alike = 0
        was = found
        alike += 1
        if found:
            present[count] = c
            count += 1
    return put_count(words, at, alike) if alike else at, count


@leaf
def put_key(words: Any, at: int, v: int, lately: Any) -> int:
    """Any 64 bits, shorter where this row had them before."""
    d = back(lately, KEYS, v)
    if d:
        return put_count(words, put(words, at, 1, 1), d)
    return put_long(words, put(words, at, 0, 1), v)


@leaf
def put_values(
    at: int, r: Any, f: Any, kinds: Any, work: Any, names: Any, count: int, distinct: int
) -> tuple[int, int]:
    """Write what the present columns hold; where the next bit goes, and how many instants were written."""
    words, present, meant, rank, lately = work.words, work.present, work.meant, work.rank, work.lately
    width = width_of(distinct)
    n = last = 0
    for k in range(count):
        c = present[k]
        kind = kinds[c]
        if kind in (INSTANT, DATED):
            at = put_meant(words, at, rank[meant[n]], last, work.behind, distinct, width)
            last = rank[meant[n]]
            n += 1
            if kind == DATED:
                at = put(words, at, r[c] & ((1 << PART) - 1), PART)
        elif kind == WHOLE:
            at = put_number(words, at, r[c], lately, names)
        elif kind == BITS:
            at = put_key(words, at, r[c], lately)
        else:
            at = put_real(words, at, f[c], r[c], lately, names)
    return at, n


@leaf
def put_entries(at: int, r: Any, entries: Any, bags: Any, work: Any, names: Any, n: int, distinct: int) -> int:
    """Write what lies in the bags; most fields are what follows from the others, which takes one bit."""
    words, meant, rank, lately = work.words, work.meant, work.rank, work.lately
    width = width_of(distinct)
    last = rank[meant[n - 1]] if n else 0
    for p in bags:
        e = r[p + HEAD]
        while e != NONE:
            at = put_number(words, at, entries[e, PRODUCT], lately, names)
            for c in range(1, SAVED):
                told = entries[e, c] != expected(entries, e, c)
                at = put(words, at, 1 if told else 0, 1)
                if told and c in (ADDED, PRICE_AT, OFFER_ENDS, OFFER_AT, STOCK_AT):
                    at = put_meant(words, at, rank[meant[n]], last, work.behind, distinct, width)
                    last = rank[meant[n]]
                    n += 1
                elif told:
                    at = put_number(words, at, entries[e, c], lately, names)
            e = entries[e, NEXT]
    return at


@leaf
def put_row(r: Any, f: Any, entries: Any, shape: Any, work: Any, names: Any, stamp: int, held: int) -> int:
    """Write one row into ``work.words``; how many bits."""
    words, at = work.words, 0
    words[0] = 0
    for which in range(NUMBER + 1):
        work.lately[which, 0] = 0
    if shape.bags.shape[0]:
        at = put_count(words, at, held + 1)
    at, count = put_presence(words, at, r, shape, work.present)
    distinct = gather(r, entries, shape, work.present, work.meant, count)
    distinct = distinguish(work.meant, distinct, work.table, stamp, work.instants)
    at = put_instants(words, at, work, distinct)
    at, n = put_values(at, r, f, shape.kinds, work, names, count, distinct)
    if held:
        at = put_entries(at, r, entries, shape.bags, work, names, n, distinct)
    return at


@leaf
def held_by(r: Any, shape: Any) -> int:
    """How many entries the row's bags have."""
    held = 0
    for p in shape.bags:
        held += r[p + SIZE]
    return held


def pack(
    ints: Any, floats: Any, entries: Any, picks: Any, shape: Any, names: Any, out: Any, ends: Any, start: int
) -> int:
    """Write the rows of ``picks`` from ``start`` into ``out`` (uint8); ``ends[k]`` is where row k ends there.

    ``names`` int64 (power of two, 2): a hash table as :func:`stream.features.pool.slot` reads it, from a text's hash to
    its number + 1.  Returns where to go on: short of the end where the room in ``out`` has run out.
    """
    most = 0
    for k in range(start, picks.shape[0]):
        most = max(most, held_by(ints[picks[k]], shape))
    work = make_work(ints.shape[1], most)
    stop = ends[start - 1] if start else 0
    for k in range(start, picks.shape[0]):
        i = picks[k]
        size = (put_row(ints[i], floats[i], entries, shape, work, names, k + 1, held_by(ints[i], shape)) + 7) >> 3
        if stop + size > out.shape[0]:
            return k
        for b in range(size):
            out[stop + b] = work.octets[b]
        stop += size
        ends[k] = stop
    return int(picks.shape[0])
