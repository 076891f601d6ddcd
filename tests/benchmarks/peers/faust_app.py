"""The app of both stock Faust peers: defaults, but for a memory store and buffers that make it faster."""

from __future__ import annotations

import asyncio
import os

import faust

from tests.benchmarks.peers.progress import APP, BROKER, FOLDER, PARTITIONS, Progress

#: How long an orderly end may take, in seconds.
STOP_S = 10.0


def new_app() -> faust.App:
    """At least once; RocksDB would be slower."""
    return faust.App(
        APP,
        broker=f"kafka://{BROKER}",
        store="memory://",
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        datadir=str(FOLDER),
        broker_max_poll_records=5000,
        stream_buffer_maxsize=16384,
    )


async def end_when_written(app: faust.App, progress: Progress) -> None:
    """End the process once all that was sent has arrived, the offsets are committed and the group is left."""
    await asyncio.sleep(0)
    await app.producer.flush()
    await app.consumer.commit()
    await app.producer.flush()
    progress.tell()
    try:
        async with asyncio.timeout(STOP_S):
            await app.stop()
    finally:
        os._exit(0)
