"""segstream as the suite runs it: the shipped command, real settings, topics of its own; watched from outside."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from stream.settings import ENV_PREFIX, Topics
from tests.benchmarks import kafka
from tests.benchmarks.ground import PARTITIONS, Ground
from tests.benchmarks.processes import Program, processor_seconds
from tests.conftest import REPOSITORY

SHIPPED = REPOSITORY / "config" / "segments"
#: Where W1 and W2 are defined.
DEFINITIONS = Path(__file__).parent / "definitions"
#: No start takes longer, however busy the machine is.
START_S = 600.0
#: After the last commit, its events are in a worker's metrics within this many seconds.
BOOKS_S = 10.0


@dataclass
class Ours:
    """One application. ``inputs`` are topics (by role) that exist already; all others are its own."""

    ground: Ground
    name: str
    definitions: Path = SHIPPED
    partitions: int = PARTITIONS
    inputs: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    def topic(self, role: str) -> str:
        """The name of a topic by its role."""
        return self.inputs.get(role, f"{self.name}-{role}")

    @property
    def changelog(self) -> str:
        """The topic of the customers' rows."""
        (found,) = (name for name in kafka.topics_with(self.ground.broker, self.name) if name.endswith("changelog"))
        return found

    @property
    def environment(self) -> dict[str, str]:
        """Settings by variables. Events are as old as they say: the clock is theirs."""
        return {
            **os.environ,
            f"{ENV_PREFIX}CONFIG": str(REPOSITORY / "config"),
            f"{ENV_PREFIX}APP__ID": self.name,
            f"{ENV_PREFIX}APP__OUTPUT_PREFIX": f"{self.name}-",
            f"{ENV_PREFIX}APP__PARTITIONS": str(self.partitions),
            f"{ENV_PREFIX}APP__DATA_DIR": str(REPOSITORY / ".segstream"),
            f"{ENV_PREFIX}TIME__CLOCK": "event",
            f"{ENV_PREFIX}KAFKA__BROKERS": self.ground.broker,
            **{f"{ENV_PREFIX}TOPICS__{role.upper()}": self.topic(role) for role in Topics.model_fields},
            **self.settings,
        }

    def run(self, *arguments: str) -> str:
        """One command to its end; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "stream", *arguments],
            env=self.environment,
            cwd=self.ground.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"segstream {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
        return done.stdout

    def prepare(self) -> None:
        """Topics, and the plan in its cache, so that no start compiles it."""
        self.run("topics", "--definitions", str(self.definitions))
        compiling = ("replay", os.devnull, "--definitions", str(self.definitions))
        self.ground.once(compiling, lambda: self.run(*compiling))

    @contextmanager
    def worker(self, name: str = "worker") -> Iterator[Worker]:
        """A worker that runs as long as the context."""
        command = [sys.executable, "-m", "stream", "worker", "--web-port", "0", "--definitions", str(self.definitions)]
        program = Program(command, self.environment, self.ground.folder, f"{self.name}-{name}")
        with program:
            yield Worker(program)
            program.alive()
            program.terminate()

    def finish(self) -> None:
        """Delete its own topics."""
        kafka.delete_topics(self.ground.broker, self.name)


@dataclass
class Worker:
    """A running worker."""

    program: Program

    @cached_property
    def base(self) -> str:
        """The address of its web server, once that is up: said at the start, so not among the last it said."""
        log = self.program.log
        found = wait_for("the worker's web server", lambda: re.search(r"(http://\S+)/metrics", log.read_text()))
        return str(found[1])

    def page(self, path: str) -> str:
        """A page of its web server."""
        with urllib.request.urlopen(f"{self.base}{path}", timeout=60) as answer:  # noqa: S310
            text: str = answer.read().decode()
            return text

    def metrics(self) -> dict[str, float]:
        """Name with labels -> value."""
        lines = (line.rsplit(" ", 1) for line in self.page("/metrics").splitlines() if line[0] != "#")
        return {name: float(value) for name, value in lines}

    def total(self, name: str, *labels: str) -> float:
        """The sum of a metric over everything that has these labels."""
        found = self.metrics().items()
        return sum(x for key, x in found if key.startswith(name) and all(label in key for label in labels))

    def ready(self, shards: int) -> None:
        """Wait until so many shards are ready."""
        wait_for("the shards", lambda: self._shards() >= shards, self.program.alive)

    def _shards(self) -> float:
        try:
            return self.total("segstream_shards", 'state="ready"')
        except OSError:
            return 0.0


@dataclass(frozen=True)
class Speed:
    """Events a second, microseconds of processor time and changes an event, after warming up (NaN where all was done by
    then, as in a quick run); the most memory of all workers; and their books."""

    rate: float
    cost: float
    changes: float
    peak: int
    outcomes: Mapping[str, int]

    def wrong(self, events: int) -> str | None:
        """What is wrong with the books: every event is applied once."""
        fine = self.outcomes.get("applied", 0) == events == sum(self.outcomes.values())
        return None if fine else f"{events:,} events came to {dict(self.outcomes)}"


def speed(ours: Ours, topics: Sequence[str], warm: int, events: int, workers: int = 1) -> Speed:
    """Run workers over topics that are full already, until everything in them is committed, then stop them."""
    with ExitStack() as stack:
        running = [stack.enter_context(ours.worker(f"worker{k}")) for k in range(workers)]
        return measure(ours, running, topics, warm, events)


def measure(
    ours: Ours, running: Sequence[Worker], topics: Sequence[str], warm: int, events: int, applied: int | None = None
) -> Speed:
    """The speed of workers that run, from ``warm`` committed to ``events``, as offsets count; ``applied``: how many
    events that are in all, where it is another number."""

    def alive() -> None:
        for worker in running:
            worker.program.alive()

    def changes() -> float:
        return sum(worker.total("segstream_segment_entered_total") for worker in running)

    def spent() -> float:
        return sum(processor_seconds(worker.program.process.pid) for worker in running)

    kafka.follow(ours.ground.broker, ours.name, topics, [warm], alive)
    before = changes()
    seconds = spent()
    (began, had), (ended, got) = kafka.follow(ours.ground.broker, ours.name, topics, [warm, events], alive)
    seconds = spent() - seconds
    outcomes = _books(running, events if applied is None else applied)
    many = got - had or math.nan
    return Speed(
        many / max(ended - began, kafka.LOOK_EVERY_S),
        seconds / many * 1e6,
        (changes() - before) / many,
        sum(worker.program.peak for worker in running),
        outcomes,
    )


def _books(running: Sequence[Worker], events: int) -> Counter[str]:
    """What became of the events by the workers' metrics: a worker counts a transaction just after its commit, so what
    is missing is waited for."""

    def read() -> Counter[str]:
        outcomes: Counter[str] = Counter()
        for worker in running:
            for key, value in worker.metrics().items():
                if found := re.fullmatch(r'segstream_events_total\{outcome="(.+)"\}', key):
                    outcomes[found[1]] += int(value)
        return outcomes

    with suppress(TimeoutError):  # what is there then is told
        wait_for("the books", lambda: read().total() >= events, seconds=BOOKS_S)
    return read()


def wait_for(
    what: str, condition: Callable[[], Any], alive: Callable[[], None] = lambda: None, seconds: float = START_S
) -> Any:
    """Wait until the condition holds; its value."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        alive()
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)
    return found
