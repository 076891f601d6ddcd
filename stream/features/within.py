"""Sum, mean, least or greatest of a property in a sliding window, over at most the ``last`` latest events.

The window is (now - window, now], as for counts.  Exact as long as no more than ``last`` events lie in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stream.features.base import FOREVER, Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.combine import WORDS, combined, first_flip
from stream.features.kept import first_after, keep_number, pairs


def fold(r: Any, f: Any, p: int, t: int, x: float, n: int) -> None:
    """Keep the n latest; an event without the property is none."""
    if x == x:
        keep_number(r, f, p, n, t, x)


def value(r: Any, f: Any, p: int, now: int, n: int, window: int, how: int) -> float:
    """What those in the window come to."""
    return combined(f, first_after(r, p, n, now - window) + n, p + 2 * n, how)


def until(r: Any, f: Any, p: int, now: int, k: float, n: int, window: int, how: int) -> int:
    """When one leaves the window that decides; with k NaN, when the oldest inside leaves it."""
    first = first_after(r, p, n, now - window)
    if first == p + n:
        return FOREVER
    return int(r[first] + window) if k != k else first_flip(r, f, p, first, n, window, k, how)


@dataclass(frozen=True)
class Within(Accumulator):
    """``{sum: total, of: Order Completed, within: 30d, last: 16}``; also ``mean``, ``min``, ``max``."""

    word: ClassVar[str] = "sum"
    how: str
    path: str
    of: tuple[str, ...]
    window: int
    last: int = 16
    kind: Kind = Kind.NUMBER

    def columns(self) -> tuple[Column, ...]:
        return pairs(self.last, 0.0, real=True)

    def identity(self) -> str:
        return repr(replace(self, last=0))

    def constants(self) -> tuple[Constant, ...]:
        return (self.last, self.window, WORDS[self.how])

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold, "number", self.path, (self.last,)) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(self.kind, Shape.STEPS, value, until)}
