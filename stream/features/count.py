"""How often something happened, ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from stream.features.base import Accumulator, Column, Kind, Reaction, Shape, View


def fold(r: Any, f: Any, p: int, t: int, step: int) -> None:
    """One more, or with a negative step one less."""
    r[p] += step


def value(r: Any, f: Any, p: int, now: int) -> float:
    """The count."""
    return float(r[p])


@dataclass(frozen=True)
class Count(Accumulator):
    """``{count: Order Completed, less: Order Refunded}``."""

    word: ClassVar[str] = "count"
    of: tuple[str, ...]
    less: tuple[str, ...] = ()

    def columns(self) -> tuple[Column, ...]:
        return (Column("count", 0),)

    def reactions(self) -> dict[str, Reaction]:
        plus = {name: Reaction(fold, constants=(1,)) for name in self.of}
        return plus | {name: Reaction(fold, constants=(-1,)) for name in self.less}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.NUMBER, Shape.CONSTANT, value)}
