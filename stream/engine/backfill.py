"""Features that new definitions bring, filled from rows that were rebuilt beside the running ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stream.engine.layouts import Description, new_columns, shape_of, warming
from stream.engine.rest import CHUNK, pack
from stream.engine.rows import Rows
from stream.events.columns import CustomerIds
from stream.features import pool
from stream.plan import header
from stream.plan.finding import FREE
from stream.plan.layout import Layout
from stream.plan.packed import SKIPPED, Shape


@dataclass(frozen=True)
class Backfill:
    """The customers of one shard under new definitions, as all events that the topics still hold make them.

    ``since`` is the instant (event time, ms) before which events were missing; None: the topics hold all there were.
    """

    rows: Rows
    since: int | None = None

    def started(self, layout: Layout, before: Description) -> dict[str, int]:
        """The features that still do not know their whole past, and since when they do."""
        if self.since is None:
            return {}
        return dict.fromkeys(warming(layout, new_columns(layout, before)), self.since)

    def fill(self, rows: Rows, before: Description, effective: int, ordinal: int) -> None:
        """Put every feature that rows of the layout ``before`` do not have, or not whole, into these rows of the new
        one, and what is remembered of the latest events; all rows count as changed.

        Customers of whom only new features have heard become rows that are due for judging at ``effective``, where all
        move on from the version with that ``ordinal``.  Whom the rebuilt rows do not have keeps what is new empty.
        """
        shape = _only(rows.plan.layout, before)
        rows.texts.learn(self.rows.texts.texts)
        packing = rows.plan.kernels.packing
        rebuilt = self.rows.living()
        rebuilt = rebuilt[self.rows.gone_at()[rebuilt] > effective]
        keys = [self.rows.keys[i] for i in rebuilt.tolist()]
        unknown = rows.index.find(CustomerIds.of(keys)).rows == FREE
        picks = rows.find(keys)
        for start in range(0, len(picks), CHUNK):
            some = picks[start : start + CHUNK]
            data, stops = pack(self.rows, rebuilt[start : start + CHUNK], shape)
            starts = np.concatenate((np.zeros(1, np.int64), stops[:-1]))
            ints = np.empty((len(some), len(shape.kinds)), np.int64)
            entries, sound = np.empty((len(some), pool.SAVED), np.int64), np.empty(len(some), np.uint8)
            held = packing.unpack(data, starts, stops, shape, self.rows.texts.hashes, ints, entries, sound)
            if held > len(entries):
                entries = np.empty((held, pool.SAVED), np.int64)
                packing.unpack(data, starts, stops, shape, self.rows.texts.hashes, ints, entries, sound)
            rows.make_room(held)
            packing.place(rows.table.ints, rows.bags, some, shape, ints, entries[:held])
        for column in (header.LATEST, header.SEEN):
            later = np.maximum(rows.table.ints[picks, column], self.rows.table.ints[rebuilt, column])
            rows.table.ints[picks, column] = later
        new = picks[unknown]
        rows.table.ints[new, header.VERSION] = ordinal
        rows.table.expiry[new] = effective
        rows.table.deadline[new] = effective
        rows.bounded()
        touch_all(rows)


def _only(layout: Layout, before: Description) -> Shape:
    """The shape of rows of which nothing is looked at but the features that have a new column, and the message ids."""
    shape, new = shape_of(layout), new_columns(layout, before)
    kinds, bags = np.full_like(shape.kinds, SKIPPED), []
    ids = slice(header.RING, header.IDS + header.REMEMBERED)
    kinds[ids] = shape.kinds[ids]
    for accumulator, p in layout.base.items():
        own = slice(p, p + len(accumulator.columns()))
        if any(column.name in new for column in layout.columns[own]):
            kinds[own] = shape.kinds[own]
            if p in layout.bags:
                bags.append(p)
    return Shape(kinds, shape.blank, np.array(bags, np.int64))


def touch_all(rows: Rows) -> None:
    """Have every row count as changed since it was written."""
    table, living = rows.table, rows.living()
    table.marks[living] = 1
    table.touched[: len(living)] = living
    table.counters[header.TOUCHED] = len(living)
