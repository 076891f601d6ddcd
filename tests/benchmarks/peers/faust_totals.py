"""W1 in stock Faust: an agent that keeps every customer's totals in a Table, as its documentation has it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import faust
import orjson

from tests.benchmarks.peers.faust_app import end_when_written, new_app
from tests.benchmarks.peers.progress import TOPIC, Progress

app = new_app()
source = app.topic(TOPIC, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw")
totals: Any = app.Table("totals", partitions=app.conf.topic_partitions)
progress = Progress()


@app.agent(source)
async def count(events: faust.StreamT[bytes]) -> None:
    """One more event of its customer."""
    ending: asyncio.Task[None] | None = None
    async for value in events:
        event = orjson.loads(value)
        customer = event["userId"]
        count, spent, last = totals.get(customer) or (0, 0.0, "")
        if event["event"] == "Order Completed":
            spent += event["properties"]["total"]
        totals[customer] = [count + 1, spent, max(last, event["timestamp"])]
        if progress.handled() and ending is None:
            ending = asyncio.create_task(end_when_written(app, progress))


if __name__ == "__main__":
    sys.argv = ["peer", "worker", "--loglevel", "warn"]
    app.main()
