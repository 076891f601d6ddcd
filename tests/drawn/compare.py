"""The engine's changes of a history, as the oracle tells them, and whether both agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import assume, note

from stream.engine.change import Change
from stream.plan.plan import Plan
from stream.plan.problems import DefinitionError
from tests.drawn.conditions import cut_at
from tests.drawn.histories import by_topic, on_wire
from tests.oracle import Happened, Move, Oracle
from tests.shards import Driver, logs, plan_of


def planned(made: Sequence[Mapping[str, Any]]) -> Plan:
    """The plan, or no example where the language refuses a comparison for a stated reason."""
    try:
        return plan_of(*made)
    except DefinitionError as error:
        note(str(error))
        assume("cannot be worked out" not in str(error))
        raise


def moves(changes: Iterable[Change]) -> list[Move]:
    """Changes as the oracle writes them, by customer and in each one's order."""
    ordered = sorted(changes, key=lambda c: (c.subject, c.sequence))
    return [Move(c.subject, c.dimension, c.from_segment, c.to_segment, c.at_ms, c.cause) for c in ordered]


@dataclass
class Cutting(Driver):
    """A driver whose shard knows the cuts by share, also after a restart; ``unit``: what a millisecond has become."""

    unit: int = 1

    def open(self, plan: Plan | None = None) -> None:
        super().open(plan)
        for place, (measure, share) in enumerate(self.plan.cuts):
            of = measure_of(self.plan.measures[measure])
            found = cut_at(of, share, self.unit)
            unit = 1e6 if of.startswith("spend") else 1.0
            self.shard.versions.slots.cuts[:, place] = float("nan") if found is None else found * unit
        self.shard.judge.rearm()


def measure_of(measure: str) -> str:
    """What a measure is of: `dimension: expression @ ...`."""
    return measure.split(": ")[1].split(" @")[0].split(" among ")[0]


def driven(
    made: Sequence[Mapping[str, Any]],
    history: Sequence[Happened],
    until: int | None,
    *,
    disorder: int = 0,
    limit: int = 1000,
) -> Cutting:
    """A driver of these definitions over this history, nothing done yet."""
    return Cutting(planned(made), logs(map(on_wire, history), until), disorder=disorder, limit=limit)


def expected(
    made: Sequence[Mapping[str, Any]], history: Sequence[Happened], until: int, disorder: int = 0
) -> list[Move]:
    """What the oracle says, by customer and in each one's order."""
    oracle = Oracle(made, cut_at, disorder)
    return sorted(oracle.run(by_topic(history), until), key=lambda move: move.customer)


def check(made: Sequence[Mapping[str, Any]], history: Sequence[Happened], until: int, disorder: int = 0) -> Cutting:
    """The engine and the oracle agree, change by change."""
    driver = driven(made, history, until, disorder=disorder)
    driver.finish()
    assert moves(driver.changes) == expected(made, history, until, disorder)
    assert driver.counts.balanced()
    return driver
