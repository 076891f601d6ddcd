"""What is remembered of the moves of each shard: counted as they are committed, and read back from the topic of changes
when a shard opens, as far as that is bounded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any
from weakref import ref

import msgspec
from aiokafka import TopicPartition

from stream.app.moves import Move, Moves
from stream.app.ports import Shard, Step
from stream.app.shards import ShardHost
from stream.events.instant import parse_iso
from stream.kafka.explained import explained
from stream.kafka.reader import Pieces, ReaderThread
from stream.web.refusal import UNREADABLE

log = logging.getLogger(__name__)

#: How many offsets of the topic of changes are read back for all shards together, and for one: some seconds' work.
READ_BACK, MOST_READ_BACK = 200_000, 50_000


class _Moved(msgspec.Struct):
    """What is read of a change; its evidence is passed over."""

    dimension: str
    from_segment: str | None = msgspec.field(name="from")
    to_segment: str | None = msgspec.field(name="to")


class Remembered:
    """The moves of one shard since it opened here, and those that were read back from before."""

    def __init__(self, shard: Shard | None) -> None:
        #: without keeping in memory one that is thrown away
        self._shard = None if shard is None else ref(shard)
        self.moves = Moves()
        #: the offset, in the topic of changes, of the first change that this worker wrote; None: none yet
        self.own: int | None = None
        #: whether what lies before has been read back
        self.read_back = False

    def is_of(self, shard: Shard | None) -> bool:
        """Whether these are the moves of that very shard."""
        return self._shard is not None and self._shard() is shard


class Past:
    """The moves of all shards of this worker."""

    def __init__(self, shards: ShardHost, reader: ReaderThread) -> None:
        self._shards, self._reader = shards, reader
        self._kept: dict[int, Remembered] = {}
        self._reading: asyncio.Task[None] | None = None
        shards.on_opened.append(self.opened)
        shards.on_lost.append(self.lost)
        shards.on_committed.append(self.committed)

    def moves(self, partition: int) -> Moves:
        """What is known of a shard's moves."""
        kept = self._kept.get(partition)
        return Moves() if kept is None else kept.moves

    async def stop(self) -> None:
        """Read no further."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    def opened(self, partition: int) -> None:
        """A shard is ready: what is known of it stays true where it was here all the while."""
        shard = self._shards.runners[partition].shard
        kept = self._kept.get(partition)
        if kept is None or not kept.is_of(shard):
            kept = self._kept[partition] = Remembered(shard)
            if shard is not None and shard.clock_ms is not None:
                kept.moves.complete_from(shard.clock_ms)
        idle = self._reading is None or self._reading.done()
        # Not before the last one: events come first.
        if idle and len(self._shards.ready()) == len(self._shards.runners):
            self._reading = asyncio.create_task(self._read_back(), name="past")

    def lost(self, partition: int) -> None:
        """A shard is another worker's now."""
        self._kept.pop(partition, None)

    def committed(self, partition: int, step: Step, ends: Mapping[str, int]) -> None:
        """Count the moves of a step."""
        kept = self._kept.get(partition)
        changes = step.changes
        if kept is None or not len(changes):
            return
        if kept.own is None:
            kept.own = ends.get(self._shards.wiring.changes, 0) - len(changes)
        if kept.moves.since is None:
            kept.moves.complete_from(int(changes.at_ms.min()))
        at_ms, start = changes.at_ms, 0
        for kinds, numbers in changes.numbered():
            kept.moves.add_many(kinds, numbers, at_ms[start : start + len(numbers)])
            start += len(numbers)

    async def _read_back(self) -> None:
        """Read back what lies before, shard by shard, until there is none left that has opened meanwhile."""
        while True:
            todo = [(partition, kept) for partition, kept in self._kept.items() if not kept.read_back]
            if not todo:
                return
            partition, kept = todo[0]
            kept.read_back = True
            try:
                await self._read(partition, kept)
            except UNREADABLE as error:
                log.warning(
                    "shard %d: moves from before cannot be read back (%s): flows and sizes begin now",
                    partition,
                    explained(error),
                    extra={"shard": partition, "reason": explained(error)},
                )

    async def _read(self, partition: int, kept: Remembered) -> None:
        topic, most = self._shards.wiring.changes, min(MOST_READ_BACK, READ_BACK // self._shards.wiring.partitions)

        async def read(pieces: Pieces) -> tuple[bool, list[tuple[int, Move, int]]]:
            numbers = await pieces.partitions(topic)
            if not numbers:
                return True, []
            tp = TopicPartition(topic, partition % len(numbers))
            first, end = await pieces.bounds(tp)
            start = max(first, end - most)
            found = [one async for record in pieces.read(tp, start, end) if (one := _move(record)) is not None]
            return start == first, found

        whole, found = await self._reader.pieces(read)
        # What this worker wrote itself is counted already.
        earlier = [(move, at) for offset, move, at in found if kept.own is None or offset < kept.own]
        kept.moves.add(earlier)
        if whole:
            kept.moves.complete_from(0)
        elif earlier:
            kept.moves.complete_from(earlier[0][1])


def _move(record: Any) -> tuple[int, Move, int] | None:
    """Offset, move and instant (ms) of a record; None where it is no change."""
    try:
        moved = msgspec.json.decode(record.value or b"", type=_Moved)
        at = parse_iso(dict(record.headers)["ce_time"].decode())
    except (msgspec.DecodeError, KeyError, ValueError):
        return None
    return record.offset, (moved.dimension, moved.from_segment, moved.to_segment), at
