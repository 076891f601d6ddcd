"""The rows of a shard in memory: one array, one fixed-width row a customer, and the pool of their bags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stream.engine.growing import Growing, Pages
from stream.engine.index import Found, Index
from stream.engine.names import Names
from stream.events.columns import CustomerIds
from stream.features import pool
from stream.features.base import FOREVER, NEVER
from stream.plan import header
from stream.plan.finding import FREE
from stream.plan.header import Table
from stream.plan.plan import Plan

#: Fewest places in the table of products (a power of two).
LEAST_TABLE = 2048
#: Up to so many blocks are looked through one by one; of more, all deadlines are, which is quicker then.
FEW_BLOCKS = 128
#: So many rows are added at once, at most: filling them takes some ten milliseconds.
MOST_GROWN = 1 << 14


class Room:
    """Where the arrays of a table, and the pool of bags, grow.  ``before``: of the rows whose arrays are taken over;
    what is made anew grows elsewhere: ``ints`` too, unless they are the ``same``."""

    def __init__(self, before: Room | None = None, *, same: bool = True) -> None:
        self._pages: Pages = Pages() if before is None else before._pages
        self.ints: Growing[np.int64] = self._new() if before is None or not same else before.ints
        self.expiry, self.deadline, self.coarse = self._new(), self._new(), self._new()
        self.marks: Growing[np.uint8] = Growing(self._pages) if before is None else before.marks
        self.touched: Growing[np.int64] = self._new() if before is None else before.touched
        self.entries: Growing[np.int64] = self._new() if before is None else before.entries

    def _new(self) -> Growing[np.int64]:
        return Growing(self._pages)


class Rows:
    """Rows by customer id (UTF-8), growing where they are.

    ``lifetime``: how long (ms) after their latest event a customer is remembered; None: always.  The rows of those who
    were forgotten are blank and have no key; they are the first to be given to new customers.
    """

    def __init__(self, plan: Plan, capacity: int = 1024, lifetime: int | None = None) -> None:
        self.plan = plan
        self.blank = plan.layout.blank()
        self.index = Index(plan.kernels.packing.finding)
        self.keys: list[bytes] = []
        self.free: list[int] = []
        self.table = self._table(capacity)
        self.room = Room()
        self.table.counters[header.LIFETIME] = FOREVER if lifetime is None else lifetime
        self.bags = pool.new_pool()
        self.texts = Names(plan)
        #: Of each dimension, the segments by their codes: the plan's, and former ones that someone is still in.  Of a
        #: learned one first those of the clusters by their places in a row, "" for who is nobody's.
        self.names = [
            [""] * d.learning.places if d.learning else list(d.segment_names) for d in plan.definitions.dimensions
        ]
        #: (dimension, place) -> the segment of the cluster that has it.
        self.places: dict[tuple[str, int], str] = {}

    def __len__(self) -> int:
        """Rows in the table, those of nobody too; ``len(rows.index)`` is the number of customers."""
        return len(self.keys)

    def _table(self, capacity: int) -> Table:
        """A table of empty rows."""
        ints = np.empty((capacity, len(self.blank)), np.int64)
        ints[:] = self.blank
        dimensions = max(1, len(self.plan.definitions.dimensions))
        return Table(
            ints,
            ints.view(np.float64),
            np.full((capacity, dimensions), FOREVER, np.int64),
            np.full(capacity, FOREVER, np.int64),
            np.full(blocks(capacity), FOREVER, np.int64),
            np.zeros(capacity, np.uint8),
            np.zeros(capacity, np.int64),
            np.array([0, 0, pool.NONE, 0, 0, FOREVER, 0, 0], np.int64),
            self.blank,
            kept_of(self.plan),
        )

    def find(self, customers: Sequence[bytes]) -> NDArray[np.int64]:
        """The row of each customer; who is new gets one."""
        ids = CustomerIds.of(customers)
        found = self.index.find(ids)
        self.enrol(ids, found, np.flatnonzero(found.rows == FREE))
        return found.rows

    def enrol(self, customers: CustomerIds, found: Found, picks: NDArray[np.int64]) -> None:
        """Give the picked customers, who are new, rows; they are in ``found`` then."""
        if not len(picks):
            return
        keys, free, n = self.keys, self.free, len(picks)
        fresh = np.array([*free[: -n - 1 : -1], *range(len(keys), len(keys) + max(0, n - len(free)))], np.int64)
        origins = self.index.add(customers, found, picks, fresh)
        new = fresh[: len(origins)]
        again = min(len(free), len(new))
        del free[len(free) - again :]
        ids = customers.some(origins)
        for i, key in zip(new[:again].tolist(), ids, strict=False):
            keys[i] = key
        keys += ids[again:]
        if len(keys) > self.table.ints.shape[0]:
            self._grow(len(keys))
        if again:  # rows of nobody count as moved to versions, too
            self.table.ints[new[:again]] = self.blank
        self.table.ints[new, header.CUSTOMER] = found.hashes[origins]

    def remove(self, picks: NDArray[np.int64]) -> list[bytes]:
        """Give up blank rows for whoever is new next; the ids of the customers whose rows they were."""
        taken = [i for i in dict.fromkeys(picks.tolist()) if self.keys[i]]
        gone = [self.keys[i] for i in taken]
        self.index.remove(np.array(taken, np.int64))
        for i in taken:
            self.keys[i] = b""
        self.free += taken
        self.table.ints[picks, header.CUSTOMER] = 0
        return gone

    def drop(self, customers: Iterable[bytes]) -> None:
        """Empty the rows of these customers, as far as they have any, and give them up."""
        found = self.index.find(CustomerIds.of(list(customers))).rows
        picks = found[found != FREE]
        for i in picks.tolist():
            row = self.table.ints[i]
            for p in self.plan.layout.bags:
                while row[p + pool.HEAD] != pool.NONE:
                    e = int(row[p + pool.HEAD])
                    pool.unlink(self.bags, row, p, e)
                    self.bags.entries[e, : pool.SAVED] = 0
            row[:] = self.blank
        self.table.expiry[picks], self.table.deadline[picks] = FOREVER, FOREVER
        self.remove(picks)

    def living(self) -> NDArray[np.int64]:
        """The rows that are somebody's."""
        if not self.free:
            return np.arange(len(self.keys))
        taken = np.ones(len(self.keys), np.bool_)
        taken[self.free] = False
        return np.flatnonzero(taken)

    def gone_at(self) -> NDArray[np.int64]:
        """When each row's customer is forgotten if they do nothing; FOREVER for never, and where there is none."""
        table, n = self.table, len(self.keys)
        lifetime = int(table.counters[header.LIFETIME])
        if lifetime == FOREVER:
            return np.full(n, FOREVER, np.int64)
        nobody = table.ints[:n, header.LATEST] == NEVER
        return np.where(nobody, FOREVER, table.ints[:n, header.SEEN] + lifetime)

    def call_places(self, dimension: str, places: Mapping[int, str]) -> None:
        """From now on the places of a dimension's clusters in a row stand for these segments."""
        others = {key: segment for key, segment in self.places.items() if key[0] != dimension}
        # At once: somebody may be counting in another thread (:func:`stream.engine.questions.sizes_of`).
        self.places = others | {(dimension, place): segment for place, segment in places.items()}
        j = self.plan.learned
        if j is not None and self.plan.definitions.dimensions[j].name == dimension:
            learning = self.plan.definitions.dimensions[j].learning
            for place in range(learning.places if learning else 0):
                self.names[j][place] = places.get(place, self.names[j][place])  # who is still in a former one

    def code(self, dimension: int, segment: str) -> int:
        """The code of a segment in its dimension's column; a name that the definitions no longer have gets one here."""
        names = self.names[dimension]
        if segment not in names:
            names.append(segment)
        return names.index(segment)

    def name(self, dimension: int, code: int) -> str | None:
        """The segment that a code stands for; None: in none."""
        names = self.names[dimension]
        return names[code] or None if 0 <= code < len(names) else None

    def _grow(self, need: int) -> None:
        """Room for so many rows, and some more; those that are there stay where they are."""
        old, n = self.table, self.table.ints.shape[0]
        rows = max(need, min(2 * n, n + MOST_GROWN))
        room = self.room
        ints, expiry = room.ints.grown(old.ints, rows, self.blank), room.expiry.grown(old.expiry, rows, FOREVER)
        deadline = room.deadline.grown(old.deadline, rows, FOREVER)
        coarse = room.coarse.grown(old.coarse, blocks(rows), FOREVER)
        marks, touched = room.marks.grown(old.marks, rows, 0), room.touched.grown(old.touched, rows, 0)
        floats = ints.view(np.float64)
        self.table = Table(ints, floats, expiry, deadline, coarse, marks, touched, old.counters, old.blank, old.kept)

    def make_room(self, items: int) -> None:
        """Room in the pool for so many additions."""
        entries, table, meta = self.bags
        need = int(meta[pool.USED]) + items
        if need > (n := entries.shape[0]):
            entries = self.room.entries.grown(entries, max(need, min(2 * n, n + MOST_GROWN)), 0)
        if 2 * (int(meta[pool.KEYS]) + items) > table.shape[0]:
            table = self._rehashed(table, items)
            meta[pool.KEYS] = np.count_nonzero(table[:, 0])
        self.bags = pool.Bags(entries, table, meta)

    @staticmethod
    def _rehashed(table: NDArray[np.int64], items: int) -> NDArray[np.int64]:
        """A table of the products that anyone holds, with room for as many more; those that nobody holds any more are
        left out, so that its size goes by what is held and not by what ever was."""
        held = table[(table[:, 0] != 0) & (table[:, 1] != pool.NONE)]
        made = np.zeros((max(LEAST_TABLE, 4 << (len(held) + items).bit_length()), 2), np.int64)
        for product, first in held:
            made[pool.slot(made, int(product))] = product, first
        return made

    def touched(self) -> NDArray[np.int64]:
        """The rows that differ from what is at rest; they count as at rest from now on."""
        table = self.table
        rows = table.touched[: table.counters[header.TOUCHED]].copy()
        table.marks[rows] = 0
        table.counters[header.TOUCHED] = 0
        return rows

    def due(self, clock: int) -> NDArray[np.int64]:
        """Rows with a deadline up to the clock, in their order: a scan of the blocks in which there may be one.

        A block's bound is only ever lowered while its rows are judged; here it becomes its least deadline again.
        """
        deadline, coarse = self.table.deadline[: len(self.keys)], self.table.coarse
        found = np.flatnonzero(coarse <= clock)
        if len(found) > FEW_BLOCKS:
            coarse[: blocks(len(deadline))] = least(deadline)
            return np.flatnonzero(deadline <= clock)
        rows = [np.zeros(0, np.int64)]
        for block in found.tolist():
            start = block << header.BLOCK
            own = deadline[start : start + (1 << header.BLOCK)]
            coarse[block] = own.min(initial=FOREVER)
            if coarse[block] <= clock:
                rows.append(start + np.flatnonzero(own <= clock))
        return np.concatenate(rows)

    def is_due(self, clock: int) -> bool:
        """Whether any row has a deadline up to the clock."""
        return bool((self.table.coarse <= clock).any()) and len(self.due(clock)) > 0

    def bounded(self) -> None:
        """Deadlines were written from outside the kernels: work out the bounds of all blocks."""
        deadline = self.table.deadline[: len(self.keys)]
        self.table.coarse[: blocks(len(deadline))] = least(deadline)


def kept_of(plan: Plan) -> NDArray[np.int64]:
    """The columns that are told of who is forgotten, for what stays of them (:mod:`stream.engine.departed`)."""
    lifetime = plan.lifetime
    return np.array([] if lifetime is None else [lifetime.count, lifetime.first, lifetime.last], np.int64)


def blocks(rows: int) -> int:
    """How many blocks so many rows take."""
    return (rows + (1 << header.BLOCK) - 1) >> header.BLOCK


def least(deadline: NDArray[np.int64]) -> NDArray[np.int64]:
    """The least deadline of each block."""
    starts = np.arange(0, len(deadline), 1 << header.BLOCK)
    return np.minimum.reduceat(deadline, starts) if len(starts) else np.zeros(0, np.int64)
