"""Small functions that every generated plan uses; plain Python that numba accepts."""

from __future__ import annotations

import math

from stream.features.base import FOREVER, NEVER


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
    """The least whole number above k; k itself where it is missing or has no end."""
    return math.floor(k) + 1.0 if abs(k) < 9e15 else k


def zero(distance: float, slope: float, now: int) -> int:
    """About when ``distance``, which grows by ``slope`` a millisecond, is zero; FOREVER where that lies behind."""
    if not (slope > 0.0 or slope < 0.0) or distance != distance:
        return FOREVER
    x = now - distance / slope
    if x < now - 3.0 or x >= FOREVER:
        return FOREVER
    return math.floor(x)


def standard(x: float, mean: float, scale: float) -> float:
    """A feature in scaled space; what is missing sits at the mean."""
    if x != x:
        return 0.0
    return (x - mean) / scale if scale > 0.0 else x - mean


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
