"""Many customers as few: rows that are alike are one row, counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Added to exponents of two, so that they are above 0 for all that is counted or timed.
BIAS = 64
#: Values are told apart to so many binary digits at most, and their numbers are below a power of two.
MOST_DIGITS, KEY_BITS = 8, 20


def alike(columns: tuple[Floats, ...], count: Floats) -> tuple[tuple[Floats, ...], Floats]:
    """The rows of these columns (n each), each once and in rising order, and how many customers have it.

    ``count``: how many each row stands for.
    """
    if not len(count):
        return columns, count
    order = np.lexsort(columns[::-1])
    ordered = tuple(column[order] for column in columns)
    new = np.ones(len(count), np.bool_)
    new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in ordered])
    starts = np.flatnonzero(new)
    return tuple(column[starts] for column in ordered), np.add.reduceat(count[order], starts)


def about(column: Floats, digits: int) -> NDArray[np.int64]:
    """A whole number below 2 ** `KEY_BITS` for each value from 0 on: the same for those that are one value to so many
    binary digits, and rising with the values."""
    mantissa, exponent = np.frexp(column)
    half = 1 << (digits - 1)
    whole = np.rint(np.ldexp(mantissa, digits)).astype(np.int64)  # of which the greatest is the next power's least
    return np.where(column > 0, np.maximum(exponent.astype(np.int64) + BIAS, 0) * half + whole - half, 0)


def merged(keys: NDArray[np.int64], columns: tuple[Floats, ...], count: Floats) -> tuple[tuple[Floats, ...], Floats]:
    """The mean of each column over the rows of one key, and how many customers these are."""
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=np.int64(-1)))
    weights = count[order]
    total = np.add.reduceat(weights, starts)
    return tuple(np.add.reduceat(weights * column[order], starts) / total for column in columns), total
