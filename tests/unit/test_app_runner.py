"""One shard in the live system, as far as no Kafka is needed."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any, cast

import pytest

from stream.app.runner import ShardRunner, State
from stream.app.shards import COLLECT_SECONDS
from stream.kafka.transaction import TransactionError
from tests.integration.counting_shard import CountingShard
from tests.integration.counting_worker import counting_app


@pytest.fixture(autouse=True)
def _collector_looks_never() -> Iterator[None]:
    """As in a worker, nearly."""
    gc.disable()
    yield
    gc.enable()


def test_a_shard_that_is_thrown_away_is_gone_from_memory() -> None:
    """Its parts refer to each other, and the error holds the frames that worked on it: a worker that reads its shards
    again after each failure must not hold all the former ones."""

    async def fail(shard: CountingShard) -> None:
        parts = [shard]
        cast(Any, shard).parts = parts
        try:
            raise TimeoutError("slow")
        except TimeoutError as error:
            raise TransactionError("slow") from error

    async def run() -> None:
        host = counting_app("t", "127.0.0.1:1", 1).shards
        runner = host.runners[0] = ShardRunner(0, host)
        shard = CountingShard(0, [], "A")
        runner.shard, runner.state = shard, State.READY
        former = weakref.ref(shard)
        try:
            await fail(shard)
        except TransactionError as error:
            held = error  # as whoever tells of it
        del shard
        await runner._close_for_good(held, term=host.term + 1)
        await asyncio.sleep(2 * COLLECT_SECONDS)
        assert former() is None

    asyncio.run(run())


def test_a_shard_that_fails_again_does_not_hold_up_a_rebalance() -> None:
    """The pause after several failures in a row is for asking for an assignment; where one is on its way, and waits
    for the shard to let go, there is nothing to ask for."""

    async def run() -> None:
        host = counting_app("t", "127.0.0.1:1", 1).shards
        runner = host.runners[0] = ShardRunner(0, host)
        runner._failures = 5
        async with asyncio.timeout(5):  # the pause would be 30 s
            await runner._close_for_good(TransactionError("slow"), term=host.term - 1)

    asyncio.run(run())
