"""Reading from Kafka where there is none: what is stopped while it waits to try again, ends."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaClient, AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.protocol.fetch import FetchRequest

from stream.kafka.broker import free_port
from stream.kafka.fetch import Dates, Watched


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
    """A fetcher whose broker answers after ``seconds``, with records or without, about one of two partitions."""

    def __init__(self, seconds: float, records: bool) -> None:
        self._fetch_max_wait_ms = 50
        self.seconds, self.records = seconds, records
        self.states = {0: State(), 1: State()}

    def state_value(self, tp: TopicPartition) -> State:
        return self.states[tp.partition]

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        await asyncio.sleep(self.seconds)
        self.states[0].timestamp = int(time.time() * 1000)
        return self.records


async def dates_of(fetcher: Answering) -> tuple[Dates | None, Dates | None]:
    watched = Watched(cast(AIOKafkaConsumer, Stopping(cast(Fetcher, fetcher))))
    request = FetchRequest(50, 1, 1 << 20, 1, [("t", [(0, 0, 1), (1, 0, 1)])])
    await fetcher._proc_fetch_request(fetcher, 0, request)
    return watched.of(TopicPartition("t", 0)), watched.of(TopicPartition("t", 1))


@pytest.mark.parametrize(("seconds", "records", "waited"), [(0.0, True, 0), (0.2, True, 0), (0.2, False, 50)])
def test_dates_err_on_one_side_only(seconds: float, records: bool, waited: int) -> None:
    """Records are dated when they were processed. An end is dated when it was asked for, however late the answer is
    processed; only an answer without records was surely held back for the whole wait. What was not answered has no
    date."""
    before = time.time() * 1000
    told, untold = asyncio.run(dates_of(Answering(seconds, records)))
    after = time.time() * 1000
    assert untold is None
    assert told is not None
    assert before - 1 + waited <= told.looked_ms <= after - seconds * 1000 + waited + 2
    assert told.arrived_ms >= before + seconds * 1000 - 1
    assert told.arrived_ms > told.looked_ms


def test_a_later_request_proves_what_came_before_it() -> None:
    """In another consumer too: an end that is asked for once records were processed is dated no earlier than they."""

    async def run() -> None:
        came, _ = await dates_of(Answering(0.0, True))
        asked, _ = await dates_of(Answering(0.0, True))
        assert came is not None
        assert asked is not None
        assert came.arrived_ms <= asked.looked_ms
        assert came.answer[0] != asked.answer[0]

    asyncio.run(run())
