"""Rebuilds customers under new definitions from all that the topics still hold, beside the workers that run.

The same shards as live, under the new plan, read every source from its beginning up to the instant of the switch, and
stop there: events before that instant are in, none after.  Their rows go to a topic of their own, in one sequence a
partition: a beginning, rows as in a changelog, an end.  Live shards take the new features from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from aiokafka import TopicPartition

from stream.app.wiring import Wiring
from stream.engine import rest
from stream.engine.backfill import touch_all
from stream.engine.output import Output
from stream.engine.plans import Decoder
from stream.engine.shard import Shard
from stream.engine.slices import drained
from stream.engine.versions import DefinitionsVersion
from stream.features.base import NEVER
from stream.kafka.broadcast import Broadcast
from stream.kafka.fetch import End, Fetched
from stream.kafka.transaction import Payload, Row, ShardProducer

#: Key of the records around the rows of a rebuild; no row begins so.
EDGE = b"!"
#: Rows written in one transaction.
ROWS = 20_000
#: Pause while nothing can be done, in seconds.
PAUSE = 0.02


class Edge(msgspec.Struct, frozen=True):
    """What stands before (``rows`` -1) and after the rows of one partition.

    ``version`` is that of the definitions; ``since`` the instant (event time, ms) before which events were missing,
    None where there were all.
    """

    version: int
    rows: int = -1
    since: int | None = None


class Stop:
    """The plans of a shard that goes no further than the next definitions."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def plan_of(self, version: DefinitionsVersion) -> None:
        """There is none."""

    def backfill_of(self, version: DefinitionsVersion, partition: int) -> None:
        """There is none."""

    def decoder_of(self, plan: Any) -> Decoder:
        """The one for all."""
        return self._decoder


class Rebuilt:
    """One shard of a rebuild, as what reads the topics sees it."""

    def __init__(self, shard: Shard, most_waiting: int) -> None:
        self.shard = shard
        self._most = most_waiting

    @property
    def stopped(self) -> bool:
        """Whether all before the instant of the switch is in."""
        return self.shard.compiling is not None

    def expected(self, tp: TopicPartition) -> int | None:
        """Up to which offset the shard was offered a partition; None where it is another shard's."""
        source = (tp.topic, tp.partition)
        return self.shard.expected(source) if source in self.shard.merge.inputs else None

    def has_enough(self, tp: TopicPartition) -> bool:
        """Whether so much is waiting that no more should come."""
        source = (tp.topic, tp.partition)
        return source in self.shard.merge.inputs and self.shard.waiting(source) > self._most

    def is_blocked_by(self, topics: frozenset[str]) -> bool:
        """Whether the shard waits to know more about one of these topics."""
        blocked = self.shard.blocked_by()
        return blocked is not None and blocked[0] in topics

    def take_batch(self, tp: TopicPartition, batch: Any) -> None:
        """Take a decoded batch."""
        self.shard.offer(batch)

    def prove(self, tp: TopicPartition, end: End) -> None:
        """Take note of where a partition ends, once everything before it was offered."""
        if self.expected(tp) == end.position:
            self.shard.prove((tp.topic, tp.partition), end.position, end.at_ms, end.answer)


