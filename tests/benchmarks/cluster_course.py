"""Events through a shard and a trainer, as a replay runs them, with all kept that tells how the clusters do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stream.app import bootstrap
from stream.app.definition_files import in_settings
from stream.cluster.model import ClusterModel
from stream.cluster.trainer import Trainer, TrainerSettings
from stream.engine.output import Output
from stream.history.record import FileRecord
from stream.history.replay import SOURCES, Replay
from stream.history.wire_lines import wire_record
from stream.plan.plan import Plan
from stream.settings import Settings
from stream.simulate.personas import DAY_MS
from stream.simulate.simulation import SimulationOptions, simulate

Matrix = NDArray[np.float64]


@dataclass
class Samples:
    """The vectors that shards sampled, in order."""

    customers: list[bytes] = field(default_factory=list)
    instants: list[int] = field(default_factory=list)
    parts: list[Matrix] = field(default_factory=list)

    def add(self, out: Output) -> None:
        """What one step sampled."""
        if out.vectors is not None:
            self.parts.append(out.vectors)
            self.customers += out.vector_keys
            self.instants += out.vector_instants

    @property
    def vectors(self) -> Matrix:
        """All of them (n, d)."""
        if len(self.parts) > 1:
            self.parts = [np.concatenate(self.parts)]
        return self.parts[0]

    def latest(self, since: int = 0, until: int | None = None) -> tuple[list[bytes], Matrix]:
        """The last vector of each customer with one from ``since`` on and before ``until`` (event time, ms)."""
        last = {
            customer: place
            for place, (customer, instant) in enumerate(zip(self.customers, self.instants, strict=True))
            if instant >= since and (until is None or instant < until)
        }
        return list(last), self.vectors[list(last.values())]


@dataclass
class Course:
    """One run: what was sampled, which versions came, who moved.

    Parameters
    ----------
    replay
        Of nothing yet; its shard has a learned dimension.
    training
        How its trainer learns; None: it has none.
    restarts
        Instants (event time, ms) at which the trainer is lost, and another goes on from what is published.
    """

    replay: Replay
    training: TrainerSettings | None
    restarts: Sequence[int] = ()
    samples: Samples = field(default_factory=Samples)
    #: Day since 1970 and cause -> customers who changed cluster, however often.
    moved: dict[tuple[int, str], set[bytes]] = field(default_factory=lambda: defaultdict(set))
    #: Cause -> changes from one cluster to another.
    changes: Counter[str] = field(default_factory=Counter)
    events: int = 0
    #: Number of a version -> events read when it was learned.
    events_at: dict[int, int] = field(default_factory=dict)

    @property
    def versions(self) -> list[ClusterModel]:
        """All that was learned, in order."""
        return [version for version in self.replay.learned if isinstance(version, ClusterModel)]

    def run(self, records: Iterable[FileRecord], until: int | None = None) -> None:
        """All records, and time to ``until``."""
        due = sorted(self.restarts)
        for out in self.replay.run(records, until):
            self._take(out)
            while due and out.vector_instants and out.vector_instants[-1] >= due[0]:
                due.pop(0)
                self._restart()

    def _take(self, out: Output) -> None:
        self.samples.add(out)
        self.events += out.counts.read
        for version in self.versions[len(self.events_at) :]:
            self.events_at[version.version] = self.events
        for change in out.changes:
            if change.from_segment is not None and change.to_segment is not None:
                self.changes[change.cause] += 1
                self.moved[change.at_ms // DAY_MS, change.cause].add(change.customer)

    def _restart(self) -> None:
        """As a worker does that takes over: from the newest version, and the vectors since."""
        if self.training is None or not self.versions:
            return
        newest = self.versions[-1]
        trainer = Trainer.after(self.training, newest)
        trainer.remember(self.samples.vectors[trainer.recall[0] : newest.learned])
        trainer.learn(self.samples.vectors[newest.learned :])
        self.replay.trainer = trainer

    def movers(self, first: int, last: int, *causes: str) -> float:
        """The share of all customers who change cluster in a day, mean over the days ``first`` to ``last`` since 1970;
        by these causes, or any."""
        days = []
        for day in range(first, last + 1):
            found = [who for (on, cause), who in self.moved.items() if on == day and (not causes or cause in causes)]
            days.append(len(set().union(*found)))
        return sum(days) / len(days) / max(1, len(self.replay.shard.rows.index))


def learned_plan(settings: Settings) -> Plan:
    """The plan of the shipped dimension that is learned, alone."""
    file = settings.config_dir / "segments" / "cluster.yaml"
    return bootstrap.make_plan(in_settings({file.name: file.read_text()}, settings), settings)


def open_course(
    settings: Settings, plan: Plan, training: TrainerSettings | None, restarts: Sequence[int] = ()
) -> Course:
    """A course that begins with no customers; without ``training`` it only samples."""
    shard = bootstrap.make_shard(settings, plan, 0, SOURCES, everyone=True)
    trainer = Trainer(training) if training is not None else None
    decoder = bootstrap.make_decoder(settings, plan, replay=True)
    return Course(Replay(shard, decoder, trainer=trainer, lead=settings.clusters.lead), training, restarts)


def simulated(options: SimulationOptions) -> Iterator[FileRecord]:
    """The simulator's events as the lines of a file."""
    return (wire_record("simulated", number, event.value) for number, event in enumerate(simulate(options), 1))
