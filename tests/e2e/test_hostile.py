"""A real Kafka full of what nobody should send: the worker goes on, the books balance, and no byte is lost."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from stream.kafka.partitions import partition_of
from tests.e2e.live import Live, by_customer, read_changes, read_topic, small_config, wait_for

CODECS = [None, "gzip", "snappy", "lz4", "zstd"]
PARTITIONS = 2
MEGABYTES = 5_000_000


@pytest.fixture
def live(broker: str, unique: str, tmp_path: Path) -> Live:
    """An application with one small dimension."""
    return Live(broker, unique, tmp_path, PARTITIONS, small_config(tmp_path))


def order(customer: str, n: int, **properties: Any) -> bytes:
    """The n-th order of a customer."""
    return json.dumps(
        {
            "messageId": f"{customer[:20]}-{n}",
            "type": "track",
            "userId": customer,
            "event": "Order Completed",
            "timestamp": f"2026-01-{n + 1:02d}T00:00:00Z",
            "properties": {"total": 10, **properties},
        }
    ).encode()


class Sent:
    """What is sent, one record a batch unless it is in a transaction; ``dead``: what must come back as dead letters."""

    def __init__(self, live: Live) -> None:
        self.live, self.topic = live, live.topic("purchases")
        self.dead: list[tuple[bytes | None, bytes | None]] = []
        self.count = 0

    async def send(
        self,
        *records: tuple[bytes | None, bytes | None],
        codec: str | None = None,
        partition: int | None = None,
        headers: list[tuple[str, bytes | None]] | None = None,
    ) -> None:
        """Records to the partition of their key, or to 0."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.live.broker, compression_type=codec, max_request_size=32 << 20
        )
        await producer.start()
        try:
            for key, value in records:
                batch = producer.create_batch()  # takes what `send` refuses: neither key nor value
                batch.append(timestamp=None, key=key, value=value, headers=headers or [])
                to = partition if partition is not None else partition_of(key, PARTITIONS) if key else 0
                await (await producer.send_batch(batch, self.topic, partition=to))
                self.count += 1
        finally:
            await producer.stop()

    async def bad(self, key: bytes | None, value: bytes | None, **options: Any) -> None:
        """A record that must be rejected."""
        await self.send((key, value), **options)
        self.dead.append((key, value))

    async def transaction(self, *records: tuple[bytes, bytes], commit: bool) -> None:
        """Records in a transaction of somebody upstream."""
        producer = AIOKafkaProducer(bootstrap_servers=self.live.broker, transactional_id=f"{self.topic}-up")
        await producer.start()
        try:
            await producer.begin_transaction()
            for key, value in records:
                await producer.send_and_wait(self.topic, value, key=key, partition=partition_of(key, PARTITIONS))
            await (producer.commit_transaction() if commit else producer.abort_transaction())
            self.count += len(records) if commit else 0
        finally:
            await producer.stop()


async def allow_megabytes(live: Live) -> None:
    """The topic that events come in by takes more than Kafka's default."""
    admin = AIOKafkaAdminClient(bootstrap_servers=live.broker)
    await admin.start()
    topic = ConfigResource(ConfigResourceType.TOPIC, live.topic("purchases"), {"max.message.bytes": str(16 << 20)})
    await admin.alter_configs([topic])
    await admin.close()


async def send_everything(live: Live) -> Sent:
    """All of it, hostile records between good ones."""
    sent = Sent(live)
    for n, codec in enumerate(CODECS):
        await sent.send(*((f"good{k}".encode(), order(f"good{k}", n)) for k in range(4)), codec=codec)
        await sent.transaction((b"up", order("up", n)), (b"up2", order("up2", n)), commit=True)
        await sent.transaction((b"up", order("up", 10 + n)), (b"ghost", order("ghost", n)), commit=False)
        await sent.bad(b"zip", b"\xff" * 2000 + bytes([n]), codec=codec)
    for key in (None, b""):
        for value in (None, b""):
            await sent.bad(key, value)
    await sent.bad(b"k" * 1_000_000, b"no JSON")
    await sent.bad(b"k" * 1_000_000, b"x" * MEGABYTES)
    await sent.bad(None, b"x" * MEGABYTES, codec="zstd")
    await sent.bad(b"long", order("u" * 1_000_000, 1))
    away = next(name for name in map(str, range(99)) if partition_of(name.encode(), PARTITIONS) == 1)
    await sent.bad(b"wrong", order(away, 1, x="x" * MEGABYTES), partition=0)
    await sent.send((b"big", order("big", 1, x="x" * MEGABYTES)), (b"big", order("big", 2)))
    await sent.send((b"many", order("many", 1, products=[{"product_id": f"p{k}"} for k in range(100_000)])))
    await sent.send((b"\x00\x1b[31m", order("\x00\x1b[31m", 1)))
    for n, value in enumerate((None, b"web", b"\xff" * 100_000)):
        message = json.loads(order("headed", n)) | {"messageId": None}
        await sent.send(
            (b"headed", json.dumps(message).encode()), headers=[("origin", value), ("segstream-origin", value)]
        )
    return sent


def outcomes(live: Live, worker: str) -> dict[str, int]:
    """The books of all shards: what became of the records."""
    found: dict[str, int] = {}
    for name, value in live.metrics(worker).items():
        if name.startswith("segstream_booked_records{"):
            outcome = name.split('outcome="')[1].split('"')[0]
            found[outcome] = found.get(outcome, 0) + int(value)
    return found


