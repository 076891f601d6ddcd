"""Records together with the positions they cover, taken from an aiokafka consumer in one step.

A position is where the next fetch of a partition begins. It moves over records, and also over control records,
aborted batches and compacted holes, which bring no record at all. What reads a partition exactly once therefore goes
by positions, never by the offsets of records. All functions run in the event loop that owns the consumer.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.events.raw import RawRecords
from stream.kafka.unframed import read_in_bulk

#: One broker's looks at partitions for one consumer, and the number of this one among them; each later than those
#: before. An answer has as many as partitions: the broker reads them one after the other, in the request's order.
AnswerId = tuple[int, int]
NO_ANSWER: AnswerId = (0, 0)

#: How much sooner than asked for the broker may end a wait, in ms: its timers and its clock go by whole ones.
TIMER_MS = 2

_readers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class End:
    """The broker said that ``position`` is a partition's end (its high watermark).

    It looked at the instant ``at_ms`` or later; ``answer`` is the answer that said so.
    """

    position: int
    at_ms: int
    answer: AnswerId = NO_ANSWER


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one step took from a partition: all that lies between the positions ``lo`` and ``hi``.

    ``records`` may be empty although the position moved. They could be read before the instant ``at_ms``, and came with
    ``answer``. ``end`` is set where ``hi`` is the end of the partition. ``term`` says under which assignment it was
    read.
    """

    lo: int
    hi: int
    records: Sequence[Any]
    at_ms: int
    end: End | None = None
    term: int = 0
    answer: AnswerId = NO_ANSWER


@dataclass(slots=True)
class Answer:
    """One step over all wanted partitions: what was taken, and the ends of partitions that brought nothing new."""

    batches: dict[TopicPartition, Fetched] = field(default_factory=dict)
    ends: dict[TopicPartition, End] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.batches or self.ends)


@dataclass(frozen=True, slots=True)
class Dates:
    """When the broker looked at a partition: not before ``looked_ms``, and before ``arrived_ms`` (wall, ms)."""

    looked_ms: int
    arrived_ms: int
    answer: AnswerId


class Watched:
    """Dates every fetch answer of a consumer, and makes it wake those who wait.

    aiokafka wakes waiters only for records, and dates an answer when it is processed, which a busy process may do late.
    What orders the records of several topics must err on one side only: records are dated when they were processed, by
    when they surely could be read; an end when the request for it was sent, since when it surely was looked for. Only
    an answer in which every partition was read and none had anything was held back for as long as its request allows,
    and looked at the end of that. What one broker tells one consumer needs no dates: its looks are numbered.

    Dates never go back, in no consumer, when the machine's clock does: what arrived before would wait for a proof from
    a time that is long in coming.
    """

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._fetcher = consumer._fetcher
        self._original = self._fetcher._proc_fetch_request
        self._dates: dict[TopicPartition, Dates] = {}
        #: the latest request about each partition
        self._asked: dict[TopicPartition, Any] = {}
        #: partitions whose latest answer had records
        self._busy: set[TopicPartition] = set()
        #: per broker: its latest look
        self._looks: dict[int, AnswerId] = {}
        self._fetcher._proc_fetch_request = self._proc_fetch_request

    def of(self, tp: TopicPartition) -> Dates | None:
        """The dates of the latest answer about a partition."""
        return self._dates.get(tp)

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        self._idle_last(request)
        states = {tp: assignment.state_value(tp) for topic in request.topics for tp in _partitions(topic)}
        for tp, state in states.items():
            state.timestamp = None  # only an answer sets it again
            self._asked[tp] = request
        sent_ms, began = _now_ms(), time.monotonic()
        sent = _forward(sent_ms)
        try:
            records = await self._original(assignment, node_id, request)
        except asyncio.CancelledError:
            # aiokafka does so too, but for its pause after a failed request: there, whoever stops the consumer would be
            # cancelled in its stead.
            return False
        # An error, and records that nobody wants any more, end a wait as well; so does another replica to be read from.
        empty = not records and all(state.timestamp is not None for state in states.values())
        wait_ms = request._max_wait_ms
        held = empty and not self._fetcher._client_rack and (time.monotonic() - began) * 1000 >= wait_ms
        # Where the machine's clock was set back, the end of the wait has no date yet: then that of the request will do.
        looked = max(sent, min(sent_ms + wait_ms - TIMER_MS, _now_ms())) if held else sent
        arrived = _forward(_now_ms(), 1)
        for tp, state in states.items():
            look = self._next_look(node_id)
            if self._asked[tp] is not request:
                # It has moved to another broker, which was asked meanwhile: whose answer told the end is not known.
                self._dates.pop(tp, None)
                state.timestamp = None
            elif state.timestamp is not None:
                self._dates[tp] = Dates(looked, arrived, look)
        self._busy = (self._busy - states.keys()) | (states.keys() & self._fetcher._records.keys())
        return True

    def _idle_last(self, request: Any) -> None:
        """Ask for what had records last first, so that the very answer that brings some proves the ends of the rest."""
        request._topics = sorted(request.topics, key=lambda topic: self._busy.isdisjoint(_partitions(topic)))

    def _next_look(self, node_id: int) -> AnswerId:
        reader, number = self._looks.get(node_id) or (next(_readers), 0)
        self._looks[node_id] = look = (reader, number + 1)
        return look


