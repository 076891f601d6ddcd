"""Rows as few bytes: how a customer's row is written at rest, and read again, without loss.

A row is mostly instants, and most of them are the same few: one order is the latest order, an entry of three windows
and the moment a segment was entered.  So a packed row lists its distinct instants once, as distances from the one
before, and its columns say which of them they mean, usually with one bit: "the next one".  What a column holds before
anything happened is not written at all; whole numbers (money is one) take as many bytes as they need; a text that the
shard knows by name takes two or three bytes.  In order:

1. how many entries the row's bags have (only where the layout has bags);
2. the presence of columns: a bit for each byte of the map that is not 0, then those bytes;
3. the distinct instants: how many, the latest one, and the distances to the ones before it;
4. the values of all other columns, and of the bags' entries;
5. bits, to be read from the end of the row backwards: which instant a column means, whether a real number is a whole
   one, which fields of a bag's entry are not what follows from the others.

Counts and distances are base-128 varints.  Values begin with a tag byte: below ``BYTES`` it is the value (zigzag);
``BYTES`` + n - 1: n bytes follow; ``CENTS`` + n - 1: the same, times 10,000 (micros that are whole cents);
``AGAIN`` + k: the k-th long value of this row; ``NAME`` + n - 1: n bytes of a text's number.

The functions are plain Python that numba accepts.  :func:`pack` does not depend on the definitions, so it is compiled
once for all of them; likewise what reads packed rows (:mod:`stream.plan.unpacking`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from stream.features.pool import ADDED, HEAD, NEXT, NONE, OFFER_AT, OFFER_ENDS, PRICE_AT, PRODUCT, SAVED, SIZE, STOCK_AT
from stream.plan.packed import (
    BITS,
    ENTRY_INSTANTS,
    EXACT,
    INSTANT,
    REPEATED,
    SKIPPED,
    WHOLE,
    expected,
    mark,
    put_bytes,
    put_count,
    put_marks,
    put_number,
    width_of,
    zigzag,
)

#: The most bytes that a column, an entry of a bag, and the rest of a row can take.
COLUMN_BYTES, ENTRY_BYTES, ROW_BYTES = 24, 192, 64

#: Columns of the table of instants: the instant, where it was found first, and the row in which it counts.
KEY, PLACE, STAMP = range(3)


class Work(NamedTuple):
    """Room to work on one row; all int64.

    ``present``: columns that are written; ``meant``: the instants that columns and entries of bags mean, one after the
    other, then their places among the distinct ones; ``instants``: these, as they were found, then from the latest to
    the earliest; ``order``: where they were before, ``rank``: the reverse; ``table`` (power of two, 3): a hash table of
    them; ``marks``: bits to be written, and ``long``: long values so far, both behind their number.
    """

    present: NDArray[np.int64]
    meant: NDArray[np.int64]
    instants: NDArray[np.int64]
    order: NDArray[np.int64]
    rank: NDArray[np.int64]
    table: NDArray[np.int64]
    marks: NDArray[np.int64]
    long: NDArray[np.int64]


@register_jitable
def make_work(width: int, entries: int) -> Work:
    """Room for rows of this many columns and at most this many entries in bags."""
    most = width + ENTRY_INSTANTS * entries
    size = 64
    while size < 2 * most:
        size *= 2
    return Work(
        np.zeros(width, np.int64),
        np.zeros(most, np.int64),
        np.zeros(most, np.int64),
        np.zeros(most, np.int64),
        np.zeros(most, np.int64),
        np.zeros((size, 3), np.int64),
        np.zeros(1 + width + (SAVED + ENTRY_INSTANTS) * entries, np.int64),
        np.zeros(1 + REPEATED, np.int64),
    )


@register_jitable
def gather(r: Any, entries: Any, shape: Any, present: Any, meant: Any, count: int) -> int:
    """List the instants of the ``count`` present columns and of the bags, in the order of writing; how many."""
    kinds = shape.kinds
    n = 0
    for k in range(count):
        if kinds[present[k]] == INSTANT:
            meant[n] = r[present[k]]
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


@register_jitable
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


@register_jitable
def put_instants(out: Any, at: int, work: Any, n: int) -> int:
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
    at = put_count(out, at, n)
    for k in range(n):
        rank[order[k]] = k
        at = put_count(out, at, instants[k - 1] - instants[k] if k else zigzag(instants[0]))
    return at


@register_jitable
def mark_instant(marks: Any, k: int, before: int, width: int) -> None:
    """Instant k, in one bit where it is the next later one than the one meant before."""
    if k == before - 1:
        mark(marks, 1, 1)
    else:
        mark(marks, k << 1, width + 1)


@register_jitable
def put_presence(out: Any, at: int, r: Any, shape: Any, present: Any) -> tuple[int, int]:
    """Write which columns hold anything but what they began with; (where the next byte goes, how many)."""
    width, kinds, blank = r.shape[0], shape.kinds, shape.blank
    maps = at
    at += (width + 63) // 64
    for k in range(maps, at):
        out[k] = 0
    count = 0
    for group in range(0, width, 8):
        found = 0
        for c in range(group, min(group + 8, width)):
            if r[c] != blank[c] and kinds[c] != SKIPPED:
                found |= 1 << (c - group)
                present[count] = c
                count += 1
        if found:
            out[maps + group // 64] |= 1 << (group // 8 % 8)
            out[at] = found
            at += 1
    return at, count


@register_jitable
def put_values(
    out: Any, at: int, r: Any, f: Any, kinds: Any, work: Any, names: Any, count: int, width: int
) -> tuple[int, int]:
    """Write what the present columns hold: instants as bits, all else as bytes.

    Returns where the next byte goes, and how many instants were written.
    """
    present, meant, rank, marks, long = work.present, work.meant, work.rank, work.marks, work.long
    n = 0
    before = 1
    for k in range(count):
        c = present[k]
        kind = kinds[c]
        if kind == INSTANT:
            mark_instant(marks, rank[meant[n]], before, width)
            before = rank[meant[n]]
            n += 1
        elif kind == WHOLE:
            at = put_number(out, at, r[c], long, names)
        elif kind == BITS:
            at = put_bytes(out, at, r[c], 8)
        else:
            x = f[c]
            whole = abs(x) < EXACT and x == np.floor(x) and not (x == 0.0 and r[c] != 0)  # -0.0 is none
            mark(marks, 0 if whole else 1, 1)
            at = put_number(out, at, int(x), long, names) if whole else put_bytes(out, at, r[c], 8)
    return at, n


@register_jitable
def put_entries(out: Any, at: int, r: Any, entries: Any, bags: Any, work: Any, names: Any, n: int, width: int) -> int:
    """Write what lies in the bags; most fields are what follows from the others, which takes one bit."""
    meant, rank, marks, long = work.meant, work.rank, work.marks, work.long
    before = rank[meant[n - 1]] if n else 1
    for p in bags:
        e = r[p + HEAD]
        while e != NONE:
            at = put_number(out, at, entries[e, PRODUCT], long, names)
            for c in range(1, SAVED):
                told = entries[e, c] != expected(entries, e, c)
                mark(marks, 1 if told else 0, 1)
                if told and c in (ADDED, PRICE_AT, OFFER_ENDS, OFFER_AT, STOCK_AT):
                    mark_instant(marks, rank[meant[n]], before, width)
                    before = rank[meant[n]]
                    n += 1
                elif told:
                    at = put_number(out, at, entries[e, c], long, names)
            e = entries[e, NEXT]
    return at


@register_jitable(_nrt=False)  # nobody counts who refers to the arrays, which would cost a third of the time
def put_row(
    out: Any, at: int, r: Any, f: Any, entries: Any, shape: Any, work: Any, names: Any, stamp: int, held: int
) -> int:
    """Write one row; where the next byte goes."""
    if shape.bags.shape[0]:
        at = put_count(out, at, held)
    at, count = put_presence(out, at, r, shape, work.present)
    n = gather(r, entries, shape, work.present, work.meant, count)
    n = distinguish(work.meant, n, work.table, stamp, work.instants)
    at = put_instants(out, at, work, n)
    work.marks[0] = work.long[0] = 0
    width = width_of(n)
    at, n = put_values(out, at, r, f, shape.kinds, work, names, count, width)
    if held:
        at = put_entries(out, at, r, entries, shape.bags, work, names, n, width)
    return put_marks(out, at, work.marks)


@register_jitable
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
    at = ends[start - 1] if start else 0
    for k in range(start, picks.shape[0]):
        i = picks[k]
        held = held_by(ints[i], shape)
        if at + ints.shape[1] * COLUMN_BYTES + held * ENTRY_BYTES + ROW_BYTES > out.shape[0]:
            return k
        at = put_row(out, at, ints[i], floats[i], entries, shape, work, names, k + 1, held)
        ends[k] = at
    return int(picks.shape[0])
