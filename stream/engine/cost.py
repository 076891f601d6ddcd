"""What a customer costs at rest, and what each dimension has to do with it: measured on rows as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.engine import rest
from stream.engine.layouts import shape_of
from stream.engine.rows import Rows
from stream.features.told import Told
from stream.plan import header
from stream.plan.layout import Layout
from stream.plan.packed import SKIPPED, Shape
from stream.plan.plan import Plan


@dataclass(frozen=True)
class DimensionCost:
    """One dimension: its columns, how many of them no other dimension uses, and the events that feed its features.

    ``alone``: the bytes that a customer would take if there were only this dimension, beyond what every row has;
    ``adds``: the bytes that would be saved without it.  Both are medians over the customers; the first is greater
    where dimensions share features, or instants.
    """

    name: str
    columns: int
    own: int
    alone: float
    adds: float
    events: tuple[str, ...]


@dataclass(frozen=True)
class Cost:
    """``sizes``: bytes of each customer's record at rest, key and value; ``plain``: bytes of a row in memory;
    ``common``: the bytes (median) of a record that have to do with no dimension."""

    sizes: NDArray[np.int64]
    plain: int
    common: float
    dimensions: tuple[DimensionCost, ...]


def cost_of(rows: Rows) -> Cost:
    """The cost of these rows under their plan; there must be some."""
    plan, layout = rows.plan, rows.plan.layout
    whole = _packed(rows, shape_of(layout))
    every = columns_of_all(layout)
    base = _packed(rows, _only(layout, every))
    uses = [columns_of(plan, j) for j in range(len(plan.definitions.dimensions))]
    found = []
    for j, dimension in enumerate(plan.definitions.dimensions):
        others = set().union(*(columns for k, columns in enumerate(uses) if k != j))
        alone = _packed(rows, _only(layout, every | uses[j])) - base
        adds = whole - _packed(rows, _only(layout, every | others))
        events = sorted({name for a in dimension.accumulators for name in a.reactions()})
        found.append(
            DimensionCost(
                dimension.name,
                len(uses[j]),
                len(uses[j] - others),
                float(np.median(alone)),
                float(np.median(adds)),
                tuple(events),
            )
        )
    outside = np.array([len(rest.ROW) + len(key) for key in filter(None, rows.keys)]) + rest.MARK_BYTES
    return Cost(whole + outside, layout.width * 8, float(np.median(base + outside)), tuple(found))


def columns_of_all(layout: Layout) -> set[int]:
    """The columns that every row has, whatever the dimensions are."""
    told = {column for a, p in layout.base.items() if isinstance(a, Told) for column in range(p, p + a.last)}
    return set(range(header.WIDTH)) | told


def columns_of(plan: Plan, j: int) -> set[int]:
    """The columns that the j-th dimension uses, beyond those of every row."""
    layout = plan.layout
    found = {layout.segment[j], layout.entered[j]}
    found |= {column for k, column in layout.before.items() if k == j}
    found |= {column for (k, _), column in layout.left.items() if k == j}
    for accumulator in plan.definitions.dimensions[j].accumulators:
        p = layout.base[accumulator]
        found |= set(range(p, p + len(accumulator.columns())))
    return found


def _only(layout: Layout, columns: set[int]) -> Shape:
    """The shape in which only these columns are written."""
    shape = shape_of(layout)
    kinds = shape.kinds.copy()
    kinds[[c for c in range(layout.width) if c not in columns]] = SKIPPED
    return Shape(kinds, shape.blank, np.array([p for p in layout.bags if p in columns], np.int64))


def _packed(rows: Rows, shape: Shape) -> NDArray[np.int64]:
    """The bytes of each row in this shape."""
    _, ends = rest.pack(rows, rows.living(), shape)
    return np.diff(ends, prepend=0)
