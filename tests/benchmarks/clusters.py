"""Clusters: how good, how steady, how quick to see a new kind of customer, and at what cost.

Everything runs in this process: the simulator (or a public sample), the shard with the shipped dimension
(config/segments/cluster.yaml) and the trainer, as in a replay.  Each round has another seed.

- truth: adjusted Rand index against the simulator's personas and batch k-means, on the last vector of each customer.
- samples: silhouettes beside those of batch k-means, on RetailRocket and Taobao.
- steady: nothing changes in the world; who changes cluster nevertheless, over 50 versions and three restarts.
- drift: a persona comes that was not there before; when it is reported, and when it has a cluster of its own.
- cost: the trainer's part of all processor time of decoding, judging and learning.

`python -m tests.benchmarks.clusters --only drift --customers 5000` runs parts alone, without Kafka.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from stream.app import bootstrap
from stream.app.definition_files import read_definitions
from stream.cluster.model import ClusterModel
from stream.cluster.trainer import Trainer, TrainerSettings
from stream.history.mapping import load_mapping
from stream.history.reader import read_events
from stream.plan.plan import Plan
from stream.settings import Settings, load_settings
from stream.simulate.personas import DAY_MS, REORDERER
from stream.simulate.simulation import SimulationOptions, personas
from tests.benchmarks.cluster_course import Course, learned_plan, open_course, simulated
from tests.benchmarks.cluster_scores import Scores, score
from tests.benchmarks.ground import Ground
from tests.benchmarks.results import OURS, Results
from tests.conftest import REPOSITORY
from tests.samples import folder_of_samples, mapping_file

PART = "clusters"
BATCH = "batch k-means"
#: Days until the simulated shop runs as it always will, and days that are looked at then.
SETTLED, LOOKED_AT = 120, 20
#: Customers of the small shop that tells how many vectors to expect.
PROBED = 1_000
#: How many versions fall into the days that are looked at, at least.
VERSIONS = 50
#: A cluster is that of a persona where so many of them are in it, and so much of it is them.
MOST = 0.8


@dataclass(frozen=True)
class Bench:
    """What the parts share: where figures go, how many customers, the plan and how to learn by it."""

    ground: Ground
    customers: int
    settings: Settings
    plan: Plan
    training: TrainerSettings

    def add(self, what: str, value: float, system: str = OURS) -> None:
        """One figure of this round."""
        self.ground.results.add(PART, system, what, value)

    def check(self, what: str, right: bool, detail: str) -> None:
        """A promise, and what is the case instead."""
        self.ground.results.check(PART, OURS, None if right else f"{what}: {detail}")


def open_bench(ground: Ground, customers: int) -> Bench:
    """Compiles the dimension, which takes some seconds the first time."""
    settings = load_settings(REPOSITORY / "config")
    plan = learned_plan(settings)
    training = bootstrap.trainer_settings(settings, plan)
    if training is None:
        raise RuntimeError("config/segments/cluster.yaml declares nothing to learn")
    return Bench(ground, customers, settings, plan, training)


def truth(bench: Bench, seed: int) -> None:
    """The simulator's personas, found in what they do."""
    options = SimulationOptions(customers=bench.customers, days=SETTLED, seed=seed)
    course = open_course(bench.settings, bench.plan, bench.training)
    course.run(simulated(options))
    known = {customer.encode(): persona for customer, persona in personas(options)}
    customers, vectors = course.samples.latest()
    found = score(course.versions[-1], vectors, [known[customer.split(b":")[-1]] for customer in customers], seed)
    bench.ground.say(f"truth, seed {seed}: {found}")
    bench.add("truth: ARI with the personas", found.truth)
    bench.add("truth: ARI with the personas", found.batch_truth, BATCH)
    bench.add("truth: ARI of the two", found.both)
    bench.add("truth: ARI over that of batch", found.truth / found.batch_truth)
    _told(bench, "truth", found)
    bench.add("truth: customers", len(customers))
    bench.add("truth: vectors learned", course.versions[-1].learned)


def _told(bench: Bench, part: str, found: Scores) -> None:
    bench.add(f"{part}: clusters", found.clusters)
    bench.add(f"{part}: clusters with 0.5 % of the customers or more", found.used)
    for what, ours, batch in (
        ("silhouette", found.silhouette, found.batch_silhouette),
        ("inertia", found.inertia, found.batch_inertia),
    ):
        bench.add(f"{part}: {what}", ours)
        bench.add(f"{part}: {what}", batch, BATCH)
        bench.add(f"{part}: {what} over that of batch", ours / batch)


