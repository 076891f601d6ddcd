"""What a customer chooses most, how much more than anything else, and how much they vary: over the last few choices."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stream.events.leaf import leaf
from stream.features.base import FOREVER, NO_TEXT, Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.calendar import Local
from stream.features.kept import first_after, keep, pairs


def fold(r: Any, f: Any, p: int, t: int, x: int, n: int) -> None:
    """Keep the n latest choices; an event without the property is none."""
    if x != NO_TEXT:
        keep(r, p, n, t, x)


@leaf
def how_often(r: Any, first: int, stop: int, x: int) -> int:
    """How many of the choices in these columns are x."""
    many = 0
    for k in range(first, stop):
        if r[k] == x:
            many += 1
    return many


@leaf
def top(r: Any, first: int, stop: int) -> int:
    """The column of the choice made most often: of several, the one made last."""
    best, most = stop - 1, 0
    for k in range(stop - 1, first - 1, -1):
        many = how_often(r, first, stop, r[k])
        if many > most:
            best, most = k, many
    return best


def value(r: Any, f: Any, p: int, now: int, n: int, window: int) -> int:
    """The favourite: its hash."""
    first = first_after(r, p, n, now - window) + n
    return int(r[top(r, first, p + 2 * n)]) if first < p + 2 * n else NO_TEXT


def share(r: Any, f: Any, p: int, now: int, n: int, window: int) -> float:
    """How many of the choices are the favourite, as a share; missing where there are none."""
    first, stop = first_after(r, p, n, now - window) + n, p + 2 * n
    return how_often(r, first, stop, r[top(r, first, stop)]) / (stop - first) if first < stop else math.nan


def variety(r: Any, f: Any, p: int, now: int, n: int, window: int) -> float:
    """The entropy of the choices by what it can be at most: 0 always the same, 1 all different; missing: none."""
    first, stop = first_after(r, p, n, now - window) + n, p + 2 * n
    many = stop - first
    if many <= 1:
        return 0.0 if many else math.nan
    entropy = 0.0
    for k in range(first, stop):
        entropy -= math.log(how_often(r, first, stop, r[k]) / many) / many
    return min(entropy / math.log(many), 1.0)


def switching(r: Any, f: Any, p: int, now: int, n: int, window: int) -> float:
    """How many choices differ from the one before, as a share; missing where there are not two."""
    first, stop = first_after(r, p, n, now - window) + n, p + 2 * n
    if stop - first < 2:
        return math.nan
    switches = 0
    for k in range(first + 1, stop):
        if r[k] != r[k - 1]:
            switches += 1
    return switches / (stop - first - 1)


def choices(r: Any, f: Any, p: int, now: int, n: int, window: int) -> float:
    """How many choices there are, at most as many as are kept."""
    return float(p + n - first_after(r, p, n, now - window))


def until(r: Any, f: Any, p: int, now: int, k: float, n: int, window: int) -> int:
    """When the oldest choice leaves the window."""
    first = first_after(r, p, n, now - window)
    return int(r[first] + window) if first < p + n else FOREVER


@dataclass(frozen=True)
class Favourite(Accumulator):
    """``{favourite: category, of: Product Viewed, last: 10, within: 90d}``.

    Views: ``.share``, ``.variety``, ``.switching``, ``.choices``.  ``paths``: event name -> what is read of it.
    """

    word: ClassVar[str] = "favourite"
    paths: tuple[tuple[str, str], ...]
    zone: Local
    last: int = 10
    window: int = FOREVER

    def columns(self) -> tuple[Column, ...]:
        return pairs(self.last)

    def identity(self) -> str:
        return repr(replace(self, last=0))

    def constants(self) -> tuple[Constant, ...]:
        return (self.last, self.window)

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold, "text", path, (self.last,), zone=self.zone) for name, path in self.paths}

    def views(self) -> dict[str, View]:
        shape, moves = (Shape.CONSTANT, None) if self.window == FOREVER else (Shape.STEPS, until)
        return {
            "": View(Kind.TEXT, shape, value, moves),
            "share": View(Kind.NUMBER, shape, share, moves),
            "variety": View(Kind.NUMBER, shape, variety, moves),
            "switching": View(Kind.NUMBER, shape, switching, moves),
            "choices": View(Kind.NUMBER, shape, choices, moves),
        }
