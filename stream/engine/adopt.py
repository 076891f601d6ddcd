"""From one plan to another in memory: what rows, expiries and bags become when definitions change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.engine.layouts import Description, describe_layout, mapping
from stream.engine.rows import Rows
from stream.features import pool
from stream.features.base import FOREVER
from stream.plan.header import Table
from stream.plan.layout import Layout
from stream.plan.plan import Plan


def adopt_rows(rows: Rows, plan: Plan) -> Rows:
    """The same customers under another plan.  Dimensions that are the same keep their expiries; the others have none
    until they are judged."""
    new = Rows(plan, capacity=max(1, rows.table.ints.shape[0]))
    new.index, new.keys = rows.index, rows.keys
    new.texts = rows.texts.under(plan)
    n = len(rows)
    how = mapping(_described(rows), new)
    how.apply(rows.table.ints[:n], new.blank, new.table.ints[:n])
    _adopt_expiries(rows, new, n)
    new.table.marks[:] = rows.table.marks
    new.table.touched[:] = rows.table.touched
    new.table.counters[:] = rows.table.counters
    new.bags = _adopt_bags(rows.bags, new.table, how.bags, plan.layout)
    return new


def _described(rows: Rows) -> Description:
    """The layout of rows in memory, with the names that only they still have."""
    described = describe_layout(rows.plan)
    names = {d.name: list(rows.names[j]) for j, d in enumerate(rows.plan.definitions.dimensions)}
    return Description(described.columns, described.bags, names)


def _adopt_expiries(rows: Rows, new: Rows, n: int) -> None:
    old = {d.version: j for j, d in enumerate(rows.plan.definitions.dimensions)}
    for j, dimension in enumerate(new.plan.definitions.dimensions):
        if dimension.version in old:
            new.table.expiry[:n, j] = rows.table.expiry[:n, old[dimension.version]]
    new.table.deadline[:n] = new.table.expiry[:n].min(axis=1, initial=FOREVER)


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
