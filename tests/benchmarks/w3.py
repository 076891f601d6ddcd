"""W3: the whole shipped catalogue on the simulator's traffic, exactly once; beside a program that only reads it.

The shop is one of 200,000 customers who come some four times a month; each page they load is an event. A customer's
first event makes a change in every dimension, and the first visits make many, so the shop is warmed up for weeks.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping
from functools import cache

import orjson

from stream.app.definition_files import read_definitions
from stream.plan import tree
from tests.benchmarks import kafka, rivals
from tests.benchmarks.ground import Ground
from tests.benchmarks.ours import SHIPPED, Ours, Worker, measure
from tests.benchmarks.results import OURS
from tests.benchmarks.shop import Shop, fill_shop, tell_clock

PART = "w3"
Moves = Counter[tuple[str, str]]


def warming(ground: Ground) -> int:
    """Events after which customers come back rather than begin: nearly three weeks of them."""
    return ground.size(13_000_000, 10_000)


def shop_of(ground: Ground) -> Shop:
    """The warming up, and a stretch for each round: the same shop, some days later."""
    stretch = ground.size(1_500_000, 10_000)
    events = warming(ground) + ground.rounds * stretch
    return Shop(ground.size(200_000, 1_000), events, pace=2.0, pages=True)


def run(ground: Ground) -> None:
    """Reading alone, once a round; then one worker, through all rounds; then what replay makes of the same events."""
    filled = fill_shop(ground, shop_of(ground))
    # Some events are on the topic of products, which all shards read, and are not counted here.
    warm = warming(ground) * filled.events // shop_of(ground).events
    stretch = (filled.events - warm) // ground.rounds
    for _ in range(ground.rounds):
        ground.say(f"w3: {rivals.RAW.name}")
        raw = rivals.RAW.run_over(ground, ",".join(filled.shared), warm, filled.events)
        ground.results.add(PART, rivals.RAW.name, "events/s", raw.told.rate, raw.peak)
    ground.say("w3: segstream")
    ours = Ours(ground, ground.name("segstream-w3"), inputs=filled.topics)
    ours.prepare()
    with ours.worker() as worker:
        for k in range(ground.rounds):
            begin = warm + k * stretch
            done = measure(ours, [worker], filled.shared, begin, begin + stretch)
            ground.results.add(PART, OURS, "events/s", done.rate, done.peak)
            ground.results.add(PART, OURS, "changes an event", done.changes)
        kafka.follow(ground.broker, ours.name, filled.shared, [filled.events], worker.program.alive)
        tell_clock(ground, ours.topic("control"), filled.last_ms)
        ground.results.check(PART, OURS, _differs(worker, replayed(ground)))
    ours.finish()


def replayed(ground: Ground) -> Moves:
    """The changes that replay makes of the same events, by dimension and segment entered."""

    def replay() -> Moves:
        filled = fill_shop(ground, shop_of(ground))
        ground.say("w3: replay of the same events, to compare with")
        summary = ground.folder / "w3-summary.json"
        Ours(ground, "replay").run("replay", str(filled.file), "--summary", str(summary))
        return _moves(orjson.loads(summary.read_bytes())["changes"])

    return ground.once("w3 replayed", replay)


@cache
def _learned() -> frozenset[str]:
    """Dimensions with clusters or cuts by share, which live and replay each learn, and those that build on them."""
    dimensions = read_definitions(SHIPPED).dimensions
    found = {d.name for d in dimensions if d.learning or any(tree.cuts(c) for c in d.conditions)}
    while more := {d.name for d in dimensions if any(tree.dimensions(c) & found for c in d.conditions)} - found:
        found |= more
    return frozenset(found)


def _moves(changes: Mapping[str, Mapping[str, int]]) -> Moves:
    return Counter(
        {
            (dimension, to): n
            for dimension, tos in changes.items()
            for to, n in tos.items()
            if dimension not in _learned()
        }
    )


def _differs(worker: Worker, expected: Moves, seconds: float = 60.0) -> str | None:
    """How the worker's changes differ from replay's once all is done; None where they come to be equal."""
    end = time.monotonic() + seconds
    while True:
        found: Moves = Counter()
        for key, value in worker.metrics().items():
            if key.startswith("segstream_segment_entered_total"):
                labels = dict(re.findall(r'(\w+)="([^"]*)"', key))
                if labels["dimension"] not in _learned():
                    found[labels["dimension"], labels["segment"]] += int(value)
        if found == expected:
            return None
        if time.monotonic() > end:
            wrong = {what: (found[what], n) for what, n in expected.items() if found[what] != n}
            return f"{found.total():,} changes, replay makes {expected.total():,}; (live, replay) differ in {wrong}"
        time.sleep(0.5)
