"""The latest value of a property or a trait, as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from stream.features.base import NEVER, NO_TEXT, Accumulator, Column, Kind, Reaction, Shape, View


def fold(r: Any, f: Any, p: int, t: int, x: int) -> None:
    """Columns: hash of the text, its instant.  An event without the property changes nothing; of two at one instant
    the greater hash stays, so that their order does not matter."""
    if x != NO_TEXT and (t > r[p + 1] or (t == r[p + 1] and x > r[p])):
        r[p] = x
        r[p + 1] = t


def value(r: Any, f: Any, p: int, now: int) -> int:
    """The hash of the text."""
    return int(r[p])


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
