"""Small functions that every generated plan uses; plain Python that numba accepts."""

from __future__ import annotations

import math

import numpy as np

from stream.features.base import FOREVER, NEVER

# numba's own min and max take any number of any numbers; compiling a call of them takes several times as long.


def earlier(a: int, b: int) -> int:
    """The lesser of two instants."""
    return a if a < b else b


def later(a: int, b: int) -> int:
    """The greater of two instants."""
    return a if a > b else b


def divide(a: float, b: float) -> float:
    """a / b; missing where b is 0."""
    return a / b if b != 0.0 else math.nan


def log1p(x: float) -> float:
    """log(1 + x); missing where there is none."""
    return math.log1p(x) if x > -1.0 else math.nan


def sqrt(x: float) -> float:
    """The square root; missing where there is none."""
    return math.sqrt(x) if x >= 0.0 else math.nan


def above(k: float) -> float:
    """The least number above k, so that "more than k" is "at least" this one; k itself where it is missing."""
    return float(np.nextafter(k, math.inf))


def zero(distance: float, slope: float, now: int) -> int:
    """About when ``distance``, which grows by ``slope`` a millisecond, is zero; FOREVER where that lies behind."""
    if not (slope > 0.0 or slope < 0.0) or distance != distance:
        return FOREVER
    x = now - distance / slope
    if x < now - 3.0 or x >= FOREVER:
        return FOREVER
    return math.floor(x)


def standard(x: float, mean: float, scale: float) -> float:
    """A feature in scaled space; what is missing, or infinite, sits at the mean, and nothing lies farther off than can
    be squared.  The same to the last bit as :meth:`stream.cluster.model.ClusterModel.assign` has it."""
    if x - x != 0.0:
        return 0.0
    y = (1e100 if x > 1e100 else -1e100 if x < -1e100 else x) - mean
    if scale > 0.0:
        y /= scale
    return 1e100 if y > 1e100 else -1e100 if y < -1e100 else y


def square(x: float) -> float:
    """x times x: a power is not the same to the last bit everywhere."""
    return x * x


def revisit(seen: int, now: int, every: int) -> int:
    """When to judge again who drifts slowly: 1, 2, 4, 8, ... times ``every`` after the latest event.

    It depends on the latest event and on now only through which step comes next, so working it out again later gives
    the same; and who never returns costs ever less.
    """
    if seen == NEVER:
        return FOREVER
    step = every
    while seen + step <= now:
        step *= 2
    return seen + step


def looked(seen: int, now: int, every: int) -> int:
    """The latest instant before ``now`` at which :func:`revisit` says to look, or of the latest event."""
    if seen + every >= now:
        return seen
    step = every
    while seen + 2 * step < now:
        step *= 2
    return seen + step


def drawn(now: int, which: int) -> int:
    """A seed (32 bits) for what is drawn at an instant."""
    return (now ^ (now >> 31) * 0x9E3779B1 ^ which * 0x85EBCA6B) & 0xFFFFFFFF


def present(x: float) -> bool:
    """Whether a value is not missing."""
    return x == x


def differ(a: float, b: float) -> bool:
    """Whether two values are known and not the same."""
    return a != b and a == a and b == b


def ago(instant: int, now: int) -> float:
    """Milliseconds since an instant; missing where it never was."""
    return float(now - instant) if instant != NEVER else math.nan


def reaches(a: float, k: float, now: int) -> int:
    """When a whole number ``a`` that grows by one a millisecond is at least ``k``; FOREVER where it is, or will not."""
    if not (a < k) or k - a >= 4e18:
        return FOREVER
    return now + int(math.ceil(k) - a)


def meets(a: float, k: float, now: int) -> int:
    """When ``a == k`` may next differ, for a whole number ``a`` that grows by one a millisecond."""
    if a == k:
        return now + 1
    return reaches(a, k, now)


def look(now: int, seen: int, every: int) -> int:
    """As of when a comparison without a known crossing is judged: the latest multiple of ``every``, or the latest event
    if that came after it."""
    at = now // every * every
    return at if at > seen else seen


def next_look(now: int, every: int) -> int:
    """When it is judged again."""
    return (now // every + 1) * every


def share_of(customer: int, seed: int) -> float:
    """A number from 0 up to 1 that a name's ``seed`` (32 bits) gives a customer (64-bit hash of the id), for ever.

    It is MurmurHash3 (x86, 32 bits) of the hash's eight bytes, little-endian, over 2 to the 32.
    """
    mask = 0xFFFFFFFF
    h = int(seed)
    for shift in (0, 32):
        k = ((int(customer) >> shift) & mask) * 0xCC9E2D51 & mask
        k = ((k << 15) | (k >> 17)) & mask
        h ^= k * 0x1B873593 & mask
        h = ((h << 13) | (h >> 19)) & mask
        h = (h * 5 + 0xE6546B64) & mask
    h ^= 8
    h ^= h >> 16
    h = h * 0x85EBCA6B & mask
    h ^= h >> 13
    h = h * 0xC2B2AE35 & mask
    h ^= h >> 16
    return h / 4294967296.0
