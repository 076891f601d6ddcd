"""``make bench``: segstream beside its peers, on one broker, in one run.

Every system reads the same events from a real Kafka that is full already, one system after the other, three times; the
first part of the events warms it up.  Speeds are medians with their spread.  Results are compared with answers worked
out without any stream processor: the exit code is 1 where one is wrong, and has nothing to do with time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from stream.kafka.broker import EmbeddedBroker
from tests.benchmarks import (
    absence,
    clusters,
    deadlines,
    fit,
    flood,
    latency,
    lookups,
    memory,
    recovery,
    replaying,
    scale,
    w1,
    w2,
    w3,
)
from tests.benchmarks.ground import Ground
from tests.benchmarks.machine import machine, versions
from tests.benchmarks.results import Results
from tests.conftest import JARS, REPOSITORY

PARTS = {
    "w1": w1.run,
    "w2": w2.run,
    "w3": w3.run,
    "latency": latency.run,
    "lookups": lookups.run,
    "recovery": recovery.run,
    "memory": memory.run,
    "scale": scale.run,
    "replay": replaying.run,
    "deadlines": deadlines.run,
    "flood": flood.run,
    "absence": absence.run,
    "fit": fit.run,
    "clusters": clusters.run,
}


def main() -> int:
    """Run the parts asked for; 1 where a result is wrong."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: shows that everything works")
    parser.add_argument("--only", help=f"parts, with commas between them: {','.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured [3; quick: 1]")
    parser.add_argument("--threads", type=int, default=1, help="threads of Kafka Streams [1]")
    parser.add_argument("--out", type=Path, default=Path("bench.json"), help="file for all figures [bench.json]")
    parser.add_argument(
        "--peers-python",
        type=Path,
        default=REPOSITORY / ".venv-bench" / "bin" / "python",
        help="the Python that has the peers [.venv-bench/bin/python]",
    )
    options = parser.parse_args()
    chosen = options.only.split(",") if options.only else list(PARTS)
    unknown = sorted(set(chosen) - PARTS.keys())
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    console = Console()
    results = Results()
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
            broker.address, scratch, options.peers_python, results, console, options.quick, rounds, options.threads
        )
        for name in chosen:
            try:
                PARTS[name](ground)
            except Exception as error:  # noqa: BLE001  the other parts are still worth having
                results.check(name, "the suite", f"{type(error).__name__}: {error}")
            results.table(console, name)
            results.write(options.out, about)
    console.print(f"{len(results.checks)} results were checked, {len(results.wrong)} are wrong; see {options.out}")
    return 1 if results.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
