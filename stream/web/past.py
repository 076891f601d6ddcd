"""What is remembered of the moves of each shard: counted as they are committed, and read back from the topic of changes
when a shard opens, as far as that is bounded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from stream.app.moves import Move, Moves
from stream.app.ports import Shard, Step
from stream.app.shards import ShardHost
from stream.events.instant import parse_iso
from stream.kafka.explained import explained
from stream.kafka.reader import Pieces, ReaderThread, SilentError
from stream.web.told import read_change

log = logging.getLogger(__name__)

#: How many offsets of the topic of changes are read back when a shard opens: half a second's work.
READ_BACK = 50_000


class Remembered:
    """The moves of one shard since it opened here, and those that were read back from before."""

    def __init__(self, shard: Shard | None) -> None:
        self.shard, self.moves = shard, Moves()
        #: the offset, in the topic of changes, of the first change that this worker wrote; None: none yet
        self.own: int | None = None
        self.reading: asyncio.Task[None] | None = None


class Past:
    """The moves of all shards of this worker."""

    def __init__(self, shards: ShardHost, reader: ReaderThread) -> None:
        self._shards, self._reader = shards, reader
        self._kept: dict[int, Remembered] = {}
        shards.on_opened.append(self.opened)
        shards.on_lost.append(self.lost)
        shards.on_committed.append(self.committed)

    def moves(self, partition: int) -> Moves:
        """What is known of a shard's moves."""
        kept = self._kept.get(partition)
        return Moves() if kept is None else kept.moves

    async def stop(self) -> None:
        """Read no further."""
        for partition in list(self._kept):
            self.lost(partition)

    def opened(self, partition: int) -> None:
        """A shard is ready: what is known of it stays true where it was here all the while."""
        shard = self._shards.runners[partition].shard
        kept = self._kept.get(partition)
        if kept is not None and kept.shard is shard:
            return
        self.lost(partition)
        kept = self._kept[partition] = Remembered(shard)
        if shard is not None and shard.clock_ms is not None:
            kept.moves.complete_from(shard.clock_ms)
        kept.reading = asyncio.create_task(self._read_back(partition, kept), name=f"past-{partition}")

    def lost(self, partition: int) -> None:
        """A shard is another worker's now."""
        kept = self._kept.pop(partition, None)
        if kept is not None and kept.reading is not None:
            kept.reading.cancel()

    def committed(self, partition: int, step: Step, ends: Mapping[str, int]) -> None:
        """Count the moves of a step."""
        kept = self._kept.get(partition)
        if kept is None or not step.changes:
            return
        if kept.own is None:
            kept.own = ends.get(self._shards.wiring.changes, 0) - len(step.changes)
        if kept.moves.since is None:
            kept.moves.complete_from(min(change.at_ms for change in step.changes))
        kept.moves.add(((one.dimension, one.from_segment, one.to_segment), one.at_ms) for one in step.changes)

    async def _read_back(self, partition: int, kept: Remembered) -> None:
        async def read(pieces: Pieces) -> tuple[bool, list[tuple[int, Move, int]]]:
            numbers = await pieces.partitions(self._shards.wiring.changes)
            if not numbers:
                return True, []
            tp = TopicPartition(self._shards.wiring.changes, partition % len(numbers))
            first, end = await pieces.bounds(tp)
            start = max(first, end - READ_BACK)
            found = [one async for record in pieces.read(tp, start, end) if (one := _move(record)) is not None]
            return start == first, found

        try:
            whole, found = await self._reader.pieces(read)
        except (KafkaError, OSError, SilentError) as error:
            log.warning(
                "shard %d: moves from before cannot be read back (%s): flows and sizes begin now",
                partition,
                explained(error),
                extra={"shard": partition, "reason": explained(error)},
            )
            return
        # What this worker wrote itself is counted already.
        earlier = [(move, at) for offset, move, at in found if kept.own is None or offset < kept.own]
        kept.moves.add(earlier)
        if earlier:
            instants = [at for _, at in earlier]
            kept.moves.complete_from(0 if whole else max(min(instants), instants[0]))
        elif whole:
            kept.moves.complete_from(0)


def _move(record: Any) -> tuple[int, Move, int] | None:
    change = read_change(record)
    if change is None:
        return None
    return record.offset, (change.dimension, change.from_segment, change.to_segment), parse_iso(change.time)
