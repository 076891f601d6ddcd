"""Who moved from which segment to which, and when: counted by shard, for as long as people look back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from stream.engine.kinds import Kinds

#: Dimension, and the segments left and entered (None: in none).
Move = tuple[str, str | None, str | None]
#: How finely, and how many, moves are counted (ms): in 5 minutes for a day, in 6 hours for 30 days.
FINE, COARSE = (300_000, 288), (21_600_000, 120)
#: What one may look back over, and what that is counted in.
WITHIN = {
    "1h": (3_600_000, FINE),
    "24h": (86_400_000, FINE),
    "7d": (604_800_000, COARSE),
    "30d": (2_592_000_000, COARSE),
}
#: Kinds of moves that are told apart; more than any definitions make, unless they change all the time.
MOST_KINDS = 20_000
_FIRST_KINDS = 256
#: In the place of a move's number: it was not looked up yet; there are too many.
UNSEEN, UNCOUNTED = -2, -1


class Ring:
    """Counts by time and kind: ``count`` buckets of ``width`` ms each, the latest ones."""

    def __init__(self, width: int, count: int) -> None:
        self.width, self.count = width, count
        self.latest: int | None = None
        self._counts = np.zeros((count, _FIRST_KINDS), np.int32)

    def add(self, bucket: int, kind: int, n: int) -> None:
        """Count ``n`` of a kind; what lies before all buckets is left out."""
        latest = self._reach(bucket, kind)
        if bucket > latest - self.count:
            self._counts[bucket % self.count, kind] += n

    def add_many(self, buckets: NDArray[np.int64], kinds: NDArray[np.int64]) -> None:
        """Count one of each of these kinds, at least one; what lies before all buckets is left out."""
        latest = self._reach(int(buckets.max()), int(kinds.max()))
        if buckets.min() <= latest - self.count:
            within = buckets > latest - self.count
            buckets, kinds = buckets[within], kinds[within]
        counts = self._counts
        np.add.at(counts.reshape(-1), buckets % self.count * counts.shape[1] + kinds, np.int32(1))

    def _reach(self, bucket: int, kind: int) -> int:
        """Have room for this kind, and up to this bucket; which is the latest one."""
        if self.latest is None:
            self.latest = bucket
        if bucket > self.latest:
            self._clear(bucket)
        while kind >= self._counts.shape[1]:
            self._counts = np.pad(self._counts, ((0, 0), (0, self._counts.shape[1])))
        return self.latest

    def _clear(self, bucket: int) -> None:
        latest = self.latest or 0
        if bucket - latest >= self.count:
            self._counts[:] = 0
        else:
            self._counts[[b % self.count for b in range(latest + 1, bucket + 1)]] = 0
        self.latest = bucket

    def last(self, until: int, buckets: int) -> NDArray[np.int64]:
        """Int64 (buckets, kinds): the counts of the buckets up to ``until``, the oldest first."""
        found = np.zeros((buckets, self._counts.shape[1]), np.int64)
        if self.latest is None:
            return found
        for k, bucket in enumerate(range(until - buckets + 1, until + 1)):
            if self.latest - self.count < bucket <= self.latest:
                found[k] = self._counts[bucket % self.count]
        return found


class Moves:
    """The moves of one shard's customers, by the instants (event time) at which they became true."""

    def __init__(self) -> None:
        #: since when (ms) all moves are counted; None: none was seen yet
        self.since: int | None = None
        self._kinds: dict[Move, int] = {}
        self._rings = {size: Ring(*size) for size in (FINE, COARSE)}
        #: what segments were called in the last changes, and the number of the move that each kind of change is
        self._known: tuple[Kinds | None, NDArray[np.int64]] = None, np.zeros(0, np.int64)

    def add(self, moves: Iterable[tuple[Move, int]]) -> None:
        """Count moves, each with its instant (ms)."""
        counted: Counter[tuple[Move, int]] = Counter((move, at // FINE[0]) for move, at in moves)
        for (move, bucket), n in sorted(counted.items(), key=lambda item: item[0][1]):
            self._count(move, bucket, n)

    def add_many(self, kinds: Kinds, numbers: NDArray[np.int64], instants: NDArray[np.int64]) -> None:
        """Count changes by their kinds and instants (ms)."""
        if self._known[0] is not kinds:
            self._known = kinds, np.full(kinds.count, UNSEEN)
        found = self._known[1]
        for number in np.unique(numbers[found[numbers] == UNSEEN]).tolist():
            found[number] = self._kind(kinds.sort(number)[:3])
        counted = found[numbers]
        if counted.min(initial=0) < 0:
            counted, instants = counted[counted >= 0], instants[counted >= 0]
        if len(counted):
            for (width, _), ring in self._rings.items():
                ring.add_many(instants // FINE[0] * FINE[0] // width, counted)

    def _kind(self, move: Move) -> int:
        """The number of a move; UNCOUNTED where there are too many."""
        if move not in self._kinds and len(self._kinds) >= MOST_KINDS:
            return UNCOUNTED
        return self._kinds.setdefault(move, len(self._kinds))

    def _count(self, move: Move, bucket: int, n: int) -> None:
        kind = self._kind(move)
        if kind != UNCOUNTED:
            for (width, _), ring in self._rings.items():
                ring.add(bucket * FINE[0] // width, kind, n)

    def complete_from(self, instant: int) -> None:
        """All moves from an instant (ms) on are counted."""
        self.since = instant if self.since is None else min(self.since, instant)

    def flows(self, until_ms: int, within: str) -> dict[Move, int]:
        """How many made each move in the time up to an instant; the first bucket counts whole."""
        length, (width, count) = WITHIN[within]
        totals = self._rings[width, count].last(until_ms // width, length // width).sum(axis=0)
        return {move: int(totals[kind]) for move, kind in self._kinds.items() if totals[kind]}

    def net(self, until_ms: int, within: str, dimension: str) -> dict[str, NDArray[np.int64]]:
        """By segment of a dimension: how many more entered than left in each bucket of that time, the oldest first."""
        length, (width, count) = WITHIN[within]
        counts = self._rings[width, count].last(until_ms // width, length // width)
        found: dict[str, NDArray[np.int64]] = {}
        for (name, left, entered), kind in self._kinds.items():
            if name != dimension:
                continue
            for segment, sign in ((left, -1), (entered, 1)):
                if segment is not None:
                    found[segment] = found.get(segment, np.zeros(len(counts), np.int64)) + sign * counts[:, kind]
        return found


def churn(flows: Mapping[Move, int]) -> dict[tuple[str, str], tuple[int, int]]:
    """By dimension and segment: how many entered, how many left."""
    entered: Counter[tuple[str, str]] = Counter()
    left: Counter[tuple[str, str]] = Counter()
    for (dimension, out_of, into), n in flows.items():
        if out_of is not None:
            left[dimension, out_of] += n
        if into is not None:
            entered[dimension, into] += n
    return {key: (entered[key], left[key]) for key in {*entered, *left}}
