"""Which zone the oracle reads an event and the present in.  See :mod:`tests.oracle`.

Either one zone holds for all, or each customer's own: the last one that a trait named when the event had come, in the
order in which events came, an older event not counting; what is no name of a zone names none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo, available_timezones

NAMES = available_timezones()
MINUTE = 60_000


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

    def zone(self, event: Event) -> str:
        """The zone that was known when an event had come."""
        return self.zones.get(id(event), self.now)

    def local(self, event: Event) -> datetime:
        """The local time of an event."""
        return local(event.t, self.zone(event))

    def day(self, event: Event) -> date:
        """The local day of an event."""
        return day_of(event.t, self.zone(event))

    def today(self, now: int) -> date:
        """The local day now."""
        return day_of(now, self.now)


def day_of(t: int, zone: str) -> date:
    """The local day of an instant: once begun it does not end before the next, also where the clock goes back."""
    return day_of_minute(t // MINUTE, zone)


@lru_cache(maxsize=1 << 14)
def day_of_minute(minute: int, zone: str) -> date:
    """The latest date that the clock has shown within three hours; clocks are set at whole minutes."""
    return max(local((minute - k) * MINUTE, zone).date() for k in range(181))


def local(t: int, zone: str) -> datetime:
    """The local time of an instant."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=t)).astimezone(ZoneInfo(zone))
