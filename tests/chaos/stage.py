"""An application under faults: its broker, the proxy before it, its workers, which are started again when they end, and
its traffic."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stream.kafka.broker import EmbeddedBroker, free_port
from stream.kafka.broker_config import Listener
from tests.chaos.proxy import Act, Api, Moment, Proxy, Rule
from tests.conftest import JARS, REPOSITORY
from tests.e2e.live import Change, Live, read_topic, send, wait_for

#: What learns stays silent: cuts are learned beforehand, for a version that comes when time has passed it is used late,
#: and a replay would not know.  Small transactions, so that a fault finds one under way; a short session, so that a
#: silent worker is soon replaced.
SETTINGS = {
    "SEGSTREAM_CUTS__EVERY": "36500d",
    "SEGSTREAM_BATCH__MAX_RECORDS": "100",
    "SEGSTREAM_BATCH__SESSION_TIMEOUT": "6s",
    "SEGSTREAM_BATCH__TRANSACTION_TIMEOUT": "6s",
}
#: How learning goes where the history is replayed for that.
LEARNING = {"SEGSTREAM_CUTS__EVERY": "15d"}
#: Longest wait for shards to be ready and events to be applied, in seconds; machines may be busy, and plans compiled.
PATIENCE = 600.0


@dataclass
class Stage:
    """One run of faults.  ``wanted`` are the workers that should be running; the supervisor starts them again."""

    broker: EmbeddedBroker
    proxy: Proxy
    live: Live
    parts: list[Path]
    wanted: set[str] = field(default_factory=set)
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
            self._start(worker)

    def _start(self, worker: str) -> None:
        """Start a worker that reaches the broker through the proxy, which knows it by its name."""
        client = json.dumps({"client_id": worker})
        through = {"SEGSTREAM_KAFKA__BROKERS": f"127.0.0.1:{self.proxy.port}", "SEGSTREAM_KAFKA__CLIENT": client}
        self.live.start_worker(worker, through)

    def dismiss(self, worker: str) -> None:
        """SIGTERM: it leaves in good order."""
        with self.lock:
            self.wanted.discard(worker)
            code = self.live.stop_worker(worker)
        assert code == 0, f"worker {worker} ended with {code}: {self.live.log(worker)[-2000:]}"

    def signal(self, worker: str, number: int) -> None:
        """Send a signal to a worker, if it is there."""
        process = self.live.workers.get(worker)
        if process is not None and process.poll() is None:
            process.send_signal(number)

    def kill(self, worker: str) -> None:
        """kill -9."""
        self.signal(worker, signal.SIGKILL)

    def stun(self, worker: str) -> None:
        """SIGSTOP."""
        self.signal(worker, signal.SIGSTOP)

    def wake(self, worker: str) -> None:
        """SIGCONT."""
        self.signal(worker, signal.SIGCONT)

    def supervise(self) -> threading.Thread:
        """Start again what ends, as whoever runs it for real would."""

        def run() -> None:
            while not self.ended.wait(0.1):
                with self.lock:
                    gone = [w for w, process in self.live.workers.items() if process.poll() is not None]
                    for worker in [w for w in gone if w in self.wanted]:
                        self.restarts += 1
                        self.live.workers.pop(worker)
                        log = self.live.folder / f"{worker}.log"
                        log.rename(log.with_name(f"{worker}-{self.restarts}.log"))
                        self._start(worker)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def ready(self, worker: str) -> float:
        """How many shards of a worker are ready."""
        return self.live.scrape(worker).get('segstream_shards{state="ready"}', 0.0)

    def takes_part(self, worker: str) -> bool:
        """Whether a worker has a shard that is ready."""
        return self.ready(worker) > 0

    def settled(self, *but: str) -> bool:
        """Whether all shards are ready, in other workers than these."""
        return sum(map(self.ready, self.wanted - {*but})) >= self.live.partitions

    def settle(self, *but: str) -> None:
        """Wait for that."""
        wait_for("all shards are ready", lambda: self.settled(*but), PATIENCE)

    # Faults

    def aim(
        self, api: Api, moment: Moment = Moment.REQUEST, act: Act = Act.CLOSE, *, worker: str | None = None, **more: Any
    ) -> Rule:
        """Have the proxy break the next request of this kind."""
        return self.proxy.add(Rule(api, moment, act, worker, **more))

    def hit(self, rule: Rule) -> str:
        """Wait until that has happened; to which worker."""
        worker: str = wait_for(f"{rule.api.name} is {rule.moment.value}", lambda: rule.met, PATIENCE, every=0.02)
        return worker

    # Traffic

    def load(self, parts: int = 1) -> None:
        """Send the next parts of the history."""
        next_ones = self.parts[self.loaded : self.loaded + parts]
        self.loaded += len(next_ones)
        if next_ones:
            last = [] if self.loaded == len(self.parts) else ["--no-closing-clock"]
            self.live.run("load", *map(str, next_ones), *last)

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

    def finish(self) -> Counter[str]:
        """The rest of the traffic, until everything is applied and all deadlines have fired; then all workers end in
        good order.  Their books."""
        self.load(len(self.parts))
        self.settle()
        self.catch_up()
        wait_for("nothing is left to do", self.at_rest, PATIENCE)
        books = self.books()
        for worker in sorted(self.wanted):
            self.dismiss(worker)
        return books

    def at_rest(self) -> bool:
        """Whether all shards are ready, and nothing was written for many times as long as a step takes."""
        before = self.transactions()
        pause(3.0)
        return self.settled() and self.transactions() == before

    def transactions(self) -> float:
        """How many of them the workers have committed."""
        found = (self.live.scrape(worker).get("segstream_batch_records_count", 0.0) for worker in self.wanted)
        return sum(found)

    def catch_up(self) -> None:
        """Until every event that was sent is in the books."""
        sent = sum(part.read_bytes().count(b"\n") for part in self.parts[: self.loaded])
        wait_for("all events are in the books", lambda: self.books()["read"] >= sent, PATIENCE, every=0.5)

    # What came out, and what should have

    @property
    def events(self) -> int:
        """How many lines the history has."""
        return sum(part.read_bytes().count(b"\n") for part in self.parts)

    def expected(self) -> tuple[list[Change], Mapping[str, int]]:
        """What a replay makes of the same events and versions, changes and receipts; and its books."""
        live, folder = self.live, self.live.folder
        (folder / "events.jsonl").write_bytes(b"".join(part.read_bytes() for part in self.parts))
        live.run("versions", "--out", "versions.jsonl")
        asked = ("--versions", "versions.jsonl", "--out", "replayed.jsonl", "--summary", "summary.json")
        live.run("replay", "events.jsonl", *asked)
        summary = json.loads((folder / "summary.json").read_bytes())
        books = {name: summary[name] for name in ("read", "applied", "duplicate", "ignored") if summary[name]}
        books |= {f"rejected_{reason}": number for reason, number in summary["rejected"].items()}
        return [json.loads(line) for line in (folder / "replayed.jsonl").read_bytes().splitlines()], books

    def books(self) -> Counter[str]:
        """What the shards' own rows say of all records."""
        found: Counter[str] = Counter()
        for worker in list(self.live.workers):
            for name, value in self.live.scrape(worker).items():
                if name.startswith("segstream_booked_records{"):
                    found[name.split('outcome="')[1].split('"')[0]] += int(value)
        return found

    def latest(self, customers: int) -> dict[str, dict[str, Any]]:
        """Customers with their segments, as whoever starts late reads them; those who were forgotten are not there."""
        live = self.live
        records = read_topic(live.broker, live.topic("customers"), live.partitions, customers)
        latest = {record.key.decode(): record.value for record in records}
        return {who: json.loads(value) for who, value in latest.items() if value is not None}

    def dead(self) -> list[tuple[str, str, str]]:
        """Where each dead letter came from: topic, partition, offset."""
        live = self.live
        records = read_topic(live.broker, live.topic("dead_letters"), live.partitions, 0)
        origins = ({name: value.decode() for name, value in record.headers} for record in records)
        return [(origin["topic"], origin["partition"], origin["offset"]) for origin in origins]

    def close(self) -> None:
        """End everything."""
        self.ended.set()
        for worker in list(self.live.workers):
            self.wake(worker)
        self.live.stop()
        self.broker.kill()
        self.proxy.stop()


