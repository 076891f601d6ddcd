"""How many different values of a property came, ever or in a sliding window.

The values seen last are kept, each with the instant at which it was seen for the last time: one more than the
definitions ask for, which is exact up to there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stream.features import count_within
from stream.features.base import FOREVER, NEVER, NO_TEXT, Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.calendar import Local
from stream.features.kept import keep, pairs


def fold(r: Any, f: Any, p: int, t: int, x: int, n: int) -> None:
    """Keep the n values seen last; one that is kept already moves up."""
    if x == NO_TEXT:
        return
    k = p + n - 1
    while k >= p and (r[k] == NEVER or r[k + n] != x):
        k -= 1
    if k >= p:
        if t <= r[k]:
            return
        while k > p:
            r[k] = r[k - 1]
            r[k + n] = r[k - 1 + n]
            k -= 1
        r[p] = NEVER
        r[p + n] = 0
    keep(r, p, n, t, x)


@dataclass(frozen=True)
class Distinct(Accumulator):
    """``{distinct: category, of: Product Viewed, within: 30d, up_to: 10}``.

    ``paths``: event name -> what is read of it (:class:`stream.features.base.Reaction`).
    """

    word: ClassVar[str] = "distinct"
    paths: tuple[tuple[str, str], ...]
    zone: Local
    window: int = FOREVER
    up_to: int | None = None

    @property
    def _n(self) -> int:
        """One more than is asked for, so that "exactly n" can be told from "more"."""
        return (self.up_to or 0) + 1

    def columns(self) -> tuple[Column, ...]:
        return pairs(self._n)

    def identity(self) -> str:
        return repr(replace(self, up_to=None))

    def constants(self) -> tuple[Constant, ...]:
        return (self._n, self.window)

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold, "text", path, (self._n,), zone=self.zone) for name, path in self.paths}

    def views(self) -> dict[str, View]:
        if self.window == FOREVER:
            return {"": View(Kind.NUMBER, Shape.CONSTANT, count_within.value)}
        return {"": View(Kind.NUMBER, Shape.STEPS, count_within.value, count_within.until)}

    def needs_threshold(self) -> bool:
        return self.up_to is None

    def counts_to(self) -> int | None:
        return self.up_to

    def with_threshold(self, k: int) -> Accumulator:
        return replace(self, up_to=k)
