"""An application under faults: its broker, its workers, which are started again when they end, and its traffic."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stream.kafka.broker import EmbeddedBroker
from tests.conftest import JARS, REPOSITORY
from tests.e2e.live import Change, Live, read_changes, wait_for

#: The dimensions that are judged: absence, windows, bags, decay, calendar-free, and one that is cut by share.
DIMENSIONS = ("lifecycle", "wishlist", "cart", "usage", "frequency", "value", "win-back")
#: Cuts are learned seldom and known long before they hold, since days pass in a second; small transactions, so that a
#: fault finds one under way; a short session, so that a silent worker is soon replaced.
SETTINGS = {
    "SEGSTREAM_CUTS__EVERY": "15d",
    "SEGSTREAM_CUTS__LEAD": "40d",
    "SEGSTREAM_BATCH__MAX_RECORDS": "100",
    "SEGSTREAM_BATCH__SESSION_TIMEOUT": "6s",
}


@dataclass
class Stage:
    """One run of faults.  ``workers`` are those that should be running; the supervisor starts them again."""

    broker: EmbeddedBroker
    live: Live
    parts: list[Path]
    wanted: set[str] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)
    restarts: int = 0
    loaded: int = 0
    published: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    # Workers

    def want(self, worker: str) -> None:
        """Start a worker, and again whenever it ends."""
        with self.lock:
            self.wanted.add(worker)
            self.live.start_worker(worker)

    def dismiss(self, worker: str) -> None:
        """SIGTERM: it leaves in good order."""
        with self.lock:
            self.wanted.discard(worker)
            self.live.stop_worker(worker)

    def signal(self, worker: str, number: int) -> None:
        """Send a signal to a worker, if it is there."""
        with self.lock:
            process = self.live.workers.get(worker)
            if process is not None and process.poll() is None:
                process.send_signal(number)

    def supervise(self) -> threading.Thread:
        """Start again what ends, as whoever runs it for real would."""

        def run() -> None:
            while not self.ended.wait(0.1):
                with self.lock:
                    gone = [
                        w for w in self.wanted if w in self.live.workers and self.live.workers[w].poll() is not None
                    ]
                    for worker in gone:
                        self.restarts += 1
                        self.live.workers.pop(worker)
                        log = self.live.folder / f"{worker}.log"
                        log.rename(log.with_name(f"{worker}-{self.restarts}.log"))
                        self.live.start_worker(worker)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def settled(self) -> bool:
        """Whether all shards are ready."""
        return self.live.ready_shards() >= self.live.partitions

    # Traffic

    def load(self, parts: int = 1) -> None:
        """Send the next parts of the history."""
        for _ in range(min(parts, len(self.parts) - self.loaded)):
            last = [] if self.loaded == len(self.parts) - 1 else ["--no-closing-clock"]
            self.live.run("load", str(self.parts[self.loaded]), *last)
            self.loaded += 1

    def publish(self) -> None:
        """Other rules of absence, from the first instant of the part after the next."""
        folder = self.live.folder / f"edited-{self.published}"
        shutil.copytree(Path(self.live.environment["SEGSTREAM_CONFIG"]) / "segments", folder)
        file = folder / "lifecycle.yaml"
        text = file.read_text()
        assert "2 * usual_gap" in text
        file.write_text(text.replace("2 * usual_gap", f"{1 + 0.25 * (self.published % 3)} * usual_gap"))
        self.published += 1
        first = self.parts[min(self.loaded + 1, len(self.parts) - 1)].read_bytes().split(b"\n", 1)[0]
        self.live.run("publish", "--definitions", str(folder), "--at", json.loads(first)["timestamp"])

    def expected(self) -> list[Change]:
        """What a replay makes of the same events and versions."""
        live, folder = self.live, self.live.folder
        (folder / "events.jsonl").write_bytes(b"".join(part.read_bytes() for part in self.parts))
        live.run("versions", "--out", "versions.jsonl")
        live.run("replay", "events.jsonl", "--versions", "versions.jsonl", "--out", "replayed.jsonl")
        return [json.loads(line) for line in (folder / "replayed.jsonl").read_bytes().splitlines()]

    def finish(self, seconds: float) -> None:
        """The rest of the traffic, and until everything is applied."""
        self.load(len(self.parts))
        wait_for("all shards are ready", self.settled, seconds)
        wait_for("nothing is left to apply", self.idle, seconds, every=1.0)

    def idle(self) -> bool:
        """Whether every worker says that nothing of its sources is unread."""
        lags = [
            value
            for worker in list(self.live.workers)
            for name, value in self.live.metrics(worker).items()
            if name.startswith("segstream_lag_records{")
        ]
        return bool(lags) and not any(lags)

    def changes(self, expected: int) -> list[Change]:
        """All that was committed."""
        return read_changes(self.live, expected)

    def close(self) -> None:
        """End everything."""
        self.ended.set()
        for worker in list(self.live.workers):
            self.signal(worker, signal.SIGCONT)
        self.live.stop()
        self.broker.kill()


def make_stage(folder: Path, seed: int, customers: int, days: int, parts: int, partitions: int = 4) -> Stage:
    """A broker of its own, definitions, topics, and a simulated history cut into parts."""
    config = folder / "config"
    shutil.copytree(REPOSITORY / "config", config, ignore=shutil.ignore_patterns("segments"))
    (config / "segments").mkdir()
    for name in DIMENSIONS:
        shutil.copy(REPOSITORY / "config" / "segments" / f"{name}.yaml", config / "segments")
    broker = EmbeddedBroker(folder / "kafka", port=0, jars=JARS).start()
    settings = {**SETTINGS, "SEGSTREAM_CONFIG": str(config)}
    live = Live(broker.address, f"chaos{os.getpid()}", folder, partitions, settings)
    events = folder / "events.jsonl"
    live.run("simulate", "--customers", str(customers), "--days", str(days), "--seed", str(seed), "--out", str(events))
    lines = events.read_bytes().splitlines(keepends=True)
    lines += flood(lines)
    events.write_bytes(b"".join(lines))
    size = -(-len(lines) // parts)
    files = []
    for number in range(parts):
        files.append(folder / f"part{number:02d}.jsonl")
        files[-1].write_bytes(b"".join(lines[number * size : (number + 1) * size]))
    live.run("topics")
    return Stage(broker, live, files)


def flood(lines: Sequence[bytes]) -> list[bytes]:
    """After a long silence, in which everybody's deadlines fall due: everyone wishes for one product, and it gets
    cheaper."""
    last = json.loads(lines[-1])["timestamp"]
    customers = sorted({json.loads(line).get("userId") or "" for line in lines} - {""})
    day = int(last[:4]) + 1
    head = {"type": "track", "timestamp": f"{day + 1}-06-01T00:00:00.000Z"}
    product = {"product_id": "everybodys", "currency": "EUR"}
    wish = {"event": "Product Added to Wishlist", "properties": product | {"price": 9}}
    made = [head | wish | {"messageId": f"f{k}", "userId": who} for k, who in enumerate(customers)]
    for k in range(3):
        at = {"timestamp": f"{day + 1}-06-01T00:0{k + 1}:00.000Z"}
        properties = product | {"price": 8 - k, "offer_ends": None, "in_stock": True}
        made.append(head | at | {"messageId": f"g{k}", "event": "Product Updated", "properties": properties})
    return [json.dumps(event).encode() + b"\n" for event in made]


def pause(seconds: float) -> None:
    """Let the fault last: its length is the fault itself, not a wait for a condition."""
    time.sleep(seconds)
