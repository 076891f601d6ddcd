"""From the summaries of all shards to cuts: the values below which a share of the customers lie.  Pure.

The cut at share q is the smallest value v such that at least a share q of the customers have a value of at most v.
Where every summary is exact, so is the cut.  Else it is one of the summaries' values, at which that still holds, while
the share of customers strictly below it is less than q + e, e being the sum of the slacks over all customers:
at most 1 / points and one customer a shard.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from stream.cuts.summary import ShardSummary, Summary
from stream.engine.versions import CutsVersion

#: Shares are told apart to so many places; 1 - 0.9 is 0.1.
PLACES = 9


@dataclass(frozen=True)
class Cuts:
    """Cuts of all measures, as a version carries them; see `CutsVersion`."""

    cuts: list[tuple[str, float, float]]
    customers: dict[str, int]

    def after(self, newest: CutsVersion | None, effective: int) -> CutsVersion | None:
        """The version after the newest one, in force from that instant (event time in ms) on, or a millisecond after
        the newest where that is later; None where no cut would be another."""
        if newest is None:
            return CutsVersion(1, effective, self.cuts, self.customers)
        if newest.cuts == self.cuts:
            return None
        return CutsVersion(newest.version + 1, max(effective, newest.effective + 1), self.cuts, self.customers)


def merge(summaries: Iterable[Summary]) -> Summary:
    """All customers of these summaries as one."""
    parts = list(summaries)
    values = np.concatenate([part.values for part in parts]) if parts else np.zeros(0)
    counts = np.concatenate([part.counts for part in parts]) if parts else np.zeros(0, np.int64)
    found, inverse = np.unique(values, return_inverse=True)
    total = np.bincount(inverse, counts, len(found)).astype(np.int64)
    return Summary(found, total, sum(part.slack for part in parts))


def cut(summary: Summary, share: float) -> float | None:
    """The cut at a share in (0, 1]; None where there are no customers."""
    if not len(summary.values):
        return None
    need = math.ceil(Fraction(str(round(share, PLACES))) * summary.customers)
    return float(summary.values[int(np.searchsorted(np.cumsum(summary.counts), max(1, need)))])


def learn(shards: Sequence[ShardSummary]) -> Cuts | None:
    """The cuts of every measure over all shards; None while they tell of different measures, as in a change of
    definitions, or of no customers at all."""
    if not shards or any(one.shares != shards[0].shares for one in shards):
        return None
    cuts: list[tuple[str, float, float]] = []
    customers: dict[str, int] = {}
    for measure, shares in sorted(shards[0].shares.items()):
        merged = merge(one.summary(measure) for one in shards)
        customers[measure] = merged.customers
        found = [(measure, share, cut(merged, share)) for share in shares]
        cuts += [(name, share, value) for name, share, value in found if value is not None]
    return Cuts(cuts, customers) if cuts else None
