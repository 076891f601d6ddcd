"""Faust's Kafka transport, changed: whole record batches, positions, read committed, no commits of its own.

Faust keeps the consumer group and its assignor, agents, tables, the web server and the worker. Changed:

- the consumer thread reads committed records only, with a short fetch wait, and hands out each partition's records
  together with the positions they cover (`stream.kafka.fetch`), also where only the position moved;
- each such batch goes to the agent as one message; that a partition was read to its end goes straight to the shards;
- offsets are never committed here: they are part of each shard's transaction (`stream.kafka.transaction`);
- only partitions of shards that are ready are read, and a shard that has enough waiting is left out until it has not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Protocol, TypeVar, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ConsumerStoppedError
from faust.serializers import codecs
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from stream.kafka.coordinators import look_patiently
from stream.kafka.fetch import Answer, End, Taker, wake
from stream.kafka.pulse import Pulse

#: Name of the serializer that passes a batch through Faust's topics as it is.
BATCH_CODEC = "segstream-batch"
#: Longest the consumer thread waits for something to hand out, in seconds.
POLL_SECONDS = 0.5

_T = TypeVar("_T")


class PassThrough(codecs.Codec):
    """A batch is decoded by the shard's decoder, not by Faust."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> Any:
        return s


codecs.register(BATCH_CODEC, PassThrough())


class Shards(Protocol):
    """What the transport asks of those who own the shards (``app.shards``)."""

    #: options of every aiokafka client: addresses and security
    client_options: Mapping[str, Any]
    #: further options of consumers
    consumer_options: Mapping[str, Any]
    #: grows with every revocation and assignment; what was read in an earlier term is dropped
    term: int
    #: source partitions to read now; replaced as a whole, so that the consumer thread may read it at any time
    wanted: frozenset[TopicPartition]
    #: set whenever ``wanted`` has grown
    wanted_grew: asyncio.Event
    #: when Kafka answered last
    pulse: Pulse
    #: finds the records in Kafka's record batches (:mod:`stream.kafka.unframing`)
    unframe: Callable[..., int]

    async def revoked(self) -> None: ...
    def prove(self, ends: Mapping[TopicPartition, End]) -> None: ...


def shards_of(app: Any) -> Shards:
    """The shards of an app (see `stream.app.app.App`)."""
    return cast(Shards, app.shards)


