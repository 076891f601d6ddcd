"""The physical limit of Python on Kafka: aiokafka fetches, orjson parses, amounts are added up; nothing is kept."""

from __future__ import annotations

import asyncio
import json

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.benchmarks.peers.progress import BROKER, OUT, PARTITIONS, TOPIC, Progress


async def main() -> None:
    """Read everything there is, then say how many events and what sum."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=BROKER, auto_offset_reset="earliest", max_partition_fetch_bytes=1 << 20
    )
    await consumer.start()
    consumer.assign([TopicPartition(topic, p) for topic in TOPIC.split(",") for p in range(PARTITIONS)])
    progress, spent, parse = Progress(), 0.0, orjson.loads
    done = False
    while not done:
        for records in (await consumer.getmany(timeout_ms=1000, max_records=10_000)).values():
            for record in records:
                event = parse(record.value)
                amount = (event.get("properties") or {}).get("total")
                if amount is not None and event["event"] == "Order Completed":
                    spent += amount
            done = progress.handled(len(records))
    await consumer.stop()
    progress.tell()
    print(json.dumps({"answer": {"events": progress.events, "spent": spent, "out": OUT}}))


if __name__ == "__main__":
    asyncio.run(main())
