"""How long ago something happened: for the last time, or for the first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from stream.events.leaf import leaf
from stream.features.base import NEVER, Accumulator, Column, Kind, Reaction, Shape, View


def fold_last(r: Any, f: Any, p: int, t: int) -> None:
    """Keep the latest instant."""
    r[p] = max(r[p], t)


def fold_first(r: Any, f: Any, p: int, t: int) -> None:
    """Keep the earliest instant."""
    if r[p] == NEVER or t < r[p]:
        r[p] = t


@leaf
def value(r: Any, f: Any, p: int, now: int) -> float:
    """Milliseconds since then; missing where it never happened."""
    return float(now - r[p]) if r[p] != NEVER else float("nan")


@dataclass(frozen=True)
class Since(Accumulator):
    """``{since: Order Completed}``: time since the last one; ``{since first: ...}``: since the first."""

    word: ClassVar[str] = "since"
    of: tuple[str, ...]
    first: bool = False

    def columns(self) -> tuple[Column, ...]:
        return (Column("instant", NEVER),)

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold_first if self.first else fold_last) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.DURATION, Shape.LINEAR, value)}