class RebalanceListener(driver.ConsumerRebalanceListener):
    """Pauses everything that was assigned before anyone hears of it: each shard resumes its own when it is ready."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        assigned = set(assigned)
        consumer = self._thread._ensure_consumer()
        consumer.pause(*assigned)
        await super().on_partitions_assigned(assigned)


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer of the group."""

    _taker: Taker

    @property
    def _shards(self) -> Shards:
        return shards_of(self.app)

    async def on_start(self) -> None:
        await super().on_start()
        consumer = self._ensure_consumer()
        self._shards.pulse.watch(consumer._client)
        self._taker = Taker(consumer, consumer._max_poll_records, unframe=self._shards.unframe)

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        conf = self.app.conf
        self._assignor = self.app.assignor
        consumer = AIOKafkaConsumer(
            **{
                "client_id": conf.broker_client_id,
                "fetch_max_wait_ms": 50,
                "max_poll_records": conf.broker_max_poll_records,
                "session_timeout_ms": int(conf.broker_session_timeout * 1000),
                "heartbeat_interval_ms": int(conf.broker_heartbeat_interval * 1000),
                "rebalance_timeout_ms": int(conf.broker_rebalance_timeout * 1000),
                **self._shards.client_options,
                **self._shards.consumer_options,
                "group_id": conf.id,
                "group_instance_id": conf.consumer_group_instance_id,
                "partition_assignment_strategy": [self._assignor],
                "auto_offset_reset": "earliest",
                "enable_auto_commit": False,
                "isolation_level": "read_committed",
                # A worker whose shards are all busy or all idle is alive; its heartbeat says so.
                "max_poll_interval_ms": 2**31 - 1,
            }
        )
        look_patiently(consumer._client)
        return consumer

    async def in_thread(self, call: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Run a coroutine function in the thread's event loop, and wait for its result in the caller's."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), self.thread_loop))

    async def next_answer(self, term: int) -> Answer:
        """Take the next records, positions and ends of the wanted partitions, as long as the term lasts."""

        async def take() -> Answer:
            if self._shards.term != term or not self.consumer.flow_active:
                return Answer()
            return await self._next_wanted(term)

        return await self.in_thread(take)

    async def _next_wanted(self, term: int) -> Answer:
        until = self.thread_loop.time() + POLL_SECONDS
        while self._shards.term == term and (left := until - self.thread_loop.time()) > 0:
            # What is wanted may change while waiting; `wake_up` makes this look again.
            wanted = self._shards.wanted
            if answer := await self._taker.take(wanted, term):
                return answer
            await self._taker.wait(left)
        return Answer()

    def wake_up(self) -> None:
        """Make the thread look again at what is wanted. Called from the main thread."""
        self.thread_loop.call_soon_threadsafe(wake, self._ensure_consumer())

    async def committed(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The group's committed offsets, where there are any, as the group coordinator has them now."""
        tps = list(partitions)
        found = await self.in_thread(lambda: self._ensure_consumer()._coordinator.fetch_committed_offsets(tps))
        return {tp: offset.offset for tp, offset in found.items() if offset.offset >= 0}

    async def beginnings(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The first offset that each partition still has."""
        tps = list(partitions)
        found: dict[TopicPartition, int] = await self.in_thread(lambda: self._ensure_consumer().beginning_offsets(tps))
        return found

    async def read_from(self, starts: Mapping[TopicPartition, int], term: int) -> bool:
        """Seek partitions and begin to read them; False, and nothing is done, where the term has ended."""

        async def seek() -> bool:
            consumer = self._ensure_consumer()
            if self._shards.term != term or not consumer.assignment() >= starts.keys():
                return False
            for tp, offset in starts.items():
                consumer.seek(tp, offset)
            consumer.resume(*starts)
            return True

        return await self.in_thread(seek)

    def seek_soon(self, tp: TopicPartition, offset: int, *, only_at: int | None = None) -> None:
        """Read a partition again from ``offset``; with ``only_at``, only if its position is still that one."""

        def seek() -> None:
            consumer = self._ensure_consumer()
            if tp not in consumer.assignment():
                return
            if only_at is None or consumer._subscription.subscription.assignment.state_value(tp)._position == only_at:
                consumer.seek(tp, offset)

        self.thread_loop.call_soon_threadsafe(seek)

    def rejoin(self) -> None:
        """Ask the group for a new assignment."""
        self.thread_loop.call_soon_threadsafe(self._ensure_consumer()._coordinator.request_rejoin)

    def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Ends (high watermarks) of partitions, as far as fetches have told them."""
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        found = {tp: consumer.highwater(tp) for tp in partitions if tp in assigned}
        return {tp: end for tp, end in found.items() if end is not None}

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        """How many partitions each topic has, as the cluster told this consumer last; 0: no such topic."""
        cluster = self._ensure_consumer()._client.cluster
        return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}


class Consumer(driver.Consumer):
    """Faust's consumer, fed with batches and ends."""

    RebalanceListener = RebalanceListener

    _thread: ConsumerThread

    @property
    def thread(self) -> ConsumerThread:
        """The thread that owns the group's consumer."""
        return self._thread

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit nothing: offsets go with the transactions."""
        return False

    async def perform_seek(self) -> None:
        """Seek nothing: each shard seeks its own partitions when it opens."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Warn of nothing: Faust looks for acks and for fetches of the changelog. The metrics tell of lag."""

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """End the term, let running transactions end, and only then let Faust go on with the rebalance."""
        self.stop_flow()
        await shards_of(self.app).revoked()
        await super().on_partitions_revoked(revoked)

    async def _drain_messages(self, fetcher: Any) -> None:
        """Hand out batches and ends until the fetcher stops. Order matters: flow, then term, then fetch."""
        shards = shards_of(self.app)
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                if not self.flow_active:
                    await self.wait(self.can_resume_flow.wait())
                elif not shards.wanted:
                    shards.wanted_grew.clear()
                    await self.wait_first(shards.wanted_grew.wait(), self.suspend_flow.wait(), timeout=POLL_SECONDS)
                else:
                    term = shards.term
                    await self._hand_out(await self._thread.next_answer(term), term)
                    # An answer that was ready at once must not keep the loop from everyone else.
                    await asyncio.sleep(0)
        except (asyncio.CancelledError, ConsumerStoppedError):
            if not self.transport.app.should_stop:
                raise

    async def _hand_out(self, answer: Answer, term: int) -> None:
        shards = shards_of(self.app)
        for tp, fetched in answer.batches.items():
            if shards.term != term or not self.flow_active:
                self._thread.seek_soon(tp, fetched.lo, only_at=fetched.hi)
                continue
            message = ConsumerMessage(
                tp.topic,
                tp.partition,
                offset=fetched.hi - 1,
                timestamp=0.0,
                timestamp_type=0,
                headers=None,
                key=b"",
                value=cast(Any, fetched),
                checksum=None,
                serialized_key_size=0,
                serialized_value_size=0,
                tp=TP(tp.topic, tp.partition),
                # Streams drop what does not carry the current one.
                generation_id=self.app.consumer_generation_id,
            )
            await self.wait_first(self.callback(message), self.suspend_flow.wait())
        if shards.term == term:
            shards.prove(answer.ends)


class Producer(driver.Producer):
    """Faust's own producer. Nothing of ours goes through it, but it starts with the app and must reach the cluster."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {**super()._settings_extra(), **shards_of(self.app).client_options}

    def _settings_auth(self) -> Mapping[str, Any]:
        return {}

    def _settings_default(self) -> Mapping[str, Any]:
        # Security comes with the client options; Faust would set it again from settings of its own.
        return {key: value for key, value in super()._settings_default().items() if key != "security_protocol"}

    async def create_topic(self, *args: Any, **kwargs: Any) -> None:
        """Create nothing: topics are created and checked by `stream.kafka.topics`."""


class Transport(driver.Transport):
    """The transport that `faust.App` is given; also found under the name ``segstream`` (``faust.transports``)."""

    Consumer = Consumer
    Producer = Producer
