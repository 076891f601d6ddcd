"""Several topics as one sequence: merged by progress, so that what a customer sees does not depend on polling.

A record's key is the greatest event time so far in its topic partition; records apply in the order of their keys (ties:
topic, partition, then offset).  Within a topic partition the log's order holds.  A source whose next record is unknown
holds back what might come after it, until it is proven read to its end by an answer that is not older than the arrival
of what waits (design: Time).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stream.events.batch import Batch
from stream.features.base import FOREVER, NEVER

Source = tuple[str, int]


class GapError(Exception):
    """Records between two batches are missing: the caller must read again from ``expected``."""

    def __init__(self, source: Source, expected: int, got: int) -> None:
        super().__init__(f"{source[0]}[{source[1]}]: records from offset {expected} on are missing, got {got}")
        self.source, self.expected, self.got = source, expected, got


@dataclass(slots=True)
class Piece:
    """Records ``start`` up to ``stop`` of a batch, with their keys (of the whole batch); and, once they are taken, what
    their source had ``applied`` and ``reached`` before."""

    batch: Batch
    keys: NDArray[np.int64]
    start: int
    stop: int
    applied: int = 0
    reached: int = NEVER


@dataclass(slots=True)
class Input:
    """One topic partition as the merge sees it.

    ``expected``: the fetch position up to which batches were offered; ``applied``: up to which they were taken;
    ``progress``: greatest event time offered; ``reached``: greatest event time taken; ``floor``: no unknown record
    has a lower key; ``proven_at``: wall instant since when its end was looked for, and ``proven_by`` the answer that
    proved it, if nothing was offered since.
    """

    source: Source
    expected: int = 0
    applied: int = 0
    progress: int = NEVER
    reached: int = NEVER
    floor: int = NEVER
    proven_at: int | None = None
    proven_by: tuple[int, int] = (0, 0)
    queue: deque[Piece] = field(default_factory=deque)
    waiting: int = 0

    @property
    def head(self) -> int | None:
        """Key of the next record, or None where none waits."""
        return int(self.queue[0].keys[self.queue[0].start]) if self.queue else None

    def offer(self, batch: Batch) -> None:
        """Append a batch: what was offered before is trimmed, a gap is an error."""
        if batch.lo > self.expected:
            raise GapError(self.source, self.expected, batch.lo)
        if batch.hi <= self.expected:
            return
        start = int(np.searchsorted(batch.offsets, self.expected)) if batch.lo < self.expected else 0
        self.expected = batch.hi
        self.proven_at = None
        if start == len(batch):
            if not self.queue:
                self.applied = batch.hi
            return
        keys = batch.keys
        if keys is None:
            instants = batch.instants.copy()
            instants[:start] = NEVER
            keys = np.maximum(np.maximum.accumulate(instants), self.progress)
        self.progress = max(self.progress, int(keys[-1]))
        self.queue.append(Piece(batch, keys, start, len(batch)))
        self.waiting += len(batch) - start

    def take(self, stop: int) -> Piece:
        """Remove the records of the first piece up to index ``stop``."""
        piece = self.queue[0]
        taken = Piece(piece.batch, piece.keys, piece.start, stop, self.applied, self.reached)
        self.waiting -= stop - piece.start
        self.reached = max(self.reached, int(piece.keys[stop - 1]))
        if stop < piece.stop:
            piece.start = stop
            self.applied = int(piece.batch.offsets[stop - 1]) + 1
        else:
            self.queue.popleft()
            self.applied = self.expected if not self.queue else piece.batch.hi
        return taken

    def put_back(self, taken: Piece, stop: int) -> None:
        """The records of the piece that was taken last, from index ``stop`` on, are the next ones again."""
        if stop == taken.stop:
            return
        self.waiting += taken.stop - stop
        if self.queue and self.queue[0].batch is taken.batch:
            self.queue[0].start = stop
        else:
            self.queue.appendleft(Piece(taken.batch, taken.keys, stop, taken.stop))
        self.applied, self.reached = taken.applied, taken.reached
        if stop > taken.start:
            self.applied = int(taken.batch.offsets[stop - 1]) + 1
            self.reached = max(self.reached, int(taken.keys[stop - 1]))

    @property
    def version_at(self) -> int:
        """Index, in the first piece, of the next record that carries a version; past its end where there is none."""
        piece = self.queue[0]
        carries = (i for i, version in piece.batch.controls.items() if version is not None and i >= piece.start)
        return min(carries, default=piece.stop)

    def key_after(self, stop: int) -> int:
        """The key of the record behind index ``stop`` of the first piece; FOREVER where it is not known."""
        piece = self.queue[0]
        if stop < piece.stop:
            return int(piece.keys[stop])
        return int(self.queue[1].keys[self.queue[1].start]) if len(self.queue) > 1 else FOREVER


class Merge:
    """The inputs of one shard."""

    def __init__(self, sources: list[Source]) -> None:
        self.inputs = {source: Input(source) for source in sorted(sources)}
        self.rank = {source: i for i, source in enumerate(self.inputs)}
        #: The source whose next record was begun, and comes before all others.
        self.begun: Input | None = None

    def prove(self, source: Source, position: int, at_ms: int, answer: tuple[int, int] = (0, 0)) -> None:
        """The broker said, not before ``at_ms``, that ``position`` is the end; stale where more was offered since."""
        one = self.inputs[source]
        if position == one.expected:
            one.proven_by = answer if one.proven_at is None else max(answer, one.proven_by)
            one.proven_at = max(at_ms, one.proven_at or at_ms)

    def replace(self, again: Callable[[Batch], Batch]) -> None:
        """Exchange each batch that waits for what ``again`` makes of it; the records and their order stay."""
        for one in self.inputs.values():
            for piece in one.queue:
                piece.batch = again(piece.batch)

    def known_until(self, key: int) -> None:
        """No record that is not offered yet has a lower key, in any source (a file says so)."""
        for one in self.inputs.values():
            one.floor = max(one.floor, key)

    def _bound(self, one: Input, arrived: Batch) -> int:
        """The lowest key an unknown record of this source may have, as far as a batch that arrived is concerned.

        It has none where its end was proven by an answer that was asked for after the arrival, or by a look that is not
        before the one that brought the batch.
        """
        if one.proven_at is not None:
            reader, number = one.proven_by
            if one.proven_at >= arrived.at_ms or (reader == arrived.answer[0] > 0 and number >= arrived.answer[1]):
                return FOREVER
        return max(one.progress, one.floor)

    def limit(self, one: Input) -> int:
        """The greatest key up to which this source's head batch may be applied now."""
        if not one.queue:
            return NEVER
        arrived = one.queue[0].batch
        allowed = FOREVER
        for other in self.inputs.values():
            if other is one:
                continue
            bound = self._bound(other, arrived)
            if bound < FOREVER and self.rank[one.source] > self.rank[other.source]:
                bound -= 1  # at equal keys the other's unknown record would come first
            allowed = min(allowed, bound)
        return allowed

    def ready(self) -> bool:
        """Whether anything can be taken."""
        first = self._first()
        return first is not None and int(first.head or 0) <= self.limit(first)

    def _first(self) -> Input | None:
        """The source of the next record in order, among those that wait."""
        waiting = [one for one in self.inputs.values() if one.queue]
        return min(waiting, key=lambda one: (one.head, self.rank[one.source]), default=None)

    def version_key(self, before: int = FOREVER) -> int | None:
        """The key of the next record, if that carries a version and can be taken."""
        first = self._first()
        if first is None or first.version_at != first.queue[0].start:
            return None
        head = int(first.head or 0)
        return head if head < before and head <= self.limit(first) else None

    def take(self, count: int, before: int = FOREVER) -> list[Piece]:
        """The next records in order: at most ``count`` of each source, none with a key from ``before`` on.

        The pieces come by topic; a stable sort by key puts their records in order.  A record that carries a version
        comes alone: whether it is late, and who moves to it, must not depend on what else was polled.
        """
        if self.begun is not None:
            one, self.begun = self.begun, None
            return [one.take(one.queue[0].start + 1)]
        first = self._first()
        if first is not None and first.version_at == first.queue[0].start:
            return [first.take(first.version_at + 1)] if self.version_key(before) is not None else []
        stops: list[tuple[Input, int]] = []
        end = (before, -1)
        for one in self.inputs.values():
            if not one.queue:
                continue
            piece = one.queue[0]
            keys = piece.keys[piece.start : min(piece.stop, piece.start + count, one.version_at)]
            stop = piece.start + int(np.searchsorted(keys, self.limit(one), side="right"))
            end = min(end, (one.key_after(stop), self.rank[one.source]))
            stops.append((one, stop))
        taken = []
        for one, stop in stops:
            piece = one.queue[0]
            side: Literal["left", "right"] = "right" if self.rank[one.source] < end[1] else "left"
            within = piece.start + int(np.searchsorted(piece.keys[piece.start : piece.stop], end[0], side=side))
            upto = stop if self.rank[one.source] == end[1] else min(stop, within)
            if upto > piece.start:
                taken.append(one.take(upto))
        return taken

    def break_off(self, pieces: Sequence[Piece], counts: Sequence[int], within: Piece) -> None:
        """Of the pieces that were taken last, only so many records each were applied: the others are next again, first
        of all the one of ``within`` that was begun, whatever comes in meanwhile."""
        for piece, count in zip(pieces, counts, strict=True):
            self.inputs[piece.batch.topic, piece.batch.partition].put_back(piece, piece.start + count)
        self.begun = self.inputs[within.batch.topic, within.batch.partition]

    def blocked_by(self) -> Source | None:
        """The source that holds back what waits, or None."""
        if self.ready():
            return None
        one = self._first()
        if one is None:
            return None
        arrived = one.queue[0].batch
        others = [o for o in self.inputs.values() if o is not one]
        return min(others, key=lambda o: self._bound(o, arrived)).source if others else None