def _partitions(topic: tuple[str, Sequence[Any]]) -> Iterator[TopicPartition]:
    """The partitions of one topic in a request."""
    name, asked = topic
    return (TopicPartition(name, partition) for partition, *_ in asked)


class _Forward:
    """The latest date given, over the threads of all consumers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest = 0

    def __call__(self, at_ms: int, more: int = 0) -> int:
        """The date, or the latest one if that is later; and so many milliseconds ``more``."""
        with self._lock:
            self._latest = max(self._latest, at_ms) + more
            return self._latest


_forward = _Forward()


def _now_ms() -> int:
    return int(time.time() * 1000)


def _undated() -> Dates:
    """Of records whose answer was not seen: they may have come just now, and prove nothing."""
    return Dates(0, _forward(_now_ms(), 1), NO_ANSWER)


def current_assignment(consumer: AIOKafkaConsumer) -> Any | None:
    """The consumer's assignment, or None while there is none or it is being changed."""
    subscriptions = consumer._subscription
    if subscriptions.subscription is None or subscriptions.reassignment_in_progress:
        return None
    return subscriptions.subscription.assignment


class Taker:
    """Takes records and positions from one consumer, and remembers which ends it has told already.

    Made before the consumer begins to fetch: it dates the answers (:class:`Watched`).  With ``unframe`` (of
    :mod:`stream.kafka.unframing`) records come in bulk (:class:`stream.events.raw.RawRecords`)."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        max_records: int | None = None,
        *,
        unframe: Callable[..., int] | None = None,
    ) -> None:
        self._consumer = consumer
        self._max_records = max_records
        self._watched = Watched(consumer)
        if unframe is not None:
            read_in_bulk(consumer, unframe)
        self._told: dict[TopicPartition, End] = {}

    async def take(self, wanted: Collection[TopicPartition], term: int = 0) -> Answer:
        """Take what was fetched of the wanted partitions; nothing else runs between the two looks at positions."""
        answer = Answer()
        assignment = current_assignment(self._consumer)
        if assignment is None or not wanted:
            return answer
        fetcher = self._consumer._fetcher
        states = {tp: state for tp in wanted if (state := assignment.state_value(tp)) is not None}
        before = {tp: state.position for tp, state in states.items() if state.has_valid_position}
        # With timeout=0 and no reassignment under way this call suspends nowhere.
        taken = await fetcher.fetched_records(states.keys(), timeout=0, max_records=self._max_records)
        for tp, lo in before.items():
            state = states[tp]
            if not state.has_valid_position:
                continue
            end = self._new_end(tp, state)
            if state.position != lo or tp in taken:
                records, dates = taken.get(tp, ()), self._watched.of(tp) or _undated()
                answer.batches[tp] = Fetched(lo, state.position, records, dates.arrived_ms, end, term, dates.answer)
                # A partition that was only partly taken goes behind the others.
                if tp in fetcher._records:
                    fetcher._records.move_to_end(tp)
            elif end is not None:
                answer.ends[tp] = end
        return answer

    async def next(self, wanted: Collection[TopicPartition], seconds: float, term: int = 0) -> Answer:
        """Take, waiting for at most ``seconds`` until there is something to take or an end to tell."""
        until = time.monotonic() + seconds
        while True:
            answer = await self.take(wanted, term)
            left = until - time.monotonic()
            if answer or left <= 0:
                return answer
            await self.wait(left)

    async def wait(self, seconds: float) -> None:
        """Wait for the next fetch answer, for at most ``seconds``. Raises what stopped the consumer's group."""
        waiter = self._consumer._fetcher._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=seconds)
        if done:
            waiter.result()
        else:
            waiter.cancel()

    def _new_end(self, tp: TopicPartition, state: Any) -> End | None:
        dates = self._watched.of(tp)
        if dates is None or state.position != state.highwater:
            return None
        end = End(state.position, dates.looked_ms, dates.answer)
        if self._told.get(tp) == end:
            return None
        self._told[tp] = end
        return end


def size_of(records: Sequence[Any]) -> int:
    """Bytes of the keys and values of records."""
    if isinstance(records, RawRecords):
        return records.size
    return sum(len(record.value or b"") + len(record.key or b"") for record in records)


def wake(consumer: AIOKafkaConsumer) -> None:
    """Let those who wait for an answer look again."""
    for waiter in list(consumer._fetcher._fetch_waiters):
        consumer._fetcher._notify(waiter)
