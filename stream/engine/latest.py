"""The latest segments of customers as records of their topic, many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import orjson

from stream.engine.records import Column, Records, json_texts
from stream.engine.rows import Rows
from stream.plan.digits import LONGEST

#: What stands before the customer, the segments, the instant and the sequence, in the order that the kernel counts on.
BETWEEN = (b'{"customer":', b',"segments":{', b'},"at":', b',"sequence":')


def latest_segments(rows: Rows, last: Mapping[bytes, tuple[int, int]], gone: Sequence[bytes]) -> Records:
    """First those who are ``gone``, without a value; then of each customer in ``last`` the segments that they are in
    now, with instant and sequence of their last change.  A dimension in which they are in none is told as null."""
    ints, picks = rows.table.ints, np.array([rows.index[customer] for customer in last], np.int64)
    dimensions, layout = rows.plan.definitions.dimensions, rows.plan.layout
    texts, pairs = list(BETWEEN), np.empty((len(last), len(layout.segment)), np.int64)
    for j, (dimension, column) in enumerate(zip(dimensions, layout.segment, strict=True)):
        own = ints[picks, column]
        pairs[:, j] = len(texts) + np.where(own < 0, len(rows.names[j]), own)
        texts += [orjson.dumps({dimension.name: name})[1:-1] for name in (*rows.names[j], None)]
    common, keys = Column.of(texts), Column.of(list(last))
    subjects = json_texts(keys)
    at_ms, sequences = np.array(list(last.values()), np.int64).reshape(-1, 2).T.copy()
    fixed = sum(map(len, BETWEEN)) + 2 * LONGEST + pairs.shape[1]
    sizes = np.diff(common.ends)
    room = len(subjects.data) + fixed * len(last) + int(sizes[pairs].sum())
    values = Column(np.empty(room, np.uint8), np.zeros(len(last) + 1, np.int64))
    rows.plan.kernels.packing.latest(
        common.data, common.ends, subjects.data, subjects.ends, pairs, at_ms, sequences, values.data, values.ends
    )
    absent = np.zeros(len(gone) + len(last), np.uint8)
    absent[: len(gone)] = 1
    if not gone:
        return Records(keys, values, absent)
    nothing = Column.of([b""] * len(gone))
    return Records(Column.joined([Column.of(gone), keys]), Column.joined([nothing, values]), absent)
