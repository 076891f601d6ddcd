"""Seconds of work until new definitions are in force: `python -m tests.benchmarks.reevaluate [--customers 1000000]`.

A small shop is simulated and run through the engine under the shipped catalogue; its rows at rest, under other keys,
become the customers of one shard.  Then one condition of one dimension changes (its features do not), and the shard
goes over as it does live: the rows are mapped to the new plan, and customers are judged in slices, those who move being
written.  Told are recovery, too, and what a slice holds other work up.  Compiling is not counted: it takes place
beside the running plan, before the new one is in force.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path

from stream.app import bootstrap
from stream.app.plans import Plans
from stream.engine.shard import Shard
from stream.history.replay import SOURCES, Replay
from stream.history.wire_lines import wire_record
from stream.plan.definitions import Definitions, parse_definitions
from stream.settings import Settings, load_settings
from stream.simulate.simulation import SimulationOptions, simulate

CATALOGUE = Path(__file__).parents[2] / "config" / "segments"
FILE, BEFORE, AFTER = "frequency.yaml", "when: orders_90d >= 2", "when: orders_90d >= 3"


@dataclass
class Work:
    """Seconds by the clock on the wall and by the processor."""

    wall: float = 0.0
    work: float = 0.0
    slices: list[float] = field(default_factory=list)

    def __enter__(self) -> Work:
        self._wall, self._work = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.slices.append(time.perf_counter() - self._wall)
        self.wall += self.slices[-1]
        self.work += time.process_time() - self._work


def definitions(settings: Settings, *, changed: bool) -> Definitions:
    """The shipped catalogue, or the same with one condition changed."""
    files = {file.name: file.read_text() for file in CATALOGUE.glob("*.yaml")}
    if changed:
        assert files[FILE].count(BEFORE) == 1
        files[FILE] = files[FILE].replace(BEFORE, AFTER)
    return parse_definitions(files, settings.time.zone)


def small_shop(settings: Settings, shard: Shard, plans: Plans, customers: int, days: int) -> list[tuple[bytes, bytes]]:
    """The changelog of a shop of this size, the latest record of each key."""
    replay = Replay(shard, plans.decoder_of(shard.plan))
    events = enumerate(simulate(SimulationOptions(customers=customers, days=days)), 1)
    latest: dict[bytes, bytes] = {}
    for out in replay.run((wire_record("simulated", n, one.value) for n, one in events), None):
        latest |= {key: value for key, value in out.rows if value is not None}
    return list(latest.items())


def multiplied(shard: Shard, changelog: list[tuple[bytes, bytes]], customers: int) -> None:
    """Fill a shard from the rows of a changelog, each under as many keys as it takes."""
    rows = [(key[1:], value) for key, value in changelog if key[:1] == b"c"]
    rest = [(key, value) for key, value in changelog if key[:1] != b"c"]
    shard.restore([k for k, _ in rest], [v for _, v in rest])
    for copy in range(0, -(-customers // len(rows))):
        some = rows[: customers - copy * len(rows)]
        shard.restore([b"c%d/%b" % (copy, key) for key, _ in some], [value for _, value in some])
    shard.restored()


def main() -> None:
    """Measure, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--simulated", type=int, default=2_000, help="customers whose rows are multiplied")
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--slice", type=int, default=4_000, help="customers a step, as batches.max_records")
    parser.add_argument("--profile", action="store_true", help="tell where the time goes; the figures suffer from it")
    options = parser.parse_args()
    settings = load_settings(None)
    plans = Plans(settings, replay=True)
    old = bootstrap.make_plan(definitions(settings, changed=False), settings)
    new = bootstrap.make_plan(definitions(settings, changed=True), settings)
    small = bootstrap.make_shard(settings, old, 0, SOURCES, everyone=True, plans=plans)
    changelog = small_shop(settings, small, plans, options.simulated, options.days)
    shard = bootstrap.make_shard(settings, old, 0, SOURCES, everyone=True, plans=plans)
    with Work() as recovery:
        multiplied(shard, changelog, options.customers)
    for source in SOURCES:
        shard.start(source, shard.next_offset(source) or 0)
    with Work() as settling:  # whatever is due by now
        while shard.step(options.slice, None) is not None:
            pass
    before = shard.sizes()["frequency"]
    profile = cProfile.Profile()
    if options.profile:
        profile.enable()
    with Work() as adopting:
        shard.adopt(new)
    moving, changes, written = Work(), 0, 0
    while True:
        with moving:
            out = shard.step(options.slice, None)
        if out is None:
            break
        assert {change.dimension for change in out.changes} <= {"frequency"}
        changes += len(out.changes)
        written += sum(key[:1] == b"c" for key, _ in out.rows)
    profile.disable()
    after = shard.sizes()["frequency"]
    assert sum(after.values()) == sum(before.values()) == len(shard.rows) == options.customers
    print(
        f"{options.customers:,} customers, {len(new.definitions.dimensions)} dimensions, "
        f"{new.layout.width * 8} bytes a row"
    )
    print(f"recovery from packed rows: {recovery.work:.1f} s of work; first steps after it: {settling.work:.2f} s")
    print(f"{FILE}: {BEFORE!r} becomes {AFTER!r}: {before} -> {after}")
    print(
        f"rows mapped: {adopting.work:.2f} s of work ({adopting.wall:.2f} s); "
        f"{changes:,} changes, {written:,} rows written"
    )
    print(
        f"customers judged: {moving.work:.2f} s of work ({moving.wall:.2f} s), {len(moving.slices):,} slices, "
        f"the longest {max(moving.slices) * 1000:.0f} ms"
    )
    print(f"in all: {adopting.work + moving.work:.2f} s of work")
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(15)
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20):.1f} GiB")


if __name__ == "__main__":
    main()
