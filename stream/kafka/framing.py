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
    picks: Any,
    start: int,
    out: Any,
    room: int,
) -> tuple[int, int]:
    """Write the picked records from ``start`` on, as many as there is room for, but one at least.

    Their offsets count from 0, and all have the timestamp of the batch.  ``absent`` (uint8): no value, a tombstone;
    ``headers`` as they are on the wire; without any, ``header_ends`` is empty.  Returns which pick is the next, and how
    many bytes were written.
    """
    at = 0
    n = start
    while n < len(picks):
        i = picks[n]
        key, key_stop = key_ends[i], key_ends[i + 1]
        value, value_stop = value_ends[i], value_ends[i + 1]
        size = 2 + length_size(n - start) + length_size(key_stop - key) + key_stop - key
        size += 1 if absent[i] else length_size(value_stop - value) + value_stop - value
        size += header_ends[i + 1] - header_ends[i] if len(header_ends) else 1
        if n > start and at + size + length_size(size) > room:
            break
        at = put_length(out, at, size)
        out[at] = 0  # attributes
        out[at + 1] = 0  # milliseconds since the batch's timestamp
        at = put_length(out, at + 2, n - start)
        at = put_length(out, at, key_stop - key)
        at = put_bytes(out, at, keys, key, key_stop)
        if absent[i]:
            out[at] = 1  # a length of -1
            at += 1
        else:
            at = put_length(out, at, value_stop - value)
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
    frame(*none.columns(), nobody, 0, np.zeros(0, np.uint8), 0)
