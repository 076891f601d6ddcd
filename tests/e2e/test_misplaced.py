"""Events that another partitioner put on the wrong partition, or that have no key, are counted once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from zlib import crc32

from aiokafka import AIOKafkaProducer

from stream.kafka.partitions import partition_of
from tests.e2e.live import Live, wait_for

CUSTOMERS, ORDERS, PARTITIONS = 40, 5, 4


def event(customer: int, n: int) -> bytes:
    """The n-th order of a customer."""
    return json.dumps(
        {
            "messageId": f"m{customer}-{n}",
            "type": "track",
            "userId": f"c{customer}",
            "event": "Order Completed",
            "timestamp": f"2026-01-{n + 1:02d}T00:00:00Z",
            "properties": {"total": 10},
        }
    ).encode()


async def send_misplaced(live: Live) -> int:
    """Orders partitioned by CRC32, as librdkafka does it; how many lie where they do not belong."""
    wrong = 0
    producer = AIOKafkaProducer(bootstrap_servers=live.broker)
    await producer.start()
    for n in range(ORDERS):
        for customer in range(CUSTOMERS):
            key = f"c{customer}".encode()
            partition = crc32(key) % PARTITIONS
            wrong += partition != partition_of(key, PARTITIONS)
            await producer.send_and_wait(
                live.topic("purchases"), event(customer, n), key=key if n % 2 else None, partition=partition
            )
    await producer.stop()
    return wrong


def test_misplaced_events_find_their_customer(broker: str, unique: str, tmp_path: Path) -> None:
    """Nothing is lost or counted twice, and nobody is two customers."""
    live = Live(broker, unique, tmp_path, PARTITIONS)
    try:
        live.run("topics")
        wrong = asyncio.run(send_misplaced(live))
        assert 0 < wrong < CUSTOMERS * ORDERS
        live.start_worker("a")
        total = CUSTOMERS * ORDERS
        wait_for("all are applied", lambda: live.metrics("a").get('segstream_events_total{outcome="applied"}') == total)
        metrics = live.metrics("a")
        assert metrics['segstream_events_total{outcome="rekeyed"}'] == wrong
        sizes = [
            value for name, value in metrics.items() if name.startswith('segstream_customers{dimension="lifecycle"')
        ]
        assert sum(sizes) == CUSTOMERS
        assert live.stop_worker("a") == 0
    finally:
        live.stop()
