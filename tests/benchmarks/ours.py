"""segstream as the suite runs it: the shipped command, real settings, topics of its own; watched from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stream.settings import ENV_PREFIX, Topics
from tests.benchmarks import kafka
from tests.benchmarks.ground import PARTITIONS, Ground
from tests.benchmarks.processes import Program
from tests.conftest import REPOSITORY

SHIPPED = REPOSITORY / "config" / "segments"
#: Where W1 and W2 are defined.
DEFINITIONS = Path(__file__).parent / "definitions"
START_S = 180.0


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

    def run(self, *arguments: str) -> None:
        """One command to its end."""
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

    @property
    def base(self) -> str:
        """The address of its web server, once that is up."""
        found = wait_for("the worker's web server", lambda: re.search(r"(http://\S+)/metrics", self.program.said()))
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
    """Events a second and changes an event, after warming up; the most memory of all workers; and their books."""

    rate: float
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


def measure(ours: Ours, running: Sequence[Worker], topics: Sequence[str], warm: int, events: int) -> Speed:
    """The speed of workers that run, from ``warm`` events committed to ``events``."""

    def alive() -> None:
        for worker in running:
            worker.program.alive()

    def changes() -> float:
        return sum(worker.total("segstream_segment_entered_total") for worker in running)

    kafka.follow(ours.ground.broker, ours.name, topics, [warm], alive)
    before = changes()
    (began, had), (ended, got) = kafka.follow(ours.ground.broker, ours.name, topics, [warm, events], alive)
    time.sleep(0.5)  # a worker counts a transaction just after its commit
    outcomes: Counter[str] = Counter()
    for worker in running:
        for key, value in worker.metrics().items():
            if found := re.fullmatch(r'segstream_events_total\{outcome="(.+)"\}', key):
                outcomes[found[1]] += int(value)
    return Speed(
        (got - had) / max(ended - began, kafka.LOOK_EVERY_S),
        (changes() - before) / max(1, got - had),
        sum(worker.program.peak for worker in running),
        outcomes,
    )


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
