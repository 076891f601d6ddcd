"""Layouts by name, and how rows of one become rows of another: column by column, whole columns at once.

A row keeps the features that both layouts have; what is new starts empty.  Segments are told by their names: one that
the new definitions no longer have keeps its name until the customer leaves it, so that the next change can say so.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.engine.rows import Rows
from stream.features import pool
from stream.features.base import NEVER
from stream.plan import header
from stream.plan.definitions import Dimension
from stream.plan.layout import Layout
from stream.plan.packed import BITS, DATED, INSTANT, REAL, SKIPPED, WHOLE, Shape
from stream.plan.plan import Plan

#: Rows that are mapped at once: what they hold stays in the processor's cache.
BLOCK = 2048
#: Rows as :mod:`stream.plan.packing` writes them; 0: those that :mod:`stream.plan.earlier_rows` reads.
FORM = 1
#: Columns that hold the code of a segment of the dimension named behind the word.
CODED = ("segment of ", "previous of ")


class Description(msgspec.Struct, frozen=True):
    """A layout by name: its columns in order, its bags' columns, and the segments that its codes stand for.  Those of
    clusters are their places in a row, as the first release that learned called them: ``cluster-0``, ``cluster-1``, ...

    ``kinds`` and ``blank`` are what packed rows are read with (:class:`stream.plan.packed.Shape`); both are empty where
    rows were written as they are.  ``form``: how they are packed, FORM today.
    """

    columns: list[tuple[str, bool]]
    bags: list[int]
    segments: dict[str, list[str]]
    kinds: list[int] = []
    blank: list[int] = []
    form: int = 0


def decode_layout(data: bytes) -> Description:
    """A description at rest; ValueError (or msgspec's) where it is none by which rows could be read."""
    found = msgspec.json.decode(data, type=Description)
    width = len(found.columns)
    if found.kinds:
        if not len(found.kinds) == len(found.blank) == width or not all(SKIPPED <= k <= DATED for k in found.kinds):
            raise ValueError("its kinds are not those of its columns")
        if not all(-(1 << 63) <= value < 1 << 63 for value in found.blank):
            raise ValueError("what is blank does not fit")
    if not all(p >= 0 and p + pool.SIZE < width for p in found.bags):
        raise ValueError("its bags are not among its columns")
    return found


def describe_layout(plan: Plan) -> Description:
    """What a reader with other definitions needs to read rows of this plan, and to map them column by column."""
    shape = shape_of(plan.layout)
    return Description(
        [(c.name, c.real) for c in plan.layout.columns],
        list(plan.layout.bags),
        {d.name: _segments(d) for d in plan.definitions.dimensions},
        shape.kinds.tolist(),
        shape.blank.tolist(),
        FORM,
    )


def shape_of(layout: Layout) -> Shape:
    """How rows of this layout are packed."""
    blank = layout.blank()
    kinds = np.array(
        [REAL if c.real else INSTANT if b == NEVER else WHOLE for c, b in zip(layout.columns, blank, strict=True)],
        np.int8,
    )
    kinds[header.IDS : header.IDS + header.REMEMBERED] = BITS
    kinds[[k for k, c in enumerate(layout.columns) if c.bits]] = BITS
    kinds[[k for k, c in enumerate(layout.columns) if c.dated]] = DATED
    kinds[[p + pool.HEAD for p in layout.bags]] = SKIPPED
    kinds[header.CUSTOMER] = SKIPPED  # it follows from the key
    return Shape(kinds, blank, np.array(layout.bags, np.int64))


def _segments(dimension: Dimension) -> list[str]:
    """What codes stand for."""
    if dimension.learning is not None:
        return [_place(at) for at in range(dimension.learning.places)]
    return list(dimension.segment_names)


def _place(at: int) -> str:
    """What a place of a cluster in a row is called at rest, whichever cluster has it."""
    return f"cluster-{at}"


@dataclass(frozen=True)
class Mapping:
    """Where each column of a new layout comes from.

    ``source`` int64 (width): a column of the old layout, -1 for what starts empty; ``codes``: for each column that
    holds a segment's code, the new code of every old one, from -1 (none) on; ``bags``: old column of a bag -> new one.
    """

    source: NDArray[np.int64]
    codes: dict[int, NDArray[np.int64]]
    bags: dict[int, int]

    def apply(self, old: NDArray[np.int64], blank: NDArray[np.int64], into: NDArray[np.int64]) -> None:
        """Fill ``into`` (n, new width) from ``old`` (n, old width)."""
        empty = self.source < 0
        source = np.where(empty, 0, self.source)
        for start in range(0, len(old), BLOCK):
            rows = slice(start, start + BLOCK)
            block = old[rows].take(source, axis=1)
            block[:, empty] = blank[empty]
            for column, codes in self.codes.items():
                was = block[:, column] + 1
                block[:, column] = codes[np.where((was > 0) & (was < len(codes)), was, 0)]
            into[rows] = block


def mapping(old: Description, rows: Rows) -> Mapping:
    """How rows of a described layout become rows of this table; segments that its plan lacks get a code in it."""
    layout = rows.plan.layout
    sources = _Sources(old)
    source = np.array([sources.of(column.name, column.real) for column in layout.columns], np.int64)
    numbers = {d.name: j for j, d in enumerate(rows.plan.definitions.dimensions)}
    codes = {}
    for k, column in enumerate(layout.columns):
        word = next((w for w in CODED if column.name.startswith(w)), None)
        if word is None or source[k] < 0:
            continue
        name = column.name[len(word) :]
        segments = old.segments.get(name, [])
        placed = [rows.places.get((name, at)) if one == _place(at) else None for at, one in enumerate(segments)]
        named = [now or one for now, one in zip(placed, segments, strict=True)]
        found = [rows.code(numbers[name], one) if one else -1 for one in named]
        codes[k] = np.array([-1, *found], np.int64)
    bags = {int(source[p]): p for p in layout.bags if source[p] in old.bags}
    return Mapping(source, codes, bags)


class _Sources:
    """Old columns by name.  A feature of which more or less is kept now (``name#columns``) takes over what there is."""

    def __init__(self, old: Description) -> None:
        self.exact = {(name, real): k for k, (name, real) in enumerate(old.columns)}
        self.widest: dict[tuple[str, str, bool], int] = {}
        for k in sorted(range(len(old.columns)), key=lambda k: _parts(old.columns[k][0])[1]):
            name, real = old.columns[k]
            identity, _, column = _parts(name)
            self.widest[identity, column, real] = k

    def of(self, name: str, real: bool) -> int:
        """The old column for a new one, -1 where there is none."""
        identity, width, column = _parts(name)
        if (name, real) in self.exact or not width:
            return self.exact.get((name, real), -1)
        return self.widest.get((identity, column, real), -1)


def _parts(name: str) -> tuple[str, int, str]:
    """(identity, width, column) of ``identity#width column``; width 0 for a column that belongs to no feature."""
    identity, mark, rest = name.rpartition("#")
    width, _, column = rest.partition(" ")
    return (identity, int(width), column) if mark and width.isdigit() else (name, 0, "")


def new_columns(layout: Layout, old: Description) -> set[str]:
    """The columns that begin empty where rows come from the old layout."""
    sources = _Sources(old)
    return {column.name for column in layout.columns if sources.of(column.name, column.real) < 0}


def warming(layout: Layout, new: set[str]) -> list[str]:
    """The identities of the features that have one of these columns: they do not know their whole past."""
    found = []
    for accumulator, p in layout.base.items():
        columns = layout.columns[p : p + len(accumulator.columns())]
        if any(column.name in new for column in columns):
            found.append(accumulator.identity())
    return found
