"""Numbers side by side: what happens to one happens to all, without an array.

A kernel that sums a series at many points at once works out what the points have in common only once.  Arrays would
have to be made and counted; tuples of this length live in registers.  Plain Python that numba accepts.
"""

from __future__ import annotations

from stream.events.leaf import leaf

#: The points of :mod:`stream.features.worth`, which are its only user.
Lanes = tuple[
    float, float, float, float, float, float, float, float, float, float, float, float, float
]  # fmt: skip


@leaf
def all_of(x: float) -> Lanes:
    """The same number everywhere."""
    return (x, x, x, x, x, x, x, x, x, x, x, x, x)


@leaf
def scaled(one: Lanes, other: Lanes, by: float) -> Lanes:
    """``one * (other * by)``."""
    return (
        one[0] * (other[0] * by), one[1] * (other[1] * by), one[2] * (other[2] * by), one[3] * (other[3] * by),
        one[4] * (other[4] * by), one[5] * (other[5] * by), one[6] * (other[6] * by), one[7] * (other[7] * by),
        one[8] * (other[8] * by), one[9] * (other[9] * by), one[10] * (other[10] * by), one[11] * (other[11] * by),
        one[12] * (other[12] * by),
    )  # fmt: skip


@leaf
def added(one: Lanes, other: Lanes, by: float) -> Lanes:
    """``one + other * by``."""
    return (
        one[0] + other[0] * by, one[1] + other[1] * by, one[2] + other[2] * by, one[3] + other[3] * by,
        one[4] + other[4] * by, one[5] + other[5] * by, one[6] + other[6] * by, one[7] + other[7] * by,
        one[8] + other[8] * by, one[9] + other[9] * by, one[10] + other[10] * by, one[11] + other[11] * by,
        one[12] + other[12] * by,
    )  # fmt: skip
