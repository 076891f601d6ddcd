"""BLAKE2b (RFC 7693), as functions that compiled code can call.

They give what :func:`hashlib.blake2b` gives, in a tenth of a microsecond and without making objects: the sixteen words
of the state are variables rather than an array, so that they stay in registers.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
from numba.extending import overload, register_jitable

_IV = np.array(
    [
        0x6A09E667F3BCC908,
        0xBB67AE8584CAA73B,
        0x3C6EF372FE94F82B,
        0xA54FF53A5F1D36F1,
        0x510E527FADE682D1,
        0x9B05688C2B3E6C1F,
        0x1F83D9ABFB41BD6B,
        0x5BE0CD19137E2179,
    ],
    dtype=np.uint64,
)
_BLOCK = 128
#: The first word of the parameters, less the length of the digest: no key, fanout and depth 1.
_PARAMETERS = 0x01010000
_ALL, _NONE = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0)
#: uint64 words of working memory that is needed: 16 of message, and from RESULT on 8 of result.
SCRATCH, RESULT = 24, 16


@register_jitable
def _turned(x: Any, n: int) -> Any:
    return (x >> np.uint64(n)) | (x << np.uint64(64 - n))


@register_jitable
def _mix(a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Any:
    a = a + b + x
    d = _turned(d ^ a, 32)
    c = c + d
    b = _turned(b ^ c, 24)
    a = a + b + y
    d = _turned(d ^ a, 16)
    c = c + d
    b = _turned(b ^ c, 63)
    return a, b, c, d


@register_jitable
def _round(
    v: Any,
    x0: Any, x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any,
    y0: Any, y1: Any, y2: Any, y3: Any, y4: Any, y5: Any, y6: Any, y7: Any,
) -> Any:  # fmt: skip
    """One round, given the words of the message in the order in which it mixes them in: columns, then diagonals."""
    a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3 = v
    a0, b0, c0, d0 = _mix(a0, b0, c0, d0, x0, x1)
    a1, b1, c1, d1 = _mix(a1, b1, c1, d1, x2, x3)
    a2, b2, c2, d2 = _mix(a2, b2, c2, d2, x4, x5)
    a3, b3, c3, d3 = _mix(a3, b3, c3, d3, x6, x7)
    a0, b1, c2, d3 = _mix(a0, b1, c2, d3, y0, y1)
    a1, b2, c3, d0 = _mix(a1, b2, c3, d0, y2, y3)
    a2, b3, c0, d1 = _mix(a2, b3, c0, d1, y4, y5)
    a3, b0, c1, d2 = _mix(a3, b0, c1, d2, y6, y7)
    return a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3


@register_jitable
def _compress(h: Any, m: Any, done: Any, last: Any) -> None:
    """Mix the block ``m``, whose end is byte ``done``, into ``h``; ``last`` has all bits set where no more follows."""
    iv = _IV
    v = (
        h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7],
        iv[0], iv[1], iv[2], iv[3], iv[4] ^ done, iv[5], iv[6] ^ last, iv[7],
    )  # fmt: skip
    m0, m1, m2, m3, m4, m5, m6, m7 = m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7]
    m8, m9, ma, mb, mc, md, me, mf = m[8], m[9], m[10], m[11], m[12], m[13], m[14], m[15]
    v = _round(v, m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, ma, mb, mc, md, me, mf)
    v = _round(v, me, ma, m4, m8, m9, mf, md, m6, m1, mc, m0, m2, mb, m7, m5, m3)
    v = _round(v, mb, m8, mc, m0, m5, m2, mf, md, ma, me, m3, m6, m7, m1, m9, m4)
    v = _round(v, m7, m9, m3, m1, md, mc, mb, me, m2, m6, m5, ma, m4, m0, mf, m8)
    v = _round(v, m9, m0, m5, m7, m2, m4, ma, mf, me, m1, mb, mc, m6, m8, m3, md)
    v = _round(v, m2, mc, m6, ma, m0, mb, m8, m3, m4, md, m7, m5, mf, me, m1, m9)
    v = _round(v, mc, m5, m1, mf, me, md, m4, ma, m0, m7, m6, m3, m9, m2, m8, mb)
    v = _round(v, md, mb, m7, me, mc, m1, m3, m9, m5, m0, mf, m4, m8, m6, m2, ma)
    v = _round(v, m6, mf, me, m9, mb, m3, m0, m8, mc, m2, md, m7, m1, m4, ma, m5)
    v = _round(v, ma, m2, m8, m4, m7, m6, m1, m5, mf, mb, m9, me, m3, mc, md, m0)
    v = _round(v, m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, ma, mb, mc, md, me, mf)
    v = _round(v, me, ma, m4, m8, m9, mf, md, m6, m1, mc, m0, m2, mb, m7, m5, m3)
    a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3 = v
    h[0], h[1], h[2], h[3] = h[0] ^ a0 ^ c0, h[1] ^ a1 ^ c1, h[2] ^ a2 ^ c2, h[3] ^ a3 ^ c3
    h[4], h[5], h[6], h[7] = h[4] ^ b0 ^ d0, h[5] ^ b1 ^ d1, h[6] ^ b2 ^ d2, h[7] ^ b3 ^ d3


def hashed(buffer: Any, start: int, stop: int, size: int, scratch: Any) -> None:
    """The digest, of ``size`` bytes, of ``buffer[start:stop]`` (uint8), to ``scratch`` from RESULT on."""
    found = blake2b(buffer[start:stop].tobytes(), digest_size=size).digest()
    scratch[RESULT : RESULT + size // 8] = np.frombuffer(found, np.uint64)


@overload(hashed)
def _hashed(buffer: Any, start: Any, stop: Any, size: Any, scratch: Any) -> Any:
    """The same in machine code."""

    def compress(buffer: Any, start: Any, stop: Any, size: Any, scratch: Any) -> None:
        m, h = scratch[:RESULT], scratch[RESULT:]
        for i in range(8):
            h[i] = _IV[i]
        h[0] ^= np.uint64(_PARAMETERS + size)
        at = start
        while True:
            take = min(_BLOCK, stop - at)
            for i in range(16):
                m[i] = _NONE
            for i in range(take):
                m[i >> 3] |= np.uint64(buffer[at + i]) << np.uint64(8 * (i & 7))
            at += take
            _compress(h, m, np.uint64(at - start), _ALL if at >= stop else _NONE)
            if at >= stop:
                break

    return compress


@register_jitable(_nrt=False)
def digest(buffer: Any, start: int, stop: int, scratch: Any) -> int:
    """The digest of 8 bytes of ``buffer[start:stop]`` (uint8) as a signed little-endian number; 1 instead of 0."""
    hashed(buffer, start, stop, 8, scratch)
    found = np.int64(scratch[RESULT])
    return int(found) if found != 0 else 1
