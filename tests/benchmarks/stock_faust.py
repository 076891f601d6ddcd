"""Stock Faust, as its documentation has it: an agent that counts every customer's events into a Table.

Run by :mod:`tests.benchmarks.beside_stock_faust`; prints one line when it has counted ``EVENTS`` events.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import faust

EVENTS = int(os.environ["EVENTS"])

app = faust.App(
    os.environ["APP"],
    broker=f"kafka://{os.environ['BROKER']}",
    store="memory://",
    topic_partitions=int(os.environ["PARTITIONS"]),
    topic_replication_factor=1,
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
    datadir=os.environ["DATA"],
    broker_max_poll_records=5000,
    stream_buffer_maxsize=16384,
)
sources = app.topic(*os.environ["TOPICS"].split(","), value_type=bytes, value_serializer="raw", key_serializer="raw")
counts: Any = app.Table("counts", default=int, partitions=int(os.environ["PARTITIONS"]))
first: list[float] = []


@app.agent(sources)
async def count(events: Any) -> None:
    """One more event of its customer."""
    n = 0
    async for value in events:
        event = json.loads(value)
        if not first:
            first.append(time.perf_counter())
        counts[event.get("userId") or event.get("anonymousId")] += 1
        n += 1
        if n == EVENTS:
            line = json.dumps({"events": n, "seconds": time.perf_counter() - first[0]})
            os.write(1, f"\n{line}\n".encode())  # Faust redirects print to its log
            os._exit(0)


if __name__ == "__main__":
    sys.argv = ["stock_faust", "worker", "--loglevel", "error"]
    app.main()
