"""Who has which row: a table of the customers by the bytes of their ids, many of which are looked up at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.engine.growing import Growing
from stream.events.columns import CustomerIds
from stream.plan.finding import FREE
from stream.plan.plan import Finding

#: Places of a table at first (a power of two); at most a half of them is taken.
LEAST = 1 << 10
#: Bytes of ids that nobody uses are left until they are so many, and a half of all.
LEAST_WASTE = 1 << 16
#: Differs from process to process, as the hashes of Python's own texts do.
_SALT = (hash(b"the salt of the tables of customers") & 0x7FFFFFFF) | 1


@dataclass(frozen=True, slots=True)
class Found:
    """Of each of some customers the row, FREE where they have none, and the hash of the id."""

    rows: NDArray[np.int64]
    hashes: NDArray[np.int64]


class Index(Mapping[bytes, int]):
    """Rows by customer id (UTF-8)."""

    def __init__(self, kernels: Finding) -> None:
        self._kernels = kernels
        self._count = 0
        self._marks, self._rows = _table(LEAST)
        self._ids, self._used, self._waste = np.zeros(LEAST, np.uint8), 0, 0
        self._places = np.zeros((LEAST, 2), np.int64)
        self._room: tuple[Growing[np.uint8], Growing[np.int64]] = (Growing(), Growing())

    def find(self, customers: CustomerIds) -> Found:
        """The rows of these customers, as far as they have any."""
        n = len(customers)
        found = Found(np.empty(n, np.int64), np.zeros(n, np.int64))
        table = (_SALT, self._marks, self._rows, self._ids, self._places)
        self._kernels.find(customers.data, customers.spans, *table, found.rows, found.hashes)
        return found

    def add(
        self, customers: CustomerIds, found: Found, picks: NDArray[np.int64], fresh: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give the picked customers rows, who have none: as many of ``fresh`` as there are different ones among them.

        Their rows are in ``found`` then; returned is, for each row given, to which of the customers it was given first.
        """
        spans = customers.spans
        self._make_room(len(picks), int((spans[picks, 1] - spans[picks, 0]).sum()), int(fresh.max(initial=0)) + 1)
        origins = np.empty(len(picks), np.int64)
        table = (_SALT, self._marks, self._rows, self._ids, self._used, self._places)
        given, self._used = self._kernels.add(
            customers.data, spans, found.hashes, picks, fresh, *table, found.rows, origins
        )
        self._count += given
        return origins[:given]

    def remove(self, rows: NDArray[np.int64]) -> None:
        """These rows are nobody's any more."""
        self._waste += self._kernels.remove(rows, _SALT, self._marks, self._rows, self._ids, self._places)
        self._count -= len(rows)
        if self._waste > max(LEAST_WASTE, self._used // 2):
            ids = np.zeros(len(self._ids), np.uint8)
            self._used, self._waste = self._kernels.gather(self._ids, self._places, ids), 0
            self._ids = ids

    def _make_room(self, customers: int, size: int, rows: int) -> None:
        """Room for so many customers more, whose ids have so many bytes, and for so many rows in all."""
        if 2 * (self._count + customers) > len(self._rows):
            marks, into = _table(1 << (2 * (self._count + customers)).bit_length())
            self._kernels.rebuild(self._marks, self._rows, _SALT, marks, into)
            self._marks, self._rows = marks, into
        ids, places = self._room
        if self._used + size > len(self._ids):
            self._ids = ids.grown(self._ids, 2 * (self._used + size))
        if rows > len(self._places):
            self._places = places.grown(self._places, 2 * rows, 0)

    def __getitem__(self, customer: bytes) -> int:
        row = int(self.find(CustomerIds.of([customer])).rows[0])
        if row == FREE:
            raise KeyError(customer)
        return row

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        ids = self._ids[: self._used].tobytes()
        return (ids[first:last] for first, last in self._places.tolist() if last > first)


def _table(size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.zeros(size, np.int64), np.full(size, FREE, np.int64)