class Rebuild:
    """All shards of an application under new definitions.

    Parameters
    ----------
    wiring
        Of the application; ``make_shard`` is for the new plan.
    decoder
        For the new plan; versions on the control topic are nothing to it.
    backfill
        The topic that the rows go to.
    failed
        Called where reading fails.
    """

    def __init__(
        self, wiring: Wiring, decoder: Decoder, backfill: str, failed: Callable[[BaseException], None]
    ) -> None:
        self._wiring = wiring
        self._decoder = decoder
        self._backfill = backfill
        self.shards: list[Rebuilt] = []
        self.read = 0
        self._beginnings: dict[TopicPartition, int] = {}
        #: of partitions that have lost records, the instant of the first that they still have
        self._first: dict[TopicPartition, int] = {}
        topics = (*wiring.group_topics, *wiring.broadcast_topics)
        options = {**wiring.client_options, **wiring.consumer_options}
        self._reading = Broadcast(options, topics, lambda: self.shards, self._decode, failed)

    def _decode(self, tp: TopicPartition, fetched: Fetched) -> Any:
        batch = self._decoder.decode(tp.topic, tp.partition, fetched.records, fetched.lo, fetched.hi)
        batch.at_ms, batch.answer = fetched.at_ms, fetched.answer
        if self._beginnings.get(tp, 0) and tp not in self._first and tp.topic in self._wiring.group_topics:
            known = batch.instants[batch.instants > NEVER]
            if len(known):
                self._first[tp] = int(known[0])
        return batch

    async def start(self) -> None:
        """Begin to read every source from its first record."""
        await self._reading.start()
        beginnings = self._beginnings = await self._reading.beginnings()
        shared = set(self._wiring.broadcast_topics)
        for partition in range(self._wiring.partitions):
            sources = [(t, p) for t, p in beginnings if t in shared or p == partition]
            shard = self._wiring.make_shard(partition, sources)
            assert isinstance(shard, Shard)  # noqa: S101 - the wiring's own
            shard.plans = Stop(self._decoder)
            for topic, number in sources:
                shard.start((topic, number), beginnings[TopicPartition(topic, number)])
            self.shards.append(Rebuilt(shard, self._wiring.max_waiting))
        self._reading.join(beginnings)

    async def stop(self) -> None:
        """Stop reading."""
        await self._reading.stop()

    async def catch_up(self, told: Callable[[int], None]) -> None:
        """Apply what is there now; ``told`` hears from time to time how many events were read."""
        ends = await self._reading.ends()
        while True:
            busy = await self._step(told)
            read = [
                (at, end) for one in self.shards for tp, end in ends.items() if (at := one.expected(tp)) is not None
            ]
            if not busy and all(at >= end for at, end in read):
                return

    def stop_at(self, version: DefinitionsVersion) -> bool:
        """Let no event in from the instant of these definitions on; False where one is in already."""
        for one in self.shards:
            if one.shard.position >= version.effective:
                return False
            clock = NEVER if one.shard.clock_ms is None else one.shard.clock_ms
            one.shard.versions.add(version, one.shard.position, clock)
        return True

    async def reach(self, told: Callable[[int], None]) -> None:
        """Go on until every shard has stopped."""
        while not all(one.stopped for one in self.shards):
            await self._step(told)

    async def _step(self, told: Callable[[int], None]) -> bool:
        busy = False
        wall_ms = 0 if self._wiring.wall_clock else None
        for one in self.shards:
            out = None if one.stopped else one.shard.step(self._wiring.max_records, wall_ms)
            if out is not None:
                busy = True
                self.read += out.counts.read
                told(self.read)
            await asyncio.sleep(0)
        if not busy:
            await asyncio.sleep(PAUSE)
        return busy

    async def write(self, producer: ShardProducer, version: DefinitionsVersion) -> int:
        """Write the rows of every shard; how many there are."""
        total, since = 0, max(self._first.values(), default=None)
        for one in self.shards:
            rows = _at_rest(one.shard)
            count = len(one.shard.rows.index)
            place = (self._backfill, one.shard.partition)
            await self._send(producer, place, [_edge(Edge(version.version))])
            for start in range(0, len(rows), ROWS):
                await self._send(producer, place, rows[start : start + ROWS])
            await self._send(producer, place, [_edge(Edge(version.version, count, since))])
            total += count
        return total

    async def _send(self, producer: ShardProducer, place: tuple[str, int], rows: Iterable[Row]) -> None:
        payload = Payload()
        payload.placed[place] = list(rows)
        await producer.transact(payload)


def _edge(edge: Edge) -> Row:
    return EDGE, msgspec.json.encode(edge), []


def _at_rest(shard: Shard) -> list[Row]:
    """What a changelog would hold of the shard's customers."""
    touch_all(shard.rows)
    out = Output()
    drained(shard.memory.write(shard.versions, out))
    return [(key, value, []) for key, value in out.rows if key[:1] in (rest.ROW, rest.NAME, rest.LAYOUT)]
