"""What happened since another event did for the last time: how often, or sum, mean, least, greatest of a property.

Events later than the latest of the others count; where those never happened, all of them.  The latest few events are
kept, so that one of the others that comes late still divides them rightly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stream.features.base import NEVER, Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.combine import WORDS, combined
from stream.features.kept import first_after, instants, keep_instant, keep_number, pairs


def mark(r: Any, f: Any, p: int, t: int) -> None:
    """The other event; the first column keeps the latest."""
    r[p] = max(r[p], t)


def fold_count(r: Any, f: Any, p: int, t: int, n: int) -> None:
    """Keep the n latest instants."""
    keep_instant(r, p + 1, n, t)


def count(r: Any, f: Any, p: int, now: int, n: int) -> float:
    """How many of the kept are later than the other event."""
    return float(p + 1 + n - first_after(r, p + 1, n, r[p]))


def fold(r: Any, f: Any, p: int, t: int, x: float, n: int) -> None:
    """Keep the n latest; an event without the property is none."""
    if x == x:
        keep_number(r, f, p + 1, n, t, x)


def value(r: Any, f: Any, p: int, now: int, n: int, how: int) -> float:
    """What those that are later than the other event come to."""
    return combined(f, first_after(r, p + 1, n, r[p]) + n, p + 1 + 2 * n, how)


@dataclass(frozen=True)
class CountAfter(Accumulator):
    """``{count: Product Viewed, after: Order Completed, up_to: 20}``."""

    word: ClassVar[str] = "count"
    of: tuple[str, ...]
    after: tuple[str, ...]
    up_to: int | None = None

    @property
    def _n(self) -> int:
        """One more than is asked for, so that "exactly n" can be told from "more"."""
        return (self.up_to or 0) + 1

    def columns(self) -> tuple[Column, ...]:
        return (Column("after", NEVER), *instants(self._n))

    def identity(self) -> str:
        return repr(replace(self, up_to=None))

    def constants(self) -> tuple[Constant, ...]:
        return (self._n,)

    def reactions(self) -> dict[str, Reaction]:
        marks = {name: Reaction(mark, filtered=False) for name in self.after}
        return marks | {name: Reaction(fold_count, constants=(self._n,)) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.NUMBER, Shape.CONSTANT, count)}

    def needs_threshold(self) -> bool:
        return self.up_to is None

    def counts_to(self) -> int | None:
        return self.up_to

    def with_threshold(self, k: int) -> Accumulator:
        return replace(self, up_to=k)


@dataclass(frozen=True)
class After(Accumulator):
    """``{sum: price, of: Product Added, after: Order Completed, last: 16}``; also ``mean``, ``min``, ``max``."""

    word: ClassVar[str] = "sum"
    how: str
    path: str
    of: tuple[str, ...]
    after: tuple[str, ...]
    last: int = 16
    kind: Kind = Kind.NUMBER

    def columns(self) -> tuple[Column, ...]:
        return (Column("after", NEVER), *pairs(self.last, 0.0, real=True))

    def identity(self) -> str:
        return repr(replace(self, last=0))

    def constants(self) -> tuple[Constant, ...]:
        return (self.last, WORDS[self.how])

    def reactions(self) -> dict[str, Reaction]:
        marks = {name: Reaction(mark, filtered=False) for name in self.after}
        return marks | {name: Reaction(fold, "number", self.path, (self.last,)) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(self.kind, Shape.CONSTANT, value)}
