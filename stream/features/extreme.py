"""The least or the greatest value of a property, ever."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from stream.features.base import Accumulator, Column, Kind, Reaction, Shape, View


def fold(r: Any, f: Any, p: int, t: int, x: float, sign: float) -> None:
    """Keep the greatest (sign 1) or the least (-1); an event without the property changes nothing."""
    if x == x and (f[p] != f[p] or sign * x > sign * f[p]):
        f[p] = x


def value(r: Any, f: Any, p: int, now: int) -> float:
    """The least or greatest; missing where nothing came yet."""
    return float(f[p])


@dataclass(frozen=True)
class Extreme(Accumulator):
    """``{max: total, of: Order Completed}``, ``{min: total, of: Order Completed}``."""

    word: ClassVar[str] = "max"
    path: str
    of: tuple[str, ...]
    greatest: bool = True
    kind: Kind = Kind.NUMBER

    def columns(self) -> tuple[Column, ...]:
        return (Column("extreme", math.nan, real=True),)

    def reactions(self) -> dict[str, Reaction]:
        sign = 1.0 if self.greatest else -1.0
        return {name: Reaction(fold, "number", self.path, (sign,)) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(self.kind, Shape.CONSTANT, value)}
