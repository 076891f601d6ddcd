"""A feature that hears only of events whose properties pass a filter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from stream.features.base import Accumulator, Column, Constant, Reaction, View
from stream.features.filter import Filter


@dataclass(frozen=True)
class Where(Accumulator):
    """``{count: Order Completed, where: total >= 50}``: any other feature, behind a filter.

    Events that only mark a time for it (``after``) are not filtered.
    """

    word: ClassVar[str] = "where"
    of: Accumulator
    where: Filter

    def columns(self) -> tuple[Column, ...]:
        return self.of.columns()

    def reactions(self) -> dict[str, Reaction]:
        found = self.of.reactions()
        return {name: replace(r, where=self.where) if r.filtered else r for name, r in found.items()}

    def views(self) -> dict[str, View]:
        return self.of.views()

    def constants(self) -> tuple[Constant, ...]:
        return self.of.constants()

    def identity(self) -> str:
        return f"{self.of.identity()} where {self.where!r}"

    def needs_threshold(self) -> bool:
        return self.of.needs_threshold()

    def counts_to(self) -> int | None:
        return self.of.counts_to()

    def with_threshold(self, k: int) -> Accumulator:
        return replace(self, of=self.of.with_threshold(k))
