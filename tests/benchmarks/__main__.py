"""``make bench``: segstream beside its peers, on one broker, in one run of some forty minutes.

Every system reads the same events from a real Kafka that is full already, one system after the other, three times; the
first part of the events warms it up.  Speeds are medians with their spread.  Results are compared with answers worked
out without any stream processor: the exit code is 1 where one is wrong, and has nothing to do with time.  A peer that
fails by itself, or does not end, breaks its part off; that is noted there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from stream.kafka.broker import EmbeddedBroker
from tests.benchmarks import (
    absence,
    clusters,
    fit,
    flood,
    latency,
    lookups,
    memory,
    million,
    replaying,
    scale,
    w1,
    w2,
    w3,
)
from tests.benchmarks.ground import Ground
from tests.benchmarks.machine import machine, versions
from tests.benchmarks.results import Results
from tests.benchmarks.rivals import PeerError
from tests.conftest import JARS, REPOSITORY

#: The parts of a run, and how many rounds each has at most.
PARTS: dict[str, tuple[Callable[[Ground], None], int]] = {
    "w1": (w1.run, 3),
    "w2": (w2.run, 3),
    "w3": (w3.run, 3),
    "latency": (latency.run, 3),
    "lookups": (lookups.run, 1),
    "million": (million.run, 3),
    "memory": (memory.run, 1),
    "scale": (scale.run, 1),
    "replay": (replaying.run, 3),
}
#: Parts that only run where they are asked for.
MORE: dict[str, tuple[Callable[[Ground], None], int]] = {
    "flood": (flood.run, 3),
    "absence": (absence.run, 3),
    "fit": (fit.run, 3),
    "clusters": (clusters.run, 3),
}
KNOWN = PARTS | MORE


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    """What was asked for; ``parts`` are the parts to run."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: shows that everything works")
    parser.add_argument(
        "--only", help=f"parts, with commas between them: {','.join(PARTS)}; not in a run by itself: {','.join(MORE)}"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often most is measured, at most [3; quick: 1]")
    parser.add_argument("--threads", type=int, default=1, help="threads of Kafka Streams [1]")
    parser.add_argument(
        "--out", type=Path, default=Path("bench.json"), help="file for all figures; beside it one as .md [bench.json]"
    )
    parser.add_argument(
        "--peers-python",
        type=Path,
        default=REPOSITORY / ".venv-bench" / "bin" / "python",
        help="the Python that has the peers [.venv-bench/bin/python]",
    )
    options = parser.parse_args(arguments)
    options.parts = options.only.split(",") if options.only else list(PARTS)
    if unknown := sorted(set(options.parts) - KNOWN.keys()):
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(KNOWN)}")
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: it takes at least one round")
    return options


def main() -> int:
    """Run the parts asked for; 1 where a result is wrong."""
    options = options_of()
    console = Console(width=None if sys.stdout.isatty() else 120)
    about = {
        "quick": options.quick,
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(),
        "versions": versions(options.peers_python),
    }
    console.print_json(data=about)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        broker = stack.enter_context(EmbeddedBroker(scratch / "kafka", port=0, jars=JARS, heap_mb=1024))
        rounds = 1 if options.quick else options.rounds
        ground = Ground(
            broker.address, scratch, options.peers_python, Results(), console, options.quick, rounds, options.threads
        )
        for name in options.parts:
            run_part(ground, name)
            ground.results.write(options.out, about)
        results = ground.results
    told = results.markdown(about)
    options.out.with_suffix(".md").write_text(told)
    console.print(told, markup=False, highlight=False, soft_wrap=True)
    for check in results.wrong:
        console.print(f"WRONG {check.part}, {check.system}: {check.detail}", markup=False, highlight=False)
    console.print(f"{len(results.checks)} results were checked, {len(results.wrong)} are wrong; see {options.out}")
    return 1 if results.wrong else 0


def run_part(ground: Ground, name: str) -> None:
    """One part; the others are still worth having where it breaks off."""
    part, most = KNOWN[name]
    began = time.monotonic()
    try:
        part(replace(ground, rounds=min(ground.rounds, most)))
    except PeerError as error:
        ground.results.note(name, f"NOT MEASURED from here on: {error}")
    except Exception as error:  # noqa: BLE001  told, and the run fails
        ground.results.check(name, "the suite", f"{type(error).__name__}: {error}")
    ground.results.took[name] = time.monotonic() - began
    ground.results.table(ground.console, name)


if __name__ == "__main__":
    sys.exit(main())
