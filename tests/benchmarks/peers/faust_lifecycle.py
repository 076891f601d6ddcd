"""W2 in stock Faust: an agent over a Table; timers in memory, since Faust's own may not write tables."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from typing import Any

import faust
import orjson

from tests.benchmarks.peers import lifecycle
from tests.benchmarks.peers.faust_app import end_when_written, new_app
from tests.benchmarks.peers.progress import OUT, TOPIC, Progress

app = new_app()
source = app.topic(TOPIC, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw")
moves = app.topic(OUT, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw")
customers: Any = app.Table("customers", partitions=app.conf.topic_partitions)
timers: defaultdict[int, lifecycle.Timers] = defaultdict(lifecycle.Timers)
progress = Progress()


@app.agent(source)
async def judge(events: faust.StreamT[bytes]) -> None:
    """Timers that are due, then the event itself."""
    ending: asyncio.Task[None] | None = None
    async for kafka_event in events.events():
        event = orjson.loads(kafka_event.value)
        customer, now = event["userId"], lifecycle.instant(event)
        mine = timers[kafka_event.message.partition]
        found = []
        for at, absent in mine.due(now):
            state = customers[absent]
            found.append(lifecycle.move(absent, state["segment"], "at-risk", at))
            customers[absent] = {**state, "segment": "at-risk"}
        state = customers.get(customer) or lifecycle.new_state()
        change = lifecycle.apply(state, customer, event, now)
        customers[customer] = state
        if event["event"] == "Order Completed":
            mine.set(customer, now + lifecycle.ABSENCE_MS)
        for move in (*found, change):
            if move is not None:
                await moves.send(key=move["customer"].encode(), value=orjson.dumps(move))
        if progress.handled() and ending is None:
            ending = asyncio.create_task(end_when_written(app, progress))


if __name__ == "__main__":
    sys.argv = ["peer", "worker", "--loglevel", "warn"]
    app.main()
