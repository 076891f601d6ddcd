"""The latest segments of customers as records of their topic, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from stream.engine.records import Column, Records, json_texts
from stream.engine.rows import Rows
from stream.events.columns import CustomerIds
from stream.plan.digits import LONGEST

#: What stands before the customer, the segments, the instant and the sequence, in the order that the kernel counts on.
BETWEEN = (b'{"customer":', b',"segments":{', b'},"at":', b',"sequence":')


@dataclass(frozen=True, slots=True)
class Last:
    """Customers, and the instant (ms) and the sequence of the last change of each."""

    customers: Sequence[bytes]
    at_ms: NDArray[np.int64]
    sequences: NDArray[np.int64]

    def without(self, gone: set[bytes]) -> Last:
        """The others."""
        picks = [k for k, customer in enumerate(self.customers) if customer not in gone]
        return Last([self.customers[k] for k in picks], self.at_ms[picks], self.sequences[picks])


class Latest:
    """Writes the latest segments of a shard's customers; keeps what they have in common."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._columns = np.array(rows.plan.layout.segment, np.int64)
        self._name()

    def _name(self) -> None:
        """Put every segment into words, as it is called now; behind those of each dimension, that it is none."""
        self._names, texts, first = [list(names) for names in self.rows.names], list(BETWEEN), []
        for dimension, names in zip(self.rows.plan.definitions.dimensions, self._names, strict=True):
            first.append(len(texts))
            texts += [orjson.dumps({dimension.name: name})[1:-1] for name in (*names, None)]
        self._common, self._first = Column.of(texts), np.array([*first, len(texts)], np.int64)
        longest = [max(map(len, texts[a:b])) for a, b in zip(first, self._first[1:].tolist(), strict=True)]
        self._most = sum(map(len, BETWEEN)) + 2 * LONGEST + len(first) + sum(longest)

    def records(self, last: Last, gone: Sequence[bytes]) -> Records:
        """First those who are ``gone``, without a value; then of each customer in ``last`` the segments that they are
        in now, with instant and sequence of their last change.  A dimension in which they are in none is told as null.
        """
        rows, count = self.rows, len(last.customers)
        if rows.names != self._names:
            self._name()
        picks = rows.index.find(CustomerIds.of(last.customers)).rows
        keys = Column.of(last.customers)
        subjects = json_texts(keys)
        values = Column(np.empty(len(subjects.data) + self._most * count, np.uint8), np.zeros(count + 1, np.int64))
        common = self._common.data, self._common.ends, self._first, subjects.data, subjects.ends
        which = rows.table.ints, picks, self._columns
        rows.plan.kernels.packing.latest(*common, *which, last.at_ms, last.sequences, values.data, values.ends)
        absent = np.zeros(len(gone) + count, np.uint8)
        absent[: len(gone)] = 1
        if not gone:
            return Records(keys, values, absent)
        nothing = Column.of([b""] * len(gone))
        return Records(Column.joined([Column.of(gone), keys]), Column.joined([nothing, values]), absent)
