"""A bound on the vectors that a shard sends to the trainer in a day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: A day of event time, ms.
DAY_MS = 86_400_000
#: What the bits of two numbers are mixed with (splitmix64).
_STEP, _ONE, _TWO = (np.uint64(x) for x in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


@dataclass
class Bound:
    """At most ``most`` a day (None: all).

    A day's vectors are thinned by as much as those of the day before would have had to be, so that they come from all
    hours; where there are more of them than the day before, the day ends early.  ``state``: the day, how many there
    were in it and how many of these were let through, how many there were the day before.  The same vectors in the same
    order give the same answers.
    """

    most: int | None = None
    state: tuple[int, int, int, int] = (0, 0, 0, 0)

    def pick(self, customers: NDArray[np.int64], instants: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these vectors (n) go through, by the customers' hashes and the instants (ms) at which they were
        taken."""
        if self.most is None:
            return np.ones(len(customers), np.bool_)
        days = np.maximum.accumulate(np.maximum(instants // DAY_MS, self.state[0]))
        chance = _chance(customers, instants)
        found = np.zeros(len(customers), np.bool_)
        for start in np.flatnonzero(np.diff(days, prepend=-1)).tolist():
            day = int(days[start])
            stop = int(np.searchsorted(days, day, side="right"))
            found[start:stop] = self._of_day(day, chance[start:stop], self.most)
        return found

    def _of_day(self, day: int, chance: NDArray[np.float64], most: int) -> NDArray[np.bool_]:
        at, there, through, before = self.state
        if day > at:
            there, through, before = 0, 0, there if day == at + 1 else 0
        found: NDArray[np.bool_] = chance * max(before, 1) < most
        found &= through + np.cumsum(found) <= most
        self.state = (day, there + len(chance), through + int(np.count_nonzero(found)), before)
        return found


def _chance(customers: NDArray[np.int64], instants: NDArray[np.int64]) -> NDArray[np.float64]:
    """A number from 0 up to 1 that hangs on both."""
    z = customers.astype(np.uint64) + instants.astype(np.uint64) * _STEP
    z = (z ^ (z >> np.uint64(30))) * _ONE
    z = (z ^ (z >> np.uint64(27))) * _TWO
    drawn: NDArray[np.float64] = (z ^ (z >> np.uint64(31))).astype(np.float64) / 2.0**64
    return drawn
