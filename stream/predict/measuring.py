"""What a shard tells of its customers' purchases, for the model of lifetimes. Pure."""

from __future__ import annotations

import numpy as np

from stream.engine.shard import Shard
from stream.plan.plan import Plan
from stream.predict.histories import Histories
from stream.predict.telling import ShardHistories, tell


def asks_for_lifetimes(plan: Plan) -> bool:
    """Whether any definition goes by the model of lifetimes."""
    return plan.lifetime is not None


def histories_of(shard: Shard) -> ShardHistories:
    """What the shard tells as of its clock; of customers it has forgotten too, unless they asked for that."""
    at, lifetime, table = shard.clock_ms or 0, shard.plan.lifetime, shard.rows.table
    if lifetime is None:
        raise ValueError("no definition of this shard goes by the model of lifetimes")
    rows = shard.rows.living()
    count, first, last = (table.ints[rows, column] for column in (lifetime.count, lifetime.first, lifetime.last))
    worth = None if lifetime.worth is None else table.floats[rows, lifetime.worth]
    return tell(shard.partition, at, lifetime.of, (count, first, last), worth, _gone(shard, lifetime.of, at))


def _gone(shard: Shard, of: str, at: int) -> Histories:
    """The histories of who was forgotten."""
    count, first, last, many = (column.astype(np.float64) for column in shard.memory.departed.columns(of))
    last = np.minimum(last, at)
    recency = np.where(count > 1, np.maximum(last - first, 0.0), 0.0)
    return Histories(count - 1.0, recency, recency + at - last, many)