def make_stage(
    folder: Path,
    definitions: Mapping[str, str],
    parts: Sequence[Sequence[bytes]],
    *,
    partitions: int = 4,
    settings: Mapping[str, str] | None = None,
) -> Stage:
    """A broker of its own behind a proxy, definitions, versions of cuts learned beforehand, topics, and a history in
    parts."""
    config = folder / "config"
    shutil.copytree(REPOSITORY / "config", config, ignore=shutil.ignore_patterns("segments"))
    (config / "segments").mkdir()
    for name, text in definitions.items():
        (config / "segments" / name).write_text(text)
    files = []
    for number, lines in enumerate(parts):
        files.append(folder / f"part{number:02d}.jsonl")
        files[-1].write_bytes(b"".join(lines))
    proxy = Proxy().start()
    broker = behind(proxy, folder / "kafka").start()
    name = f"chaos{os.getpid()}-{time.monotonic_ns()}"
    live = Live(
        broker.address,
        name,
        folder,
        partitions,
        {**SETTINGS, "SEGSTREAM_CONFIG": str(config), **(settings or {})},
    )
    live.run("topics")
    learner = Live(broker.address, name, folder, partitions, {**live.settings, **LEARNING})
    learner.run("replay", *(str(file) for file in files), "--save-versions", "learned.jsonl")
    send(broker.address, live.topic("control"), (folder / "learned.jsonl").read_bytes().splitlines())
    return Stage(broker, proxy, live, files)


def behind(proxy: Proxy, data: Path) -> EmbeddedBroker:
    """A broker with a second address, which it tells to its clients as that of the proxy."""
    hidden = Listener("PLAINTEXT", free_port())
    port = free_port()
    told = {"advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},L0://127.0.0.1:{proxy.port}"}
    proxy.upstream = hidden.port
    return EmbeddedBroker(data, port=port, jars=JARS, listeners=[hidden], extra=told)


def pause(seconds: float) -> None:
    """Let the fault last: its length is the fault itself, not a wait for a condition."""
    time.sleep(seconds)
