"""Replay: the whole catalogue over a file of W3's traffic, without a broker."""

from __future__ import annotations

import orjson

from tests.benchmarks.ground import Ground
from tests.benchmarks.ours import Ours
from tests.benchmarks.results import OURS
from tests.benchmarks.shop import Shop

PART = "replay"


def run(ground: Ground) -> None:
    """Events a second of the command, from its own summary; compiling comes before."""
    customers = ground.size(10_000, 1_000)
    file = ground.folder / "replay.jsonl"
    with file.open("wb", buffering=1 << 20) as lines:
        shop = Shop(customers, customers * ground.size(50, 20), pages=True)
        lines.writelines(event.value + b"\n" for event in shop.simulated())
    ours = Ours(ground, "replay")
    for k in range(ground.rounds):
        ground.say(f"replay of the first weeks of {customers:,} customers")
        summary = ground.folder / f"replay{k}.json"
        ours.run("replay", str(file), "--summary", str(summary))
        said = orjson.loads(summary.read_bytes())
        ground.results.add(PART, OURS, "events/s", said["read"] / said["seconds"])
        fine = said["read"] == said["applied"] + said["ignored"] and not said["rejected"]
        ground.results.check(PART, OURS, None if fine else f"its books are {said}")
