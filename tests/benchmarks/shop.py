"""The simulator's traffic: shoppers whose visits interleave, and the topics of their events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from stream.events.instant import iso
from stream.kafka.clock import clock_record
from stream.kafka.partitions import partition_of
from stream.simulate.event import SimulatedEvent
from stream.simulate.simulation import SimulationOptions, simulate
from tests.benchmarks import kafka
from tests.benchmarks.ground import PARTITIONS, Ground

#: What a shopper of the simulator does on average, a little less; and where every page is told.
EVENTS_A_DAY, WITH_PAGES = 2.5, 4.0
#: Topics of customers' events; products have one partition, read by every shard.
SHARED = ("clickstream", "purchases", "profiles")


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


def restamped(events: Iterable[SimulatedEvent], begin_ms: int, rate: float | None = None) -> Iterator[SimulatedEvent]:
    """The same events from an instant on: so many a second, so that time passes as it does in life, whoever they are
    of; or (None) with the gaps that they have."""
    first_ms = None
    for number, event in enumerate(events):
        first_ms = event.instant_ms if first_ms is None else first_ms
        at = begin_ms + (event.instant_ms - first_ms if rate is None else int(number * 1000 / rate))
        old, new = (b'"timestamp":"%b"' % iso(instant).encode() for instant in (event.instant_ms, at))
        yield event._replace(instant_ms=at, value=event.value.replace(old, new, 1))


class Homes:
    """Where each customer's events go; murmur2 in Python is slow, so it is remembered."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._known: dict[bytes, int] = {}

    def of(self, event: SimulatedEvent) -> int:
        """The partition of an event."""
        if event.topic == "products":
            return 0
        home = self._known.get(event.key)
        if home is None:
            home = self._known[event.key] = partition_of(event.key, self._partitions)
        return home


def new_topics(ground: Ground, partitions: int, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Empty topics for a shop's events, by role."""
    topics = {role: ground.name(role) for role in (*SHARED, "products")}
    counts = {name: 1 if role == "products" else partitions for role, name in topics.items()}
    kafka.create_topics(ground.broker, counts, settings)
    return topics


def tell_clock(ground: Ground, topic: str, instant_ms: int) -> None:
    """Write a clock record, so that every shard's clock comes to that instant."""
    kafka.fill(ground.broker, [(topic, 0, b"", clock_record(instant_ms))])
