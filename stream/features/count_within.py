"""How often something happened in a sliding window, up to a limit.

"At least n in a window" needs only the n latest instants, so that is all that is kept: the limit is the greatest
count that the definitions ask for, plus one.  The window is (now - window, now]: an event counts from its own instant
on and stops counting exactly ``window`` later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stream.features.base import FOREVER, NEVER, Accumulator, Column, Constant, Kind, Reaction, Shape, View


def fold(r: Any, f: Any, p: int, t: int, n: int) -> None:
    """Keep the n latest instants in ascending order; an older one than all of them is not needed."""
    if t <= r[p]:
        return
    k = p
    while k < p + n - 1 and r[k + 1] < t:
        r[k] = r[k + 1]
        k += 1
    r[k] = t


def value(r: Any, f: Any, p: int, now: int, n: int, window: int) -> float:
    """How many of the kept instants lie in the window."""
    k = p + n
    while k > p and r[k - 1] + window > now:
        k -= 1
    return float(p + n - k)


def until(r: Any, f: Any, p: int, now: int, k: float, n: int, window: int) -> int:
    """When the k-th latest leaves the window; with k NaN, when the oldest inside leaves it."""
    inside = p + n
    while inside > p and r[inside - 1] + window > now:
        inside -= 1
    if inside == p + n:
        return FOREVER
    if k != k:
        return int(r[inside] + window)
    if k <= 0.0 or k > p + n - inside:
        return FOREVER
    whole = int(k)
    if whole < k:
        whole += 1
    return int(r[p + n - whole] + window)


@dataclass(frozen=True)
class CountWithin(Accumulator):
    """``{count: Order Completed, within: 30d}``."""

    word: ClassVar[str] = "count"
    of: tuple[str, ...]
    window: int
    up_to: int | None = None

    @property
    def _n(self) -> int:
        """One more than is asked for, so that "exactly n" can be told from "more"."""
        return (self.up_to or 0) + 1

    def columns(self) -> tuple[Column, ...]:
        return tuple(Column(f"latest-{self._n - 1 - i}", NEVER) for i in range(self._n))

    def identity(self) -> str:
        return repr(replace(self, up_to=None))

    def constants(self) -> tuple[Constant, ...]:
        return (self._n, self.window)

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold, constants=(self._n,)) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.NUMBER, Shape.STEPS, value, until)}

    def needs_threshold(self) -> bool:
        return self.up_to is None

    def counts_to(self) -> int | None:
        return self.up_to

    def with_threshold(self, k: int) -> Accumulator:
        return replace(self, up_to=k)
