"""How a shard goes from one version of what is published to the next: who moves when, and what has to happen before.

A version holds from its effective instant on, for everyone at that instant; the rows move to it in bounded slices, over
as many steps as that takes.  Definitions need a plan of their own: the shard waits for it, then maps its rows to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream.engine.adopt import adopt_rows
from stream.engine.backfill import Backfill
from stream.engine.layouts import describe_layout
from stream.engine.output import Output
from stream.engine.plans import definitions_of, differing
from stream.engine.slices import Slices
from stream.engine.versions import DefinitionsVersion
from stream.errors import UserError
from stream.features.base import FOREVER, NEVER
from stream.plan import header
from stream.plan.plan import Plan

if TYPE_CHECKING:
    from stream.engine.shard import Shard

#: Rows that are looked through at once for those that have yet to move to a version.
SCAN = 1 << 16


class Switching:
    """The moves of one shard's customers from version to version."""

    def __init__(self, shard: Shard) -> None:
        self.shard, self.versions = shard, shard.versions
        #: Published definitions that are in force by now, but not compiled or filled yet: the shard waits for them.
        self.compiling: DefinitionsVersion | None = None
        self._scanned = (0, 0)

    def floor(self) -> int:
        """What time has come to for everyone: the clock, or the definitions whose plan was adopted."""
        clock = self._clock
        if self.versions.slots.cause[1] == header.DEFINITION and self.versions.coming < FOREVER:
            return max(clock, self.versions.coming)
        return clock

    def moved_until(self) -> int:
        """The instant up to which nobody moves any more: the clock, or, once some have moved to the version that comes
        before the clock came to it, that version's."""
        if self.versions.coming < FOREVER:
            places = self.shard.rows.table.ints[: len(self.shard.rows), header.VERSION]
            if (places == self.versions.slots.version[1]).any():
                return max(self._clock, self.versions.coming)
        return self._clock

    @property
    def _clock(self) -> int:
        return NEVER if self.shard.clock_ms is None else self.shard.clock_ms

    def met_version(self, limit: int, out: Output) -> Slices[bool]:
        """Where the next record carries a version: all that time has brought before it has happened.  So what a version
        that is late finds does not depend on batches.  Whether that is done."""
        shard = self.shard
        if shard.merge.begun is not None:
            return True
        key = shard.merge.version_key(self.versions.crowded_at)
        if key is None:
            return True
        if key - shard.disorder > self._clock:
            shard.clock_ms = key - shard.disorder
        if shard.clock_ms is None:
            return True
        if not (yield from self.caught_up(limit, out)):
            return False
        while self.versions.coming <= shard.clock_ms:  # deadlines that a move brings are only known after it
            if not (yield from self.switch(shard.clock_ms, limit, out)):
                return False
        due = shard.rows.due(shard.clock_ms)
        if len(due):
            yield from shard.judge.firing(due[:limit], shard.clock_ms, out)
        return len(due) <= limit

    def caught_up(self, limit: int, out: Output) -> Slices[bool]:
        """Whether no version is behind the clock that others must make way for."""
        shard = self.shard
        while shard.clock_ms is not None and self.versions.crowded_at <= shard.clock_ms:
            if not (yield from self.make_way(limit, out)):
                return False
        return True

    def make_way(self, limit: int, out: Output) -> Slices[bool]:
        """Bring everyone to what holds before the next version: the version before it, and, for definitions, up to
        their instant, then adopt their plan.  Whether that is done; else the rest follows in the next step."""
        versions, shard = self.versions, self.shard
        if versions.coming < FOREVER:
            return (yield from self.switch(versions.coming, limit, out))
        entry = versions.awaited
        if entry is None or not isinstance(entry.version, DefinitionsVersion):
            return True
        due = shard.rows.due(entry.effective - 1)
        if len(due):
            yield from shard.judge.firing(due[:limit], entry.effective - 1, out)
            if len(due) > limit:
                return False
        return (yield from self._go_over(entry.version, out))

    def _go_over(self, version: DefinitionsVersion, out: Output) -> Slices[bool]:
        """Adopt the plan of these definitions, or wait for it.  True where they have none and are passed over."""
        plans = self.shard.plans
        try:
            plan = plans.plan_of(version) if plans is not None else None
        except UserError:
            plan, refused = None, True
        else:
            refused = plans is None
        if refused:
            self.versions.refuse()
            self.compiling = None  # it was waited for, and found to have no plan
            return True
        backfill = None
        if plan is not None and plans is not None and version.backfilled:
            backfill = plans.backfill_of(version, self.shard.partition)
            plan = None if backfill is None else plan
        self.compiling = version if plan is None else None
        if plan is None:
            return False
        yield from self.shard.memory.write_rows(out)
        self.adopt(plan, backfill)
        return False  # what else this step would bring is of another plan

    def adopt(self, plan: Plan, backfill: Backfill | None = None) -> None:
        """Go over to the plan of the definitions that are next in the chain of versions, or, where none are, to that of
        definitions that hold from now on.  Rows are mapped at once; customers move by later steps, in slices.

        What the rows do not have comes from ``backfill``, where it is given, else it starts empty.
        """
        shard, versions = self.shard, self.versions
        concerns = differing(plan, definitions_of(shard.plan))
        before = describe_layout(shard.plan)
        if versions.awaited is None:
            versions.redefined(plan, concerns, max(self._clock, shard.position))
        else:
            versions.adopt(plan, concerns)
        rows = adopt_rows(shard.rows, plan)
        if backfill is not None:
            backfill.fill(rows, before, versions.chain[0].effective, int(versions.slots.version[0]))
        shard.memory.adopted(versions.chain[0], rows, before, backfill)
        shard.go_by(plan, rows)

    def switch(self, upto: int, limit: int, out: Output) -> Slices[bool]:
        """Who is still judged by the former version moves to the next, ``limit`` rows at a time; whether all have."""
        slots, rows, judge = self.versions.slots, self.shard.rows, self.shard.judge
        version, column = int(slots.version[1]), rows.table.ints[: len(rows), header.VERSION]
        start = self._scanned[1] if self._scanned[0] == version else 0
        if slots.moves[1] == 0:  # it concerns no dimension; what was due before it is told by the one before it
            due = rows.due(self.versions.coming - 1)
            yield from judge.firing(due[:limit], self.versions.coming - 1, out)
            if len(due) > limit:
                return False
            column[start:] = version
            start = len(column)
        while limit > 0 and start < len(column):
            found = start + np.flatnonzero(column[start : start + SCAN] != version)
            yield from judge.firing(found[:limit], upto, out)
            start = int(found[limit - 1]) + 1 if len(found) >= limit else start + SCAN
            limit -= len(found)
        self._scanned = (version, start)
        if start < len(column):
            return False
        self.versions.promote()
        return True

    def redefined(self, concerns: list[str], now: int) -> None:
        """Definitions that were not published, but changed while the shard was closed, are in force from ``now`` on."""
        self.versions.redefined(self.shard.plan, concerns, now)
        self.shard.memory.redefined(self.versions.chain[0], self.shard.plan.layout)
