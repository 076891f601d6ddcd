"""How the plan reads numbers of an event's products, which lie in an int64 array; plain Python that numba accepts."""

from __future__ import annotations

import math

from stream.features.base import NEVER

MICROS = 1e6


def price(x: int) -> float:
    """A price in micros; missing where it is not known."""
    return float(x) if x >= 0 else math.nan


def amount(x: int) -> float:
    """An amount of money in micros; missing where the product has none."""
    return float(x) if x != NEVER else math.nan


def number(x: int) -> float:
    """Any other number, which is kept to six decimal places; missing where the product has none."""
    return x / MICROS if x != NEVER else math.nan
