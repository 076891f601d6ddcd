"""Reading pieces of topics for whoever asks, in a thread of its own, so that shards are not held up by it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.kafka.fetch import Taker

#: Bytes asked of a partition at once.
FETCH_BYTES = 2 << 20
#: Seconds without any record or end after which Kafka counts as silent.
SILENCE = 10.0
T = TypeVar("T")


class SilentError(Exception):
    """Kafka does not give what is known to be there."""


class StoppedError(Exception):
    """The worker ends: nothing is read any more."""


class ReaderThread:
    """A thread with an event loop, for consumers outside every group. Started by the first use."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pieces: Pieces | None = None
        self._consumers: set[AIOKafkaConsumer] = set()
        self._work: set[asyncio.Task[Any]] = set()
        self._stopped = False

    async def do(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine in the thread, and give its outcome here.  `StoppedError` after the end."""
        if self._stopped:
            raise StoppedError
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="reader", daemon=True)
            self._thread.start()

        async def run() -> T:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101  this is a task
            self._work.add(task)
            try:
                return await work()
            finally:
                self._work.discard(task)

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), self._loop))

    async def pieces(self, work: Callable[[Pieces], Awaitable[T]]) -> T:
        """Run a coroutine in the thread with the one consumer of pieces, which others wait for meanwhile."""

        async def run() -> T:
            if self._pieces is None:
                self._pieces = Pieces(self)
            async with self._pieces.lock:
                await self._pieces.start()
                return await work(self._pieces)

        return await self.do(run)

    async def consumer(self, auto_offset_reset: str = "earliest") -> AIOKafkaConsumer:
        """A started consumer; call it in the thread, and `release` it there.

        ``auto_offset_reset``: where it goes on whose place Kafka no longer has; ``none``: it fails.
        """
        consumer = AIOKafkaConsumer(
            **{
                "fetch_max_wait_ms": 200,
                "max_partition_fetch_bytes": FETCH_BYTES,
                **self._options,
                "group_id": None,
                "enable_auto_commit": False,
                "isolation_level": "read_committed",
                "auto_offset_reset": auto_offset_reset,
            }
        )
        self._consumers.add(consumer)
        try:
            await consumer.start()
        except BaseException:
            await self.release(consumer)
            raise
        return consumer

    async def release(self, consumer: AIOKafkaConsumer) -> None:
        """Stop a consumer; call it in the thread."""
        if consumer in self._consumers:
            self._consumers.discard(consumer)
            await consumer.stop()

    async def stop(self) -> None:
        """End the thread; what runs in it is cancelled, and all consumers are stopped."""
        loop, self._loop, self._stopped = self._loop, None, True
        if loop is None or self._thread is None:
            return
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._end(), loop))
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(self._thread.join)
        loop.close()

    async def _end(self) -> None:
        # Only what others wait for: a consumer's own tasks end with it.
        for task in self._work:
            task.cancel()
        if self._work:
            await asyncio.wait(self._work)
        await asyncio.gather(*(self.release(one) for one in list(self._consumers)), return_exceptions=True)


class Pieces:
    """Reads committed records between two offsets of a partition. Used in the thread, by one at a time (``lock``)."""

    def __init__(self, reader: ReaderThread) -> None:
        self.lock = asyncio.Lock()
        self._reader = reader
        self._consumer: AIOKafkaConsumer | None = None
        self._taker: Taker | None = None

    async def start(self) -> None:
        """Connect, where that was not done yet."""
        if self._consumer is None:
            consumer = await self._reader.consumer()
            self._consumer, self._taker = consumer, Taker(consumer)

    async def partitions(self, topic: str) -> list[int]:
        """The partitions of a topic; none where it does not exist."""
        cluster = await self._connected._client.fetch_all_metadata()
        return sorted(cluster.partitions_for_topic(topic) or ())

    async def bounds(self, tp: TopicPartition) -> tuple[int, int]:
        """The first offset that there is, and the end of what is committed."""
        beginning = await self._connected.beginning_offsets([tp])
        return beginning[tp], (await self._connected.end_offsets([tp]))[tp]

    async def at(self, tp: TopicPartition, instant: int) -> int | None:
        """The first offset whose record was written at an instant (ms) or later; None where there is none."""
        found = (await self._connected.offsets_for_times({tp: instant}))[tp]
        return None if found is None else int(found.offset)

    async def read(self, tp: TopicPartition, start: int, end: int) -> AsyncIterator[Any]:
        """The committed records from ``start`` to before ``end``, in their order."""
        async with self._reading(tp, start) as taker:
            position, moved = start, time.monotonic()
            while position < end:
                batch = (await taker.next([tp], 1.0)).batches.get(tp)
                if batch is not None:
                    position, moved = batch.hi, time.monotonic()
                    for record in batch.records:
                        if record.offset < end:
                            yield record
                elif time.monotonic() - moved > SILENCE:
                    raise SilentError(f"{tp.topic}/{tp.partition}: nothing from offset {position} on in {SILENCE:g} s")

    @asynccontextmanager
    async def _reading(self, tp: TopicPartition, start: int) -> AsyncIterator[Taker]:
        consumer = self._connected
        if tp not in consumer.assignment():
            consumer.assign([tp])
        consumer.resume(tp)
        consumer.seek(tp, start)
        try:
            assert self._taker is not None  # noqa: S101  started with the consumer
            yield self._taker
        finally:
            if tp in consumer.assignment():
                consumer.pause(tp)

    @property
    def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise RuntimeError("not started")
        return self._consumer
