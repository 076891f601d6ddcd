"""A rate that forgets: every event adds one, and what was added halves every half-life."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from stream.features.base import FOREVER, NEVER, Accumulator, Column, Constant, Kind, Reaction, Shape, View


def fold(r: Any, f: Any, p: int, t: int, half_life: float) -> None:
    """Columns: the value at the latest instant, that instant.  A late event adds what is left of it by then."""
    if r[p + 1] == NEVER:
        f[p] = 1.0
        r[p + 1] = t
    elif t >= r[p + 1]:
        f[p] = f[p] * 2.0 ** ((r[p + 1] - t) / half_life) + 1.0
        r[p + 1] = t
    else:
        f[p] += 2.0 ** ((t - r[p + 1]) / half_life)


def value(r: Any, f: Any, p: int, now: int, half_life: float) -> float:
    """The decayed rate at ``now``."""
    if r[p + 1] == NEVER:
        return 0.0
    return float(f[p] * 2.0 ** ((r[p + 1] - now) / half_life))


def until(r: Any, f: Any, p: int, now: int, k: float, half_life: float) -> int:
    """Closed form: k is reached half_life * log2(value / k) after the latest event; the plan refines it to the ms."""
    if r[p + 1] == NEVER or k <= 0.0:
        return FOREVER
    if k != k:
        return now + 1
    if f[p] < k:
        return FOREVER
    x = r[p + 1] + half_life * math.log2(f[p] / k)
    if x >= FOREVER:
        return FOREVER
    return max(int(x), now + 1) if x > now - 2 else FOREVER


@dataclass(frozen=True)
class Decay(Accumulator):
    """``{rate: Product Viewed, half_life: 7d}``."""

    word: ClassVar[str] = "rate"
    of: tuple[str, ...]
    half_life: int

    def columns(self) -> tuple[Column, ...]:
        return (Column("rate", 0.0, real=True), Column("at", NEVER))

    def constants(self) -> tuple[Constant, ...]:
        return (float(self.half_life),)

    def reactions(self) -> dict[str, Reaction]:
        return {name: Reaction(fold, constants=(float(self.half_life),)) for name in self.of}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.NUMBER, Shape.SMOOTH, value, until)}
