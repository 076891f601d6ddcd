"""Which zone the oracle reads an event and the present in.  See :mod:`tests.oracle`.

Either one zone holds for all, or each customer's own: the last one that a trait named when the event had come, in the
order in which events came, an older event not counting; what is no name of a zone names none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo, available_timezones

NAMES = available_timezones()


class Event(Protocol):
    """What is read of an event."""

    @property
    def t(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def properties(self) -> Mapping[str, Any]: ...


@dataclass
class Calendar:
    """The zone of each event, by its identity, and the zone now."""

    now: str
    zones: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, zone: str | Mapping[str, Any], past: Sequence[Event]) -> Calendar:
        """By what a dimension says under ``zone`` and by all that came, in that order."""
        if isinstance(zone, str):
            return cls(zone)
        found, named = cls(zone["else"]), -(1 << 60)
        for e in past:
            name = e.properties.get(zone["trait"]) if e.name == "Identify" else None
            if name in NAMES and e.t >= named:
                found.now, named = str(name), e.t
            found.zones[id(e)] = found.now
        return found

    @property
    def own(self) -> bool:
        """Whether each customer has a zone of their own."""
        return bool(self.zones)

    def local(self, event: Event) -> datetime:
        """The local time of an event."""
        return local(event.t, self.zones.get(id(event), self.now))

    def today(self, now: int) -> datetime:
        """The local time now."""
        return local(now, self.now)


def local(t: int, zone: str) -> datetime:
    """The local time of an instant."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=t)).astimezone(ZoneInfo(zone))
