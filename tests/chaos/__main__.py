"""``python -m tests.chaos``: every fault many times over, each kind on an application of its own; the verdict of each.

The verdict: what a reader of committed records saw equals what a replay makes of the same events and published
versions, change by change, id by id; so do the books, the dead letters, and the latest segments of everyone.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from random import Random

from tests.chaos.broker_faults import small_disk, why_no_disk
from tests.chaos.plan import FAULTS, Fault
from tests.chaos.stage import Stage, make_stage
from tests.chaos.traffic import blemished, closing_flood, cut, floods
from tests.chaos.verdict import Verdict, judge
from tests.conftest import REPOSITORY
from tests.e2e.live import Live

#: The dimensions that are judged: absence, windows, bags, decay, and one that is cut by share; and those of a flood.
DIMENSIONS = ("lifecycle", "wishlist", "cart", "usage", "frequency", "value", "win-back")
FLOODED = ("lifecycle", "wishlist", "cart")
#: What ``--quick`` takes of everything.
QUICK = {"customers": 60, "days": 60, "wishers": 2_000, "times": 2}


def run(fault: Fault, parts: list[list[bytes]], times: int, random: Random, folder: Path) -> tuple[int, Verdict]:
    """Do one kind of fault so many times; restarts of workers, the verdict."""
    names = [name for name in (FLOODED if fault.flood else DIMENSIONS) if name not in fault.without]
    definitions = {f"{name}.yaml": (REPOSITORY / f"config/segments/{name}.yaml").read_text() for name in names}
    with ExitStack() as stack:
        if fault.disk:
            stack.enter_context(small_disk(folder / "kafka"))
        stage = make_stage(folder, definitions, parts, settings=fault.settings)
        stack.callback(stage.close)
        books = break_it(stage, fault, times, random)
        return stage.restarts, judge(stage, books)


def break_it(stage: Stage, fault: Fault, times: int, random: Random) -> Mapping[str, int]:
    """Workers, under supervision; the fault, again and again; and the rest of the traffic.  The books in the end."""
    stage.supervise()
    for worker in fault.workers:
        stage.want(worker)
    stage.settle()
    stage.load(fault.first)
    for number in range(times):
        fault.do(stage, random, number)
    return stage.finish()


def shoppers(folder: Path, seed: int, customers: int, days: int) -> list[bytes]:
    """The events of simulated shoppers, with their blemishes, and a flood at the end."""
    asked = ("--customers", str(customers), "--days", str(days), "--seed", str(seed))
    Live("127.0.0.1:1", "shoppers", folder).run("simulate", *asked, "--out", "shoppers.jsonl")
    lines = (folder / "shoppers.jsonl").read_bytes().splitlines(keepends=True)
    return blemished(lines + closing_flood(lines))


def main() -> int:
    """Run what is asked for; 1 where a verdict is not exact."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same history and the same instants")
    parser.add_argument("--only", default=",".join(FAULTS), help=f"faults, of {','.join(FAULTS)}")
    parser.add_argument("--times", type=int, help="how often each fault is done [default: by fault]")
    parser.add_argument("--quick", action="store_true", help="little of everything: does it work at all")
    parser.add_argument("--customers", type=int, help="shoppers [default: 150]")
    parser.add_argument("--days", type=int, help="of their history [default: 150]")
    parser.add_argument("--wishers", type=int, help="customers of a flood [default: 50000]")
    parser.add_argument("--keep", type=Path, help="a folder for what the runs leave behind [default: a temporary one]")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that workers and brokers are ended
    if unknown := [kind for kind in given.only.split(",") if kind not in FAULTS]:
        parser.error(f"no such fault: {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    sizes = {"customers": 150, "days": 150, "wishers": 50_000, "times": None} | (QUICK if given.quick else {})
    sizes |= {name: value for name, value in vars(given).items() if name in sizes and value is not None}
    print(f"seed {given.seed}")
    print("| Fault | Times | Workers restarted | Events | Changes | Lost | Twice | Anything else | Seconds |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    exact = True
    for kind in given.only.split(","):
        exact = told(kind, given.seed, sizes, given.keep) and exact
    return 0 if exact else 1


def told(kind: str, seed: int, sizes: dict[str, int | None], keep: Path | None) -> bool:
    """Do one kind and print its row; whether the verdict is exact."""
    fault, began = FAULTS[kind], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as temporary:
        folder = keep / kind if keep else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if fault.disk and (why := why_no_disk(folder / "kafka")):
            print(f"| {fault.told} | 0: {why} |", flush=True)
            return True
        times = sizes["times"] or fault.times
        if fault.flood:
            parts = floods(sizes["wishers"] or 0, times)
        else:
            shopped = shoppers(folder, seed, sizes["customers"] or 0, sizes["days"] or 0)
            parts = cut(shopped, fault.parts * times + 2)
        restarts, v = run(fault, parts, times, Random(f"{seed}/{kind}"), folder)
    what_else = {name: n for name, n in v.wrong.items() if name not in ("lost", "twice")}
    cells = [fault.told, times, restarts, v.events, v.changes, v.lost, v.twice, sum(what_else.values())]
    print(f"| {' | '.join(map(str, cells))} | {time.monotonic() - began:.0f} |", flush=True)
    if not v.exact:
        print(f"{kind}: {v}", file=sys.stderr)
    return v.exact


if __name__ == "__main__":
    sys.exit(main())
