"""Segment changes and latest segments written as what goes to Kafka, many at once.

The texts that changes have in common (:class:`Templates`) are put together by :mod:`stream.engine.teller`; the kernels
copy them, and write the numbers between.  :class:`stream.engine.change.Change` says the same of one change at a time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from stream.plan.digits import put_amount, put_bytes, put_duration, put_instant, put_length, put_whole
from stream.plan.header import AT, DIMENSION, EVIDENCE, NUMBER

#: What a feature's value is written as; in no place of a dimension that uses fewer.
NOTHING, WHOLE, DURATION, AMOUNT, TEXT = range(5)
#: Numbers of the first fragments: what stands before the sequence; before a change's id, between that and the customer,
#: between that and the instant; and behind it, one for each cause.
SEQUENCE, BEFORE_ID, BEFORE_SUBJECT, BEFORE_TIME, BEHIND = range(5)
#: The same of latest segments: before the customer, the segments, the instant, the sequence.
CUSTOMER, SEGMENTS, AT_MS, NUMBERED = range(4)
#: Bytes of a change's id, and of an instant.
ID_BYTES, INSTANT_BYTES = 16, 24


class Templates(NamedTuple):
    """What changes have in common: fragments, one behind the other in ``blob``, from ``ends[k]`` to ``ends[k + 1]``.

    For each dimension: ``kinds`` int64 (d, w) of the values of its evidence and ``labels`` int64 (d, w), the fragments
    before them; ``counts`` int64 (d), how many; ``tails`` int64 (d), the fragment behind the sequence.
    """

    blob: NDArray[np.uint8]
    ends: NDArray[np.int64]
    kinds: NDArray[np.int64]
    labels: NDArray[np.int64]
    counts: NDArray[np.int64]
    tails: NDArray[np.int64]


class Told(NamedTuple):
    """What n changes have of their own.

    ``heads`` int64: the fragment up to the evidence; ``causes`` int64; ``given`` int64 (n, w): the number of a text of
    their own for a value, or -1 where the kernel writes it; ``more`` int64: the same of what stands behind the values;
    those texts are in ``blob`` by ``ends``, as above.  ``keys`` with ``key_ends``: the customers.  ``ids`` uint8
    (n, ID_BYTES).
    """

    heads: NDArray[np.int64]
    causes: NDArray[np.int64]
    given: NDArray[np.int64]
    more: NDArray[np.int64]
    blob: NDArray[np.uint8]
    ends: NDArray[np.int64]
    keys: NDArray[np.uint8]
    key_ends: NDArray[np.int64]
    ids: NDArray[np.uint8]


@register_jitable
def put_fragment(out: Any, at: int, blob: Any, ends: Any, k: int) -> int:
    """One of the texts."""
    return put_bytes(out, at, blob, ends[k], ends[k + 1])


@register_jitable
def put_value(out: Any, at: int, kind: int, x: float) -> int:
    """A feature's value of the kinds that are written here; null where there is none."""
    if x != x:
        out[at] = 110
        out[at + 1] = 117
        out[at + 2] = 108
        out[at + 3] = 108
        return at + 4
    whole = int(np.rint(x))
    if kind == DURATION:
        return put_duration(out, at, whole)
    if kind == AMOUNT:
        return put_amount(out, at, whole)
    return put_whole(out, at, whole)


@register_jitable
def put_hex(out: Any, at: int, digest: Any) -> int:
    """The bytes of an id, two digits each."""
    for k in range(2 * len(digest)):
        byte = int(np.int64(digest[k >> 1]))
        half = byte & 15 if k & 1 else byte >> 4
        out[at + k] = 48 + half if half < 10 else 87 + half
    return at + 2 * len(digest)


def tell(
    ints: Any, floats: Any, templates: Any, told: Any, values: Any, value_ends: Any, headers: Any, header_ends: Any
) -> None:
    """Write value and headers of every change; where each ends goes to ``..._ends[i + 1]``."""
    blob, ends = templates.blob, templates.ends
    at = 0
    to = 0
    for i in range(len(ints)):
        j = ints[i, DIMENSION]
        at = put_fragment(values, at, blob, ends, told.heads[i])
        count = templates.counts[j]
        for k in range(count):
            at = put_fragment(values, at, blob, ends, templates.labels[j, k])
            if told.given[i, k] >= 0:
                at = put_fragment(values, at, told.blob, told.ends, told.given[i, k])
            else:
                at = put_value(values, at, templates.kinds[j, k], floats[i, EVIDENCE + k])
        if told.more[i] >= 0:
            if count:
                values[at] = 44
                at += 1
            at = put_fragment(values, at, told.blob, told.ends, told.more[i])
        at = put_fragment(values, at, blob, ends, SEQUENCE)
        at = put_whole(values, at, ints[i, NUMBER])
        at = put_fragment(values, at, blob, ends, templates.tails[j])
        value_ends[i + 1] = at
        start, stop = told.key_ends[i], told.key_ends[i + 1]
        to = put_fragment(headers, to, blob, ends, BEFORE_ID)
        to = put_hex(headers, to, told.ids[i])
        to = put_fragment(headers, to, blob, ends, BEFORE_SUBJECT)
        to = put_length(headers, to, stop - start)
        to = put_bytes(headers, to, told.keys, start, stop)
        to = put_fragment(headers, to, blob, ends, BEFORE_TIME)
        to = put_instant(headers, to, ints[i, AT])
        to = put_fragment(headers, to, blob, ends, BEHIND + told.causes[i])
        header_ends[i + 1] = to


def latest(
    blob: Any,
    ends: Any,
    subjects: Any,
    subject_ends: Any,
    pairs: Any,
    at_ms: Any,
    sequences: Any,
    values: Any,
    value_ends: Any,
) -> None:
    """Write the latest segments of customers: ``subjects`` are their ids as JSON has them, ``pairs`` int64 (n, d) the
    fragments with a dimension and a segment."""
    at = 0
    for i in range(len(pairs)):
        at = put_fragment(values, at, blob, ends, CUSTOMER)
        at = put_bytes(values, at, subjects, subject_ends[i], subject_ends[i + 1])
        at = put_fragment(values, at, blob, ends, SEGMENTS)
        for k in range(pairs.shape[1]):
            if k:
                values[at] = 44
                at += 1
            at = put_fragment(values, at, blob, ends, pairs[i, k])
        at = put_fragment(values, at, blob, ends, AT_MS)
        at = put_whole(values, at, at_ms[i])
        at = put_fragment(values, at, blob, ends, NUMBERED)
        at = put_whole(values, at, sequences[i])
        values[at] = 125
        at += 1
        value_ends[i + 1] = at
