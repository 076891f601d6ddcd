"""Definitions that change while workers run under load: nobody is lost, and everything is as a replay has it that knows
the published versions; also where workers are killed on the way, and broken definitions are sent."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stream.events.instant import iso, parse_iso
from tests.conftest import REPOSITORY
from tests.e2e.live import Change, Live, by_customer, read_changes, read_topic, send, wait_for

USAGE = """
dimension: usage
features:
  actions: {count: [Page Viewed, Product Viewed, Product Added, Products Searched], within: 7d}
segments:
  - {segment: heavy, when: actions >= 20}
  - {segment: light, when: actions >= 1}
otherwise: idle
"""
VALUE = """
dimension: value
among: orders >= 1
features:
  orders: {count: Order Completed}
  spend: {sum: total, of: Order Completed}
segments:
  - {segment: top, when: spend in top 20%}
  - {segment: low, when: spend in bottom 30%}
otherwise: middle
"""
BUYING = """
dimension: buying
features:
  orders: {count: Order Completed}
  since_order: {since: Order Completed}
segments:
  - {segment: late, when: since_order >= 20d, topic: late}
  - {segment: buys, when: orders >= 1}
otherwise: looks
"""
#: A condition changed, a segment new, a dimension new with features of its own.
SECOND = {
    "usage.yaml": USAGE,
    "value.yaml": VALUE,
    "buying.yaml": BUYING.replace("since_order >= 20d", "since_order >= 9d").replace(
        "  - {segment: buys", "  - {segment: loyal, when: orders >= 3, topic: loyal}\n  - {segment: buys"
    ),
    "wishes.yaml": """
dimension: wishes
features:
  wishes: {count: Product Added to Wishlist, within: 30d}
segments:
  - {segment: many, when: wishes >= 3}
  - {segment: some, when: wishes >= 1}
""",
}
FIRST = {"usage.yaml": USAGE, "value.yaml": VALUE, "buying.yaml": BUYING}
#: Back again, but for a dimension less and one that follows another.
THIRD = {
    "value.yaml": VALUE.replace("top 20%", "top 10%"),
    "buying.yaml": BUYING,
    "keen.yaml": """
dimension: keen
features:
  views: {count: Product Viewed, within: 14d}
segments:
  - {segment: keen, when: 'views >= 5 and segment.buying == "looks"'}
