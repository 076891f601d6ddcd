"""The latest value of a property or a trait: a text, a number, an amount, a list of texts, or a time.

An event without the property changes nothing.  Of two at one instant the greater value stays, so that their order does
not matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from stream.events.properties import EMPTY_LIST, LONGEST_LIST
from stream.features.base import NEVER, NO_TEXT, Accumulator, Column, Kind, Reaction, Shape, View


def fold(r: Any, f: Any, p: int, t: int, x: int) -> None:
    """Columns: hash of the text, its instant."""
    if x != NO_TEXT and (t > r[p + 1] or (t == r[p + 1] and x > r[p])):
        r[p] = x
        r[p + 1] = t


def value(r: Any, f: Any, p: int, now: int) -> int:
    """The hash of the text."""
    return int(r[p])


def fold_number(r: Any, f: Any, p: int, t: int, x: float, unit: float) -> None:
    """Columns: the number, its instant.  ``unit``: what one of the property is worth."""
    if x == x and (t > r[p + 1] or (t == r[p + 1] and x * unit > f[p])):
        f[p] = x * unit
        r[p + 1] = t


def number(r: Any, f: Any, p: int, now: int) -> float:
    """The number; missing where none came yet."""
    return float(f[p])


def fold_instant(r: Any, f: Any, p: int, t: int, x: float) -> None:
    """Columns: the time that the property tells, the instant of the event."""
    if x == x and (t > r[p + 1] or (t == r[p + 1] and x > r[p])):
        r[p] = int(x)
        r[p + 1] = t


def passed(r: Any, f: Any, p: int, now: int) -> float:
    """Milliseconds since that time, negative before it; missing where none came yet."""
    return float(now - r[p]) if r[p + 1] != NEVER else math.nan


def fold_texts(r: Any, f: Any, p: int, t: int, xs: Any) -> None:
    """Columns: the hashes of the list, then its instant."""
    if xs[0] == NO_TEXT or t < r[p + LONGEST_LIST]:
        return
    if t == r[p + LONGEST_LIST]:
        k = 0
        while k < LONGEST_LIST - 1 and xs[k] == r[p + k]:
            k += 1
        if xs[k] <= r[p + k]:
            return
    for k in range(LONGEST_LIST):
        r[p + k] = xs[k]
    r[p + LONGEST_LIST] = t


def how_many(r: Any, f: Any, p: int, now: int) -> float:
    """How many texts the list has; missing where none came yet."""
    if r[p] == NO_TEXT:
        return math.nan
    n = 0
    for k in range(LONGEST_LIST):
        if r[p + k] != NO_TEXT and r[p + k] != EMPTY_LIST:
            n += 1
    return float(n)


def has(r: Any, f: Any, p: int, now: int, text: int) -> bool:
    """Whether the text is in the list."""
    found = False
    for k in range(LONGEST_LIST):
        found = found or r[p + k] == text
    return found


@dataclass(frozen=True)
class Latest(Accumulator):
    """``{latest: country, of: Identify}``."""

    word: ClassVar[str] = "latest"
    path: str
    of: tuple[str, ...]

    def columns(self) -> tuple[Column, ...]:
        return (Column("text", NO_TEXT), Column("at", NEVER))

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold, "text", self.path) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.TEXT, Shape.CONSTANT, value)}


@dataclass(frozen=True)
class LatestNumber(Accumulator):
    """``{latest: age, of: Identify, as: number}``, or ``as: money`` for an amount in whole units of the currency."""

    word: ClassVar[str] = "latest"
    path: str
    of: tuple[str, ...]
    kind: Kind = Kind.NUMBER
    unit: float = 1.0

    def columns(self) -> tuple[Column, ...]:
        return (Column("number", math.nan, real=True), Column("at", NEVER))

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold_number, "number", self.path, (self.unit,)) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(self.kind, Shape.CONSTANT, number)}


@dataclass(frozen=True)
class LatestInstant(Accumulator):
    """``{latest: trial_ends, of: Identify, as: instant}``: the time since the time that the property tells."""

    word: ClassVar[str] = "latest"
    path: str
    of: tuple[str, ...]

    def columns(self) -> tuple[Column, ...]:
        return (Column("instant", 0), Column("at", NEVER))

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold_instant, "instant", self.path) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.DURATION, Shape.LINEAR, passed)}


@dataclass(frozen=True)
class LatestTexts(Accumulator):
    """``{latest: interests, of: Identify, as: list}``, for ``"sport" in interests``; the first 8 texts of the list."""

    word: ClassVar[str] = "latest"
    path: str
    of: tuple[str, ...]

    def columns(self) -> tuple[Column, ...]:
        return (*(Column(f"text-{k}", NO_TEXT) for k in range(LONGEST_LIST)), Column("at", NEVER))

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold_texts, "texts", self.path) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.TEXTS, Shape.CONSTANT, how_many, has=has)}
