"""Replay: the whole catalogue over a file, without a broker."""

from __future__ import annotations

import orjson

from tests.benchmarks.ground import Ground
from tests.benchmarks.ours import Ours
from tests.benchmarks.results import OURS
from tests.benchmarks.shop import fill_shop
from tests.benchmarks.w3 import shop_of

PART = "replay"


def run(ground: Ground) -> None:
    """Events a second of the command, from its own summary; compiling comes before."""
    filled = fill_shop(ground, shop_of(ground))
    ours = Ours(ground, "replay")
    for k in range(ground.rounds):
        ground.say("replay")
        summary = ground.folder / f"replay{k}.json"
        ours.run("replay", str(filled.file), "--summary", str(summary))
        said = orjson.loads(summary.read_bytes())
        ground.results.add(PART, OURS, "events/s", said["read"] / said["seconds"])
        fine = said["read"] == said["applied"] + said["ignored"] and not said["rejected"]
        ground.results.check(PART, OURS, None if fine else f"its books are {said}")
