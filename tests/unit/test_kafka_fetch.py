"""Reading from Kafka where there is none: what is stopped while it waits to try again, ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaClient, AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.protocol.fetch import FetchRequest

from stream.kafka.broker import free_port
from stream.kafka.fetch import TIMER_MS, Dates, Watched


class Stopping:
    """As much of a consumer as has a fetcher."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher


def test_a_consumer_that_waits_to_fetch_again_can_be_stopped() -> None:
    """Stopping cancels the failed fetch, and not whoever stops: a shard would else be given up without a word, and a
    worker not end."""

    async def run() -> None:
        client = AIOKafkaClient(bootstrap_servers=f"127.0.0.1:{free_port()}")
        fetcher = Fetcher(client, SubscriptionState(), retry_backoff_ms=60_000)
        Watched(cast(AIOKafkaConsumer, Stopping(fetcher)))
        request = FetchRequest(50, 1, 1 << 20, 1, [])
        fetch = asyncio.create_task(fetcher._proc_fetch_request(None, 0, request))
        try:
            # It has failed, as nobody listens there, and will try again in a minute.
            _, waiting = await asyncio.wait([fetch], timeout=0.5)
            assert waiting == {fetch}
            fetcher._pending_tasks.add(fetch)
            async with asyncio.timeout(5):
                await fetcher.close()
        finally:
            await client.close()

    asyncio.run(run())


class State:
    """As much of a partition's state as an answer sets."""

    timestamp: int | None = None


class Answering:
    """A fetcher whose broker answers after ``seconds`` about some of two partitions, with records of some of those."""

    def __init__(self, seconds: float, records: Sequence[int] = (), answered: Sequence[int] = (0, 1)) -> None:
        self._fetch_max_wait_ms = 500  # by now: the request was made before
        self._client_rack: str | None = None
        self._records: dict[TopicPartition, object] = {}
        self.seconds, self.records, self.answered = seconds, records, answered
        self.states = {0: State(), 1: State()}
        self.asked: list[str] = []

    def state_value(self, tp: TopicPartition) -> State:
        return self.states[tp.partition]

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        self.asked = [topic for topic, _ in request.topics]
        await asyncio.sleep(self.seconds)
        for number in self.answered:
            self.states[number].timestamp = int(time.time() * 1000)
        self._records = {TopicPartition("uv"[number], number): object() for number in self.records}
        return bool(self.records)


def watched(fetcher: Answering) -> Watched:
    return Watched(cast(AIOKafkaConsumer, Stopping(cast(Fetcher, fetcher))))


async def ask(fetcher: Answering) -> None:
    request = FetchRequest(50, 1, 1 << 20, 1, [("u", [(0, 0, 1)]), ("v", [(1, 0, 1)])])
    await fetcher._proc_fetch_request(fetcher, 0, request)


async def dates_of(fetcher: Answering) -> tuple[Dates | None, Dates | None]:
    seen = watched(fetcher)
    await ask(fetcher)
    return seen.of(TopicPartition("u", 0)), seen.of(TopicPartition("v", 1))


@pytest.mark.parametrize(
    ("seconds", "records", "answered", "waited"),
    [
        (0.0, [0], [0, 1], 0),
        (0.2, [0], [0, 1], 0),
        (0.2, [], [0, 1], 50 - TIMER_MS),
        # An error, or records that are not wanted any more, end the broker's wait at once.
        (0.2, [], [0], 0),
    ],
)
def test_dates_err_on_one_side_only(seconds: float, records: list[int], answered: list[int], waited: int) -> None:
    """Records are dated when they were processed. An end is dated when it was asked for, however late the answer is
    processed; only an answer in which every partition had nothing was surely held back for as long as was asked. What
    was not answered has no date."""
    before = time.time() * 1000
    told, other = asyncio.run(dates_of(Answering(seconds, records, answered)))
    after = time.time() * 1000
    assert (other is not None) == (1 in answered)
    assert told is not None
    assert before - 1 + waited <= told.looked_ms <= after - seconds * 1000 + waited + 2
    assert told.arrived_ms >= before + seconds * 1000 - 1
    assert told.arrived_ms > told.looked_ms


def test_an_answer_that_may_name_another_replica_was_not_surely_held_back() -> None:
    """A client that tells its rack is sent to the nearest replica, by an empty answer that comes at once."""
    fetcher = Answering(0.2)
    fetcher._client_rack = "here"
    before = time.time() * 1000
    told, _ = asyncio.run(dates_of(fetcher))
    assert told is not None
    assert told.looked_ms < before + 40


def test_one_answer_looks_at_its_partitions_one_after_the_other() -> None:
    """What was looked at first proves nothing of what was appended before the next look; what had records last is asked
    for first, so that the others' ends are proven with it."""

    async def run() -> None:
        fetcher = Answering(0.0, [1])
        seen = watched(fetcher)
        u, v = TopicPartition("u", 0), TopicPartition("v", 1)

        async def looks() -> tuple[int, int]:
            await ask(fetcher)
            first, second = seen.of(u), seen.of(v)
            assert first is not None
            assert second is not None
            assert first.answer[0] == second.answer[0]
            return first.answer[1], second.answer[1]

        before = await looks()
        assert fetcher.asked == ["u", "v"]
        assert before[0] < before[1]
        after = await looks()
        assert fetcher.asked == ["v", "u"]
        assert before[1] < after[1] < after[0]

    asyncio.run(run())


def test_where_two_brokers_were_asked_no_end_is_dated() -> None:
    """A partition that moves may be told of by both, the former leader last: what it calls the end is not."""

    async def run() -> None:
        fetcher = Answering(0.1)
        seen = watched(fetcher)
        former = asyncio.create_task(ask(fetcher))
        await asyncio.sleep(0.05)
        fetcher.seconds = 0.0
        await ask(fetcher)
        assert seen.of(TopicPartition("u", 0)) is not None
        await former
        assert seen.of(TopicPartition("u", 0)) is None

    asyncio.run(run())


def test_a_later_request_proves_what_came_before_it() -> None:
    """In another consumer too: an end that is asked for once records were processed is dated no earlier than they."""

    async def run() -> None:
        came, _ = await dates_of(Answering(0.0, [0]))
        asked, _ = await dates_of(Answering(0.0, [0]))
        assert came is not None
        assert asked is not None
        assert came.arrived_ms <= asked.looked_ms
        assert came.answer[0] != asked.answer[0]

    asyncio.run(run())
