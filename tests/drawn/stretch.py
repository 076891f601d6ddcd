"""Drawn definitions and histories at the size of life: every millisecond becomes half an hour, half a day or days, so
that days, weeks, years and changes of the clock pass within one history.

What the oracle judges then are the instants that could matter: multiples of that unit (on which all events and all
lengths lie) and local midnights, each with the milliseconds after it: `> 3d` follows `>= 3d`, and what depends on that
comes later still.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.drawn.features import WORDS
from tests.drawn.histories import LENGTH, ZONES, Turn
from tests.oracle import Happened

HOUR, DAY = 3_600_000, 86_400_000
#: Kinds of features whose values change at multiples of the unit and local midnights alone.
SLOW = tuple(word for word in WORDS if word not in ("rate", "hour"))


@dataclass(frozen=True)
class Stretch:
    """How many milliseconds (``unit``) one becomes, around a turn of the calendar."""

    turn: Turn
    unit: int

    @property
    def start(self) -> int:
        """When histories begin, so that the turn is in their middle."""
        return self.turn.start + LENGTH // 2 - LENGTH // 2 * self.unit

    def definitions(self, made: Any) -> Any:
        """The same with all lengths of time stretched."""
        match made:
            case str():
                return re.sub(r"\b(\d+)ms\b", lambda m: f"{int(m[1]) * self.unit // 1000}s", made)
            case dict():
                return {key: self.definitions(value) for key, value in made.items()}
            case list():
                return [self.definitions(value) for value in made]
        return made

    def history(self, drawn: Sequence[Happened]) -> list[Happened]:
        """A history that was drawn from 0 on, stretched."""
        return [
            Happened(
                self.at(e.t),
                e.name,
                e.customer,
                e.message,
                {k: self.at(x) if k in ("offer_ends", "joined") else x for k, x in e.properties.items()},
            )
            for e in drawn
        ]

    def at(self, t: int) -> int:
        """An instant, stretched."""
        return self.start + t * self.unit

    def instants(self) -> Callable[[int, int], Iterable[int]]:
        """The instants after one and up to another at which anything could change."""
        days = [day for zone in {self.turn.zone, *ZONES} for day in self.midnights(zone)] if self.unit > HOUR else []
        grid = (self.at(k) + more for k in range(3 * LENGTH) for more in range(4))
        known = sorted({*grid, *days, *(day + 1 for day in days)})
        return lambda after, upto: known[bisect_right(known, after) : bisect_right(known, upto)]

    def midnights(self, zone: str) -> Iterator[int]:
        """The first instants of local days, where the clock first shows midnight or more."""
        there = ZoneInfo(zone)
        first = datetime.fromtimestamp(self.start / 1000, UTC).date() - timedelta(days=1)
        for k in range(3 * LENGTH * self.unit // DAY + 3):
            day = first + timedelta(days=k)
            yield round(datetime.combine(day, time(), there).timestamp() * 1000)
