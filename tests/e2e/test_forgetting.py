"""Customers who are forgotten, on a real Kafka: once, with nothing left, whatever happens to the workers meanwhile."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from stream.kafka.partitions import partition_of
from tests.conftest import REPOSITORY
from tests.e2e.live import Live, by_customer, read_changes, read_topic, wait_for
from tests.shards import wire_time

DAY = 86_400_000
#: 2026-01-01
START = 1_767_225_600_000
PARTITIONS = 4
CUSTOMERS = 120
FILES = ("lifecycle", "wishlist")
NAMES = ["Product Viewed", "Product Added to Wishlist", "Order Completed", "Order Completed"]


def history(seed: int, first: int, last: int, count: int) -> list[dict[str, Any]]:
    """Events from one day to another, in order: one in twelve asks to forget its customer."""
    random = Random(seed)
    found = []
    for k, t in enumerate(sorted(random.randrange(first * DAY, last * DAY) for _ in range(count))):
        name = "User Deleted" if random.random() < 1 / 12 else random.choice(NAMES)
        product = {"product_id": f"p{random.randrange(9)}", "price": random.randrange(1, 50)}
        found.append(
            {
                "messageId": f"m{seed}-{k}",
                "type": "track",
                "userId": f"c{random.randrange(CUSTOMERS)}",
                "event": name,
                "timestamp": wire_time(START + t),
                "properties": {"total": 9, "products": [product]} if name.startswith("Order") else product,
            }
        )
    return found


def works(live: Live, worker: str) -> bool:
    """Whether a worker is in the middle of its work."""
    return live.applied(worker) > 200


def write(file: Path, events: list[dict[str, Any]]) -> str:
    """The events as a file, one a line."""
    file.write_text("".join(json.dumps(one) + "\n" for one in events))
    return str(file)


def configured(folder: Path) -> dict[str, str]:
    """Few definitions, small transactions, and a life of 20 days."""
    config = folder / "config"
    (config / "segments").mkdir(parents=True)
    shutil.copy(REPOSITORY / "config" / "stream.yaml", config)
    for name in FILES:
        shutil.copy(REPOSITORY / "config" / "segments" / f"{name}.yaml", config / "segments")
    return {
        "SEGSTREAM_CONFIG": str(config),
        "SEGSTREAM_CUSTOMERS__DORMANT_AFTER": "20d",
        "SEGSTREAM_BATCH__MAX_RECORDS": "20",
    }


def latest(live: Live, topic: str, count: int) -> dict[bytes, bytes | None]:
    """What a compacted topic comes to: the last value of each key."""
    return {record.key: record.value for record in read_topic(live.broker, topic, PARTITIONS, count)}


def receipts(live: Live, count: int) -> list[dict[str, Any]]:
    """The receipts that a reader of committed records sees, as replay writes them."""
    found = []
    for record in read_topic(live.broker, live.topic("forgotten"), PARTITIONS, count):
        headers = {name: value.decode() for name, value in record.headers}
        assert record.key.decode() == headers["ce_subject"]
        found.append(
            {
                "id": headers["ce_id"],
                "type": headers["ce_type"],
                "subject": headers["ce_subject"],
                "time": headers["ce_time"],
                "data": json.loads(record.value),
            }
        )
    return found


def test_forgotten_once_and_wholly_through_kills_and_recovery(broker: str, unique: str, tmp_path: Path) -> None:
    """Workers die in the middle, the next ones read tombstones back, a request comes by the command line: changes,
    receipts, sizes, rows and latest segments are those of a replay of the same events."""
    live = Live(broker, unique, tmp_path, PARTITIONS, configured(tmp_path))
    parts = [history(1, 0, 40, 1500), history(2, 40, 60, 700), history(3, 61, 70, 300)]
    try:
        live.run("topics")
        first = write(tmp_path / "first.jsonl", parts[0])
        live.run("replay", first)  # compiles
        live.run("load", first)
        for worker in "ab":
            live.start_worker(worker)
            wait_for(f"{worker} works", partial(works, live, worker), every=0.02)
            live.kill_worker(worker)
        live.run("load", write(tmp_path / "second.jsonl", parts[1]))
        live.start_worker("c")
        at = wire_time(START + 60 * DAY)
        known = {one["userId"] for one in parts[1]}
        mine = sorted(known)[:3]
        said = live.run("forget", *mine, "nobody", "--at", at, "--timeout", "120").stdout
        assert sorted(line.split(" ")[0] for line in said.splitlines()) == sorted([*mine, "nobody"])
        assert f"nobody is forgotten as of {at}; nothing was known" in said
        assert live.stop_worker("c") == 0
        live.run("load", write(tmp_path / "third.jsonl", parts[2]))
        live.start_worker("d")
        asked = [json.loads(r.value) for r in read_topic(broker, live.topic("clickstream"), PARTITIONS, 1)]
        by_hand = [one for one in asked if one["messageId"].startswith("forget-")]
        assert len(by_hand) == 4
        whole = write(tmp_path / "all.jsonl", [*parts[0], *parts[1], *by_hand, *parts[2]])
        live.run("replay", whole, "--out", "out.jsonl", "--snapshot", "snapshot.jsonl")
        lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        changes = [line for line in lines if line["type"] == "segstream.segment.changed"]
        gone = [line for line in lines if line["type"] == "segstream.customer.forgotten"]
        assert {one["data"]["reason"] for one in gone} == {"asked", "dormant"}

        found = read_changes(live, len(changes))
        assert len(found) == len(changes)
        assert by_customer(found) == by_customer(changes)
        expected = [{key: one[key] for key in ("id", "type", "subject", "time", "data")} for one in gone]
        assert by_customer(receipts(live, len(gone))) == by_customer(expected)
        check_what_is_left(live, tmp_path, gone)
        assert live.stop_worker("d") == 0
    finally:
        live.stop()


def check_what_is_left(live: Live, folder: Path, gone: list[dict[str, Any]]) -> None:
    """Rows, lines and sizes of those who are there in the end, and tombstones of all others."""
    snapshot = [json.loads(line) for line in (folder / "snapshot.jsonl").read_text().splitlines()]
    there = {one["customer"] for one in snapshot}
    assert 0 < len(there) < CUSTOMERS
    rows = latest(live, f"{live.name}-customers-changelog", 1)
    assert {key[1:].decode() for key, value in rows.items() if key[:1] == b"c" and value is not None} == there
    left = {one["subject"] for one in gone} - there
    assert left
    assert all(rows[b"c" + who.encode()] is None for who in left)
    lines = latest(live, live.topic("customers"), 1)
    told = {key.decode(): json.loads(value)["segments"] for key, value in lines.items() if value is not None}
    assert told == {one["customer"]: one["segments"] for one in snapshot}
    metrics = live.metrics("d")
    sizes = [value for name, value in metrics.items() if name.startswith('segstream_customers{dimension="lifecycle"')]
    assert sum(sizes) == len(there)
    assert {partition_of(who.encode(), PARTITIONS) for who in left} == set(range(PARTITIONS))
