"""Time on a real Kafka: paced, stalled, after a week's absence, and when nothing comes at all."""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from aiokafka import AIOKafkaProducer

from tests.conftest import REPOSITORY
from tests.e2e.live import Change, Live, by_customer, read_changes, read_topic, wait_for
from tests.shards import wire_time

SECOND, DAY = 1000, 86_400_000
#: For what needs no broker.
NOWHERE = "127.0.0.1:1"
Event = dict[str, Any]

#: What time alone moves within hours: idleness, a cart that is left, a local midnight.
HOURS: list[dict[str, Any]] = [
    {
        "dimension": "browse",
        "features": {"views": {"count": "Product Viewed", "within": "1h"}, "seen": {"since": "Product Viewed"}},
        "segments": [{"segment": "busy", "when": "views >= 3"}, {"segment": "idle", "when": "seen >= 30m"}],
        "otherwise": "calm",
    },
    {
        "dimension": "today",
        "zone": {"trait": "timezone", "else": "Asia/Tokyo"},
        "features": {"views": {"count": "Product Viewed", "this": "day"}, "orders": {"count": "Order Completed"}},
        "segments": [{"segment": "buyer", "when": "orders >= 1"}, {"segment": "looks", "when": "views >= 1"}],
        "otherwise": "out",
    },
]


def buyers(after: str) -> list[dict[str, Any]]:
    """Who has not ordered for so long is late."""
    return [
        {
            "dimension": "life",
            "features": {"ago": {"since": "Order Completed"}, "views": {"count": "Product Viewed"}},
            "segments": [{"segment": "late", "when": f"ago >= {after}"}, {"segment": "buys", "when": "ago >= 0s"}],
        }
    ]


def app(broker: str, name: str, folder: Path, dimensions: Sequence[Mapping[str, Any]], **settings: str) -> Live:
    """An application with these definitions alone, two partitions, and its topics."""
    config = folder / "config"
    if not config.exists():
        shutil.copytree(REPOSITORY / "config", config)
        shutil.rmtree(config / "segments")
        (config / "segments").mkdir()
        for one in dimensions:
            (config / "segments" / f"{one['dimension']}.yaml").write_text(yaml.safe_dump(dict(one), sort_keys=False))
    live = Live(broker, name, folder, 2, {"SEGSTREAM_CONFIG": str(config), **settings})
    if broker != NOWHERE:
        live.run("topics")
    return live


def started(live: Live, worker: str) -> None:
    """A worker with both shards ready."""
    live.start_worker(worker)
    wait_for(f"worker {worker} is ready", lambda: live.ready_shards() == 2)


SIMULATED = ("--customers", "300", "--days", "0.25", "--start", "2025-01-01T12:00:00Z", "--seed", "5")


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Change]]:
    """Six simulated hours over a midnight in Tokyo, and what replay makes of them."""
    folder = tmp_path_factory.mktemp("hours")
    live = app(NOWHERE, "hours", folder, HOURS)
    events, out = folder / "events.jsonl", folder / "out.jsonl"
    live.run("simulate", *SIMULATED, "--out", str(events))
    live.run("replay", str(events), "--out", str(out))
    changes = [json.loads(line) for line in out.read_text().splitlines()]
    told = {(c["data"]["to"], c["data"]["cause"]) for c in changes}
    assert told >= {("busy", "event"), ("idle", "deadline"), ("out", "deadline")}
    return events, changes


def test_paced_and_stalled_topics_make_the_changes_that_replay_makes(
    broker: str, unique: str, tmp_path: Path, hours: tuple[Path, list[Change]]
) -> None:
    """A thousand times as fast as life, at full speed, and with a topic that stands still while others go on."""
    events, expected = hours
    paced = app(broker, f"{unique}p", tmp_path, HOURS)
    with ThreadPoolExecutor(1) as beside:
        try:
            started(paced, "a")
            playing = beside.submit(paced.run, "simulate", *SIMULATED, "--speed", "1000")
            same_at_full_speed(broker, f"{unique}f", tmp_path, events, expected)
            same_with_a_stalled_topic(broker, f"{unique}s", tmp_path, events, expected)
            playing.result()
            assert by_customer(read_changes(paced, len(expected))) == by_customer(expected)
            assert paced.stop_worker("a") == 0
        finally:
            paced.stop()


def same_at_full_speed(broker: str, name: str, folder: Path, events: Path, expected: list[Change]) -> None:
    """All at once."""
    live = app(broker, name, folder, HOURS)
    try:
        live.run("load", str(events))
        started(live, "f")
        assert by_customer(read_changes(live, len(expected))) == by_customer(expected)
    finally:
        live.stop()


async def send_all(producer: AIOKafkaProducer, topic: str, events: list[Event]) -> None:
    """Events by their customers' keys, one after the other."""
    for one in events:
        key = one["userId"] if one.get("userId") else one["anonymousId"]
        await producer.send_and_wait(topic, orjson.dumps(one), key=key.encode())


