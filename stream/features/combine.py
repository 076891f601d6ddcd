"""Sum, mean, least and greatest of the numbers that a customer's kept events brought (:mod:`stream.features.kept`)."""

from __future__ import annotations

import math
from typing import Any

from stream.events.leaf import leaf
from stream.features.base import FOREVER

SUM, MEAN, LEAST, GREATEST = range(4)
#: The words of the definitions.
WORDS = {"sum": SUM, "mean": MEAN, "min": LEAST, "max": GREATEST}


@leaf
def add(how: int, so_far: float, n: int, x: float) -> float:
    """What n numbers come to (their sum, or the least or greatest), with one more."""
    if n == 0:
        return x
    if how == LEAST:
        return min(so_far, x)
    if how == GREATEST:
        return max(so_far, x)
    return so_far + x


@leaf
def told(how: int, so_far: float, n: int) -> float:
    """The value: of nothing the sum is 0 and everything else is missing."""
    if n == 0:
        return 0.0 if how == SUM else math.nan
    return so_far / n if how == MEAN else so_far


@leaf
def combined(f: Any, start: int, stop: int, how: int) -> float:
    """The value of the numbers in columns start .. stop - 1, from the latest to the oldest."""
    so_far = 0.0
    for k in range(stop - 1, start - 1, -1):
        so_far = add(how, so_far, stop - 1 - k, f[k])
    return told(how, so_far, stop - start)


@leaf
def first_flip(r: Any, f: Any, p: int, first: int, n: int, window: int, k: float, how: int) -> int:
    """When, of the kept from column ``first`` on (there are some), so many have left the window that ``value >= k``
    differs, or that the value is missing."""
    holds = combined(f, first + n, p + 2 * n, how) >= k
    found = FOREVER if how == SUM else r[p + n - 1] + window
    so_far = 0.0
    for i in range(p + n - 1, first - 1, -1):
        if (i == p + n - 1 or r[i + 1] > r[i]) and (told(how, so_far, p + n - 1 - i) >= k) != holds:
            found = r[i] + window
        so_far = add(how, so_far, p + n - 1 - i, f[i + n])
    return int(found)
