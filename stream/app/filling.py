"""What a worker reads of a rebuild (`stream.app.rebuild`): the rows of its shards, for the switch to come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from stream.app.rebuild import EDGE, Edge
from stream.engine.backfill import Backfill
from stream.engine.shard import Shard
from stream.engine.versions import DefinitionsVersion
from stream.errors import UserError
from stream.kafka.restore import read_changelog
from stream.plan.plan import Plan

log = logging.getLogger(__name__)

#: Pause between two looks for the rows, in seconds.
PAUSE = 0.5
#: So many rows are taken at once.
CHUNK = 10_000

Records = list[tuple[bytes, bytes | None]]


class Rows:
    """The rows of one partition, record by record; those of other versions and of broken-off tries do not count."""

    def __init__(self, version: int) -> None:
        self._version = version
        self._records: Records | None = None
        self.done: tuple[Records, Edge] | None = None

    def take(self, records: Sequence[Any]) -> None:
        """Take records of the topic in their order."""
        for record in records:
            if record.key == EDGE:
                self._edge(msgspec.json.decode(record.value, type=Edge))
            elif self._records is not None:
                self._records.append((record.key, record.value))

    def _edge(self, edge: Edge) -> None:
        if edge.version != self._version:
            self._records = None
        elif edge.rows < 0:
            self._records = []
        elif self._records is not None:
            self.done = self._records, edge
            self._records = None


def backfill_from(records: Records, edge: Edge, shard: Shard) -> Backfill:
    """The rows under the plan of an empty shard."""
    for start in range(0, len(records), CHUNK):  # each part is copied to be read
        some = records[start : start + CHUNK]
        shard.restore([key for key, _ in some], [value for _, value in some])
    shard.restored()
    count = len(shard.rows.index)
    if count != edge.rows:
        raise UserError(f"the rebuild of partition {shard.partition} has {count} rows, not {edge.rows}")
    return Backfill(shard.rows, edge.since)


class Filling:
    """Reads rebuilt rows as shards ask for them.

    Parameters
    ----------
    options, topic
        For aiokafka, and the topic of rebuilt rows.
    make_shard
        An empty shard of a partition under a plan, without sources.
    ready, failed
        Called when a shard's rows are there, and when they cannot be read.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        topic: str,
        make_shard: Callable[[Plan, int], Shard],
        ready: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._options, self._topic, self._make_shard = options, topic, make_shard
        self._ready, self._failed = ready, failed
        self._tasks: dict[tuple[int, int], asyncio.Task[Backfill]] = {}

    def of(self, version: DefinitionsVersion, plan: Plan, partition: int) -> Backfill | None:
        """The rows of a partition, None while they are not there. Given out once: they are as large as the shard."""
        which = (version.version, partition)
        task = self._tasks.get(which)
        if task is None:
            task = self._tasks[which] = asyncio.create_task(self._read(version.version, plan, partition))
            task.add_done_callback(self._ended)
        if not task.done() or task.cancelled() or task.exception() is not None:
            return None
        del self._tasks[which]
        return task.result()

    async def stop(self) -> None:
        """End reading."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _ended(self, task: asyncio.Task[Backfill]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed(error)
        elif not task.cancelled():
            self._ready()

    async def _read(self, version: int, plan: Plan, partition: int) -> Backfill:
        rows, position = Rows(version), None
        while rows.done is None:
            position = await read_changelog(self._options, self._topic, partition, position, rows.take)
            if rows.done is None:
                await asyncio.sleep(PAUSE)
        records, edge = rows.done
        return await asyncio.to_thread(backfill_from, records, edge, self._make_shard(plan, partition))
