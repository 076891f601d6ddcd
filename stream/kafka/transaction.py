"""The transactional producer of one shard, and what one transaction writes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition

from stream.kafka import framing
from stream.kafka.coordinators import look_patiently
from stream.kafka.explained import explained
from stream.kafka.framed import Picked, framed

log = logging.getLogger(__name__)

#: key, value, headers
Row = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]

#: Largest record batch, in bytes before compression; just below what a topic takes by default (max.message.bytes).
MAX_BATCH_BYTES = 1_000_000
#: Behind a batch of more records than this, others have their turn in the event loop.
MANY = 200
#: How long stopping a producer may take, in seconds.
STOP_SECONDS = 1.0
#: Producers that are being stopped; the event loop itself holds tasks weakly.
_STOPPING: set[asyncio.Task[None]] = set()


@dataclass(slots=True)
class Payload:
    """All that one transaction writes: records by topic, and the source offsets of the consumer group.

    ``many`` and ``rows`` go to the shard's own partition of a topic, ``placed`` to the partition that is named.
    """

    many: dict[str, list[Picked]] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    placed: dict[tuple[str, int], list[Row]] = field(default_factory=dict)
    offsets: Mapping[tuple[str, int], int] = field(default_factory=dict)

    def add(self, topic: str, rows: Iterable[Row]) -> None:
        """Append records to what is written to a topic; their order is kept."""
        self.rows.setdefault(topic, []).extend(rows)

    @property
    def records(self) -> int:
        """How many records it writes."""
        some = chain.from_iterable(self.many.values())
        return sum(len(rows) for rows in (*some, *self.rows.values(), *self.placed.values()))


class TransactionError(Exception):
    """The transaction did not end in a known way: it may have been committed or not. The shard must be read again."""


class ShardProducer:
    """Writes for one shard, in transactions; at any time one process at most can commit for a transactional id.

    ``timeout`` in seconds is how long the broker lets a transaction stay open; ours end a little sooner.  ``frame``:
    :func:`stream.kafka.framing.frame`, compiled where many records are written.
    """

    def __init__(
        self,
        transactional_id: str,
        group: str,
        partition: int,
        options: Mapping[str, Any],
        *,
        timeout: float = 10.0,
        frame: Callable[..., tuple[int, int]] = framing.frame,
    ) -> None:
        self._frame = frame
        self._group = group
        self._partition = partition
        self._deadline = timeout * 0.9
        self._producer = AIOKafkaProducer(
            **{
                "max_batch_size": MAX_BATCH_BYTES,
                **options,
                "transactional_id": transactional_id,
                "transaction_timeout_ms": int(timeout * 1000),
                "enable_idempotence": True,
            }
        )
        look_patiently(self._producer.client)
        for failing in ("error_transaction", "fatal_error"):
            self._hear(failing)

    async def start(self) -> None:
        """Take over the transactional id: the broker aborts what a previous owner left open, and fences that owner."""
        await self._producer.start()

    async def transact(self, payload: Payload) -> Mapping[str, int]:
        """Write everything in one transaction. In this order:

        1. begin;
        2. build the record batches of every topic and send them;
        3. await every one: a batch that the broker refused would not fail the commit by itself;
        4. add the source offsets of the group;
        5. commit.

        Returns for each topic the offset after the last record written. All steps together have a deadline. Any error,
        of whatever type (a fenced producer raises AssertionError among others), becomes a `TransactionError`, after an
        attempt to abort so that readers are not held up; nothing is known then but what Kafka says when asked again.
        """
        try:
            async with asyncio.timeout(self._deadline):
                return await self._transact(payload)
        except asyncio.CancelledError:
            await self.abort()
            raise
        except Exception as error:
            await self.abort()
            raise TransactionError(explained(error)) from error

    async def _transact(self, payload: Payload) -> dict[str, int]:
        producer = self._producer
        await producer.begin_transaction()
        sent: list[tuple[str, int, asyncio.Future[Any]]] = []
        for topic, partition, batches in [
            *[(topic, await self._own(topic), self._framed(parts)) for topic, parts in payload.many.items()],
            *[(topic, await self._own(topic), self._batches(rows)) for topic, rows in payload.rows.items()],
            *[(*place, self._batches(rows)) for place, rows in payload.placed.items()],
        ]:
            for batch in batches:
                count = batch.record_count()
                future = await producer.send_batch(batch, topic, partition=partition)
                future.add_done_callback(_seen)
                sent.append((topic, count, future))
                if count > MANY:  # filling and compressing them took milliseconds
                    await asyncio.sleep(0)
        answers = await asyncio.gather(*(future for *_, future in sent), return_exceptions=True)
        ends: dict[str, int] = {}
        for (topic, count, _), answer in zip(sent, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            ends[topic] = answer.offset + count
        if payload.offsets:
            offsets = {TopicPartition(*source): offset for source, offset in payload.offsets.items()}
            await producer.send_offsets_to_transaction(offsets, self._group)
        await producer.commit_transaction()
        return ends

    async def _own(self, topic: str) -> int:
        """The shard's own partition of a topic."""
        return self._partition % len(await self._producer.partitions_for(topic))

    def _framed(self, parts: Sequence[Picked]) -> Iterator[Any]:
        """Record batches of many records at once; otherwise as below."""
        compression = self._producer._message_accumulator._compression_type
        return framed(self._frame, parts, MAX_BATCH_BYTES, compression)

    def _batches(self, rows: Iterable[Row]) -> Iterable[Any]:
        """Record batches, each as large as allowed; a record too large for any is alone in its batch, and refused."""
        batch = None
        for key, value, headers in rows:
            if batch is None or batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
                if batch is not None:
                    yield batch
                batch = self._producer.create_batch()
                batch.append(timestamp=None, key=key, value=value, headers=headers)
        if batch is not None:
            yield batch

    async def abort(self) -> None:
        """Abort what is open, as far as that is possible; the next owner's start aborts it otherwise."""
        self._expect_failures()
        try:
            async with asyncio.timeout(1.0):
                await self._producer.abort_transaction()
        except Exception as error:  # noqa: BLE001  the state of a failed producer is unknown, and it is thrown away
            log.debug("abort: %s: %s", type(error).__name__, error)

    async def stop(self) -> None:
        """Let go of the connections. Takes a second or so at most; an open transaction stays open.

        Never raises, but where it is cancelled: the connections are let go of all the same."""
        stopping = asyncio.create_task(self._stop())
        _STOPPING.add(stopping)
        stopping.add_done_callback(_STOPPING.discard)
        await asyncio.shield(stopping)

    async def _stop(self) -> None:
        self._expect_failures()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._producer.stop()
        except Exception as error:  # noqa: BLE001  as above
            log.debug("stop: %s: %s", type(error).__name__, error)
            self._cancel_tasks()
            await self._producer.client.close()

    def _hear(self, failing: str) -> None:
        """A transaction that fails gets a new future where its former one was done, and nobody may await it: an answer
        can come late, when the transaction was given up."""
        manager = self._producer._txn_manager
        fail = getattr(manager, failing)

        def heard(error: BaseException) -> None:
            self._expect_failures()
            fail(error)
            _seen(manager._transaction_waiter)

        setattr(manager, failing, heard)

    def _expect_failures(self) -> None:
        """What the producer still waits for may fail from here on, as a commit on its way does that is refused only
        while we stop: nobody asks for it any more, so it is no news."""
        transactions, accumulator = self._producer._txn_manager, self._producer._message_accumulator
        batches = [
            *accumulator._pending_batches,
            *(batch for queue in accumulator._batches.values() for batch in queue),
        ]
        futures = [
            transactions._transaction_waiter,
            *(future for *_, future in transactions._pending_txn_offsets),
            *(future for batch in batches for future in (batch.future, batch._drain_waiter)),
        ]
        for future in futures:
            if future is not None:
                future.add_done_callback(_seen)

    def _cancel_tasks(self) -> None:
        """End the producer's own tasks, which would look for a broker that is away for ever."""
        owners = (self._producer._sender, self._producer._message_accumulator)
        for task in asyncio.all_tasks():
            frame = getattr(task.get_coro(), "cr_frame", None)
            if frame is not None and frame.f_locals.get("self") in owners:
                task.cancel()


def _seen(future: asyncio.Future[Any] | None) -> None:
    """Mark the exception of a future as known: a transaction fails once, but all that it waited for fails with it."""
    if future is not None and future.done() and not future.cancelled():
        future.exception()
