"""The sum of a property over all events, and its mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from stream.features.base import Accumulator, Column, Kind, Reaction, Shape, View


def fold(r: Any, f: Any, p: int, t: int, x: float, sign: float) -> None:
    """Add (or take back) the amount; an event without the property adds nothing."""
    if x == x:
        f[p] += sign * x
        r[p + 1] += 1 if sign > 0 else -1


def value(r: Any, f: Any, p: int, now: int) -> float:
    """The sum; 0 where nothing came yet."""
    return float(f[p])


def mean(r: Any, f: Any, p: int, now: int) -> float:
    """The mean; missing where nothing came yet."""
    return float(f[p] / r[p + 1]) if r[p + 1] > 0 else float("nan")


@dataclass(frozen=True)
class Total(Accumulator):
    """``{sum: total, of: Order Completed, less: Order Refunded}``; ``spend.mean`` is the mean."""

    word: ClassVar[str] = "sum"
    path: str
    of: tuple[str, ...]
    less: tuple[str, ...] = ()
    kind: Kind = Kind.NUMBER

    def columns(self) -> tuple[Column, ...]:
        return (Column("sum", 0.0, real=True), Column("count", 0))

    def reactions(self) -> dict[str, Reaction]:
        plus = {name: Reaction(fold, "number", self.path, (1.0,)) for name in self.of}
        return plus | {name: Reaction(fold, "number", self.path, (-1.0,)) for name in self.less}

    def views(self) -> dict[str, View]:
        return {
            "": View(self.kind, Shape.CONSTANT, value),
            "mean": View(self.kind, Shape.CONSTANT, mean),
        }
