"""How a packed row is written: the kinds of columns, and single values there and back.

The format is told in :mod:`stream.plan.packing`.  The functions are given the arrays they need and no more, since
machine code counts references to every array that goes into a call.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from stream.features import pool
from stream.features.base import NEVER
from stream.features.pool import ADDED, NONE, OFFER_AT, PRICE_ADDED, PRICE_AT, PRICE_LAST, STOCK, STOCK_AT, VISITS

#: What a column holds: nothing that is kept, a whole number or a text, an instant, a real number, any 64 bits.
SKIPPED, WHOLE, INSTANT, REAL, BITS = range(5)

BYTES, CENTS, AGAIN, NAME = 192, 200, 208, 248
CENT = 10_000
#: Numbers of cents below this are 64 bits of micros.
MOST_CENTS = (1 << 63) // CENT
#: How many fields of a bag's entry are instants.
ENTRY_INSTANTS = 5
#: How many long values of a row can be named again.
REPEATED = NAME - AGAIN
#: Where the last seven bits of a count begin, at most: it has 63.
LONGEST_COUNT = 56
#: Where no byte of any row is.
BEYOND = 1 << 60
#: Whole numbers below this are exact in float64.
EXACT = 1 << 53
#: A mark is some bits: their value, and below it in so many bits how many they are.
MARK = 6


class Shape(NamedTuple):
    """What packing must know of a layout: ``kinds`` int8 and ``blank`` int64, one a column; ``bags`` int64: the first
    column of each bag."""

    kinds: NDArray[np.int8]
    blank: NDArray[np.int64]
    bags: NDArray[np.int64]


@register_jitable
def put_count(out: Any, at: int, n: int) -> int:
    """A base-128 varint of a number that is not negative; where the next byte goes."""
    while n >= 128:
        out[at] = (n & 127) | 128
        n >>= 7
        at += 1
    out[at] = n
    return at + 1


@register_jitable
def byte(data: Any, at: int) -> int:
    """A byte as a signed number, so that machine code goes on with signed numbers."""
    return int(np.int64(data[at]))


@register_jitable
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


@register_jitable
def put_bytes(out: Any, at: int, z: int, n: int) -> int:
    """The lowest n bytes of z, the lowest first."""
    for k in range(n):
        out[at + k] = (z >> (8 * k)) & 255
    return at + n


@register_jitable
def get_bytes(data: Any, at: int, n: int) -> int:
    """n bytes, the lowest first; the eighth brings the sign."""
    z = 0
    for k in range(n):
        b = byte(data, at + k)
        z |= (b if k < 7 else (b ^ 128) - 128) << (8 * k)
    return z


@register_jitable
def length_of(z: int) -> int:
    """How many bytes the 64 bits of z take without the zeros in front."""
    if z < 0:
        return 8
    n = 1
    while z > 255:
        z >>= 8
        n += 1
    return n


@register_jitable
def zigzag(v: int) -> int:
    """64 bits that are a small number where v is near 0 on either side."""
    return (v << 1) ^ (v >> 63)


@register_jitable
def unzigzag(z: int) -> int:
    """The number behind :func:`zigzag`."""
    return ((z >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(z & 1)


@register_jitable
def put_number(out: Any, at: int, v: int, long: Any, names: Any) -> int:
    """A whole number or a text, with its tag."""
    z = zigzag(v)
    if 0 <= z < BYTES:
        out[at] = z
        return at + 1
    n = length_of(z)
    if n == 8:
        return put_long(out, at, v, long, names)
    if v % CENT == 0:
        z = zigzag(v // CENT)
        n = length_of(z)
        out[at] = CENTS + n - 1
    else:
        out[at] = BYTES + n - 1
    return put_bytes(out, at + 1, z, n)


@register_jitable
def put_long(out: Any, at: int, v: int, long: Any, names: Any) -> int:
    """Eight bytes, as a rule a text's hash: as one that this row had before, by its number, or as they are."""
    known = long[0]
    for k in range(known):
        if long[1 + k] == v:
            out[at] = AGAIN + k
            return at + 1
    if known < REPEATED:
        long[1 + known] = v
        long[0] += 1
    number = names[pool.slot(names, v), 1] - 1
    if number >= 0:
        n = length_of(number)
        out[at] = NAME + n - 1
        return put_bytes(out, at + 1, number, n)
    out[at] = BYTES + 7
    return put_bytes(out, at + 1, zigzag(v), 8)


@register_jitable
def get_number(data: Any, at: int, long: Any, hashes: Any) -> tuple[int, int]:
    """What :func:`put_number` wrote, and where the next byte is; BEYOND where it wrote no such thing."""
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


@register_jitable
def mark(marks: Any, v: int, n: int) -> None:
    """Have n bits (at most 32) written behind the row's other bits."""
    marks[0] += 1
    marks[marks[0]] = (v << MARK) | n


@register_jitable
def put_marks(out: Any, at: int, marks: Any) -> int:
    """Write the bits of all marks, the first ones last; where the next row begins."""
    bits = 0
    for k in range(1, marks[0] + 1):
        bits += marks[k] & ((1 << MARK) - 1)
    stop = at + ((bits + 7) >> 3)
    to = stop - 1
    pending = 0
    waiting = 0
    for k in range(1, marks[0] + 1):
        pending |= (marks[k] >> MARK) << waiting
        waiting += marks[k] & ((1 << MARK) - 1)
        while waiting >= 8:
            out[to] = pending & 255
            to -= 1
            pending >>= 8
            waiting -= 8
    if waiting:
        out[to] = pending & 255
    return stop


@register_jitable
def get_bits(data: Any, stop: int, bit: int, n: int) -> int:
    """n bits (at most 32), from the end of the row backwards."""
    first = stop - 1 - (bit >> 3)
    v = byte(data, first)
    for k in range(1, ((bit & 7) + n + 7) >> 3):
        v |= byte(data, first - k) << (8 * k)
    return (v >> (bit & 7)) & ((1 << n) - 1)


@register_jitable
def width_of(n: int) -> int:
    """How many bits tell n things apart."""
    width = 0
    while (1 << width) < n:
        width += 1
    return width


@register_jitable
def expected(entries: Any, e: int, c: int) -> int:
    """What a field of an entry is, as a rule."""
    if c == PRICE_LAST:
        return int(entries[e, PRICE_ADDED])
    if c == PRICE_AT:
        return int(entries[e, ADDED])
    if c == STOCK_AT:  # what is said of a product's offer mostly comes with what is said of its stock
        return int(entries[e, ADDED] if entries[e, OFFER_AT] == NEVER else entries[e, OFFER_AT])
    return NONE if c == PRICE_ADDED else 0 if c in (VISITS, STOCK) else NEVER