def same_with_a_stalled_topic(broker: str, name: str, folder: Path, events: Path, expected: list[Change]) -> None:
    """Half of the purchases lie in a transaction that their producer does not end: they are there, and cannot be read.

    Nobody is judged beyond the others; once all can be read, everything is as if they always could.
    """
    live = app(broker, name, folder, HOURS)
    lines = [orjson.loads(line) for line in events.read_bytes().splitlines()]
    purchases = [one for one in lines if one.get("event", "").startswith("Order ")]
    others = folder / "others.jsonl"
    others.write_bytes(b"\n".join(orjson.dumps(one) for one in lines if one not in purchases))
    known, unknown = purchases[: len(purchases) // 2], purchases[len(purchases) // 2 :]

    def blocked() -> bool:
        purchases = live.topic("purchases")
        return any(purchases in metric for metric in live.metrics("s") if metric.startswith("segstream_blocked"))

    async def stall() -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=broker, transactional_id=f"{name}-till", transaction_timeout_ms=600_000
        )
        await producer.start()
        try:
            async with producer.transaction():
                await send_all(producer, live.topic("purchases"), known)
            async with producer.transaction():
                await send_all(producer, live.topic("purchases"), unknown)
                await asyncio.to_thread(live.run, "load", str(others), "--until", lines[-1]["timestamp"])
                await asyncio.to_thread(started, live, "s")
                await asyncio.to_thread(wait_for, "purchases hold back the others", blocked, 60)
                before = await asyncio.to_thread(read_changes, live, 1)
                assert before
                assert max(change["time"] for change in before) <= known[-1]["timestamp"]
        finally:
            await producer.stop()

    try:
        asyncio.run(stall())
        assert by_customer(read_changes(live, len(expected))) == by_customer(expected)
    finally:
        live.stop()


def order(customer: str, t: int, name: str = "Order Completed") -> Event:
    """An event on the wire."""
    return {
        "messageId": f"{customer}/{name}/{t}",
        "type": "track",
        "userId": customer,
        "event": name,
        "timestamp": wire_time(t),
        "properties": {},
    }


def load(live: Live, name: str, events: list[Event], *arguments: str) -> None:
    """Send events in the order of their times."""
    file = live.folder / f"{name}.jsonl"
    file.write_bytes(b"\n".join(orjson.dumps(one) for one in sorted(events, key=lambda one: one["timestamp"])))
    live.run("load", str(file), *arguments)


def test_after_a_week_away_nobody_is_late_whose_order_is_waiting(broker: str, unique: str, tmp_path: Path) -> None:
    """By the wall clock: those who ordered all along stay, the others were late at the instant when they were.

    The first worker sees the orders of a week ago and stops; the second one finds a week of orders, behind many other
    records, and that time has passed.
    """
    live = app(broker, unique, tmp_path, buyers("3d"), SEGSTREAM_BATCH__MAX_RECORDS="200")
    now = int(time.time() * 1000)
    start = now - 7 * DAY
    faithful, gone = [f"faithful{k}" for k in range(20)], [f"gone{k}" for k in range(20)]
    firsts = {customer: start - DAY + k * 61_001 for k, customer in enumerate((*faithful, *gone))}
    try:
        load(live, "before", [order(customer, t) for customer, t in firsts.items()])
        started(live, "a")
        assert len(read_changes(live, 40)) == 40
        assert live.stop_worker("a") == 0
        views = [order(f"other{k % 7}", start + k * 7 * DAY // 3000, "Product Viewed") for k in range(3000)]
        again = {c: [firsts[c] + d * DAY for d in (2, 4, 6, 7)] for c in faithful}
        again["gone0"] = [firsts["gone0"] + 2 * DAY]
        week = [order(customer, t) for customer, times in again.items() for t in times]
        load(live, "week", [*views, *week], "--no-closing-clock")
        live.settings = {**live.settings, "SEGSTREAM_TIME__CLOCK": "wall"}
        started(live, "b")
        changes = read_changes(live, 40 + len(gone))
        assert live.stop_worker("b") == 0
    finally:
        live.stop()
    late = {c["subject"]: (c["time"], c["data"]["cause"]) for c in changes if c["data"]["to"] == "late"}
    last = {customer: again.get(customer, [firsts[customer]])[-1] for customer in gone}
    assert late == {customer: (wire_time(t + 3 * DAY), "deadline") for customer, t in last.items()}
    assert len(changes) == 40 + len(gone)


def test_deadlines_fire_when_nothing_comes_at_all(broker: str, unique: str, tmp_path: Path) -> None:
    """With all topics idle, what becomes true is told with the instant at which it became true; how late is printed."""
    live = app(broker, unique, tmp_path, buyers("8s"), SEGSTREAM_TIME__CLOCK="wall")
    try:
        started(live, "a")
        now = int(time.time() * 1000)
        made = {f"c{k}": now - 3 * SECOND + k * 137 for k in range(20)}
        load(live, "orders", [order(customer, t) for customer, t in made.items()], "--no-closing-clock")
        records = read_topic(broker, live.topic("changes"), 2, 2 * len(made), seconds=120)
        assert live.stop_worker("a") == 0
    finally:
        live.stop()
    told = {r.key.decode(): (dict(r.headers)["ce_time"].decode(), r.timestamp) for r in records if b'"late"' in r.value}
    told = {c: told[c] for c, _ in sorted(made.items()) if c in told}
    assert {c: instant for c, (instant, _) in told.items()} == {c: wire_time(t + 8 * SECOND) for c, t in made.items()}
    late = sorted(written - (made[c] + 8 * SECOND) for c, (_, written) in told.items())
    assert late[0] >= 0  # never before its time
    print(f"lateness of deadlines with idle topics: median {statistics.median(late):.0f} ms, most {late[-1]} ms")
