"""Numbers as bits, one behind the other: written into 64-bit words, the lowest bit first, and read again.

``at`` is the bit that comes next; writers return where the one after that is.  A word is set whole by the first bits
that go into it, so words need not be cleared, but for the first one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stream.events.leaf import leaf

#: The most bits that are written or read at once.
MOST = 62
#: Where no bit is.
BEYOND = 1 << 60


@leaf
def put(words: Any, at: int, v: int, n: int) -> int:
    """The n lowest bits of v, which has no others."""
    k = at >> 6
    s = at & 63
    words[k] |= np.int64(v) << np.int64(s)
    if s + n > 63:
        words[k + 1] = v >> (64 - s)
    return at + n


@leaf
def get(words: Any, at: int, n: int) -> int:
    """The next n bits."""
    k = at >> 6
    s = at & 63
    v = words[k] >> s
    if s + n > 64:
        v = (v & ((1 << (64 - s)) - 1)) | words[k + 1] << (64 - s)
    return int(v & ((1 << n) - 1))


@leaf
def length(v: int) -> int:
    """How many bits v takes; 64 where it is negative."""
    if v < 0:
        return 64
    n = 0
    for step in (32, 16, 8, 4, 2, 1):
        if v >> step:
            v >>= step
            n += step
    return n + 1 if v else 0


@leaf
def put_count(words: Any, at: int, v: int) -> int:
    """A number from 1 on, the shorter the less it is (Elias' gamma code): zeros for the bits behind its first one."""
    n = length(v)
    at = put(words, at, 1 << (n - 1), n)
    return put(words, at, v & ((1 << (n - 1)) - 1), n - 1)


@leaf
def get_count(words: Any, at: int) -> tuple[int, int]:
    """What :func:`put_count` wrote, and where the next bit is; 0 and BEYOND where so many zeros begin no number."""
    zeros = get(words, at, MOST)
    if zeros == 0:
        return 0, BEYOND
    n = 0
    while not zeros & 1:
        zeros >>= 1
        n += 1
    at += n + 1
    return get(words, at, n) | 1 << n, at + n


@leaf
def put_sized(words: Any, at: int, v: int) -> int:
    """A number that is not negative, of at most MOST bits: how many, then these."""
    n = length(v)
    return put(words, put(words, at, n, 6), v, n)


@leaf
def get_sized(words: Any, at: int) -> tuple[int, int]:
    """What :func:`put_sized` wrote, and where the next bit is; -1 where it wrote no such thing."""
    n = get(words, at, 6)
    return (get(words, at + 6, n), at + 6 + n) if n <= MOST else (-1, at)


@leaf
def put_long(words: Any, at: int, v: int) -> int:
    """Any 64 bits."""
    at = put(words, at, v & 0xFFFFFFFF, 32)
    return put(words, at, (v >> 32) & 0xFFFFFFFF, 32)


@leaf
def get_long(words: Any, at: int) -> int:
    """64 bits, as a signed number."""
    return int(np.int64(get(words, at, 32)) | np.int64(get(words, at + 32, 32)) << np.int64(32))
