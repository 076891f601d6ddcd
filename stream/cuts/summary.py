"""What a shard tells of one number over its customers: how many have each value, or how they lie between points.

Summaries are small, whatever the number of customers, and any number of them is read together (`stream.cuts.merge`).
Pure: no I/O, no clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

#: A measure with at most so many different values is told exactly.
EXACT = 1_000
#: Points of all measures of one record together: at 12 bytes each it stays well below what a broker takes.
POINTS = 40_000
#: Values beyond are counted as this one: the greatest number that JSON and a row can both carry.
LARGEST = 1.7976931348623157e308
_VALUE, _COUNT = np.dtype("<f8"), np.dtype("<u4")


@dataclass(frozen=True)
class Summary:
    """The distribution of one measure over some customers.

    ``values`` float64, rising; ``counts`` int64: how many customers lie above the value before and not above this one.
    ``slack``: how many of a count may lie below its value, at most; 0: every value is told exactly.
    """

    values: NDArray[np.float64]
    counts: NDArray[np.int64]
    slack: int = 0

    @property
    def customers(self) -> int:
        """How many customers it is taken over."""
        return int(self.counts.sum())


def summarize(column: NDArray[np.float64], points: int = EXACT) -> Summary:
    """The summary of a column (n), whose missing values (NaN) are left out.

    Exact where there are at most ``points`` different values.  Else it has about ``points`` of them, chosen so that at
    most n / points customers (rounded up) lie strictly between two neighbours.
    """
    known = column[~np.isnan(column)]
    values, counts = np.unique(np.clip(known, -LARGEST, LARGEST), return_counts=True)
    if len(values) <= points:
        return Summary(values, counts.astype(np.int64))
    # A value ends its group where the count of customers passes a multiple of the depth, so no more than a depth of
    # them, less the one that passes it, can lie below it in its own group.
    upto = np.cumsum(counts)
    depth = math.ceil(int(upto[-1]) / points)
    ends = np.flatnonzero(np.diff(upto // depth, prepend=0) > 0)
    if ends[-1] != len(values) - 1:
        ends = np.append(ends, len(values) - 1)
    groups = np.diff(upto[ends], prepend=0)
    return Summary(values[ends], groups, int((groups - counts[ends]).max()))


class ShardSummary(msgspec.Struct, frozen=True):
    """What one shard hands out: a summary of each of its measures at one instant.

    Parameters
    ----------
    partition
        The shard's.
    at
        Its clock (event time in ms) when the summaries were taken.
    shares
        Measure -> the shares at which the definitions cut it.
    values, counts, slack
        Measure -> its `Summary`; the numbers as float64 and uint32, little endian.
    """

    partition: int
    at: int
    shares: dict[str, list[float]]
    values: dict[str, bytes]
    counts: dict[str, bytes]
    slack: dict[str, int]

    def __post_init__(self) -> None:
        if not self.shares.keys() == self.values.keys() == self.counts.keys() == self.slack.keys():
            raise ValueError("shares, values, counts and slack must be of the same measures")
        for name in self.shares:
            if len(self.values[name]) % 8 or len(self.values[name]) != 2 * len(self.counts[name]):
                raise ValueError(f"values and counts of {name!r} must be of the same number")

    def summary(self, measure: str) -> Summary:
        """The summary of a measure."""
        values = np.frombuffer(self.values[measure], _VALUE).astype(np.float64)
        counts = np.frombuffer(self.counts[measure], _COUNT).astype(np.int64)
        return Summary(values, counts, self.slack[measure])

    def encode(self) -> bytes:
        """As a record's value (MessagePack)."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> ShardSummary:
        """From a record's value; ValueError says what is wrong with it."""
        try:
            return msgspec.msgpack.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"broken summary: {error}") from error


def summarize_shard(
    partition: int,
    at: int,
    measures: Sequence[str],
    cuts: Sequence[tuple[int, float]],
    table: NDArray[np.float64],
) -> ShardSummary:
    """The summaries of a shard; ``table`` (n, measures) holds its customers' values, ``cuts`` a plan's cuts."""
    shares: Mapping[str, list[float]] = {name: [] for name in measures}
    for measure, share in cuts:
        shares[measures[measure]].append(share)
    points = min(EXACT, max(2, POINTS // max(1, len(measures))))
    made = {name: summarize(table[:, j], points) for j, name in enumerate(measures)}
    return ShardSummary(
        partition,
        at,
        {name: sorted(set(asked)) for name, asked in shares.items()},
        {name: one.values.astype(_VALUE).tobytes() for name, one in made.items()},
        {name: one.counts.astype(_COUNT).tobytes() for name, one in made.items()},
        {name: one.slack for name, one in made.items()},
    )
