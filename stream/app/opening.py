"""Opening a shard: what must be read from Kafka, in which order, before its first event may be applied."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition

from stream.app.ports import Shard
from stream.events.raw import raw_of
from stream.kafka.restore import RestoreStalledError, read_changelog

if TYPE_CHECKING:
    from stream.app.runner import ShardRunner
    from stream.app.shards import ShardHost

log = logging.getLogger(__name__)

#: Longest wait for committed and first offsets, in seconds.
OFFSETS_SECONDS = 30.0
#: Unreadable records of a changelog that are told one by one.
MOST_TOLD = 10
#: Pause between two looks for a plan that is being compiled, in seconds.
COMPILING_PAUSE = 0.1


class Opening:
    """Opens shards, a few at a time, outside the rebalance callback."""

    def __init__(self, host: ShardHost) -> None:
        self._host = host
        self._slots = asyncio.Semaphore(host.wiring.openings)

    async def open(self, runner: ShardRunner, term: int) -> None:
        """Open a shard for a term. In this order:

        1. start the transactional producer: what a previous owner left open is aborted, and it can commit no more;
        2. only now read the group's committed offsets: before, the previous owner could still have moved them;
        3. read the changelog up to its last stable offset; rows kept from before go on from where they end, and are
           thrown away if anyone else has written meanwhile;
        4. let the shard work out what rows do not hold, place every source, read on, be ready.

        Where the term ends midway, the runner's task is cancelled; rows that were kept stay kept.
        """
        async with self._slots:
            began = time.monotonic()
            runner.doing = "taking over its transactions"
            await runner.new_producer()
            runner.doing = "asking for its offsets"
            committed, beginnings = await self._offsets(runner.partition)
            shard, position = await self._rows(runner, committed, beginnings)
            runner.doing = "placing its sources"
            starts = self._place(shard, runner, committed, beginnings)
            group = {tp: at for tp, at in starts.items() if tp.topic in self._host.wiring.group_topics}
            placed = await self._host.thread.read_from(group, term)
            if self._host.term != term:
                raise asyncio.CancelledError
            if not placed:
                raise RestoreStalledError("the sources could not be placed")
            # Nothing is awaited from here on: the shard is ready under this very term.
            runner.opened(shard, position, {(tp.topic, tp.partition): at for tp, at in starts.items()})
            self._host.broadcast.join({tp: at for tp, at in starts.items() if tp not in group})
        self._host.opened(runner, time.monotonic() - began)

    async def _offsets(self, partition: int) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        tps = [TopicPartition(topic, partition) for topic in self._host.wiring.group_topics]
        async with asyncio.timeout(OFFSETS_SECONDS):
            committed = await self._host.thread.committed(tps)
            beginnings = await self._host.thread.beginnings(tps)
            return committed, {**beginnings, **await self._host.broadcast.beginnings()}

    async def _rows(
        self, runner: ShardRunner, committed: dict[TopicPartition, int], beginnings: dict[TopicPartition, int]
    ) -> tuple[Shard, int]:
        """The shard with the rows that are committed, and the position of the changelog that they stand for."""
        runner.rows_restored = 0
        runner.doing = "reading its rows"
        kept = runner.shard
        if kept is not None and runner.kept is not None:
            same = all(runner.committed.get((tp.topic, tp.partition)) == at for tp, at in committed.items())
            if same and all(kept.expected((tp.topic, tp.partition)) >= at for tp, at in beginnings.items()):
                elsewhere: list[int] = []
                position = await self._read(runner, runner.kept, lambda records: elsewhere.append(len(records)))
                if not sum(elsewhere):
                    return kept, position
            log.info(
                "shard %d: written elsewhere meanwhile, its rows are read anew",
                runner.partition,
                extra={"shard": runner.partition},
            )
        shard = self._host.new_shard(runner.partition)

        async def apply(records: Sequence[Any]) -> None:
            # In a thread: other shards go on meanwhile, and are opened side by side. Nobody else has this one yet.
            await asyncio.to_thread(shard.read_back, raw_of(records))
            runner.rows_restored += len(records)
            runner.doing = f"reading its rows, {runner.rows_restored:,} so far"
            self._host.metrics.rows_restored.inc(len(records))

        position = await self._read(runner, None, apply)
        while not shard.planned():
            runner.doing = "waiting for its definitions to be compiled"
            await asyncio.sleep(COMPILING_PAUSE)
        runner.doing = f"working out when each of its {runner.rows_restored:,} rows changes next"
        await asyncio.to_thread(shard.restored)
        self._tell(runner.partition, shard)
        return shard, position

    def _tell(self, partition: int, shard: Shard) -> None:
        """What is set aside, each in a line, and many at once in one."""
        for poison in shard.poison[:MOST_TOLD]:
            log.error(
                "shard %d: %s: set aside, a copy is in the dead letters",
                partition,
                poison,
                extra={"shard": partition, "place": f"{self._host.wiring.changelog}/{partition}/{poison.offset}"},
            )
        more = len(shard.poison) - MOST_TOLD
        if more > 0:
            log.error(
                "shard %d: set aside %d more records of the changelog that cannot be read",
                partition,
                more,
                extra={"shard": partition, "place": f"{self._host.wiring.changelog}/{partition}"},
            )
        self._host.metrics.poison.inc(len(shard.poison))

    async def _read(self, runner: ShardRunner, start: int | None, apply: Any) -> int:
        wiring = self._host.wiring
        options = {**wiring.client_options, **wiring.consumer_options}
        return await read_changelog(options, wiring.changelog, runner.partition, start, apply, unframe=wiring.unframe)

    def _place(
        self,
        shard: Shard,
        runner: ShardRunner,
        committed: dict[TopicPartition, int],
        beginnings: dict[TopicPartition, int],
    ) -> dict[TopicPartition, int]:
        """Where to read on: kept rows where they were, others at the greater of own row, group and beginning."""
        starts: dict[TopicPartition, int] = {}
        for topic, partition in self._host.sources(runner.partition):
            tp, source = TopicPartition(topic, partition), (topic, partition)
            if shard is runner.shard:
                starts[tp] = shard.expected(source)
                continue
            known = max(shard.next_offset(source) or 0, committed.get(tp, 0))
            starts[tp] = max(known, beginnings[tp])
            if 0 < known < beginnings[tp]:
                self._host.lost(tp, known, beginnings[tp])
            shard.start(source, starts[tp])
        return starts
