"""One shard in the live system: opened by an assignment, fed with batches, stepped, written, handed over."""

from __future__ import annotations

import asyncio
import enum
import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from stream.app import outputs
from stream.app.crowd import Crowd
from stream.app.gaps import Gaps
from stream.app.hot import Hot
from stream.app.portion import Portion
from stream.app.ports import Shard, Source, Step, Summary
from stream.kafka.explained import explained
from stream.kafka.fetch import End, Fetched, size_of
from stream.kafka.restore import RestoreStalledError
from stream.kafka.transaction import Payload, ShardProducer, TransactionError

if TYPE_CHECKING:
    from stream.app.shards import ShardHost

log = logging.getLogger(__name__)

#: Longest start of a transactional producer, in seconds.
START_SECONDS = 30.0
#: Pause before opening again after a failed opening, doubled up to the last, in seconds.
FIRST_PAUSE, LAST_PAUSE = 0.5, 10.0


class State(enum.Enum):
    """Where a shard stands."""

    CLOSED = "closed"
    OPENING = "opening"
    READY = "ready"
    #: between two assignments: the rows are kept, nothing runs
    HELD = "held"


class ShardRunner:
    """Runs the shard of one partition; all of it in the main event loop, in a task that agents cannot cancel."""

    def __init__(self, partition: int, host: ShardHost) -> None:
        self.partition = partition
        self.state = State.CLOSED
        self.shard: Shard | None = None
        self.wanted: frozenset[TopicPartition] = frozenset()
        #: per source: the offset that the last commit of this shard wrote
        self.committed: dict[Source, int] = {}
        #: rows read back by the opening under way
        self.rows_restored = 0
        #: what it is at, or waits for, while it is not ready; for people
        self.doing = "not assigned"
        self._host = host
        self._wiring = host.wiring
        self._producer: ShardProducer | None = None
        self._kept_position: int | None = None
        self._plan: Any = None
        self._summaries: Callable[[Shard], Sequence[Summary]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._ends: dict[TopicPartition, End] = {}
        self._crowd = Crowd(host.wiring.max_waiting, host.wiring.max_waiting_bytes)
        self._gaps = Gaps(host.seek, host.rejoin)
        self._portion = Portion(host.wiring.max_records, host.wiring.transaction_timeout)
        self._last_commit = 0.0
        self._failures = 0
        self.hot = Hot(partition, host.wiring.hot_share)

    # -- life -------------------------------------------------------------------------------------------------------

    def open(self, term: int) -> None:
        """Begin to open the shard for this term; returns at once."""
        self.state = State.OPENING if self.shard is None else State.HELD
        self.doing = "waiting for its turn to be opened"
        self._task = asyncio.create_task(self._live(term), name=f"shard-{self.partition}")

    async def leave(self) -> None:
        """The term is over: abandon an opening, or let the running transaction end. The rows are kept."""
        task = self._task
        if task is None:
            return
        self._wake.set()
        if self.state is not State.READY:
            task.cancel()
        await asyncio.wait([task])
        self._task = None

    async def stop(self, seconds: float) -> None:
        """Let the running transaction end within ``seconds``, else abort it; then let go of everything."""
        if self._task is not None:
            self._wake.set()
            if self.state is not State.READY:
                self._task.cancel()
            _, late = await asyncio.wait([self._task], timeout=seconds)
            for task in late:
                task.cancel()
                await asyncio.wait([task], timeout=2.0)
            self._task = None
        await self.discard()

    async def discard(self) -> None:
        """Forget the rows: they may differ from what is committed, or belong to another worker now."""
        self.state = State.CLOSED
        self.doing = "closed"
        if self.shard is not None:
            self._host.let_go()
        self.shard = None
        self._kept_position = None
        self._set_wanted(frozenset())
        await self.stop_producer()

    async def stop_producer(self) -> None:
        """Let go of the transactional producer, if there is one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _live(self, term: int) -> None:
        pause = FIRST_PAUSE
        while self._host.term == term:
            try:
                await self._host.opening.open(self, term)
                await self._run(term)
            except asyncio.CancelledError:
                # Before the shard is ready nothing touches kept rows; after, a step may have been cut short.
                await (self.discard() if self.state is State.READY else self.stop_producer())
                raise
            except TransactionError as error:
                await self._close_for_good(error, term)
                return
            except (KafkaError, OSError, TimeoutError, RestoreStalledError) as error:
                why = explained(error)
                log.warning(
                    "shard %d: not opened (%s), next try in %.1fs",
                    self.partition,
                    why,
                    pause,
                    extra={"shard": self.partition, "reason": why},
                )
                await self.discard()
                self.doing = f"could not be opened ({why}), and is tried again"
                await asyncio.sleep(pause)
                pause = min(pause * 2, LAST_PAUSE)
            except Exception as error:  # noqa: BLE001  a mistake in the program; going on would lose or double events
                await self.discard()
                self._host.crash(error)
                return

    async def _close_for_good(self, error: Exception, term: int) -> None:
        """After an error in a transaction nobody knows what was committed: only an assignment opens the shard again."""
        log.error(
            "shard %d: transaction failed (%s); it is read again from Kafka",
            self.partition,
            error,
            extra={"shard": self.partition, "reason": str(error)},
        )
        self._host.metrics.transactions_failed.inc()
        self._portion.failed(time.monotonic())
        _clear_frames(error)
        await self.discard()
        self.doing = f"closed after a failed transaction ({error}), until the next assignment"
        self._failures += 1
        if self._host.term != term:
            return
        # The first rejoin comes at once. A fault that stays must not keep the whole group rebalancing.
        self._wake.clear()
        with suppress(TimeoutError):  # cut short by `leave`, for nothing may wait inside a rebalance
            async with asyncio.timeout(0 if self._failures == 1 else min(2.0**self._failures, 30.0)):
                await self._wake.wait()
        if self._host.term == term:
            self._host.rejoin()

    # -- while opening (see stream.app.opening) ---------------------------------------------------------------------

    async def new_producer(self) -> None:
        """Start a producer: from here on no other owner of this shard can commit."""
        await self.stop_producer()
        wiring = self._wiring
        self._producer = ShardProducer(
            f"{wiring.app_id}-{self.partition}",
            wiring.app_id,
            self.partition,
            {**wiring.client_options, **wiring.producer_options},
            timeout=wiring.transaction_timeout,
            frame=wiring.frame,
        )
        async with asyncio.timeout(START_SECONDS):
            await self._producer.start()

    @property
    def kept(self) -> int | None:
        """Up to which position of the changelog the rows in memory are known to be what is committed."""
        return self._kept_position

    def opened(self, shard: Shard, changelog_position: int, offsets: Mapping[Source, int]) -> None:
        """The rows are those that are committed, and every source has its place."""
        self.shard = shard
        self._plan = shard.plan
        make = self._wiring.make_summary
        self._summaries = make() if make is not None else None
        self._kept_position = changelog_position
        self.committed = dict(offsets)
        self._ends.clear()
        self._gaps.clear()
        self.state = State.READY
        self._crowd.clear()
        self._set_wanted(frozenset(TopicPartition(topic, self.partition) for topic in self._wiring.group_topics))
        self._wake.set()

    # -- what comes in ----------------------------------------------------------------------------------------------

    def offer(self, tp: TopicPartition, fetched: Fetched) -> None:
        """Take what was fetched of a source of this shard; whatever does not fit is read again or dropped."""
        if self.state is not State.READY or fetched.term != self._host.term or self.shard is None:
            return
        expected = self.shard.expected((tp.topic, tp.partition))
        if fetched.lo > expected:
            self._gaps.mind(tp, expected, fetched)
            return
        self._gaps.closed(tp)
        if fetched.hi > expected:
            self._crowd.took(tp, fetched.hi, size_of(fetched.records))
            self.take_batch(tp, self._host.decode(tp, fetched, self.shard))
        if fetched.end is not None:
            self.prove(tp, fetched.end)

    def take_batch(self, tp: TopicPartition, batch: Any) -> None:
        """Take a decoded batch that begins at or before the expected offset."""
        if self.shard is not None:
            self.shard.offer(batch)
            self._mind_crowd(tp, self.shard)
            self._wake.set()

    def prove(self, tp: TopicPartition, end: End) -> None:
        """Take note of where a source ends; it counts once the shard has been offered everything before."""
        if self.state is State.READY:
            self._ends[tp] = end
            self._wake.set()

    def expected(self, tp: TopicPartition) -> int | None:
        """The offset up to which this source has been offered; None while the shard is not ready."""
        if self.state is not State.READY or self.shard is None:
            return None
        return self.shard.expected((tp.topic, tp.partition))

    def done(self, source: Source) -> int:
        """Up to which offset nothing of a source is left to do."""
        if self.shard is not None and not self.shard.waiting(source):
            return self.shard.expected(source)
        return self.committed.get(source, 0)

    def has_enough(self, tp: TopicPartition) -> bool:
        """Whether so many records of a source wait here that no more should be read."""
        return self.state is State.READY and tp in self._crowd.full

    def look_again(self) -> None:
        """What the shard waits for, other than records, may have come."""
        self._wake.set()

    def is_blocked_by(self, topics: frozenset[str]) -> bool:
        """Whether the next record waits for one of these topics."""
        blocked = self.shard.blocked_by() if self.state is State.READY and self.shard is not None else None
        return blocked is not None and blocked[0] in topics

    def _mind_crowd(self, tp: TopicPartition, shard: Shard) -> None:
        source = (tp.topic, tp.partition)
        if not self._crowd.changed(tp, shard.waiting(source), self.committed.get(source, 0)):
            return
        if tp.topic in self._wiring.group_topics:
            self._set_wanted(self.wanted ^ {tp})
        elif tp not in self._crowd.full:
            self._host.broadcast.look_again()

    def _set_wanted(self, wanted: frozenset[TopicPartition]) -> None:
        if wanted != self.wanted:
            self.wanted = wanted
            self._host.wanted_changed()

    # -- the loop ---------------------------------------------------------------------------------------------------

    async def _run(self, term: int) -> None:
        """Step whenever something was offered or proven, for as long as the term lasts."""
        while self._host.term == term:
            await self._wake.wait()
            self._wake.clear()
            while self._host.term == term and self.shard is not None:
                await self._pace()
                if self._host.term != term or not await self._step(self.shard):
                    break
        self._set_wanted(frozenset())
        with self._host.turns.between():  # what is being looked up in another thread is answered before
            self.state = State.HELD

    async def _pace(self) -> None:
        """Commit neither more often than one shard should, nor all together than the broker can; batches grow."""
        wait = self._last_commit + self._wiring.commit_every - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        await self._host.pacer.wait()

    async def _step(self, shard: Shard) -> bool:
        """Step once and write the outcome in one transaction; False where there was nothing to do."""
        self._pass_on_ends(shard)
        wall_ms = int(time.time() * 1000) if self._wiring.wall_clock else None
        began = time.monotonic()
        step = await self._host.turns.run(shard.stepping(self._portion.size, wall_ms))
        stepped = time.monotonic()
        due = () if self._summaries is None else self._summaries(shard)
        if step is None and not due:
            return False
        told = [await asyncio.to_thread(summary) for summary in due]
        self._host.pacer.took()
        await self._commit(shard, step, told, stepped - began)
        for tp in list(self._crowd.full):
            self._mind_crowd(tp, shard)
        if shard.plan is not self._plan:
            self._plan = shard.plan
            self._host.adopted(self.partition)
        self.hot.look(shard)
        return True

    def _pass_on_ends(self, shard: Shard) -> None:
        """An end is told to the shard once everything before it has been offered; an older one is dropped."""
        for tp, end in list(self._ends.items()):
            expected = shard.expected((tp.topic, tp.partition))
            if expected == end.position:
                shard.prove((tp.topic, tp.partition), end.position, end.at_ms, end.answer)
            if expected >= end.position:
                del self._ends[tp]

    async def _commit(
        self, shard: Shard, step: Step | None, told: Sequence[tuple[str, bytes, bytes]], step_seconds: float
    ) -> None:
        """Write a step, what the shard tells of its customers, or both."""
        if self._producer is None:
            raise TransactionError("the shard has no producer")
        payload, kept_back = (
            outputs.payload(step, self._wiring, self._clock(), shard) if step is not None else (Payload(), Counter())
        )
        for topic, key, value in told:
            payload.add(topic, [(key, value, [])])
        await asyncio.sleep(0)  # others have their turn before it is framed and compressed
        began = time.monotonic()
        ends = await self._producer.transact(payload)
        self._last_commit = time.monotonic()
        self._failures = 0
        self._kept_position = max(ends.get(self._wiring.changelog, 0), self._kept_position or 0)
        if step is not None:
            self.committed.update(step.offsets)
            seconds, behind = self._last_commit - began, self._wiring.disorder_ms if self._wiring.wall_clock else None
            self._host.metrics.committed(step, kept_back, step_seconds, seconds, behind_ms=behind)
            self._host.committed(self.partition, step, ends)
            self._mind_pace(self._last_commit - began, max(step.counts.read, len(step.rows)))

    def _mind_pace(self, seconds: float, amount: int) -> None:
        """Smaller transactions where Kafka takes them slowly."""
        if self._portion.took(seconds, amount, self._last_commit):
            log.warning(
                "shard %d: Kafka took %.1f s for a transaction, so the next have at most %d events; reading waits",
                self.partition,
                seconds,
                self._portion.size,
                extra={"shard": self.partition, "seconds": round(seconds, 3), "events": self._portion.size},
            )

    def _clock(self) -> int | None:
        """Now, as far as the age of a change goes: the wall clock, or the shard's own where time is compressed."""
        if self._wiring.wall_clock:
            return int(time.time() * 1000)
        return self.shard.clock_ms if self.shard is not None else None


def _clear_frames(error: BaseException | None) -> None:
    """Take from an error the frames in which it was raised: they hold the shard, and all that was to be written."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
