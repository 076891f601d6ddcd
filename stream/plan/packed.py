"""How a packed row is written: the kinds of columns, and single values there and back.

The format is told in :mod:`stream.plan.packing`.  The functions are given the arrays they need and no more, since
machine code counts references to every array that goes into a call.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.events.leaf import leaf
from stream.features import pool
from stream.features.base import NEVER
from stream.features.pool import ADDED, NONE, OFFER_AT, PRICE_ADDED, PRICE_AT, PRICE_LAST, STOCK, STOCK_AT, VISITS
from stream.plan.bits import BEYOND, get, get_count, get_long, get_sized, length, put, put_count, put_long, put_sized

#: What a column holds: nothing that is kept, a whole number or a text, an instant, a real number, any 64 bits, an
#: instant and beside it, in the lowest bits, a part of its date or time.
SKIPPED, WHOLE, INSTANT, REAL, BITS, DATED = range(6)
#: How many bits such a part takes.
PART = 5

#: Whole numbers below these take 4 and 7 bits.  All else begins with two bits that are set, and three that say how it
#: goes on: a text or an amount that is among the latest different ones, the number of a text, a number that is near
#: the latest one, cents in micros, hundredths, any other whole number, 64 bits.
SMALL, MIDDLE = 8, 40
AGAIN, SAME, NAME, NEAR, CENTS, HUNDREDTHS, ANY, LONG = range(8)
#: How many bits the number of a text takes at most, and the bits to say so.
NAME_BITS, NAME_SIZE = 16, 4
CENT = 10_000
#: Whole numbers of so many bits (zigzag) or fewer are no texts.
MOST_WHOLE = 56
#: So many bits have as many cents.
MOST_CENTS = 44
#: How near a number is, on either side.
REACH, REACH_BITS = 32, 6
#: What was written lately: texts, amounts, 64 bits, and a whole number; a line each, of which the first place has how
#: many there were (or the number), and the others the latest ones, in turn.
TEXTS, AMOUNTS, KEYS, NUMBER = range(4)
#: How many of each are known again.
LATELY = 32
#: How many fields of a bag's entry are instants.
ENTRY_INSTANTS = 5
#: Whole numbers below this are exact in float64.
EXACT = 1 << 53


class Shape(NamedTuple):
    """What packing must know of a layout: ``kinds`` int8 and ``blank`` int64, one a column; ``bags`` int64: the first
    column of each bag."""

    kinds: NDArray[np.int8]
    blank: NDArray[np.int64]
    bags: NDArray[np.int64]


@leaf
def zigzag(v: int) -> int:
    """64 bits that are a small number where v is near 0 on either side."""
    return (v << 1) ^ (v >> 63)


@leaf
def unzigzag(z: int) -> int:
    """The number behind :func:`zigzag`."""
    return ((z >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(z & 1)


@leaf
def kind_of(words: Any, at: int, kind: int) -> int:
    """Write what kind of value follows."""
    return put(words, at, kind << 2 | 3, 5)


@leaf
def back(lately: Any, which: int, v: int) -> int:
    """How many of its line ago v was written; 0 where it was not, or too long ago, and then it counts as written."""
    n = lately[which, 0]
    for d in range(1, min(n, LATELY) + 1):
        if lately[which, 1 + ((n - d) & (LATELY - 1))] == v:
            return d
    lately[which, 1 + (n & (LATELY - 1))] = v
    lately[which, 0] = n + 1
    return 0


@leaf
def recall(lately: Any, which: int, d: int) -> int:
    """What was written d of its line ago; 0 where there was no such thing."""
    n = lately[which, 0]
    return int(lately[which, 1 + ((n - d) & (LATELY - 1))]) if d <= min(n, LATELY) else 0


@leaf
def learn(lately: Any, which: int, v: int) -> int:
    """Have v count as written; v."""
    n = lately[which, 0]
    lately[which, 1 + (n & (LATELY - 1))] = v
    lately[which, 0] = n + 1
    return v


@leaf
def put_number(words: Any, at: int, v: int, lately: Any, names: Any) -> int:
    """A whole number or a text."""
    if 0 <= v < SMALL:
        return put(words, at, v << 1, 4)
    if SMALL <= v < MIDDLE:
        return put(words, at, (v - SMALL) << 2 | 1, 7)
    n = length(zigzag(v))
    if n > MOST_WHOLE:
        return put_text(words, at, v, lately, names)
    if -REACH <= v - lately[NUMBER, 0] < REACH:
        at = put(words, kind_of(words, at, NEAR), v - lately[NUMBER, 0] + REACH, REACH_BITS)
        lately[NUMBER, 0] = v
        return at
    d = back(lately, AMOUNTS, v)
    if d:
        return put_count(words, kind_of(words, at, SAME), d)
    if v % CENT == 0:
        return put_sized(words, kind_of(words, at, CENTS), zigzag(v // CENT))
    lately[NUMBER, 0] = v
    return put_sized(words, kind_of(words, at, ANY), zigzag(v))


@leaf
def put_text(words: Any, at: int, v: int, lately: Any, names: Any) -> int:
    """64 bits, as a rule a text's hash: as one that this row had before, by its number, or as they are."""
    d = back(lately, TEXTS, v)
    if d:
        return put_count(words, kind_of(words, at, AGAIN), d)
    number = names[pool.slot(names, v), 1] - 1
    if number < 0 or number >> NAME_BITS:
        return put_long(words, kind_of(words, at, LONG), v)
    n = max(1, length(number))
    return put(words, put(words, kind_of(words, at, NAME), n - 1, NAME_SIZE), number, n)


