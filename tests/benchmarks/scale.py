"""Scale: what an event of the whole catalogue costs, and how its speed depends on partitions and workers.

Customers are told by processor time of one shard without a broker (`tests.benchmarks.crowd`), which noise disturbs
little and for which a million of them need not come one by one.  Partitions and workers are a running system.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.events import Events
from tests.benchmarks.ground import PARTITIONS, Ground
from tests.benchmarks.ours import Ours, speed
from tests.benchmarks.results import OURS
from tests.benchmarks.w1 import COST, WHAT
from tests.conftest import REPOSITORY

PART = "scale"
#: Resident bytes that a customer takes at most with the whole catalogue, all in all: how many fit into the memory.
ROOM = 12_000


def run(ground: Ground) -> None:
    """Customers, in one shard; then partitions and workers, one of both varied at a time."""
    customers = (10_000, 100_000, 1_000_000, 3_000_000) if not ground.quick else (2_000, 20_000)
    for _ in range(ground.rounds):
        for people in customers:
            if people * ROOM > _available():
                told = f"{people:,} customers do not fit into the memory that is left here ({people * ROOM >> 30} GiB)"
                ground.results.note(PART, told)
            else:
                _crowd(ground, people)
        for count in (1, 4, 16, 64) if not ground.quick else (1, 8):
            _measure(ground, f"{count} partition{'s'[: count > 1]}, 1 worker", count)
        _measure(ground, f"{PARTITIONS} partitions, 2 workers", PARTITIONS, workers=2)
    ground.results.note(PART, "one round; customers by processor time, in one shard without a broker")


def _available() -> int:
    found = re.search(r"MemAvailable:\s*(\d+)", Path("/proc/meminfo").read_text())
    return int(found[1]) * 1024 if found else 0


def _crowd(ground: Ground, people: int) -> None:
    ground.say(f"scale: {people:,} customers in one shard")
    smaller = ["--shoppers", "500", "--events", "24000"] if ground.quick else []
    command = [sys.executable, "-m", "tests.benchmarks.crowd", str(people), "--keep", str(ground.folder), *smaller]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{people:,} customers in one shard ended with {done.returncode}:\n{done.stderr[-3000:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    what = f"{people:,} customers"
    ground.results.add(PART, OURS, f"{what}: {COST}", told["cost"])
    ground.results.add(PART, OURS, f"{what}: changes an event", told["changes"])
    ground.results.add(PART, OURS, f"{what}: bytes a customer resident", told["resident"])
    fine = told["customers"] == told["expected"] and not told["unknown"]
    ground.results.check(PART, OURS, None if fine else f"rows were lost, or events of nobody: {told}")


def _measure(ground: Ground, what: str, partitions: int, *, workers: int = 1) -> None:
    people = ground.size(30_000, 2_000)
    events = Events(people + ground.size(400_000, 20_000), partitions, people=people, days=1)
    topic = ground.topic_of(events)
    ground.say(f"scale: {what}")
    ours = Ours(ground, ground.name("segstream-scale"), partitions=partitions, inputs={"clickstream": topic})
    ours.prepare()
    # A second worker joins while the first works: that belongs to the warming up.
    done = speed(ours, [topic], people + ground.size(100_000, 4_000), events.count, workers)
    ground.results.add(PART, OURS, f"{what}: {WHAT}", done.rate, done.peak)
    ground.results.add(PART, OURS, f"{what}: {COST}", done.cost)
    ground.results.check(PART, OURS, done.wrong(events.count))
    ours.finish()
