"""``python -m tests.chaos``: every fault many times over, each kind on an application of its own; the verdict of each.

The verdict: what a reader of committed records saw equals what a replay makes of the same events and published
versions, change by change, id by id.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.chaos.faults import FAULTS
from tests.chaos.stage import Stage, make_stage
from tests.chaos.verdict import Verdict, compare
from tests.e2e.live import wait_for

#: How often each is done.
TIMES = {"kill": 20, "zombie": 3, "join": 3, "publish": 3, "broker": 3, "silence": 1}
SETTLE_SECONDS = 240.0


def run(kind: str, times: int, seed: int, customers: int, days: int, folder: Path) -> tuple[int, int, Verdict]:
    """Do one kind of fault so many times; events sent, restarts of workers, the verdict."""
    fault, parts = FAULTS[kind]
    random = Random(f"{seed}/{kind}")
    stage = make_stage(folder, seed, customers, days, parts * times + 2)
    try:
        break_it(stage, times, fault, random)
        stage.finish(SETTLE_SECONDS)
        expected = stage.expected()
        verdict = compare(stage.changes(len(expected)), expected)
        events = sum(part.read_bytes().count(b"\n") for part in stage.parts)
        return events, stage.restarts, verdict
    finally:
        stage.close()


def break_it(stage: Stage, times: int, fault: Callable[[Stage, Random], None], random: Random) -> None:
    """Two workers, under supervision; then the fault, again and again."""
    stage.supervise()
    for worker in ("a", "b"):
        stage.want(worker)
    wait_for("the workers are ready", stage.settled, SETTLE_SECONDS)
    stage.load()
    for _ in range(times):
        fault(stage, random)


def main() -> int:
    """Run what is asked for; 1 where a verdict is not exact."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same history and the same instants")
    parser.add_argument("--only", default=",".join(FAULTS), help=f"faults, of {','.join(FAULTS)}")
    parser.add_argument("--times", type=int, help="how often each fault is done [default: by fault]")
    parser.add_argument("--customers", type=int, default=300)
    parser.add_argument("--days", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="a folder for what the runs leave behind [default: a temporary one]")
    given = parser.parse_args()
    print(f"seed {given.seed}")
    print("| Fault | Times | Restarts | Events | Changes | Lost | Twice | Unknown | Other | Order | Seconds |")
    print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    exact = True
    for kind in given.only.split(","):
        times = given.times or TIMES[kind]
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
            folder = given.keep / kind if given.keep else Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            events, restarts, v = run(kind, times, given.seed, given.customers, given.days, folder)
        cells = [kind, times, restarts, events, v.changes, v.lost, v.twice, v.unknown, v.other, v.disordered]
        print(f"| {' | '.join(map(str, cells))} | {time.monotonic() - began:.0f} |", flush=True)
        exact = exact and v.exact
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main())
