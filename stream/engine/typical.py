"""Who is typical of a cluster: the members nearest to its centre, as of the shard's clock."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.engine.cluster_evidence import scaled_by, told
from stream.engine.rows import Rows

if TYPE_CHECKING:
    from stream.engine.shard import Shard

#: Of a larger cluster so many members are looked at, evenly from among all.
LOOKED_AT = 20_000
#: So many are looked at in one part.
SLICE = 500
#: The most that are told.
MOST = 100


def typical_of(shard: Shard, segment: str, most: int) -> Iterator[list[dict[str, Any]] | None]:
    """At most ``most`` members (100 at most), nearest first: ``customer``, ``distance`` in scaled space, ``vector`` by
    the names of its parts.  Nothing where there is no such cluster in force, or nobody in it.

    In small parts: None after each of them, what was found at the end.  The shard may go on between two of them: each
    member is as it was when it was looked at, who left the cluster is passed over, and where another version or other
    definitions came into force meanwhile, it begins anew.
    """
    found: list[_Seen] | None = None
    while found is None:
        model, plan, j = shard.versions.model(0), shard.plan, shard.plan.learned
        if model is None or j is None or segment not in model.segments or shard.clock_ms is None:
            break
        place, column = model.places[list(model.segments).index(segment)], plan.layout.segment[j]
        members = np.flatnonzero(shard.rows.table.ints[: len(shard.rows), column] == place)
        picks, found = members[:: 1 + len(members) // LOOKED_AT], []
        for start in range(0, len(picks), SLICE):
            found = sorted(found + _seen(shard, picks[start : start + SLICE], place, column), key=_distance)[:MOST]
            yield None
            if shard.versions.model(0) is not model or shard.plan is not plan:
                found = None
                break
    yield [
        {
            "customer": one.key.decode("utf-8", "replace"),
            "distance": told(one.distance),
            "vector": {part: told(float(x)) for part, x in zip(shard.plan.vector, one.vector, strict=True)},
        }
        for one in (found or [])[: max(0, min(most, MOST))]
    ]


class _Seen(NamedTuple):
    key: bytes
    distance: float
    vector: NDArray[np.float64]


def _distance(one: _Seen) -> float:
    return one.distance if one.distance == one.distance else math.inf


def _seen(shard: Shard, picks: NDArray[np.int64], place: int, column: int) -> list[_Seen]:
    """The nearest of these rows that are in the cluster now, as of the shard's clock."""
    rows, slots, clock = shard.rows, shard.versions.slots, shard.clock_ms
    picks = picks[picks < len(rows)]
    picks = picks[rows.table.ints[picks, column] == place]
    vectors = vectors_of(rows, slots, picks, 0 if clock is None else clock)
    scaled = scaled_by(vectors, slots.mean[0], slots.scale[0])
    distances = np.sqrt(np.square(scaled - slots.centroids[0, place]).sum(axis=1))
    nearest = np.argsort(distances, kind="stable")[:MOST].tolist()
    return [_Seen(rows.keys[picks[k]], float(distances[k]), vectors[k]) for k in nearest]


def vectors_of(rows: Rows, models: Any, picks: NDArray[np.int64], now: int) -> NDArray[np.float64]:
    """The vectors of the learned dimension, of these rows, as of an instant."""
    plan = rows.plan
    into = np.empty((len(picks), len(plan.measures) + len(plan.vector)))
    plan.kernels.measure(rows.table, rows.bags, models, picks, now, into)
    return into[:, len(plan.measures) :]
