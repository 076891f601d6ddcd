"""From one plan to another in memory: what rows, expiries and bags become when definitions change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.engine.layouts import BLOCK, Description, Mapping, describe_layout, mapping
from stream.engine.rows import Room, Rows, kept_of
from stream.features import pool
from stream.features.base import FOREVER
from stream.plan.header import Table
from stream.plan.layout import Layout
from stream.plan.plan import Plan


def adopt_rows(rows: Rows, plan: Plan) -> Rows:
    """The same customers under another plan.  Dimensions that are the same keep their expiries; the others have none
    until they are judged."""
    new = Rows(plan, capacity=1)
    new.index, new.keys, new.free = rows.index, rows.keys, rows.free
    new.texts = rows.texts.under(plan)
    for dimension in {name for name, _ in rows.places}:
        new.call_places(dimension, {at: segment for (name, at), segment in rows.places.items() if name == dimension})
    how = mapping(_described(rows), new)
    same = plan.layout.columns == rows.plan.layout.columns
    old, was = rows.table, rows.room
    # What is taken over grows on where it is, and what is made anew has room to: no later row has all of it copied.
    new.room = Room(was, same=same)
    ints = _recoded(rows, how) if same else _mapped(rows, new, how)
    expiry, deadline = _expiries(rows, new)
    np.minimum(deadline[: len(rows)], rows.gone_at(), out=deadline[: len(rows)])
    coarse = new.room.coarse.grown(old.coarse[:0], len(old.coarse), FOREVER)
    new.table = Table(
        ints,
        ints.view(np.float64),
        expiry,
        deadline,
        coarse,
        old.marks,
        old.touched,
        old.counters,
        new.blank,
        kept_of(plan),
    )
    new.bounded()
    new.bags = rows.bags if same else _adopt_bags(rows.bags, new.table, how.bags, plan.layout)
    return new


def _recoded(rows: Rows, how: Mapping) -> NDArray[np.int64]:
    """The rows as they are, where only segments may have other codes now."""
    ints = rows.table.ints
    for column, codes in how.codes.items():
        if (codes != np.arange(-1, len(codes) - 1)).any():
            ints[:, column] = codes[ints[:, column] + 1]
    return ints


def _mapped(rows: Rows, new: Rows, how: Mapping) -> NDArray[np.int64]:
    """The rows in another layout."""
    n = len(rows)
    # All are blank first, although most are written again at once: that is how large pages are tried.
    ints = new.room.ints.grown(np.empty((0, len(new.blank)), np.int64), rows.table.ints.shape[0], new.blank)
    how.apply(rows.table.ints[:n], new.blank, ints[:n])
    return ints


def _described(rows: Rows) -> Description:
    """The layout of rows in memory, with the names that only they still have."""
    described = describe_layout(rows.plan)
    names = {d.name: list(rows.names[j]) for j, d in enumerate(rows.plan.definitions.dimensions)}
    return Description(described.columns, described.bags, names)


def _expiries(rows: Rows, new: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Expiries under another plan, and deadlines: dimensions that are the same keep theirs."""
    was = {d.version: j for j, d in enumerate(rows.plan.definitions.dimensions)}
    source = np.array([was.get(d.version, -1) for d in new.plan.definitions.dimensions] or [-1], np.int64)
    old = rows.table.expiry
    expiry = new.room.expiry.grown(np.empty((0, len(source)), np.int64), len(old))
    deadline = new.room.deadline.grown(np.empty(0, np.int64), len(old))
    for start in range(0, len(old), BLOCK):
        block = old[start : start + BLOCK].take(np.maximum(source, 0), axis=1)
        block[:, source < 0] = FOREVER
        expiry[start : start + BLOCK] = block
        block.min(axis=1, out=deadline[start : start + BLOCK])
    return expiry, deadline


def _adopt_bags(bags: pool.Bags, table: Table, moved: dict[int, int], layout: Layout) -> pool.Bags:
    """The pool, with what each entry says of its bag; entries of bags that are no more are let go."""
    entries, products, meta = bags
    used = np.flatnonzero(entries[: int(meta[pool.USED]), pool.ROW] != pool.NONE)
    held = entries[used, pool.BAG]
    lost = used[~np.isin(held, list(moved))]
    for old, new in moved.items():
        entries[used[held == old], pool.BAG] = new
    for p in layout.bags:
        if p not in moved.values():
            table.ints[:, p + pool.HEAD], table.ints[:, p + pool.SIZE] = pool.NONE, 0
    if len(lost):
        _unlink(entries, products, meta, lost)
    return bags


def _unlink(
    entries: NDArray[np.int64], products: NDArray[np.int64], meta: NDArray[np.int64], lost: NDArray[np.int64]
) -> None:
    """Take entries off their products' lists and free them: all lists are made anew from those that stay."""
    entries[lost, pool.ROW] = pool.NONE
    chain = np.concatenate((lost[1:], [int(meta[pool.FREE])]))
    entries[lost, pool.NEXT], meta[pool.FREE] = chain, lost[0]
    stay = np.flatnonzero(entries[: int(meta[pool.USED]), pool.ROW] != pool.NONE)
    stay = stay[np.argsort(entries[stay, pool.PRODUCT], kind="stable")]
    product = entries[stay, pool.PRODUCT]
    first = np.concatenate(([True], product[1:] != product[:-1])) if len(stay) else np.zeros(0, bool)
    entries[stay, pool.EARLIER] = np.where(first, pool.NONE, np.roll(stay, 1))
    last = np.roll(first, -1)
    entries[stay, pool.LATER] = np.where(last, pool.NONE, np.roll(stay, -1))
    products[:, 1] = pool.NONE
    heads = dict(zip(product[first].tolist(), stay[first].tolist(), strict=True))
    for at in np.flatnonzero(products[:, 0]).tolist():
        products[at, 1] = heads.get(int(products[at, 0]), pool.NONE)
