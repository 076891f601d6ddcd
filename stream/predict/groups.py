"""Many customers as few: rows that are alike are one row, counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
