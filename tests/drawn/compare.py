"""The engine's changes of a history, as the oracle tells them, and whether both agree."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import assume, note

from stream.engine.change import Change, shown
from stream.features.base import Kind
from stream.plan.plan import Plan
from stream.plan.problems import DefinitionError
from tests.drawn.conditions import cut_at
from tests.drawn.features import WORDS, Unit
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
) -> list[tuple[Move, dict[str, Any]]]:
    """What the oracle says, by customer and in each one's order, with the values of the features."""
    oracle = Oracle(made, cut_at, disorder)
    oracle.run(by_topic(history), until)
    return sorted(zip(oracle.moves, oracle.evidence, strict=True), key=lambda told: told[0].customer)


def check(made: Sequence[Mapping[str, Any]], history: Sequence[Happened], until: int, disorder: int = 0) -> Driver:
    """The engine and the oracle agree, change by change, and about the evidence."""
    driver = driven(made, history, until, disorder=disorder).finish()
    told = expected(made, history, until, disorder)
    assert moves(driver.changes) == [move for move, _ in told]
    kinds = {
        (d.name, f"{ref.feature}.{ref.view}" if ref.view else ref.feature): ref.kind
        for d, refs in zip(driver.plan.definitions.dimensions, driver.plan.evidence, strict=True)
        for ref in refs
    }
    ordered = sorted(driver.changes, key=lambda c: (c.subject, c.sequence))
    for change, (_, values) in zip(ordered, told, strict=True):
        assert change.evidence.keys() - {"event"} == values.keys()
        for name, value in values.items():
            found, wanted = change.evidence[name], as_shown(value, kinds[change.dimension, name])
            assert alike(name, found, wanted), (change, name, found, wanted)
    assert driver.counts.balanced()
    _stays_add_up(driver.plan, ordered)
    return driver


def _stays_add_up(plan: Plan, ordered: Sequence[Change]) -> None:
    """A stay lasts from change to change; away is who was there before, of the segments that rows keep that of."""
    names = {(j, d.name): d.segment_names for j, d in enumerate(plan.definitions.dimensions)}
    kept = {(d, segments[code]) for (j, d), segments in names.items() for at, code in plan.layout.left if at == j}
    entered: dict[tuple[str, str], int] = {}
    left: dict[tuple[str, str, str | None], int] = {}
    for change in ordered:
        place = change.subject, change.dimension
        stayed = None if change.from_segment is None else change.at_ms - entered[place]
        gone = left.get((*place, change.to_segment)) if (change.dimension, change.to_segment) in kept else None
        away = None if gone is None else change.at_ms - gone
        assert (change.stayed_ms, change.away_ms) == (stayed, away), change
        entered[place] = left[*place, change.from_segment] = change.at_ms


def as_shown(value: Any, kind: Kind) -> Any:
    """The oracle's value as evidence tells it: amounts in whole units, a list by how many texts it has."""
    match kind:
        case Kind.TEXT:
            return value or None
        case Kind.TEXTS:
            return None if value is None else len(value)
        case Kind.MONEY:
            return value
        case _:
            return shown(float("nan") if value is None else value, kind)


def alike(name: str, found: Any, wanted: Any) -> bool:
    """Equal but for rounding; a count that is kept no further than it is asked tells no more than that."""
    if isinstance(found, str) or isinstance(wanted, str) or found is None or wanted is None:
        return bool(found == wanted)
    capped = Unit.CAPPED in WORDS[name.partition(".")[0].rstrip("0123456789")].views.values()
    return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9) or (capped and 0 < found < wanted)
