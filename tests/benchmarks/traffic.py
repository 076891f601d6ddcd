"""A shop's events on topics of their own: written before anything is measured, or handed out to be sent while it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from stream.events.instant import iso
from stream.kafka.partitions import partition_of
from stream.simulate.event import SimulatedEvent
from tests.benchmarks import kafka
from tests.benchmarks.ground import PARTITIONS, Ground
from tests.benchmarks.shop import Shop

#: Topics of customers' events; products have one partition, read by every shard.
SHARED = ("clickstream", "purchases", "profiles")
#: For topics whose broker says when it appended each record.
DATED = {"message.timestamp.type": "LogAppendTime"}


class Traffic:
    """What happens in a shop, in order; each event is handed out or written once.

    ``seen`` is told of each event that is written, and of its partition.
    """

    def __init__(
        self,
        ground: Ground,
        shop: Shop,
        settings: Mapping[str, str] | None = None,
        seen: Callable[[SimulatedEvent, int], None] = lambda event, partition: None,
    ) -> None:
        self.broker = ground.broker
        #: name of each topic by its role
        self.topics = {role: ground.name(role) for role in (*SHARED, "products")}
        counts = {name: 1 if role == "products" else PARTITIONS for role, name in self.topics.items()}
        kafka.create_topics(self.broker, counts, settings)
        #: events written, and those of them on the topics that are shared out
        self.written = self.read = 0
        #: the instant of the last event
        self.last_ms = 0
        self._events = shop.simulated()
        self._seen = seen
        self._homes: dict[bytes, int] = {}  # murmur2 in Python is slow

    @property
    def shared(self) -> list[str]:
        """The topics whose partitions are shared out."""
        return [self.topics[role] for role in SHARED]

    def home(self, event: SimulatedEvent) -> int:
        """The partition of an event."""
        if event.topic == "products":
            return 0
        home = self._homes.get(event.key)
        if home is None:
            home = self._homes[event.key] = partition_of(event.key, PARTITIONS)
        return home

    def next(self, count: int) -> Iterator[SimulatedEvent]:
        """The next so many events."""
        return islice(self._events, count)

    def write(self, events: Iterable[SimulatedEvent], piece: int | None = None) -> None:
        """Append events to their topics; ``piece`` as `kafka.fill` has it."""

        def records() -> Iterator[tuple[str, int, bytes, bytes]]:
            for event in events:
                home = self.home(event)
                self._seen(event, home)
                self.last_ms = event.instant_ms
                yield self.topics[event.topic], home, event.key, event.value

        written = kafka.fill(self.broker, records(), piece)
        self.written += sum(written.values())
        self.read += sum(written.get(topic, 0) for topic in self.shared)

    def to_send(self, count: int, rate: float | None = None) -> list[SimulatedEvent]:
        """The next so many events, from the last one's instant on: so many a second, so that time passes as it does in
        life, whoever they are of; or (None) with the gaps that they have.  They count as written."""
        begin_ms, first_ms = self.last_ms, None
        found = []
        for number, event in enumerate(self.next(count)):
            first_ms = event.instant_ms if first_ms is None else first_ms
            at = begin_ms + (event.instant_ms - first_ms if rate is None else int(number * 1000 / rate))
            old, new = (b'"timestamp":"%b"' % iso(instant).encode() for instant in (event.instant_ms, at))
            found.append(event._replace(instant_ms=at, value=event.value.replace(old, new, 1)))
            self.last_ms = at
        self.written += len(found)
        self.read += sum(event.topic != "products" for event in found)
        return found
