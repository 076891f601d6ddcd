"""Which orders a customer has told: an order that comes twice under two message ids counts once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from stream.features.base import NO_TEXT, Accumulator, Column, Reaction, View


def fold(r: Any, f: Any, p: int, t: int, key: int, n: int) -> None:
    """Remember the n keys that came last, the latest first; an event without one is not remembered."""
    if key == NO_TEXT:
        return
    for k in range(p + n - 1, p, -1):
        r[k] = r[k - 1]
    r[p] = key


def known(r: Any, p: int, key: int, n: int) -> bool:
    """Whether the key is among them."""
    found = False
    for k in range(p, p + n):
        found = found or r[k] == key
    return found and key != NO_TEXT


@dataclass(frozen=True)
class Told(Accumulator):
    """The ids, under the property ``by``, of the ``last`` events of this name that came last."""

    word: ClassVar[str] = "told"
    of: str
    by: str
    last: int

    def columns(self) -> tuple[Column, ...]:
        return tuple(Column(f"key-{k}", NO_TEXT, bits=True) for k in range(self.last))

    def identity(self) -> str:
        return repr(replace(self, last=0))

    def constants(self) -> tuple[int, ...]:
        return (self.last,)

    def reactions(self) -> dict[str, Reaction]:
        return {self.of: Reaction(fold, "key", self.by, (self.last,))}

    def views(self) -> dict[str, View]:
        return {}