def letters(live: Live, *options: str) -> list[dict[str, Any]]:
    """What `deadletters --list` prints, keys and values as bytes."""
    found = [json.loads(line) for line in live.run("deadletters", "--list", *options).stdout.splitlines()]
    for letter in found:
        for name in ("key", "value"):
            coded = letter.pop(f"{name}_base64", None)
            text = letter.get(name)
            letter[name] = base64.b64decode(coded) if coded is not None else None if text is None else text.encode()
    return found


def settled(live: Live, worker: str, count: int) -> dict[str, int]:
    """The books, once everything that was sent is in them."""
    return dict(
        wait_for(
            f"{count} records in the books",
            lambda: (books := outcomes(live, worker)).get("read", 0) >= count and books,
            seconds=240,
        )
    )


def test_hostile_records_stop_nothing_and_lose_nothing(live: Live) -> None:
    """Every codec, aborted transactions from upstream, null and empty keys and values, ids and keys of a megabyte,
    events of five: what can be applied is, the rest comes back from the dead letters byte for byte."""
    try:
        live.run("topics")
        asyncio.run(allow_megabytes(live))
        live.start_worker("one")
        sent = asyncio.run(send_everything(live))
        books = settled(live, "one", sent.count)
        rejected = sum(n for outcome, n in books.items() if outcome.startswith("rejected_"))
        sent_on = books.get("rekeyed", 0)
        assert books["read"] == sent.count + sent_on == rejected + books["applied"] + sent_on
        assert rejected == len(sent.dead)

        changes = by_customer(read_changes(live, 10))
        moved = {who: [c["data"]["to"] for c in some] for who, some in changes.items()}
        good = {f"good{k}" for k in range(4)} | {"up", "up2"}
        assert {who for who, to in moved.items() if to == ["once", "often"]} == good
        assert set(moved) == good | {"big", "many", "\x00\x1b[31m", "headed"}

        found = letters(live)
        assert sorted((str(x["key"]), str(x["value"])) for x in found) == sorted((str(k), str(v)) for k, v in sent.dead)
        origins = {(x["partition"], x["offset"]) for x in found}
        assert len(origins) == len(found)
        assert {x["topic"] for x in found} == {sent.topic}
        reasons = {reason: sum(x["reason"] == reason for x in found) for reason in {x["reason"] for x in found}}
        assert reasons == {"empty": 4, "not-json": 8, "too-long": 1, "misplaced": 1}
        table = live.run("deadletters").stdout
        assert all(reason in table for reason in reasons)

        assert "14 sent again" in live.run("deadletters", "--resend").stderr
        again = settled(live, "one", sent.count + 14)
        assert again["read"] >= sent.count + 14
        wait_for("all have come back", lambda: len(letters(live)) == 14)
        assert {x["value"] for x in letters(live)} == {value for _, value in sent.dead}
        assert live.stop_worker("one") == 0
    finally:
        live.stop()


async def _write(live: Live, topic: str, key: bytes, value: bytes, partition: int) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=live.broker)
    await producer.start()
    try:
        return int((await producer.send_and_wait(topic, value, key=key, partition=partition)).offset)
    finally:
        await producer.stop()


def test_poison_in_the_changelog_is_told_once_and_set_aside(live: Live) -> None:
    """A row that is none: one line with its offset and nobody's id, a copy in the dead letters, and the shard is
    ready; its customer begins anew, everybody else goes on, and the next start knows nothing of it."""
    changelog = f"{live.name}-customers-changelog"
    try:
        live.run("topics")
        sent = Sent(live)
        asyncio.run(sent.send(*((f"c{k}".encode(), order(f"c{k}", 0)) for k in range(20))))
        live.start_worker("one")
        settled(live, "one", sent.count)
        assert live.stop_worker("one") == 0
        partition = partition_of(b"c3", PARTITIONS)
        offset = asyncio.run(_write(live, changelog, b"cc3", b"no row at all", partition))

        asyncio.run(sent.send(*((f"c{k}".encode(), order(f"c{k}", n)) for n in range(1, 5) for k in range(20))))
        live.start_worker("two")
        settled(live, "two", sent.count)
        told = [line for line in live.log("two").splitlines() if "set aside" in line]
        assert len(told) == 1
        assert f"offset {offset}" in told[0]
        assert "cc3" not in told[0]
        (letter,) = letters(live)
        place = (
            letter["reason"],
            letter["topic"],
            letter["partition"],
            letter["offset"],
            letter["key"],
            letter["value"],
        )
        assert place == ("poison", changelog, partition, offset, b"cc3", b"no row at all")
        assert "not sent again" in live.run("deadletters", "--resend", code=1).stderr
        assert live.stop_worker("two") == 0

        live.start_worker("three")
        wait_for("all shards are ready", lambda: live.ready_shards() == PARTITIONS)
        assert "set aside" not in live.log("three")
        moved = {who: [c["data"]["to"] for c in some] for who, some in by_customer(read_changes(live, 40)).items()}
        assert moved.pop("c3") == ["once", "once"]
        assert set(map(tuple, moved.values())) == {("once", "often")}
        assert live.stop_worker("three") == 0
        assert read_topic(live.broker, changelog, PARTITIONS, 1)
    finally:
        live.stop()
