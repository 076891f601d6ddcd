"""All shards of one worker: told by Faust what it owns, fed by its consumers, asked by its web views."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from aiokafka import TopicPartition

from stream.app.metrics import Metrics
from stream.app.opening import Opening
from stream.app.ports import Batch, Shard, Source, Step
from stream.app.runner import ShardRunner, State
from stream.app.turns import SLICE_SECONDS, Turns
from stream.app.wiring import Wiring
from stream.errors import UserError
from stream.events.customer import partition_key
from stream.kafka.broadcast import Broadcast
from stream.kafka.fetch import End, Fetched
from stream.kafka.partitions import partition_of
from stream.kafka.pulse import Pulse
from stream.kafka.transport import Consumer, ConsumerThread

if TYPE_CHECKING:
    from stream.app.app import App

log = logging.getLogger(__name__)

#: How long stopping waits for running transactions before it aborts them, in seconds.
STOP_SECONDS = 1.5
#: So many records are decoded at a time: some milliseconds.
PART = 1_000
#: Within this many seconds shards that are thrown away are counted as one occasion to free memory.
COLLECT_SECONDS = 0.1


class Pacer:
    """Spreads the commits of all shards: at most ``per_second`` of them."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1.0 / per_second
        self._free_at = 0.0

    async def wait(self) -> None:
        """Wait until one more may begin."""
        await asyncio.sleep(max(0.0, self._free_at - time.monotonic()))

    def took(self) -> None:
        """One has begun."""
        self._free_at = max(self._free_at, time.monotonic()) + self._gap