@leaf
def get_number(words: Any, at: int, lately: Any, hashes: Any) -> tuple[int, int]:
    """What :func:`put_number` wrote, and where the next bit is; BEYOND where it wrote no such thing."""
    first = get(words, at, 5)
    if not first & 1:
        return get(words, at + 1, 3), at + 4
    if not first & 2:
        return SMALL + get(words, at + 2, 5), at + 7
    kind = first >> 2
    at += 5
    if kind in (AGAIN, SAME):
        d, at = get_count(words, at)
        v = recall(lately, TEXTS if kind == AGAIN else AMOUNTS, d) if d else 0
        return (v, at) if v else (0, BEYOND)
    if kind == NAME:
        n = get(words, at, NAME_SIZE) + 1
        number = get(words, at + NAME_SIZE, n)
        if number >= hashes.shape[0] or hashes[number] == 0:
            return 0, BEYOND
        return learn(lately, TEXTS, hashes[number]), at + NAME_SIZE + n
    if kind == LONG:
        return learn(lately, TEXTS, get_long(words, at)), at + 64
    if kind == NEAR:
        lately[NUMBER, 0] += get(words, at, REACH_BITS) - REACH
        return lately[NUMBER, 0], at + REACH_BITS
    z, at = get_sized(words, at)
    if z < 0 or z >> (MOST_CENTS if kind == CENTS else MOST_WHOLE) or kind == HUNDREDTHS:
        return 0, BEYOND
    if kind == CENTS:
        return learn(lately, AMOUNTS, unzigzag(z) * CENT), at
    lately[NUMBER, 0] = learn(lately, AMOUNTS, unzigzag(z))
    return lately[NUMBER, 0], at


@leaf
def put_real(words: Any, at: int, x: float, bits: int, lately: Any, names: Any) -> int:
    """A real number: as a whole one, in hundredths, or all its bits."""
    if abs(x) < EXACT and (x != 0.0 or bits == 0):  # -0.0 is no whole number
        if x == np.floor(x):
            return put_number(words, at, int(x), lately, names)
        q = np.floor(x * 100.0 + 0.5)
        if q / 100.0 == x:
            return put_sized(words, kind_of(words, at, HUNDREDTHS), zigzag(int(q)))
    return put_long(words, kind_of(words, at, LONG), bits)


@leaf
def get_real(words: Any, at: int, lately: Any, hashes: Any) -> tuple[int, int]:
    """The 64 bits of what :func:`put_real` wrote, and where the next bit is; BEYOND where it wrote no such thing."""
    first = get(words, at, 5)
    if first == (LONG << 2 | 3):
        return get_long(words, at + 5), at + 69
    if first == (HUNDREDTHS << 2 | 3):
        z, at = get_sized(words, at + 5)
        return (int(np.float64(unzigzag(z) / 100.0).view(np.int64)), at) if z >= 0 else (0, BEYOND)
    v, at = get_number(words, at, lately, hashes)
    return int(np.float64(v).view(np.int64)), at


@leaf
def width_of(n: int) -> int:
    """How many bits tell n things apart."""
    width = 0
    while (1 << width) < n:
        width += 1
    return width


@leaf
def expected(entries: Any, e: int, c: int) -> int:
    """What a field of an entry is, as a rule."""
    if c == PRICE_LAST:
        return int(entries[e, PRICE_ADDED])
    if c == PRICE_AT:
        return int(entries[e, ADDED])
    if c == STOCK_AT:  # what is said of a product's offer mostly comes with what is said of its stock
        return int(entries[e, ADDED] if entries[e, OFFER_AT] == NEVER else entries[e, OFFER_AT])
    return NONE if c == PRICE_ADDED else 0 if c in (VISITS, STOCK) else NEVER
