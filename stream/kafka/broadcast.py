"""Topics that every worker reads whole, beside the consumer group, and hands to each of its shards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.errors import UserError
from stream.kafka.fetch import End, Fetched, Taker, current_assignment, wake
from stream.kafka.pulse import Pulse

#: How long the broker may keep a fetch waiting for records, in ms: while some shard waits for us, and otherwise.
URGENT_WAIT_MS = 20
IDLE_WAIT_MS = 50
#: Longest wait for an answer, in seconds.
POLL_SECONDS = 0.5


class RecordsGoneError(Exception):
    """Kafka has deleted records of a topic before a shard has read them; the worker ends, for it cannot tell
    what it missed."""


class Reader(Protocol):
    """A shard that reads along, each with its own cursor into every partition."""

    def expected(self, tp: TopicPartition) -> int | None:
        """The shard's cursor; None: it is not ready."""

    def has_enough(self, tp: TopicPartition) -> bool:
        """Whether so much is waiting in the shard that no more should come."""

    def is_blocked_by(self, topics: frozenset[str]) -> bool:
        """Whether the shard can go on only when more is known about one of these topics."""

    def take_batch(self, tp: TopicPartition, batch: Any) -> None:
        """Take a decoded batch that begins at or before the cursor."""

    def prove(self, tp: TopicPartition, end: End) -> None:
        """Take note of where the partition ends."""


class Broadcast:
    """One plain consumer for all shards of a worker.

    It is positioned by the shards: a shard that opens with an older cursor makes it seek back, and the others skip
    what they have had. ``decode`` turns what was fetched into the batch that shards take, once for all of them.
    ``pulse`` is told of every answer.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        topics: Iterable[str],
        readers: Callable[[], Iterable[Reader]],
        decode: Callable[[TopicPartition, Fetched], Any],
        crashed: Callable[[BaseException], None],
        pulse: Pulse | None = None,
    ) -> None:
        self.topics = frozenset(topics)
        self.partitions: tuple[TopicPartition, ...] = ()
        self._options = options
        self._readers = readers
        self._decode = decode
        self._crashed = crashed
        self._pulse = pulse
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None
        self._positioned: set[TopicPartition] = set()
        #: where a gap has made us seek to, until there is none
        self._sought: dict[TopicPartition, int] = {}
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Connect and learn the partitions; nothing is read before the first shard joins."""
        consumer = self._consumer = AIOKafkaConsumer(
            **{
                "fetch_max_wait_ms": URGENT_WAIT_MS,
                **self._options,
                "group_id": None,
                "enable_auto_commit": False,
                "isolation_level": "read_committed",
                "auto_offset_reset": "earliest",
            }
        )
        await consumer.start()
        taker = Taker(consumer)
        if self._pulse is not None:
            self._pulse.watch(consumer._client)
        cluster = await consumer._client.fetch_all_metadata()
        found: list[TopicPartition] = []
        for topic in sorted(self.topics):
            numbers = cluster.partitions_for_topic(topic)
            if not numbers:
                raise UserError(f"topic {topic!r} does not exist: create it with `segstream topics`")
            found.extend(TopicPartition(topic, number) for number in sorted(numbers))
        self.partitions = tuple(found)
        if found:
            consumer.assign(found)
            consumer.pause(*found)
            self._task = asyncio.create_task(self._run(consumer, taker), name="broadcast")

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._consumer is not None:
            await self._consumer.stop()

    async def beginnings(self) -> dict[TopicPartition, int]:
        """The first offset that each partition still has."""
        if self._consumer is None or not self.partitions:
            return {}
        found: dict[TopicPartition, int] = await self._consumer.beginning_offsets(self.partitions)
        return found

    async def ends(self) -> dict[TopicPartition, int]:
        """The offset behind the last record that each partition has now."""
        if self._consumer is None or not self.partitions:
            return {}
        found: dict[TopicPartition, int] = await self._consumer.end_offsets(self.partitions)
        return found

    def join(self, cursors: Mapping[TopicPartition, int]) -> None:
        """A shard has opened with these cursors: read on from the oldest cursor of all."""
        consumer = self._consumer
        assignment = current_assignment(consumer) if consumer is not None else None
        if consumer is None or assignment is None:
            return
        for tp, cursor in cursors.items():
            if tp not in self._positioned:
                consumer.seek(tp, cursor)
                consumer.resume(tp)
                self._positioned.add(tp)
            elif assignment.state_value(tp).position > cursor:
                consumer.seek(tp, cursor)
        self._changed.set()
        self.look_again()

    def look_again(self) -> None:
        """Something may be wanted now that was not before."""
        if self._consumer is not None:
            wake(self._consumer)

    async def _run(self, consumer: AIOKafkaConsumer, taker: Taker) -> None:
        try:
            while True:
                readers = list(self._readers())
                urgent = any(reader.is_blocked_by(self.topics) for reader in readers)
                consumer._fetcher._fetch_max_wait_ms = URGENT_WAIT_MS if urgent else IDLE_WAIT_MS
                wanted = {tp for tp in self._positioned if not any(reader.has_enough(tp) for reader in readers)}
                if not self._positioned:
                    self._changed.clear()
                    await self._changed.wait()
                    continue
                answer = await taker.take(wanted)
                if not answer:
                    await taker.wait(POLL_SECONDS)
                    continue
                self._hand_out(consumer, answer.batches)
                for tp, end in answer.ends.items():
                    for reader in self._readers():
                        reader.prove(tp, end)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, the shards cannot go on without these topics
            self._crashed(error)

    def _hand_out(self, consumer: AIOKafkaConsumer, batches: Mapping[TopicPartition, Fetched]) -> None:
        for tp, fetched in batches.items():
            cursors = [(reader, cursor) for reader in self._readers() if (cursor := reader.expected(tp)) is not None]
            self._mind_gap(consumer, tp, fetched, [cursor for _, cursor in cursors if cursor < fetched.lo])
            decoded = None
            for reader, cursor in cursors:
                if fetched.lo <= cursor < fetched.hi:
                    decoded = decoded if decoded is not None else self._decode(tp, fetched)
                    reader.take_batch(tp, decoded)
                if fetched.end is not None:
                    reader.prove(tp, fetched.end)

    def _mind_gap(self, consumer: AIOKafkaConsumer, tp: TopicPartition, fetched: Fetched, behind: list[int]) -> None:
        """Seek back to the oldest cursor; where that was tried before, its records are gone."""
        if not behind:
            self._sought.pop(tp, None)
            return
        oldest = min(behind)
        if self._sought.get(tp) == oldest:
            raise RecordsGoneError(f"{tp.topic}/{tp.partition}: asked for offset {oldest}, got {fetched.lo}")
        self._sought[tp] = oldest
        consumer.seek(tp, oldest)
