"""Which customers most events are about: a bot, a shared account, a test that runs on production.

Counting everyone would cost as much memory as everyone; this keeps few counters and forgets the smallest (Misra and
Gries, merged as by Agarwal et al., "Mergeable summaries"): a count is too low by at most a COUNTERS-th of all events,
and nobody with a greater share is missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: How many customers are counted at a time.
COUNTERS = 64


@dataclass(frozen=True, slots=True)
class Busy:
    """Events since it was asked last, and the customers that most were about: id, and how many at least."""

    events: int
    customers: list[tuple[bytes, int]]

    @property
    def share(self) -> float:
        """The share of the busiest customer, from 0 to 1."""
        return self.customers[0][1] / self.events if self.customers else 0.0


class Busiest:
    """Counts the events of a shard by customer, as far as many are about one."""

    def __init__(self) -> None:
        self._events = 0
        self._counts: dict[bytes, int] = {}

    def count(self, rows: NDArray[np.int64], keys: Sequence[bytes]) -> None:
        """Count events by the rows they are about (negative: none); ``keys`` are the customers of all rows."""
        found, counts = np.unique(rows[rows >= 0], return_counts=True)
        self._events += int(counts.sum())
        if len(found) > COUNTERS:
            counts = counts - np.partition(counts, -COUNTERS - 1)[-COUNTERS - 1]
            found, counts = found[counts > 0], counts[counts > 0]
        mine = self._counts
        for i, n in zip(found.tolist(), counts.tolist(), strict=True):
            mine[keys[i]] = mine.get(keys[i], 0) + n
        if len(mine) > COUNTERS:
            least = sorted(mine.values())[-COUNTERS - 1]
            self._counts = {key: n - least for key, n in mine.items() if n > least}

    def take(self) -> Busy:
        """What was counted since this was asked last, the busiest first."""
        found = Busy(self._events, sorted(self._counts.items(), key=lambda item: -item[1]))
        self._events, self._counts = 0, {}
        return found
