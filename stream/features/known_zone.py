"""Time zones by name: the tables of all of them in one array, and what keeps a customer's own.

The array of all zones has a line for how many names there are, one for each name (its hash, ascending; where its table
begins and ends), then the lines of the tables (:mod:`stream.features.calendar`).  Names that mean the same share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple
from zoneinfo import available_timezones

import numpy as np
from numpy.typing import NDArray

from stream.events.leaf import leaf
from stream.events.text import text_hash
from stream.features.base import NEVER, NO_TEXT, Accumulator, Column, Kind, Reaction, Shape, Table, View
from stream.features.calendar import digest
from stream.features.filter import properties
from stream.features.latest import value
from stream.features.own_zone import OwnZone
from stream.features.zone_table import transitions

#: Names that depend on the machine, or stand for no place.
NO_PLACES = {"Factory", "localtime", "posixrules"}
#: Where a table begins and ends share a column.
SPLIT = 32
MASK = (1 << SPLIT) - 1


@lru_cache
def names() -> tuple[str, ...]:
    """The names of time zones (IANA) that a trait may give, sorted."""
    return tuple(sorted(available_timezones() - NO_PLACES))


@lru_cache
def named() -> NDArray[np.int64]:
    """How many names there are, then their hashes, ascending: one column, as :func:`line_of_name` reads it."""
    found = sorted(text_hash(name) for name in names())
    return np.array([[len(found)], *([code] for code in found)], dtype=np.int64)


@lru_cache
def all_zones() -> NDArray[np.int64]:
    """The tables of all zones; see the head of this module."""
    tables = {text_hash(name): transitions(name) for name in names()}
    at = 1 + len(tables)
    places: dict[bytes, int] = {}
    lines: list[NDArray[np.int64]] = []
    index = []
    for code in sorted(tables):
        table = tables[code]
        first = places.setdefault(table.tobytes(), at)
        if first == at:
            lines.append(table)
            at += len(table)
        index.append((code, first << SPLIT | first + len(table)))
    return np.concatenate([np.array([(len(tables), 0), *index], dtype=np.int64), *lines])


@leaf
def line_of_name(zones: Any, name: int) -> int:
    """The line of the name with this hash; 0 where there is none."""
    low, high = 1, zones[0, 0] + 1
    while high - low > 1:
        middle = (low + high) // 2
        if zones[middle, 0] <= name:
            low = middle
        else:
            high = middle
    return int(low) if zones[low, 0] == name else 0


@leaf
def lines_of(zones: Any, name: int, other: int) -> int:
    """Where the table of a zone begins and ends (:data:`SPLIT`), by the hash of its name, else by that of another."""
    line = line_of_name(zones, name)
    return int(zones[line if line > 0 else line_of_name(zones, other), 1])


@dataclass(frozen=True)
class ZoneNames(Table):
    """The names of all zones: how many, then the hash of each, ascending."""

    @property
    def name(self) -> str:
        return "zone_names"

    @property
    def source(self) -> str:
        return f"{self.module}.named()  # {digest(self.array())}"

    @property
    def module(self) -> str:
        return __name__

    def array(self) -> NDArray[np.int64]:
        return named()


def fold(r: Any, f: Any, p: int, t: int, x: int, known: Any) -> None:
    """Columns: hash of the zone's name, the instant of the event.  What is no name of a zone changes nothing."""
    if line_of_name(known, x) > 0 and (t > r[p + 1] or (t == r[p + 1] and x > r[p])):
        r[p] = x
        r[p + 1] = t


@dataclass(frozen=True)
class KnownZone(Accumulator):
    """The zone that a customer's trait named last: of two at one instant the one with the greater hash."""

    word: ClassVar[str] = "zone"
    path: str
    of: tuple[str, ...]

    def columns(self) -> tuple[Column, ...]:
        return (Column("zone", NO_TEXT), Column("at", NEVER))

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold, "text", self.path, (ZoneNames(),)) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.TEXT, Shape.CONSTANT, value)}


class BagsAndZones(NamedTuple):
    """The pool of bags (:class:`stream.features.pool.Bags`) and the tables of all zones.

    The kernels of a plan with customers' own zones take it for the pool; those of others need not know of zones.
    """

    entries: NDArray[np.int64]
    table: NDArray[np.int64]
    meta: NDArray[np.int64]
    zones: NDArray[np.int64]


def keeper(own: OwnZone) -> KnownZone:
    """What keeps the zone of a row."""
    return KnownZone(own.path, own.of)


def own_zones(accumulator: Accumulator) -> set[OwnZone]:
    """The customers' own zones that a feature goes by."""
    found: list[object] = [*accumulator.constants()]
    for reaction in accumulator.reactions().values():
        found += [*reaction.constants, reaction.zone]
        found += [p.zone for p in properties(reaction.where)] if reaction.where else []
    return {zone for zone in found if isinstance(zone, OwnZone)}


def table_of(own: OwnZone, name: int) -> NDArray[np.int64]:
    """The table of a row's zone, by the hash of the name that was kept."""
    zones = all_zones()
    lines = lines_of(zones, name, text_hash(own.other))
    return zones[lines >> SPLIT : lines & MASK]
