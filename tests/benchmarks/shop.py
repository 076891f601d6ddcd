"""The simulator's traffic: shoppers whose visits interleave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stream.kafka.clock import clock_record
from stream.simulate.event import SimulatedEvent
from stream.simulate.simulation import SimulationOptions, simulate
from tests.benchmarks import kafka
from tests.benchmarks.ground import PARTITIONS, Ground

#: What a shopper of the simulator does on average, a little less; and where every page is told.
EVENTS_A_DAY, WITH_PAGES = 2.5, 4.0


@dataclass(frozen=True)
class Shop:
    """So many shoppers, from a common beginning, until there are so many events; ``pace``, ``pages`` as simulated."""

    customers: int
    events: int
    partitions: int = PARTITIONS
    pace: float = 1.0
    pages: bool = False

    def simulated(self) -> Iterator[SimulatedEvent]:
        """The events in order."""
        a_day = (WITH_PAGES if self.pages else EVENTS_A_DAY) / self.pace
        days = self.events / self.customers / a_day + 1
        return simulate(SimulationOptions(self.customers, days, events=self.events, pace=self.pace, pages=self.pages))


def tell_clock(ground: Ground, topic: str, instant_ms: int) -> None:
    """Write a clock record, so that every shard's clock comes to that instant."""
    kafka.fill(ground.broker, [(topic, 0, b"", clock_record(instant_ms))])
