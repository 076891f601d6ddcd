"""When a shard tells of its customers, and what.  Pure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stream.cuts.summary import ShardSummary, summarize_shard
from stream.engine.shard import Shard
from stream.features.base import NEVER
from stream.plan.plan import Plan


class Pace:
    """Says when summaries of a shard are due: each time its clock passes a multiple of ``every`` ms, when its
    definitions have changed, and at the first look where the newest version is from before the latest multiple.

    ``kind``: of the versions that are learned from them (:func:`stream.engine.models.kind_of`); ``asks``: whether a
    plan goes by any.
    """

    def __init__(
        self, every: int, kind: str = "cuts", asks: Callable[[Plan], bool] = lambda plan: bool(plan.cuts)
    ) -> None:
        self._every, self._kind, self._asks = every, kind, asks
        self._plan: Plan | None = None
        self._passed = 0

    def due(self, shard: Shard) -> bool:
        """Whether they are due now; then they count as taken."""
        if shard.clock_ms is None or not self._asks(shard.plan):
            return False
        passed = shard.clock_ms // self._every
        if self._plan is None:
            due = shard.versions.newest.get(self._kind, (0, NEVER))[1] < passed * self._every
        else:
            due = self._plan is not shard.plan or passed > self._passed
        self._plan, self._passed = shard.plan, passed
        return due


def measure(shard: Shard, now: int) -> NDArray[np.float64]:
    """Every measure of every customer of a shard (n, measures) as it will be at ``now`` (event time in ms) if nothing
    happens until then; NaN where the customer does not count."""
    rows = shard.rows.living()
    into = np.full((len(rows), len(shard.plan.measures)), np.nan)
    shard.plan.kernels.measure(shard.rows.table, shard.rows.bags, shard.versions.slots, rows, now, into)
    return into


def tell(shard: Shard, lead: int) -> ShardSummary:
    """The summaries of a shard, measured for the instant ``lead`` ms from its clock, when cuts learned from them take
    effect: what grows with time alone is then where it was when it was cut."""
    clock = shard.clock_ms or 0
    return summarize_shard(shard.partition, clock, shard.plan.measures, shard.plan.cuts, measure(shard, clock + lead))
