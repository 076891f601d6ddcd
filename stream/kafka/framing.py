"""Records written one behind the other, as Kafka's record batches (version 2) hold them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stream.engine.records import Records
from stream.plan.digits import length_size, put_bytes, put_length

#: A record takes at most so many bytes besides its key, value and headers.
OVERHEAD = 32


def frame(
    keys: Any,
    key_ends: Any,
    values: Any,
    value_ends: Any,
    absent: Any,
    headers: Any,
    header_ends: Any,
    key_before: Any,
    before: Any,
    picks: Any,
    start: int,
    first: int,
    out: Any,
    at: int,
    room: int,
) -> tuple[int, int]:
    """Write the picked records from ``start`` on, as many as there is room for, but one at least where nothing is in
    ``out`` before it: where ``at``, the place to write to, is 0.

    Their offsets count from ``first``, and all have the timestamp of the batch.  ``absent`` (uint8): no value, a
    tombstone; ``headers`` as they are on the wire; without any, ``header_ends`` is empty.  ``key_before`` and
    ``before``: what every key, and every value, begins with.  Returns which pick is the next, and where to write next.
    """
    n = start
    while n < len(picks):
        i = picks[n]
        key, key_stop = key_ends[i], key_ends[i + 1]
        value, value_stop = value_ends[i], value_ends[i + 1]
        key_size, value_size = len(key_before) + key_stop - key, len(before) + value_stop - value
        size = 2 + length_size(first + n - start) + length_size(key_size) + key_size
        size += 1 if absent[i] else length_size(value_size) + value_size
        size += header_ends[i + 1] - header_ends[i] if len(header_ends) else 1
        if at and at + size + length_size(size) > room:
            break
        at = put_length(out, at, size)
        out[at] = 0  # attributes
        out[at + 1] = 0  # milliseconds since the batch's timestamp
        at = put_length(out, at + 2, first + n - start)
        at = put_length(out, at, key_size)
        at = put_bytes(out, at, key_before, 0, len(key_before))
        at = put_bytes(out, at, keys, key, key_stop)
        if absent[i]:
            out[at] = 1  # a length of -1
            at += 1
        else:
            at = put_length(out, at, value_size)
            at = put_bytes(out, at, before, 0, len(before))
            at = put_bytes(out, at, values, value, value_stop)
        if len(header_ends):
            at = put_bytes(out, at, headers, header_ends[i], header_ends[i + 1])
        else:
            out[at] = 0
            at += 1
        n += 1
    return n, at


def warm(frame: Callable[..., tuple[int, int]]) -> None:
    """Have it compiled, or loaded from the cache, before it is needed."""
    none, nobody = Records.of([]), np.zeros(0, np.int64)
    frame(*none.columns(), nobody, 0, 0, np.zeros(0, np.uint8), 0, 0)