class ShardHost:
    """The shards of a worker. Everything but ``wanted``, ``term`` and ``placed`` is used in the main event loop only.

    ``term`` counts revocations and assignments of this process: what was read or begun in an earlier term is void.
    (The group's generation does not do: a member that joins again may be given the same one.)
    """

    def __init__(self, wiring: Wiring, metrics: Metrics) -> None:
        self.wiring = wiring
        self.metrics = metrics
        for topic in (*wiring.group_topics, *wiring.broadcast_topics):
            metrics.records_lost.labels(topic)  # there from the start, so that the first loss is seen as a rise
        self.client_options = wiring.client_options
        self.consumer_options = wiring.consumer_options
        self.unframe = wiring.unframe
        self.term = 0
        self.wanted: frozenset[TopicPartition] = frozenset()
        self.wanted_grew = asyncio.Event()
        self.runners: dict[int, ShardRunner] = {}
        self.opening = Opening(self)
        self.pacer = Pacer(wiring.commits_per_second)
        self.pulse = Pulse()
        self.turns = Turns()
        self._collecting: asyncio.TimerHandle | None = None
        self._questions = asyncio.Semaphore(1)
        self.broadcast = Broadcast(
            {**wiring.client_options, **wiring.consumer_options},
            wiring.broadcast_topics,
            self.runners.values,
            self.decode,
            self.crash,
            self.pulse,
        )
        self.on_opened: list[Callable[[int], None]] = []
        self.on_adopted: list[Callable[[int], None]] = []
        self.on_lost: list[Callable[[int], None]] = []
        self.on_committed: list[Callable[[int, Step, Mapping[str, int]], None]] = []
        #: what ends with the worker
        self.on_stop: list[Callable[[], Awaitable[None]]] = []
        #: whether the group has given this worker an assignment, and not yet taken it back
        self.joined = False
        self._app: App | None = None

    # -- the worker's life ------------------------------------------------------------------------------------------

    async def start(self, app: App) -> None:
        """Connect what is beside the group. Shards are opened by assignments."""
        self._app = app
        await self.broadcast.start()

    async def stop(self) -> None:
        """Finish or abort running transactions, and let go of everything."""
        self.term += 1
        await asyncio.gather(*(runner.stop(STOP_SECONDS) for runner in self.runners.values()))
        for partition in list(self.runners):
            self._forget(partition)
        await self.broadcast.stop()
        for stop in self.on_stop:
            await stop()

    def crash(self, error: BaseException) -> None:
        """End the worker: going on would lose events, or apply them twice."""
        if self._app is not None:
            self._app.fail(error)

    # -- the group --------------------------------------------------------------------------------------------------

    async def revoked(self) -> None:
        """The group is being rebalanced: end the term, and wait for what is under way."""
        self.term += 1
        self.joined = False
        await asyncio.gather(*(runner.leave() for runner in self.runners.values()))

    async def assigned(self, actives: Iterable[TopicPartition]) -> None:
        """Open the shards that are assigned, and give up the others. Opening itself is not waited for."""
        owned = self._check(set(actives))
        await self.revoked()
        for partition in [partition for partition in self.runners if partition not in owned]:
            await self.runners[partition].discard()
            self._forget(partition)
        for partition in sorted(owned):
            runner = self.runners.setdefault(partition, ShardRunner(partition, self))
            runner.open(self.term)
        self.joined = True
        log.info("shards %s assigned", _ranges(owned) if owned else "none", extra={"shards": sorted(owned)})

    def _check(self, actives: set[TopicPartition]) -> set[int]:
        wiring = self.wiring
        counts = self.thread.partition_counts(wiring.copartitioned)
        wrong = [f"{topic} has {count}" for topic, count in counts.items() if count != wiring.partitions]
        if actives and wrong:
            raise UserError(
                f"all of {', '.join(wiring.copartitioned)} must have {wiring.partitions} partitions, but "
                f"{', '.join(wrong)}: create the topics anew, or set app.partitions to what they have"
            )
        owned = {partition for topic, partition in actives if topic == wiring.changelog}
        split = {p for p in owned for topic in wiring.group_topics if TopicPartition(topic, p) not in actives}
        if split:
            raise UserError(
                f"partitions {_ranges(split)} were assigned without all their topics: all workers must run one release"
            )
        return owned

    def _forget(self, partition: int) -> None:
        del self.runners[partition]
        self.wanted_changed()
        for lost in self.on_lost:
            lost(partition)

    def opened(self, runner: ShardRunner, seconds: float) -> None:
        """A shard is ready."""
        log.info(
            "shard %d ready in %.2fs, %d rows read",
            runner.partition,
            seconds,
            runner.rows_restored,
            extra={"shard": runner.partition, "seconds": round(seconds, 3), "rows": runner.rows_restored},
        )
        self.metrics.opening_seconds.observe(seconds)
        for opened in self.on_opened:
            opened(runner.partition)
        if len(self.ready()) == len(self.runners):
            log.info("all %d shards ready", len(self.runners))

    def committed(self, partition: int, step: Step, ends: Mapping[str, int]) -> None:
        """A step is committed; ``ends`` are the offsets behind what it wrote, by topic."""
        for committed in self.on_committed:
            committed(partition, step, ends)

    def let_go(self) -> None:
        """A shard was thrown away. Soon, before the next one is read, free its memory: its parts refer to each other,
        and the collector of the worker looks so seldom (`stream.app.worker.tune_collector`) that several would pile up.
        """
        if self._collecting is None:
            self._collecting = asyncio.get_running_loop().call_later(COLLECT_SECONDS, self._collect)

    def _collect(self) -> None:
        self._collecting = None
        gc.collect()

    def adopted(self, partition: int) -> None:
        """A shard goes by other definitions now."""
        for adopted in self.on_adopted:
            adopted(partition)

    def look_again(self) -> None:
        """What shards wait for, other than records, may have come."""
        for runner in self.runners.values():
            runner.look_again()

    def rejoin(self) -> None:
        """Ask the group for a new assignment, which opens every shard again."""
        self.thread.rejoin()

    @property
    def thread(self) -> ConsumerThread:
        """The thread of the group's consumer."""
        if self._app is None:
            raise RuntimeError("the worker is not started")
        return cast(Consumer, self._app.consumer).thread

    # -- what comes in ----------------------------------------------------------------------------------------------

    async def take(self, tp: TopicPartition, fetched: Fetched) -> None:
        """Give a batch of the group's topics to its shard. Called by the agent; between parts others have their turn.

        Where the agent is ended meanwhile, the shard misses a part, and reads it again.
        """
        for part in parts(fetched, PART):
            self.offer(tp, part)
            if part.hi < fetched.hi:
                await asyncio.sleep(0)

    def offer(self, tp: TopicPartition, fetched: Fetched) -> None:
        """Give records of the group's topics to their shard at once."""
        runner = self.runners.get(tp.partition)
        if runner is not None:
            runner.offer(tp, fetched)

    def prove(self, ends: Mapping[TopicPartition, End]) -> None:
        """Tell shards where partitions of the group's topics end."""
        for tp, end in ends.items():
            runner = self.runners.get(tp.partition)
            if runner is not None:
                runner.prove(tp, end)

    def wanted_changed(self) -> None:
        """A shard wants more or fewer partitions than before."""
        wanted = frozenset[TopicPartition]().union(*(runner.wanted for runner in self.runners.values()))
        grew = not wanted <= self.wanted
        self.wanted = wanted
        if grew:
            self.wanted_grew.set()
            self.thread.wake_up()

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Read a partition of the group's topics again from ``offset``."""
        self.thread.seek_soon(tp, offset)

    def lost(self, tp: TopicPartition, known: int, beginning: int) -> None:
        """Kafka has deleted records before they were read. Stopping would not bring them back: count them and go on."""
        log.error(
            "%s/%d: records %d..%d were deleted before they were read",
            *tp,
            known,
            beginning - 1,
            extra={
                "topic": tp.topic,
                "partition": tp.partition,
                "records": beginning - known,
                "place": f"{tp.topic}/{tp.partition}/{known}",
            },
        )
        self.metrics.records_lost.labels(tp.topic).inc(beginning - known)

    def decode(self, tp: TopicPartition, fetched: Fetched, shard: Shard | None = None) -> Batch:
        """What was fetched, as shards take it; for one shard, as it takes it now."""
        wiring = self.wiring
        decoder = wiring.decoder_of(shard) if shard is not None and wiring.decoder_of is not None else wiring.decoder
        batch = decoder.decode(tp.topic, tp.partition, fetched.records, fetched.lo, fetched.hi)
        batch.at_ms, batch.answer = fetched.at_ms, fetched.answer
        return batch

    # -- shards -----------------------------------------------------------------------------------------------------

    def sources(self, partition: int) -> list[Source]:
        """All that a shard merges: its partition of the group's topics, and every partition of the others."""
        own: list[Source] = [(topic, partition) for topic in self.wiring.group_topics]
        return own + [(tp.topic, tp.partition) for tp in self.broadcast.partitions]

    def new_shard(self, partition: int) -> Shard:
        """An empty shard."""
        return self.wiring.make_shard(partition, self.sources(partition))

    # -- views ------------------------------------------------------------------------------------------------------

    def ready(self) -> list[int]:
        """Partitions of the shards that are ready."""
        return [partition for partition, runner in self.runners.items() if runner.state is State.READY]

    def ready_shards(self) -> Iterator[tuple[ShardRunner, Shard]]:
        """Shards that are ready, with their runners."""
        for runner in self.runners.values():
            if runner.state is State.READY and runner.shard is not None:
                yield runner, runner.shard

    def lag(self, runner: ShardRunner) -> dict[Source, int]:
        """Per source of the group's topics: records before its end, as of the last fetch, that are not committed."""
        ends = self.thread.ends([TopicPartition(topic, runner.partition) for topic in self.wiring.group_topics])
        return {(tp.topic, tp.partition): end - runner.done((tp.topic, tp.partition)) for tp, end in ends.items()}

    def partition_of(self, customer_id: str) -> int:
        """The partition of a customer, as producers in Java and aiokafka choose it."""
        return partition_of(partition_key(customer_id.encode()), self.wiring.partitions)

    def describe(self, customer_id: str) -> dict[str, Any] | None:
        """Segments and features of a customer; None where unknown. Raises KeyError where another worker owns them."""
        return self._shard_of(customer_id).describe(customer_id)

    async def placed(self, customer_id: str) -> dict[str, Any] | None:
        """Only the segments of a customer; None where unknown. Raises KeyError likewise. From any event loop."""
        found = await self.turns.look(lambda: self._placed(customer_id))
        if found is None:
            raise KeyError(customer_id)
        return found[0]

    async def explain(self, customer_id: str, horizon_ms: int) -> Any:
        """Why a customer is where they are, as JSON has it; None where unknown. Raises KeyError likewise.

        One question at a time, in slices that leave the event loop at least half of the time to the shards.
        """
        async with self._questions:
            shard, began = self._shard_of(customer_id), time.perf_counter()
            for found in shard.explaining(customer_id, horizon_ms):
                if found is not None:
                    return found
                if time.perf_counter() - began > SLICE_SECONDS:
                    await asyncio.sleep(SLICE_SECONDS)
                    began = time.perf_counter()
                    if self._shard_of(customer_id) is not shard:
                        raise KeyError(customer_id)
        return None

    def _placed(self, customer_id: str) -> tuple[dict[str, Any] | None] | None:
        """The same, or None where another worker owns them."""
        shard = self._ready_shard_of(customer_id)
        return None if shard is None else (shard.placed(customer_id),)

    def _shard_of(self, customer_id: str) -> Shard:
        shard = self._ready_shard_of(customer_id)
        if shard is None:
            raise KeyError(customer_id)
        return shard

    def _ready_shard_of(self, customer_id: str) -> Shard | None:
        runner = self.runners.get(self.partition_of(customer_id))
        return runner.shard if runner is not None and runner.state is State.READY else None


def parts(fetched: Fetched, most: int) -> Iterator[Fetched]:
    """The same in parts of so many records, that follow on each other; the last one tells where the partition ends."""
    lo, count = fetched.lo, len(fetched.records)
    for start in range(0, max(count, 1), most):
        last = start + most >= count
        hi = fetched.hi if last else fetched.records[start + most].offset
        end, records = fetched.end if last else None, fetched.records[start : start + most]
        yield fetched if last and not start else replace(fetched, lo=lo, hi=hi, records=records, end=end)
        lo = hi


def _ranges(numbers: Iterable[int]) -> str:
    """Numbers as short text: 0-3, 7."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ", ".join("-".join(str(edge) for edge in part) for part in parts)
