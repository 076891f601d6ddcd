"""Records together with the positions they cover, taken from an aiokafka consumer in one step.

A position is where the next fetch of a partition begins. It moves over records, and also over control records,
aborted batches and compacted holes, which bring no record at all. What reads a partition exactly once therefore goes
by positions, never by the offsets of records. All functions run in the event loop that owns the consumer.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition


@dataclass(frozen=True, slots=True)
class End:
    """The broker answered at the instant ``at_ms`` that ``position`` is a partition's end: its high watermark."""

    position: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one step took from a partition: all that lies between the positions ``lo`` and ``hi``.

    ``records`` may be empty although the position moved. ``at_ms`` is the instant of the broker's answer that brought
    them. ``end`` is set where ``hi`` is the end of the partition. ``term`` says under which assignment it was read.
    """

    lo: int
    hi: int
    records: Sequence[Any]
    at_ms: int
    end: End | None = None
    term: int = 0


@dataclass(slots=True)
class Answer:
    """One step over all wanted partitions: what was taken, and the ends of partitions that brought nothing new."""

    batches: dict[TopicPartition, Fetched] = field(default_factory=dict)
    ends: dict[TopicPartition, End] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.batches or self.ends)


def watch_answers(consumer: AIOKafkaConsumer) -> None:
    """Make every fetch answer wake those who wait, and date it no later than the broker can have looked.

    aiokafka wakes waiters only for records and dates an answer when it is processed. A busy process may do that late;
    an answer without records left the broker when the fetch wait was over at the latest, so that is where it is dated.
    Dates never go back, in no consumer, when the machine's clock does: what arrived before would wait for a proof from
    a time that is long in coming.
    """
    fetcher = consumer._fetcher
    original = fetcher._proc_fetch_request

    async def proc_fetch_request(assignment: Any, node_id: int, request: Any) -> bool:
        latest = int(time.time() * 1000) + fetcher._fetch_max_wait_ms
        try:
            await original(assignment, node_id, request)
        except asyncio.CancelledError:
            # aiokafka does so too, but for its pause after a failed request: there, whoever stops the consumer would be
            # cancelled in its stead.
            return False
        for topic, partitions in request.topics:
            for partition, *_ in partitions:
                state = assignment.state_value(TopicPartition(topic, partition))
                if state.timestamp is not None:
                    state.timestamp = _forward(min(state.timestamp, latest))
        return True

    fetcher._proc_fetch_request = proc_fetch_request


class _Forward:
    """The latest date given to an answer, over the threads of all consumers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest = 0

    def __call__(self, at_ms: int) -> int:
        """The date, or the latest one if that is later."""
        with self._lock:
            self._latest = max(self._latest, at_ms)
            return self._latest


_forward = _Forward()


def current_assignment(consumer: AIOKafkaConsumer) -> Any | None:
    """The consumer's assignment, or None while there is none or it is being changed."""
    subscriptions = consumer._subscription
    if subscriptions.subscription is None or subscriptions.reassignment_in_progress:
        return None
    return subscriptions.subscription.assignment


class Taker:
    """Takes records and positions from one consumer, and remembers which ends it has told already."""

    def __init__(self, consumer: AIOKafkaConsumer, max_records: int | None = None) -> None:
        self._consumer = consumer
        self._max_records = max_records
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
                answer.batches[tp] = Fetched(lo, state.position, taken.get(tp, ()), state.timestamp or 0, end, term)
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
        if state.highwater is None or state.timestamp is None or state.position != state.highwater:
            return None
        end = End(state.position, state.timestamp)
        if self._told.get(tp) == end:
            return None
        self._told[tp] = end
        return end


def wake(consumer: AIOKafkaConsumer) -> None:
    """Let those who wait for an answer look again."""
    for waiter in list(consumer._fetcher._fetch_waiters):
        consumer._fetcher._notify(waiter)
