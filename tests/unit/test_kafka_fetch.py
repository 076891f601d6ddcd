"""Reading from Kafka where there is none: what is stopped while it waits to try again, ends."""

from __future__ import annotations

import asyncio
from typing import cast

from aiokafka import AIOKafkaClient, AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.protocol.fetch import FetchRequest

from stream.kafka.broker import free_port
from stream.kafka.fetch import watch_answers


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
        watch_answers(cast(AIOKafkaConsumer, Stopping(fetcher)))
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
