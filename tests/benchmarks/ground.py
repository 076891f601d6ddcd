"""What all parts of one run share: the broker, a scratch folder, sizes, and where figures go."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from tests.benchmarks import kafka
from tests.benchmarks.events import Events
from tests.benchmarks.results import Results

PARTITIONS = 4


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
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _filled: dict[Events, str] = field(default_factory=dict)

    def size(self, full: int, quick: int) -> int:
        """A number that depends on how thorough the run is."""
        return quick if self.quick else full

    def name(self, what: str) -> str:
        """A name for an application or a topic that this run has not used before."""
        return f"b{next(self._numbers)}-{what}"

    def topic_of(self, events: Events) -> str:
        """The topic that holds these events; written when first asked for."""
        if events not in self._filled:
            topic = self.name("events")
            kafka.create_topics(self.broker, {topic: events.partitions})
            self.say(f"writing {events.count:,} events of {events.customers:,} customers")
            kafka.fill(self.broker, ((topic, partition, key, value) for partition, key, value in events.records()))
            self._filled[events] = topic
        return self._filled[events]

    def say(self, text: str) -> None:
        """What is being done now."""
        self.console.print(f"[dim]{text}", highlight=False)
