"""How regular a customer is: the mean and the standard deviation of the last few gaps between two events."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stream.events.leaf import leaf
from stream.features.base import NEVER, Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.kept import first_after, instants, keep_instant


def fold(r: Any, f: Any, p: int, t: int, n: int) -> None:
    """Keep the n latest instants: one more than gaps."""
    keep_instant(r, p, n, t)


@leaf
def gap_between(r: Any, first: int, last: int) -> float:
    """The mean gap of instants in ascending order."""
    return float((r[last] - r[first]) / (last - first))


def value(r: Any, f: Any, p: int, now: int, n: int) -> float:
    """The standard deviation of the gaps; missing where there are not two."""
    first, last = first_after(r, p, n, NEVER), p + n - 1
    if last - first < 2:
        return math.nan
    usual = gap_between(r, first, last)
    squares = 0.0
    for k in range(first, last):
        squares += (r[k + 1] - r[k] - usual) ** 2
    return math.sqrt(squares / (last - first))


def mean(r: Any, f: Any, p: int, now: int, n: int) -> float:
    """The mean of the gaps; missing where there is none."""
    first, last = first_after(r, p, n, NEVER), p + n - 1
    return gap_between(r, first, last) if last > first else math.nan


def ratio(r: Any, f: Any, p: int, now: int, n: int) -> float:
    """The standard deviation as a share of the mean: 0 like clockwork, 1 and more at random."""
    first, last = first_after(r, p, n, NEVER), p + n - 1
    if last - first < 2 or r[last] == r[first]:
        return math.nan
    usual = gap_between(r, first, last)
    squares = 0.0
    for k in range(first, last):
        squares += (r[k + 1] - r[k] - usual) ** 2
    return math.sqrt(squares / (last - first)) / usual


@dataclass(frozen=True)
class Spread(Accumulator):
    """``{spread: Order Completed, last: 6}``; views ``.mean`` and ``.ratio``."""

    word: ClassVar[str] = "spread"
    of: tuple[str, ...]
    last: int = 6

    def columns(self) -> tuple[Column, ...]:
        return instants(self.last + 1)

    def identity(self) -> str:
        return repr(replace(self, last=0))

    def constants(self) -> tuple[Constant, ...]:
        return (self.last + 1,)

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold, constants=(self.last + 1,)) for name in self.of}

    def views(self) -> dict[str, View]:
        return {
            "": View(Kind.DURATION, Shape.CONSTANT, value),
            "mean": View(Kind.DURATION, Shape.CONSTANT, mean),
            "ratio": View(Kind.NUMBER, Shape.CONSTANT, ratio),
        }
