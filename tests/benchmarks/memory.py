"""Memory: the bytes of a customer's row at rest with the whole catalogue, as `segstream cost` tells them.

What a customer takes in a worker is told by the parts `million` and `scale`.
"""

from __future__ import annotations

import json

from stream.simulate.simulation import SimulationOptions, simulate
from tests.benchmarks.ground import Ground
from tests.benchmarks.ours import Ours
from tests.benchmarks.results import OURS

PART = "memory"
DAYS = 90.0


def run(ground: Ground) -> None:
    """A thousand customers after 90 days: the same ones every time."""
    customers = ground.size(1_000, 100)
    file = ground.folder / "memory.jsonl"
    with file.open("wb") as lines:
        lines.writelines(event.value + b"\n" for event in simulate(SimulationOptions(customers, DAYS)))
    ground.say(f"memory: rows of {customers:,} customers")
    told = json.loads(Ours(ground, "memory").run("cost", str(file), "--json"))
    for what in ("median", "p95"):
        ground.results.add(PART, OURS, f"bytes a customer at rest, {what}", told[what])
    ground.results.add(PART, OURS, "bytes a customer at rest, mean, compressed as on the topic", told["compressed"])
    fine = 0.9 * customers < told["customers"] <= customers
    ground.results.check(PART, OURS, None if fine else f"{told['customers']:,} rows of {customers:,} customers")
    ground.results.note(PART, "one round: the same bytes every time")
