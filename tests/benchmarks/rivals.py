"""The peers: how each is started, what it promises, and how its results are read back."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from stream.kafka.broker_jars import java
from tests.benchmarks import kafka
from tests.benchmarks.events import Events, Totals
from tests.benchmarks.ground import PARTITIONS, Ground
from tests.benchmarks.processes import EndedError, Program, Told, told
from tests.conftest import REPOSITORY

_JAVA = Path(__file__).parent / "kafka_streams"
#: No peer may take longer than this for one run, in seconds; nor in a quick one.
LONGEST_S, LONGEST_QUICK_S = 1800, 180
#: Events of a full run: of those that take a hundred thousand a second, of slower ones, and of the slowest.
FAST, MEDIUM, SLOW = 2_100_000, 300_000, 60_000
#: A row of the Java peer, behind what the store itself puts before it.
_STREAMS = struct.Struct(">qdq")


class PeerError(Exception):
    """A peer failed, or did not end in time: it is not measured, and nothing of ours is wrong."""


@dataclass(frozen=True)
class Run:
    """One run of a peer that has ended: what it noted, its memory, and the names of its topics."""

    told: Told
    peak: int
    app: str
    out: str
    said: str


@dataclass(frozen=True)
class Peer:
    """A rival: its name in the table, and the command that runs it."""

    name: str
    command: Callable[[Ground], list[str]]
    #: Events of a full run: so many that each is at it for ten seconds or more, however slow it is.
    many: int = FAST

    def events(self, ground: Ground) -> Events:
        """The events that it gets in W1 and W2."""
        return Events(ground.size(self.many, min(self.many // 8, 20_000)), PARTITIONS)

    def run(self, ground: Ground, events: Events, warm: int, app: str | None = None, count: int | None = None) -> Run:
        """Run it over the topic of these events until it has handled ``count`` of them (None: all)."""
        return self.run_over(ground, ground.topic_of(events), warm, count or events.count, app)

    def run_over(
        self, ground: Ground, topic: str, warm: int, count: int, app: str | None = None, partitions: int = 4
    ) -> Run:
        """Run it over topics (commas between them); an earlier app's name: go on from its state.  PeerError where it
        does not come to its end."""
        fresh = app is None
        name = app or ground.name(re.sub(r"[^a-z]+", "-", self.name.lower()))
        out = f"{name}-out"
        if fresh:
            # Results bear the instants of events, which are months ago: a look for what is too old would delete them.
            kafka.create_topics(ground.broker, {out: partitions}, {"retention.ms": "-1"})
        folder = ground.folder / f"{name}-{time.monotonic_ns()}"  # never the state of an earlier run: that is in Kafka
        folder.mkdir()
        report = folder / "report.json"
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "BENCH_BROKER": ground.broker,
            "BENCH_APP": name,
            "BENCH_TOPIC": topic,
            "BENCH_OUT": out,
            "BENCH_PARTITIONS": str(partitions),
            "BENCH_THREADS": str(ground.threads),
            "BENCH_FOLDER": str(folder),
            "BENCH_WARM": str(warm),
            "BENCH_EVENTS": str(count),
            "BENCH_REPORT": str(report),
            "BENCH_STARTED": str(time.monotonic()),
        }
        with Program(self.command(ground), environment, folder, "peer") as program:
            try:
                program.wait(ground.size(LONGEST_S, LONGEST_QUICK_S))
            except EndedError as error:
                raise PeerError(f"{self.name}: {error}") from None
            return Run(told(report), program.peak, name, out, program.said())


def python_peer(module: str) -> Callable[[Ground], list[str]]:
    """A program of tests/benchmarks/peers, run by the peers' own Python."""
    return lambda ground: [str(ground.peers_python), "-m", f"tests.benchmarks.peers.{module}"]


def kafka_streams(task: str, guarantee: str) -> Callable[[Ground], list[str]]:
    """The Java peer."""
    options = ["-XX:+UseParallelGC", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    return lambda ground: [str(java()), *options, "-cp", f"{_built()}/*", "segstream.bench.Peer", task, guarantee]


def _built() -> Path:
    """The folder with the Java peer's jars; Maven makes it once for each content of its sources."""
    sources = sorted(file for file in _JAVA.rglob("*") if file.suffix in (".java", ".xml"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:12]
    jars = REPOSITORY / ".segstream" / "bench" / f"kafka-streams-{digest}"
    if not jars.is_dir():
        copy = jars.with_suffix(".draft")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(_JAVA, copy)
        goals = ["package", "dependency:copy-dependencies", "-DincludeScope=runtime"]
        maven = ["mvn", "-q", "-B", "-ntp", *goals, f"-DoutputDirectory={copy}/target"]
        done = subprocess.run(maven, cwd=copy, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Maven could not build the Kafka Streams peer:\n{done.stdout[-3000:]}")
        (copy / "target").rename(jars)
        shutil.rmtree(copy)
    return jars


STREAMS_EOS = "Kafka Streams, exactly once"
STREAMS_ALO = "Kafka Streams, at least once"
FAUST = "stock Faust"
QUIX = "Quix Streams"
BYTEWAX = "Bytewax"
RAW = Peer("raw aiokafka + orjson", python_peer("raw_reader"))

TOTALS = (
    Peer(STREAMS_EOS, kafka_streams("w1", "exactly_once_v2")),
    Peer(STREAMS_ALO, kafka_streams("w1", "at_least_once")),
    Peer(BYTEWAX, python_peer("bytewax_totals"), MEDIUM),
    Peer(QUIX, python_peer("quix_totals"), MEDIUM),
    Peer(FAUST, python_peer("faust_totals"), SLOW),
)
LIFECYCLE = (
    Peer(STREAMS_EOS, kafka_streams("w2", "exactly_once_v2")),
    Peer(STREAMS_ALO, kafka_streams("w2", "at_least_once")),
    Peer(QUIX, python_peer("quix_lifecycle"), MEDIUM),
    Peer(FAUST, python_peer("faust_lifecycle"), SLOW),
)


def read_totals(ground: Ground, peer: str, run: Run) -> Mapping[str, Totals]:
    """What a peer of W1 has in its changelog at the end."""
    return read_totals_of(ground, peer, run.app, run.out)


def read_totals_of(ground: Ground, peer: str, app: str, out: str) -> Mapping[str, Totals]:
    """The same by the name of its application, and of its topic of results."""
    topics = [out] if peer == BYTEWAX else [t for t in kafka.topics_with(ground.broker, app) if "changelog" in t]
    decode = _DECODERS.get(peer, _streams_row)
    return dict(decode(key, value) for key, value in kafka.latest(ground.broker, topics).items())


def _faust_row(key: bytes, value: bytes) -> tuple[str, Totals]:
    return orjson.loads(key), _listed(orjson.loads(value))


def _quix_row(key: bytes, value: bytes) -> tuple[str, Totals]:
    return key.split(b"|")[0].decode().strip('"'), _listed(orjson.loads(value))


def _bytewax_row(key: bytes, value: bytes) -> tuple[str, Totals]:
    return key.decode(), _listed(orjson.loads(value))


def _streams_row(key: bytes, value: bytes) -> tuple[str, Totals]:
    number, spent, last = _STREAMS.unpack(value[-24:])
    return key.decode(), (number, spent, last)


def _listed(row: list[str | float]) -> Totals:
    number, spent, last = row
    return int(number), float(spent), round(datetime.fromisoformat(str(last)).timestamp() * 1000)


_DECODERS = {FAUST: _faust_row, QUIX: _quix_row, BYTEWAX: _bytewax_row}
