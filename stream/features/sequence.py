"""How long ago a customer did several things one after the other within a duration.

For each step the latest few instants are kept, and with each (but those of the first step) when the latest run of steps
that leads up to it began.  So a run is found whatever happened in between; one that a late event completes is found as
long as its steps are among the latest few.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stream.events.leaf import leaf
from stream.features.base import NEVER, Accumulator, Column, Constant, Kind, Reaction, Shape, View
from stream.features.kept import instants, pairs
from stream.features.since import value


@leaf
def place(p: int, n: int, step: int) -> int:
    """The first column of a step: n instants, then (but for the first step) n beginnings."""
    return p + 1 if step == 0 else p + 1 + n + 2 * n * (step - 1)


@leaf
def put(r: Any, at: int, n: int, t: int, step: int) -> None:
    """Keep an instant of a step, if it is not kept and one of the latest."""
    if t <= r[at]:
        return
    for k in range(at, at + n):
        if r[k] == t:
            return
    k = at
    while k < at + n - 1 and r[k + 1] < t:
        r[k] = r[k + 1]
        if step:
            r[k + n] = r[k + 1 + n]
        k += 1
    r[k] = t
    if step:
        r[k + n] = NEVER


@leaf
def begin(r: Any, at: int, earlier: int, n: int, of_earlier: int) -> None:
    """Work out when the latest run up to each instant of a step began, from those of the step before."""
    for k in range(at, at + n):
        for j in range(earlier, earlier + n):
            if NEVER < r[j] < r[k]:
                r[k + n] = max(r[k + n], r[j + of_earlier])


def fold(r: Any, f: Any, p: int, t: int, mask: int, steps: int, n: int, window: int) -> None:
    """An event that plays the steps whose bits are set; the first column is when a run was last complete."""
    for step in range(steps):
        if mask >> step & 1:
            put(r, place(p, n, step), n, t, step)
    for step in range(1, steps):
        begin(r, place(p, n, step), place(p, n, step - 1), n, 0 if step == 1 else n)
    last = place(p, n, steps - 1)
    for k in range(last, last + n):
        if r[k + n] != NEVER and r[k] - r[k + n] <= window:
            r[p] = max(r[p], r[k])


@dataclass(frozen=True)
class Sequence(Accumulator):
    """``{sequence: [Product Viewed, Product Added, Order Completed], within: 7d, last: 4}``.

    Each step is later than the one before; the last is at most ``within`` after the first.
    """

    word: ClassVar[str] = "sequence"
    steps: tuple[tuple[str, ...], ...]
    window: int
    last: int = 4

    def columns(self) -> tuple[Column, ...]:
        later = [
            replace(c, name=f"{c.name} of {k}") for k in range(1, len(self.steps)) for c in pairs(self.last, NEVER)
        ]
        return (Column("complete", NEVER), *instants(self.last), *later)

    def identity(self) -> str:
        return repr(replace(self, last=0))

    def reactions(self) -> dict[str, Reaction]:
        masks: dict[str, int] = {}
        for k, names in enumerate(self.steps):
            for name in names:
                masks[name] = masks.get(name, 0) | 1 << k
        rest: tuple[Constant, ...] = (len(self.steps), self.last, self.window)
        return {name: Reaction(fold, constants=(mask, *rest)) for name, mask in masks.items()}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.DURATION, Shape.LINEAR, value)}
