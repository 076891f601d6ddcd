"""What becomes of one customer if nothing comes: their deadlines fired on a copy of the row, by the same kernels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stream.engine.change import Change
from stream.engine.judge import Judge
from stream.engine.models import Versions
from stream.engine.output import Output
from stream.engine.rows import Rows
from stream.engine.slices import drained
from stream.features import pool
from stream.features.base import FOREVER
from stream.plan import header
from stream.plan.plan import Plan

#: How far ahead is looked where nobody says otherwise: 400 days, so that what comes once a year is seen.
HORIZON_MS = 400 * 86_400_000
#: The farthest that can be asked for: a hundred years.
LONGEST_MS = 36_500 * 86_400_000
#: Looking ends after so many deadlines, or changes: a customer who changes at every instant is not followed for a year.
MOST_LOOKS, MOST_CHANGES = 20_000, 1_000


@dataclass
class Ahead:
    """Changes to come of each dimension, soonest first, and the instant up to which was looked."""

    changes: dict[str, list[Change]]
    upto: int


class Scratch:
    """A copy of one row with its bags, alone in a table of its own: what is done to it happens to nobody."""

    def __init__(self, plan: Plan, rows: Rows, versions: Versions, i: int) -> None:
        self.plan = plan
        self.rows = Rows(plan, capacity=1)
        self.rows.names, self.rows.texts = rows.names, rows.texts
        self.rows.find([rows.keys[i]])
        table = self.rows.table
        table.counters[header.LIFETIME] = rows.table.counters[header.LIFETIME]
        table.ints[0] = rows.table.ints[i]
        table.expiry[0] = rows.table.expiry[i]
        table.deadline[0] = rows.table.deadline[i]
        self._copy_bags(rows, i)
        self.versions = versions
        #: When the customer was forgotten, by the time that has passed here.
        self.forgotten: int | None = None
        self._judge = Judge(plan, self.rows, versions, 0, None)

    def _copy_bags(self, rows: Rows, i: int) -> None:
        own = self.rows.table.ints[0]
        for p in self.plan.layout.bags:
            saved, e = [], int(own[p + pool.HEAD])
            while e != pool.NONE:
                saved.append(rows.bags.entries[e, : pool.SAVED])
                e = int(rows.bags.entries[e, pool.NEXT])
            own[p + pool.HEAD], own[p + pool.SIZE] = pool.NONE, 0
            self.rows.make_room(len(saved))
            for entry in saved:
                e = pool.take(self.rows.bags)
                self.rows.bags.entries[e, : pool.SAVED] = entry
                pool.link(self.rows.bags, own, p, 0, e)

    def pass_time(self, upto: int) -> list[Change]:
        """The changes that the row's own deadlines make up to and including an instant."""
        out = Output()
        drained(self._judge.firing(np.zeros(1, np.int64), upto, out))
        self.forgotten = next((one.at_ms for one in out.forgotten), self.forgotten)
        return list(out.changes)

    def next_due(self) -> int:
        """When the row is judged next: at its own deadline, or where it moves to the version to come."""
        slots, row = self.versions.slots, self.rows.table.ints[0]
        moved = row[header.VERSION] == slots.version[1]
        return min(int(self.rows.table.deadline[0]), FOREVER if moved else int(slots.effective[1]))

    def ahead(self, now: int, horizon: int, most: int) -> Iterator[Ahead | None]:
        """The next changes of each dimension after ``now``, at most ``most``, within ``horizon`` ms.

        Comes last; before it, None after every look.
        """
        found: dict[str, list[Change]] = {d.name: [] for d in self.plan.definitions.dimensions}
        made = 0
        for _ in range(MOST_LOOKS):
            due = self.next_due()
            if due > now + horizon or self.forgotten is not None:
                due = now + horizon
                break
            for change in self.pass_time(due):
                made += 1
                if len(found[change.dimension]) < most:
                    found[change.dimension].append(change)
            if made >= MOST_CHANGES or all(len(changes) == most for changes in found.values()):
                break
            yield None
        yield Ahead(found, due)
