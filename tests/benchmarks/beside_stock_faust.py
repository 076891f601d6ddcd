"""``python -m tests.benchmarks.beside_stock_faust``: the live worker beside stock Faust, same events, one run.

segstream judges the whole shipped catalogue, exactly once; stock Faust counts events by customer into a Table, at least
once.  Both read the same topics of one embedded Kafka, from the beginning, on this machine, one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stream.kafka.broker import EmbeddedBroker
from tests.conftest import JARS
from tests.e2e.live import Live, wait_for

PARTITIONS = 4


def applied(live: Live) -> float:
    """Events that the worker has taken in, whatever became of them."""
    return sum(value for name, value in live.metrics("a").items() if name.startswith("segstream_events_total"))


def segstream(live: Live, events: int) -> float:
    """Seconds from the first event applied to the last."""
    live.start_worker("a")
    wait_for("the first event", lambda: applied(live) > 0, every=0.02)
    began, had = time.perf_counter(), applied(live)
    wait_for("the last event", lambda: applied(live) >= events, seconds=600, every=0.05)
    seconds = time.perf_counter() - began
    live.stop_worker("a")
    return seconds / max(1.0, events - had) * events


def stock(live: Live, events: int) -> float:
    """Seconds of stock Faust for so many events."""
    environment = {
        **os.environ,
        "APP": f"{live.name}-stock",
        "BROKER": live.broker,
        "PARTITIONS": str(PARTITIONS),
        "TOPICS": ",".join(live.topic(role) for role in ("clickstream", "purchases", "profiles")),
        "EVENTS": str(events),
        "DATA": str(live.folder / "stock"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.stock_faust"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"stock Faust ended with {done.returncode}:\n{done.stderr[-3000:]}")
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]  # Faust prints a banner as well
    return float(json.loads(lines[-1])["seconds"])


def main() -> None:
    """Print a line for each, and the ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--events", type=int, default=600_000)
    parser.add_argument("--stock-events", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, EmbeddedBroker(Path(scratch) / "kafka", port=0, jars=JARS) as broker:
        live = Live(broker.address, f"bench{int(time.time())}", Path(scratch), PARTITIONS)
        live.run("topics")
        live.run("simulate", "--customers", str(options.customers), "--days", "3650", "--events", str(options.events))
        live.run("replay", os.devnull)  # compiles the plan, so that the worker's start does not
        ours = options.events / segstream(live, options.events)
        theirs = options.stock_events / stock(live, options.stock_events)
        print(f"segstream, whole catalogue, exactly once: {ours:,.0f} events/s")
        print(f"stock Faust, counting into a Table: {theirs:,.0f} events/s")
        print(f"ratio: {ours / theirs:.1f}")


if __name__ == "__main__":
    main()
