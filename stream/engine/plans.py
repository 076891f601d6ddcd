"""From one set of definitions to another: which dimensions differ, and what was decoded for the former ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from stream.engine.backfill import Backfill
from stream.engine.versions import DefinitionsVersion
from stream.events.batch import Batch
from stream.plan.plan import Plan


class Decoder(Protocol):
    """Turns records into a batch; :class:`stream.events.decode.Decoder` is one."""

    def decode(self, topic: str, partition: int, records: Sequence[Any], lo: int, hi: int) -> Batch: ...


class Plans(Protocol):
    """What a shard asks for when published definitions take effect.

    ``plan_of`` gives their plan, or None while it is being compiled (the shard waits), or raises
    :class:`stream.errors.UserError` for definitions that have none (the shard goes on without them); the same version
    always gets the same answer but for None.  ``decoder_of`` gives what decodes for a plan.  ``backfill_of`` gives the
    rows that fill the new features of definitions that say so, or None while they are being rebuilt (the shard waits).
    """

    def plan_of(self, version: DefinitionsVersion) -> Plan | None: ...
    def decoder_of(self, plan: Plan) -> Decoder: ...
    def backfill_of(self, version: DefinitionsVersion, partition: int) -> Backfill | None: ...


def definitions_of(plan: Plan) -> dict[str, str]:
    """Dimension -> ``name@hash`` of its definition."""
    return {d.name: d.version for d in plan.definitions.dimensions}


def differing(plan: Plan, before: Mapping[str, str]) -> list[str]:
    """The dimensions that ``before`` had not, or had otherwise.  Those that speak of their segments follow by
    themselves when a segment changes."""
    return [name for name, version in definitions_of(plan).items() if before.get(name) != version]


@dataclass(frozen=True, slots=True)
class _Blank:
    """A record that says nothing."""

    offset: int = 0
    key: bytes | None = None
    value: bytes | None = None
    timestamp: int | None = None


def decoded_again(batch: Batch, decoder: Decoder) -> Batch:
    """The batch as another plan reads it: the same records at the same places in time."""
    blank = not batch.records
    records = [_Blank()] * len(batch) if blank else batch.records
    found = decoder.decode(batch.topic, batch.partition, records, batch.lo, batch.hi)
    found.offsets, found.keys, found.at_ms = batch.offsets, batch.keys, batch.at_ms
    if blank:  # made by hand, as versions are in a replay
        found.codes, found.instants, found.timestamps = batch.codes, batch.instants, batch.timestamps
        found.controls, found.dead, found.records = batch.controls, batch.dead, batch.records
    return found
