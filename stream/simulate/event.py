"""One event of the simulation, ready for a file or for Kafka."""

from __future__ import annotations

from typing import NamedTuple

from stream.events.routing import Topic


class SimulatedEvent(NamedTuple):
    """``instant_ms`` is the event's own time, ``topic`` the role of its topic, ``value`` the wire JSON."""

    instant_ms: int
    topic: Topic
    key: bytes
    value: bytes
