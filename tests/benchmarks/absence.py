"""A year with an absence rule, replayed; then the same with ten more years in which nobody comes.

A customer who never returns costs one deadline, not one a day: ten silent years change neither what is told of anyone
nor, much, how long it takes.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import orjson

from stream.events.instant import iso, parse_iso
from tests.benchmarks.events import DAY_MS, NAMES, ORDER, Events
from tests.benchmarks.ground import Ground
from tests.benchmarks.ours import DEFINITIONS, Ours
from tests.benchmarks.results import OURS

PART = "absence"
SILENCE_MS = 10 * 365 * DAY_MS


def run(ground: Ground) -> None:
    """Events a second of the command, from its own summary; compiling comes before."""
    events = Events(ground.size(1_000_000, 20_000), 1, days=365)
    file = ground.folder / "year.jsonl"
    with file.open("wb") as lines:
        lines.writelines(value + b"\n" for _, _, value in events.records())
    ours = Ours(ground, "absence", DEFINITIONS / "w2")
    ours.run("replay", os.devnull, "--definitions", str(ours.definitions))  # compiles
    for k in range(ground.rounds):
        ground.say("absence")
        year = _replay(ground, ours, file, f"year{k}")
        longer = _replay(ground, ours, file, f"longer{k}", "--until", iso(events.end_ms + SILENCE_MS))
        ground.results.add(PART, OURS, "a year: events/s", events.count / year)
        ground.results.add(PART, OURS, "with ten silent years: times as long", longer / year)
        ground.results.check(PART, OURS, _differs(ground.folder / f"longer{k}.jsonl", events))


def _replay(ground: Ground, ours: Ours, file: Path, name: str, *more: str) -> float:
    """Seconds of a replay, by its own summary; what it tells is in a file of that name."""
    summary, out = ground.folder / f"{name}.json", ground.folder / f"{name}.jsonl"
    given = ("--definitions", str(ours.definitions), "--summary", str(summary), "--out", str(out))
    ours.run("replay", str(file), *given, *more)
    seconds: float = orjson.loads(summary.read_bytes())["seconds"]
    return seconds


def _differs(out: Path, events: Events) -> str | None:
    """Whoever has ordered is told at risk once after their last order, by a deadline; None where that is so."""
    last = np.zeros(events.customers + 1_000, np.int64)
    ordered = events.kinds == NAMES.index(ORDER)
    np.maximum.at(last, events.owners[ordered], events.instants[ordered])
    told: Counter[int] = Counter()
    with out.open("rb") as lines:
        for line in lines:
            change = orjson.loads(line)
            customer = int(change["subject"][1:])
            if change["data"]["cause"] == "deadline" and parse_iso(change["time"]) > last[customer] > 0:
                told[customer] += 1
    expected = dict.fromkeys(np.flatnonzero(last).tolist(), 1)
    wrong = {c for c in told.keys() | expected.keys() if told[c] != expected.get(c)}
    return f"{len(wrong):,} customers were not told once, such as c{min(wrong)}" if wrong else None
