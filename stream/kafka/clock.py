"""Clock records on the control topic: they tell every shard that time has come so far."""

from __future__ import annotations

import orjson

from stream.events.instant import iso


def clock_record(instant_ms: int) -> bytes:
    """The value of a clock record.

    >>> clock_record(0)
    b'{"type":"clock","timestamp":"1970-01-01T00:00:00.000Z"}'
    """
    return orjson.dumps({"type": "clock", "timestamp": iso(instant_ms)})
