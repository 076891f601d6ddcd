"""What all parts of one run share: the broker, a scratch folder, sizes, and where figures go."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from tests.benchmarks import kafka
from tests.benchmarks.events import Events
from tests.benchmarks.results import Results

PARTITIONS = 4
T = TypeVar("T")


@dataclass
class Ground:
    """One run of the suite. ``quick`` takes sizes that show only that everything works."""

    broker: str
    folder: Path
    peers_python: Path
    results: Results
    console: Console
    quick: bool = False
    rounds: int = 3
    #: threads of Kafka Streams; segstream and the Python peers have one worker process
    threads: int = 1
    began: float = field(default_factory=time.monotonic)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _filled: dict[Any, Any] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        """Where the broker keeps its topics."""
        return self.folder / "kafka" / "log"

    def size(self, full: int, quick: int) -> int:
        """A number that depends on how thorough the run is."""
        return quick if self.quick else full

    def name(self, what: str) -> str:
        """A name for an application or a topic that this run has not used before."""
        return f"b{next(self._numbers)}-{what}"

    def topic_of(self, events: Events) -> str:
        """The topic that holds these events; written when first asked for."""

        def fill() -> str:
            topic = self.name("events")
            kafka.create_topics(self.broker, {topic: events.partitions})
            self.say(f"writing {events.count:,} events of {events.customers:,} customers")
            kafka.fill(self.broker, ((topic, partition, key, value) for partition, key, value in events.records()))
            return topic

        return self.once(events, fill)

    def once(self, what: Hashable, make: Callable[[], T]) -> T:
        """Something that several parts need, made when the first of them asks."""
        if what not in self._filled:
            self._filled[what] = make()
        found: T = self._filled[what]
        return found

    def say(self, text: str) -> None:
        """What is being done now, and when since the beginning."""
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        self.console.print(f"[dim]{minutes:3d}:{seconds:02d} {text}", highlight=False)