""",
}
#: Cuts are learned seldom and known long before they hold: many days pass in a second here.
PACE = {"SEGSTREAM_CUTS__EVERY": "15d", "SEGSTREAM_CUTS__LEAD": "40d"}
PARTS = 24
PARTITIONS = 4


def write_definitions(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@dataclass
class Loader:
    """Loads the parts of a history one after the other, as far as it may."""

    live: Live
    parts: list[Path]
    allowed: int = 0
    failed: list[BaseException] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def start(self) -> None:
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def allow(self, parts: int) -> None:
        with self.changed:
            self.allowed = parts
            self.changed.notify()

    def finish(self) -> None:
        self.allow(len(self.parts))
        self.thread.join(240)
        assert not self.failed
        assert not self.thread.is_alive()

    def _run(self) -> None:
        try:
            for number, part in enumerate(self.parts):
                with self.changed:
                    self.changed.wait_for(lambda number=number: self.allowed > number)  # type: ignore[misc]
                last = [] if number == len(self.parts) - 1 else ["--no-closing-clock"]
                self.live.run("load", str(part), *last)
        except BaseException as error:  # noqa: BLE001  told by the test
            self.failed.append(error)


@dataclass
class World:
    """An application with definitions of its own, and a history to load."""

    live: Live
    loader: Loader
    folder: Path
    events: Path
    instants: list[int]

    def after(self, parts: int) -> int:
        """The first instant that none of so many parts has."""
        return self.instants[parts * len(self.instants) // PARTS - 1] + 1

    def versions(self, worker: str) -> list[float]:
        """The version of the definitions of each shard."""
        found = self.live.metrics(worker)
        return [v for name, v in found.items() if name.startswith("segstream_definitions_version{")]

    def publish(self, name: str, files: dict[str, str], at: int) -> None:
        """Publish from another machine: one with a cache of its own."""
        folder = write_definitions(self.folder / name, files)
        other = Live(
            self.live.broker, self.live.name, self.folder, PARTITIONS, {**self.live.settings, **publishers(self)}
        )
        other.run("publish", "--definitions", str(folder), "--at", iso(at), "--note", name)


def publishers(world: World) -> dict[str, str]:
    return {"SEGSTREAM_APP__DATA_DIR": str(world.folder / "publisher")}


@pytest.fixture
def world(broker: str, unique: str, tmp_path: Path) -> Iterator[World]:
    config = tmp_path / "config"
    config.mkdir()
    shutil.copy(REPOSITORY / "config" / "stream.yaml", config)
    write_definitions(config / "segments", FIRST)
    settings = {
        "SEGSTREAM_CONFIG": str(config),
        "SEGSTREAM_APP__DATA_DIR": str(tmp_path / "worker"),
        "SEGSTREAM_BATCH__MAX_RECORDS": "200",
        **PACE,
    }
    live = Live(broker, unique, tmp_path, PARTITIONS, settings)
    events = tmp_path / "events.jsonl"
    live.run("simulate", "--customers", "150", "--days", "150", "--seed", "5", "--out", str(events))
    lines = events.read_bytes().splitlines(keepends=True)
    parts = []
    for number in range(PARTS):
        part = tmp_path / f"part-{number}.jsonl"
        part.write_bytes(b"".join(lines[number * len(lines) // PARTS : (number + 1) * len(lines) // PARTS]))
        parts.append(part)
    instants = [parse_iso(json.loads(line)["timestamp"]) for line in lines]
    assert instants == sorted(instants)
    yield World(live, Loader(live, parts), tmp_path, events, instants)
    live.stop()


def replayed(world: World) -> tuple[list[Change], list[dict[str, object]]]:
    """Changes and customers at the end, of a replay that begins with the first definitions and knows the versions."""
    live, folder = world.live, world.folder
    told = live.run("versions", "--out", "versions.jsonl", code=1)
    assert told.stderr.count("[0]@") == 2, "two records are no versions; one is a version of definitions with mistakes"
    live.run(
        *("replay", str(world.events), "--versions", "versions.jsonl"),
        *("--out", "replayed.jsonl", "--snapshot", "customers.jsonl"),
    )
    changes = [json.loads(line) for line in (folder / "replayed.jsonl").read_text().splitlines()]
    customers = [json.loads(line) for line in (folder / "customers.jsonl").read_text().splitlines()]
    return changes, customers


def sizes(customers: list[dict[str, object]]) -> Counter[tuple[str, str]]:
    segments = [item for customer in customers for item in customer["segments"].items()]  # type: ignore[attr-defined]
    return Counter((dimension, segment) for dimension, segment in segments if segment is not None)


def live_sizes(live: Live, worker: str) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for name, value in live.metrics(worker).items():
        if name.startswith("segstream_customers{") and value:
            labels = dict(part.split("=") for part in name[len("segstream_customers{") : -1].split(","))
            found[labels["dimension"].strip('"'), labels["segment"].strip('"')] = int(value)
    return found


def test_published_definitions_take_effect_under_load_whatever_happens_to_the_workers(world: World) -> None:
    """One worker is killed before it has compiled, one after the switch; the third switches twice, undisturbed."""
    live, loader = world.live, world.loader
    live.run("topics")
    live.start_worker("a")
    wait_for("worker a is ready", lambda: live.ready_shards() == PARTITIONS)
    loader.start()
    loader.allow(8)
    world.publish("second", SECOND, world.after(10))
    loader.allow(15)
    wait_for("worker a compiles", lambda: "compiling version 1 of the definitions" in live.log("a"))
    live.kill_worker("a")
    assert "version 1 of the definitions is compiled" not in live.log("a")

    live.start_worker("b")
    wait_for("worker b has switched", lambda: world.versions("b") == [1.0] * PARTITIONS)
    assert "differ from version 1" in live.log("b")
    live.kill_worker("b")

    live.start_worker("c")
    broken = {"type": "definitions", "version": 5, "effective": world.after(11), "files": {"a.yaml": "dimension: a\n"}}
    nonsense = [json.dumps(broken).encode(), b'{"type":"definitions"}', b"nonsense"]
    send(live.broker, live.topic("control"), nonsense)
    wait_for("worker c is ready", lambda: live.ready_shards() == PARTITIONS)
    wait_for("worker c goes by what b went by", lambda: world.versions("c") == [1.0] * PARTITIONS)
    world.publish("third", THIRD, world.after(18))
    loader.finish()
    wait_for("worker c has switched", lambda: world.versions("c") == [6.0] * PARTITIONS)
    assert live.metrics("c")["segstream_definitions_refused_total"] == 1

    expected, customers = replayed(world)
    found = read_changes(live, len(expected))
    causes = Counter(change["data"]["cause"] for change in expected)
    assert causes["definition"] > 50
    assert causes["model"] > 10
    by_definition = {c["data"]["definition"].split("@")[0] for c in expected if c["data"]["cause"] == "definition"}
    assert by_definition >= {"buying", "value"}
    assert len(found) == len(expected)
    assert by_customer(found) == by_customer(expected)
    wait_for("the sizes are those of the replay", lambda: live_sizes(live, "c") == sizes(customers))
    reasons = [dict(record.headers)["reason"] for record in read_topic(live.broker, live.topic("dead_letters"), 4, 3)]
    assert reasons == [b"control"] * 3, "the broken records, and nothing else"
    assert live.stop_worker("c") == 0


def test_a_quiet_shop_switches_when_the_clock_says_so(broker: str, unique: str, tmp_path: Path) -> None:
    """With the wall clock no event is needed: customers move at the very instant that was published."""
    config = tmp_path / "config"
    config.mkdir()
    shutil.copy(REPOSITORY / "config" / "stream.yaml", config)
    write_definitions(config / "segments", {"buying.yaml": BUYING})
    changed = write_definitions(tmp_path / "changed", {"buying.yaml": BUYING.replace("orders >= 1", "orders >= 2")})
    clock = {"SEGSTREAM_CONFIG": str(config), "SEGSTREAM_TIME__CLOCK": "wall", "SEGSTREAM_DEFINITIONS__LEAD": "5s"}
    live = Live(broker, unique, tmp_path, 2, clock)
    try:
        live.run("topics")
        live.start_worker("a")
        wait_for("worker a is ready", lambda: live.ready_shards() == 2)
        now = int(time.time() * 1000)
        orders = [
            {
                "type": "track",
                "event": "Order Completed",
                "userId": f"c{k}",
                "messageId": f"m{k}",
                "timestamp": iso(now),
            }
            for k in range(20)
        ]
        (tmp_path / "orders.jsonl").write_text("".join(json.dumps(order) + "\n" for order in orders))
        live.run("load", "orders.jsonl", "--no-closing-clock")
        wait_for("all have bought", lambda: live_sizes(live, "a") == {("buying", "buys"): 20})
        said = live.run("publish", "--definitions", str(changed)).stdout
        wait_for("all look", lambda: live_sizes(live, "a") == {("buying", "looks"): 20})
        moved = [change for change in read_changes(live, 40) if change["data"]["cause"] == "definition"]
        assert len(moved) == 20
        assert {change["time"] for change in moved} == {said.split()[-1]}
        assert live.stop_worker("a") == 0
    finally:
        live.stop()
