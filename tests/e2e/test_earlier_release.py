"""A worker of today starts on what an earlier release left in a real Kafka; another follows it while events come."""

from __future__ import annotations

import asyncio
import json
import shutil
import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from stream.engine import rest
from stream.engine.layouts import Description
from stream.engine.memory import FORMAT
from stream.events.instant import parse_iso
from stream.features import pool
from stream.plan import header
from tests import release_sample
from tests.conftest import REPOSITORY
from tests.e2e.live import Live, by_customer, read_changes, read_topic, wait_for
from tests.shards import TOPICS, Log, plan_of_files, wire_time

DATA = Path(__file__).parents[1] / "data"
#: The latest release of which there is a sample; earlier ones are read without a broker (test_engine_rest).
RELEASE = max(path.name for path in DATA.glob("release-*.json"))
#: The oldest one, its rows rewritten as the first of all had them.
FIRST = min(path.name for path in DATA.glob("release-*.json"))
Changelog = list[tuple[bytes, bytes | None]]
#: The second worker joins; the first one leaves, both before the version to come is in force; and where time ends.
JOINS, LEAVES, UNTIL = 165, 180, 400


def changelog_of(release: dict[str, Any]) -> Changelog:
    """What a release wrote, record by record."""
    return [
        (bytes.fromhex(key), None if value is None else bytes.fromhex(value)) for key, value in release["changelog"]
    ]


def unpacked(changelog: Changelog) -> Changelog:
    """The same in the first format of all: layouts without kinds, columns as they are, and the bags behind them."""
    driver = release_sample.opened(changelog, release_sample.parts()[0])
    rows, packing = driver.shard.rows, driver.plan.kernels.packing
    found: Changelog = []
    layout = Description([], [], {})
    for key, value in changelog:
        made = value
        if key[:1] == rest.LAYOUT and value:
            layout = msgspec.json.decode(value, type=Description)
            key = earlier(key)
            made = msgspec.json.encode(Description(layout.columns, layout.bags, layout.segments))
        elif key[:1] == rest.SHARD and value:
            own = orjson.loads(value)
            made = orjson.dumps({**own, "layout": ~own["layout"], "format": 0})
        elif key[:1] == rest.ROW and value:
            (columns,), entries, sound = rest.read_rows([value], layout, rows.texts, packing)
            assert sound.all()
            columns[header.CUSTOMER] = rows.table.ints[rows.find([key[1:]])[0], header.CUSTOMER]
            made = earlier(b"c" + value[:8])[1:] + columns.tobytes()
            for p in layout.bags:
                held, entries = entries[: columns[p + pool.SIZE]], entries[columns[p + pool.SIZE] :]
                if len(held):
                    made += struct.pack("<qq", p, len(held)) + held[:, : rest.PLAIN_ENTRY].tobytes()
        found.append((key, made))
    return found


def earlier(key: bytes) -> bytes:
    """A letter and the fingerprint of a layout that is not today's."""
    return key[:1] + struct.pack("<q", ~rest.mark_of(key))


def application(broker: str, name: str, folder: Path) -> Live:
    """One partition, the definitions of the sample, and no cuts learned beside those of the sample."""
    config = folder / "config"
    (config / "segments").mkdir(parents=True)
    for file, text in release_sample.files(later=False).items():
        (config / "segments" / file).write_text(text)
    shutil.copy(REPOSITORY / "config" / "stream.yaml", config)
    live = Live(broker, name, folder, 1, {"SEGSTREAM_CONFIG": str(config), "SEGSTREAM_CUTS__EVERY": "3650d"})
    live.run("topics")
    return live


async def leave_behind(live: Live, log: Log, changelog: Changelog) -> None:
    """The events that an earlier release has read, at their offsets, and its changelog."""
    producer = AIOKafkaProducer(bootstrap_servers=live.broker)
    await producer.start()
    try:
        for (topic, _), records in log.items():
            for record in records:
                key = None if topic == "control" else keyed(orjson.loads(record.value or b""))
                sent = await producer.send_and_wait(live.topic(topic), record.value, key, partition=0)
                assert sent.offset == record.offset
        for name, value in changelog:
            told = renamed(value, "", f"{live.name}-") if name == rest.SHARD else value
            await producer.send_and_wait(rows_topic(live), told, name, partition=0)
    finally:
        await producer.stop()


def keyed(event: dict[str, Any]) -> bytes:
    """The key under which a producer sends an event."""
    return str(event.get("userId") or event["properties"]["product_id"]).encode()


def renamed(value: bytes | None, before: str, after: str) -> bytes:
    """The shard's own row names topics: here this test's, in the sample those of a fresh installation."""
    own = orjson.loads(value or b"")
    own["sources"] = [[after + name.removeprefix(before), *rest] for name, *rest in own["sources"]]
    return orjson.dumps(own)


