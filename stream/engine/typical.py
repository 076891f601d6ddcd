"""Who is typical of a cluster: the members nearest to its centre, as of the shard's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stream.engine.cluster_evidence import scaled_by, told
from stream.engine.rows import Rows

if TYPE_CHECKING:
    from stream.engine.shard import Shard

#: Of a larger cluster so many members are looked at, evenly from among all.
LOOKED_AT = 20_000
#: The most that are told.
MOST = 100


def typical_of(shard: Shard, segment: str, most: int) -> list[dict[str, Any]]:
    """At most ``most`` members (100 at most), nearest first: ``customer``, ``distance`` in scaled space, ``vector`` by
    the names of its parts.  Nothing where there is no such cluster in force, or nobody in it."""
    model, j = shard.versions.model(0), shard.plan.learned
    if model is None or j is None or segment not in model.segments or shard.clock_ms is None:
        return []
    rows, place = shard.rows, model.places[list(model.segments).index(segment)]
    members = np.flatnonzero(rows.table.ints[: len(rows), shard.plan.layout.segment[j]] == place)
    picks = members[:: 1 + len(members) // LOOKED_AT]
    vectors = vectors_of(rows, shard.versions.slots, picks, shard.clock_ms)
    slots = shard.versions.slots
    scaled = scaled_by(vectors, slots.mean[0], slots.scale[0])
    distances = np.sqrt(np.square(scaled - slots.centroids[0, place]).sum(axis=1))
    nearest = np.argsort(distances, kind="stable")[: max(0, min(most, MOST))].tolist()
    return [
        {
            "customer": rows.keys[picks[k]].decode("utf-8", "replace"),
            "distance": told(float(distances[k])),
            "vector": {part: told(float(x)) for part, x in zip(shard.plan.vector, vectors[k], strict=True)},
        }
        for k in nearest
    ]


def vectors_of(rows: Rows, models: Any, picks: NDArray[np.int64], now: int) -> NDArray[np.float64]:
    """The vectors of the learned dimension, of these rows, as of an instant."""
    plan = rows.plan
    into = np.empty((len(picks), len(plan.measures) + len(plan.vector)))
    plan.kernels.measure(rows.table, rows.bags, models, picks, now, into)
    return into[:, len(plan.measures) :]
