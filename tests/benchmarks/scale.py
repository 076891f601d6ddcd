"""Scale: how the speed of the whole catalogue depends on customers, partitions and workers.

Every customer is known before anything is measured; then each event is of a random one, the worst case for caches.
"""

from __future__ import annotations

from tests.benchmarks.events import Events
from tests.benchmarks.ground import PARTITIONS, Ground
from tests.benchmarks.ours import Ours, speed
from tests.benchmarks.results import OURS

PART = "scale"


def run(ground: Ground) -> None:
    """One thing varied at a time, around 100,000 customers, 4 partitions, one worker."""
    usual = ground.size(100_000, 2_000)
    customers = (10_000, 100_000, 1_000_000, 3_000_000) if not ground.quick else (1_000, 4_000)
    partitions = (1, 4, 16, 64) if not ground.quick else (1, 8)
    for _ in range(ground.rounds):
        for people in customers:
            _measure(ground, f"{people:,} customers", people)
        for count in partitions:
            _measure(ground, f"{count} partitions", usual, partitions=count)
        for workers in (1, 2):
            _measure(ground, f"{workers} workers", usual, workers=workers)


def _measure(ground: Ground, what: str, people: int, *, partitions: int = PARTITIONS, workers: int = 1) -> None:
    events = Events(people + ground.size(1_200_000, 40_000), partitions, people=people, days=1)
    topic = ground.topic_of(events)
    ground.say(f"scale: {what}")
    ours = Ours(ground, ground.name("segstream-scale"), partitions=partitions, inputs={"clickstream": topic})
    ours.prepare()
    # A second worker joins while the first works: that belongs to the warming up.
    done = speed(ours, [topic], people + ground.size(400_000, 4_000), events.count, workers)
    ground.results.add(PART, OURS, f"{what}: events/s", done.rate, done.peak)
    ground.results.check(PART, OURS, done.wrong(events.count))
    ours.finish()
