"""A bound on the vectors that a shard sends to the trainer in a day."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

#: A day of event time, ms.
DAY_MS = 86_400_000
#: What the bits of two numbers are mixed with (splitmix64).
_STEP, _ONE, _TWO = (np.uint64(x) for x in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


#: So many days are kept in the books; what is older than all of them counts as of the first.
DAYS = 8


@dataclass
class Bound:
    """At most ``most`` a day (None: all).

    A day's vectors are thinned by as much as those of the day before would have had to be, so that they come from all
    hours; where there are more of them than the day before, the day ends early.  Each counts as of the day of its own
    instant, and those that come at once are taken in the order of time: so it does not matter whether a clock goes on
    by hours or leaps over days, as long as the days come one after the other (`upto`).  Only who is the last before a
    day ends early hangs on the slices that its rows are judged in, where there are several.

    ``state``: for each of the latest days, in their order, the day, how many there were in it and how many of these
    were let through.
    """

    most: int | None = None
    state: tuple[int, ...] = ()

    def upto(self, clock: int, first: int) -> int:
        """How far time may go at once, up to the clock, where the first deadline is at ``first``: the end of its day.
        So all of a day have come before those of the next."""
        return clock if self.most is None else min(clock, (first // DAY_MS + 1) * DAY_MS - 1)

    def pick(self, customers: NDArray[np.int64], instants: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these vectors (n) go through, by the customers' hashes and the instants (ms) at which they were
        taken."""
        if self.most is None:
            return np.ones(len(customers), np.bool_)
        chance = _chance(customers, instants)
        order = np.lexsort((chance, instants))
        days = instants[order] // DAY_MS
        starts = np.flatnonzero(np.diff(days, prepend=days[:1] - 1)).tolist()
        books, found = _books(self.state), np.zeros(len(customers), np.bool_)
        for start, stop in pairwise((*starts, len(days))):
            picks = order[start:stop]
            found[picks] = _of_day(books, int(days[start]), chance[picks], self.most)
        self.state = tuple(number for day in sorted(books) for number in (day, *books[day]))
        return found


#: Day -> how many vectors there were in it, and how many of these were let through.
_Books = dict[int, tuple[int, int]]


def _books(state: tuple[int, ...]) -> _Books:
    if len(state) == 4:  # as it was kept before: of one day, and how many there were the day before
        day, there, through, before = state
        return {day - 1: (before, before), day: (there, through)} if there else {}
    return {day: (there, through) for day, there, through in zip(state[::3], state[1::3], state[2::3], strict=True)}


def _of_day(books: _Books, day: int, chance: NDArray[np.float64], most: int) -> NDArray[np.bool_]:
    if len(books) >= DAYS:
        day = max(day, min(books))
    there, through = books.get(day, (0, 0))
    before = books.get(day - 1, (0, 0))[0]
    found: NDArray[np.bool_] = chance * max(before, 1) < most
    found &= through + np.cumsum(found) <= most
    books[day] = there + len(chance), through + int(np.count_nonzero(found))
    if len(books) > DAYS:
        del books[min(books)]
    return found


def _chance(customers: NDArray[np.int64], instants: NDArray[np.int64]) -> NDArray[np.float64]:
    """A number from 0 up to 1 that hangs on both."""
    z = customers.astype(np.uint64) + instants.astype(np.uint64) * _STEP
    z = (z ^ (z >> np.uint64(30))) * _ONE
    z = (z ^ (z >> np.uint64(27))) * _TWO
    drawn: NDArray[np.float64] = (z ^ (z >> np.uint64(31))).astype(np.float64) / 2.0**64
    return drawn