def samples(bench: Bench, seed: int) -> None:
    """Public data: what the engine samples of it is learned in the order in which it came."""
    for name in ("retailrocket", "taobao"):
        file = folder_of_samples() / f"{name}-sample.csv"
        if not file.exists():
            bench.ground.say(f"{name} is left out: there is no {file}; SEGSTREAM_TEST_DATA names the folder of samples")
            continue
        course = open_course(bench.settings, bench.plan, None)
        mapping = load_mapping(str(mapping_file(name)))
        course.run(read_events([file], mapping, sort=True))
        vectors = course.samples.vectors
        _, latest = course.samples.latest()
        # There are fewer vectors than a live system waits for.
        training = replace(bench.training, seed=seed, warm_up=max(50, len(vectors) // 5))
        model = learned(training, vectors)
        found = score(model, latest, None, seed)
        bench.ground.say(f"{name}, {len(vectors):,} vectors, warm-up {training.warm_up:,}: {found}")
        _told(bench, name, found)


def learned(training: TrainerSettings, vectors: NDArray[np.float64]) -> ClusterModel:
    """The model at the end of these vectors; publishes whatever is due on the way."""
    trainer = Trainer(training)
    at = 0
    while at < len(vectors):
        share = max(1, trainer.until_due())
        trainer.learn(vectors[at : at + share])
        at = min(at + share, len(vectors))
        if not trainer.warming_up and trainer.until_due() == 0 and at < len(vectors):
            trainer.snapshot(at, {0: at})
    model = trainer.snapshot(at, {0: at})
    if model is None:
        raise RuntimeError(f"{len(vectors)} vectors are too few to end the warm-up")
    return model


def steady(bench: Bench, seed: int) -> None:
    """A shop in which nothing changes: 50 versions later everybody is where they were, but for those who changed."""
    options = SimulationOptions(customers=bench.customers, days=SETTLED + LOOKED_AT, seed=seed)
    every = max(1, int(vectors_a_day(bench, options) * LOOKED_AT / (VERSIONS + 5)))
    begin = options.start_ms + SETTLED * DAY_MS
    restarts = [begin + k * LOOKED_AT * DAY_MS // 4 for k in (1, 2, 3)]
    course = open_course(bench.settings, bench.plan, replace(bench.training, publish_every=every), restarts)
    course.run(simulated(options))
    first, last = begin // DAY_MS, (begin + LOOKED_AT * DAY_MS) // DAY_MS - 1
    for what, causes in (("for any reason", ()), ("by a version", ("model",)), ("by what they did", ("event",))):
        bench.add(f"steady: customers a day who change cluster {what}", course.movers(first, last, *causes))
    bench.add("steady: the same by time", course.movers(first, last, "deadline"))
    late = [version for version in course.versions if version.effective >= begin]
    bench.add("steady: versions looked at", len(late))
    bench.add("steady: versions that drew clusters anew", sum(a.centroids != b.centroids for a, b in pairwise(late)))
    customers, vectors = course.samples.latest(begin - 30 * DAY_MS, begin)
    homes = [np.array(version.numbers)[version.assign(vectors)] for version in late]
    bench.add("steady: vectors of one day that other versions place elsewhere", max(_apart(homes[0], x) for x in homes))
    bench.add("steady: the same from one version to the next", max(_apart(*two) for two in pairwise(homes)))
    kept = {frozenset(version.numbers) for version in late}
    bench.add("steady: sets of ids in these versions", len(kept))
    bench.check("ids stay in a steady world", len(kept) == 1, f"they were {[sorted(ids) for ids in kept]}")
    moved = course.movers(first, last, "model")
    bench.check("a version moves less than 1 % of the customers a day", moved < 0.01, f"{moved:.2%}")
    bench.ground.say(f"steady, seed {seed}: {len(customers):,} vectors, a version every {every:,}, {course.changes}")


def vectors_a_day(bench: Bench, options: SimulationOptions) -> float:
    """How many vectors so many customers have sampled in a day, told by fewer of them."""
    few = min(PROBED, options.customers)
    probe = open_course(bench.settings, bench.plan, None)
    probe.run(simulated(replace(options, customers=few, days=SETTLED)))
    since = options.start_ms + (SETTLED - LOOKED_AT) * DAY_MS
    found = sum(instant >= since for instant in probe.samples.instants) / LOOKED_AT
    return found * options.customers / few


def _apart(before: NDArray[np.intp], after: NDArray[np.intp]) -> float:
    return float((before != after).mean())


def drift(bench: Bench, seed: int) -> None:
    """A new kind of customer: after how many vectors and events it is told, and has a cluster of its own."""
    options = SimulationOptions(customers=bench.customers, days=SETTLED + 30, seed=seed, drift_day=SETTLED)
    course = open_course(bench.settings, bench.plan, bench.training)
    course.run(simulated(options))
    new = {customer.encode() for customer, persona in personas(options) if persona == REORDERER.name}
    before = sum(instant < options.drift_ms for instant in course.samples.instants)
    ahead = next((v.version for v in reversed(course.versions) if v.learned <= before), None)
    events = course.events_at[ahead] if ahead is not None else 0
    told, found = False, False
    kind = NewKind(course, new, options.drift_ms, before)
    caught = pure = 0.0
    for version in course.versions:
        if version.learned <= before:
            continue
        since = {"vectors": version.learned - before, "events": course.events_at[version.version] - events}
        if version.drifted and not told:
            told = True
            for what, count in since.items():
                bench.add(f"drift: {what} until it is told", count)
        caught, pure = kind.caught_by(version)
        if min(caught, pure) >= MOST and not found:
            found = True
            for what, count in since.items():
                bench.add(f"drift: {what} until it has a cluster", count)
            at = course.samples.instants[version.learned - 1]
            bench.add("drift: days until it has a cluster", (at - options.drift_ms) / DAY_MS)
    bench.add("drift: the new kind in its cluster, at the end", caught)
    bench.add("drift: the new kind's part of its cluster, at the end", pure)
    early = [version.version for version in course.versions if version.drifted and version.learned <= before]
    bench.add("drift: versions told as drifted before it began", len(early))
    bench.check("a drift is told", told, "no version says so")
    bench.check("a new kind of customer gets a cluster", found, f"at the end {caught:.0%} are in it, {pure:.0%} of it")
    story = [(v.version, v.drifted, [(one.kind, one.id, one.others) for one in v.story]) for v in course.versions]
    bench.ground.say(f"drift, seed {seed}: {[one for one in story if any(one[1:])]}")


@dataclass
class NewKind:
    """Whom a drift brought, and everybody else who came since, each by the last vector that was learned."""

    course: Course
    new: set[bytes]
    since: int
    done: int = 0
    last: dict[bytes, int] = field(default_factory=dict)

    def caught_by(self, version: ClusterModel) -> tuple[float, float]:
        """Of the cluster with most of the new customers: the share of them in it, and theirs of it."""
        samples = self.course.samples
        for place in range(self.done, version.learned):
            if samples.instants[place] >= self.since:
                self.last[samples.customers[place].split(b":")[-1]] = place
        self.done = version.learned
        if not self.last.keys() & self.new:
            return 0.0, 0.0
        homes = version.assign(samples.vectors[list(self.last.values())])
        theirs = np.array([customer in self.new for customer in self.last])
        inside = np.bincount(homes[theirs], minlength=len(version.centroids))
        best = int(inside.argmax())
        return float(inside[best] / theirs.sum()), float(inside[best] / (homes == best).sum())


def cost(bench: Bench, seed: int) -> None:
    """The trainer's part of the processor time that a worker of the whole catalogue spends on a busy stream, without
    Kafka's own, which makes the part smaller."""
    options = SimulationOptions(customers=bench.customers, days=SETTLED, seed=seed)
    definitions = read_definitions(bench.settings.config_dir / "segments", bench.settings)
    course = open_course(bench.settings, bootstrap.make_plan(definitions, bench.settings), None)
    lines = list(simulated(options))
    began = time.process_time()
    course.run(iter(lines))
    judging = time.process_time() - began
    began = time.process_time()
    learned(bench.training, course.samples.vectors)
    learning = time.process_time() - began
    bench.add("cost: vectors an event", len(course.samples.instants) / len(lines))
    bench.add("cost: us an event, all but learning", judging / len(lines) * 1e6)
    bench.add("cost: us a vector learned, versions included", learning / len(course.samples.instants) * 1e6)
    bench.add("cost: the trainer's part of all time", learning / (judging + learning))
    part = learning / (judging + learning)
    bench.check("the trainer takes at most a tenth", part <= 0.1, f"{part:.1%}")


PARTS: dict[str, Callable[[Bench, int], None]] = {
    "truth": truth,
    "samples": samples,
    "steady": steady,
    "drift": drift,
    "cost": cost,
}


def run(ground: Ground, only: str | None = None, customers: int | None = None) -> None:
    """All parts, or those named; each round with a seed of its own."""
    bench = open_bench(ground, customers or ground.size(20_000, 1_000))
    for name in only.split(",") if only else PARTS:
        for seed in range(1, ground.rounds + 1):
            ground.say(f"clusters, {name}, seed {seed}")
            PARTS[name](bench, seed)


def main() -> int:
    """The parts asked for, without Kafka; 1 where a promise does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help=f"parts, with commas between them: {','.join(PARTS)}")
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=1, help="how many seeds [1]")
    parser.add_argument("--out", type=Path, help="file for all figures")
    options = parser.parse_args()
    unknown = sorted(set(options.only.split(",")) - PARTS.keys()) if options.only else []
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    results, console = Results(), Console(width=140)
    with tempfile.TemporaryDirectory(prefix="clusters-") as scratch:
        ground = Ground("", Path(scratch), Path(sys.executable), results, console, False, options.rounds)
        run(ground, options.only, options.customers)
    results.table(console, PART)
    if options.out is not None:
        results.write(options.out, {"customers": options.customers})
    return 1 if results.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
