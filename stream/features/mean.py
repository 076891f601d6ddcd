"""The mean of a property over all events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stream.features.base import Accumulator, Column, Kind, Reaction, Shape, View
from stream.features.total import fold, mean


@dataclass(frozen=True)
class Mean(Accumulator):
    """``{mean: total, of: Order Completed}``; missing where nothing came yet."""

    word: ClassVar[str] = "mean"
    path: str
    of: tuple[str, ...]
    kind: Kind = Kind.NUMBER

    def columns(self) -> tuple[Column, ...]:
        return (Column("sum", 0.0, real=True), Column("count", 0))

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold, "number", self.path, (1.0,)) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(self.kind, Shape.CONSTANT, mean)}