def rows_topic(live: Live) -> str:
    return f"{live.name}-customers-changelog"


def to_come(folder: Path) -> list[str]:
    """The events after those at rest, cut where one worker follows another; none at the same instant in two parts."""
    early, whole = release_sample.parts()
    lines = [r.value or b"" for t in TOPICS if t != "control" for r in whole[t, 0][len(early[t, 0]) :]]
    lines.sort(key=instant)
    found = []
    for lo, hi in pairwise((release_sample.REST, JOINS, LEAVES, UNTIL)):
        mine = [line for line in lines if lo < instant(line) <= hi]
        assert mine
        found.append(f"{hi}.jsonl")
        (folder / found[-1]).write_bytes(b"\n".join(mine))
    return found


def instant(line: bytes) -> int:
    return parse_iso(orjson.loads(line)["timestamp"])


async def members(live: Live) -> int:
    """How many workers the group has."""
    admin = AIOKafkaAdminClient(bootstrap_servers=live.broker)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([live.name])
        return len(answer.groups[0][5])
    finally:
        await admin.close()


def at_rest(live: Live) -> Changelog:
    """The changelog as it is now, oldest record first, under the sample's names of topics."""
    found: Changelog = []
    for record in read_topic(live.broker, rows_topic(live), 1, 1):
        named = renamed(record.value, f"{live.name}-", "") if record.key == rest.SHARD else record.value
        found.append((record.key, named))
    return found


def check_format(changelog: Changelog, definitions: Sequence[Mapping[str, str]]) -> None:
    """Every row is in a layout that today's code makes of these definitions; the shard's own row tells the format."""
    latest = dict(changelog)
    marks = {rest.fingerprint(plan_of_files(tuple(sorted(files.items())))) for files in definitions}
    rows = [value for key, value in latest.items() if key[:1] == rest.ROW and value]
    assert len(rows) == 8
    assert {int.from_bytes(value[:8], "little", signed=True) for value in rows} <= marks
    assert orjson.loads(latest[rest.SHARD] or b"")["format"] == FORMAT


@pytest.mark.parametrize("release", ["first format", "latest release"])
def test_workers_of_today_go_on_where_an_earlier_release_stopped(
    broker: str, unique: str, tmp_path: Path, release: str
) -> None:
    """A worker finds an earlier release's rows, names, versions and offsets, and takes events; a second one joins, and
    the first leaves while events come.  Changes and latest segments are, id by id, those of the same shard in process,
    which are those that the release itself made; afterwards all that is at rest is in today's format."""
    sample = orjson.loads((DATA / (FIRST if release == "first format" else RELEASE)).read_bytes())
    changelog = changelog_of(sample)
    if release == "first format":
        changelog = unpacked(changelog)
    early, whole = release_sample.parts()
    alone = release_sample.opened(changelog, whole).finish()
    assert release_sample.made(alone) == sample["changes"]
    live = application(broker, unique, tmp_path)
    try:
        asyncio.run(leave_behind(live, early, changelog))
        first, second, third = to_come(tmp_path)
        live.start_worker("a")
        wait_for("worker a is ready", lambda: live.ready_shards() == 1)
        live.run("load", first, "--no-closing-clock")
        wait_for("worker a has applied them", lambda: live.applied("a") == lines(tmp_path / first))
        live.start_worker("b")
        wait_for("worker b has joined", lambda: asyncio.run(members(live)) == 2)
        live.run("load", second, "--no-closing-clock")
        assert live.stop_worker("a") == 0
        wait_for("worker b has taken over", lambda: live.ready_shards() == 1)
        live.run("load", third, "--until", wire_time(UNTIL))
        changes = read_changes(live, len(alone.changes))
        assert live.stop_worker("b") == 0
    finally:
        live.stop()
    expected = [(c.subject, c.id, wire_time(c.at_ms), orjson.loads(c.data())) for c in alone.changes]
    assert len(changes) == len(expected)
    got = [(c["subject"], c["id"], c["time"], c["data"]) for c in changes]
    assert sorted(got, key=order) == sorted(expected, key=order)
    assert all(c == sorted(c, key=lambda one: one["data"]["sequence"]) for c in by_customer(changes).values())
    left = at_rest(live)
    check_format(left, [release_sample.files(later=False), release_sample.files(later=True)])
    again = release_sample.opened(left, whole)
    assert release_sample.said(again) == release_sample.said(alone)
    latest = {
        r.key.decode(): json.loads(r.value)["segments"] for r in read_topic(broker, live.topic("customers"), 1, 8)
    }
    assert latest == {customer: one["segments"] for customer, one in release_sample.said(alone).items()}


def order(change: tuple[str, str, str, Any]) -> tuple[str, int]:
    """By customer, each one's changes as they came."""
    return change[0], change[3]["sequence"]


def lines(file: Path) -> int:
    """How many events a file holds."""
    return len(file.read_bytes().splitlines())
