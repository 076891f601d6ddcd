"""The end of a shard's producer: a transaction that fails is told of once."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from aiokafka.errors import ProducerFenced

from stream.kafka.transaction import ShardProducer


def test_a_commit_that_is_refused_while_its_producer_stops_is_not_told_of_again() -> None:
    """The transaction had been given up before: what still comes of it is no second failure in the log."""

    async def run() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context))
        producer = ShardProducer("t", "t", 0, {"bootstrap_servers": "127.0.0.1:1"})
        manager = producer._producer._txn_manager
        manager._transaction_waiter = loop.create_future()
        await producer.stop()
        manager._transaction_waiter.set_exception(ProducerFenced())
        manager._transaction_waiter = None
        await asyncio.sleep(0)
        gc.collect()
        return told

    assert asyncio.run(run()) == []


def test_a_producer_that_is_fenced_after_it_was_stopped_is_not_told_of_again() -> None:
    """The failure gives the transaction a new future, where its former one was done, and nobody awaits that."""

    async def run() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context))
        producer = ShardProducer("t", "t", 0, {"bootstrap_servers": "127.0.0.1:1"})
        manager = producer._producer._txn_manager
        manager._transaction_waiter = loop.create_future()
        manager._transaction_waiter.set_result(None)
        await producer.stop()
        manager.fatal_error(ProducerFenced())
        manager._transaction_waiter = None
        await asyncio.sleep(0)
        gc.collect()
        return told

    assert asyncio.run(run()) == []
