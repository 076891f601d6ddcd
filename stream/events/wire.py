"""The event on the wire (Segment specification, version 2), as far as the plan reads it.

Only the fields that are needed are decoded; the rest of the JSON is skipped.  Numbers may come as text ("19.90").
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

Id = str | int | None
Time = datetime | float | None

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


#: The JSON type of a property that is read in one way only; one that is read in several comes as it is.
TYPES: dict[str, Any] = {"number": float | None, "text": str | int | float | bool | None}


def fields_of(read_as: Mapping[str, set[str]]) -> dict[str, Any]:
    """Property -> its type on the wire."""
    return {name: TYPES.get("/".join(sorted(kinds)), Any) for name, kinds in read_as.items()}


def envelope(event: Mapping[str, set[str]], product: Mapping[str, set[str]]) -> type[msgspec.Struct]:
    """The type of an event, by what its properties (for identify: traits) and those of its products are read as."""
    given: dict[str, Any] = {
        "product_id": Id,
        "price": float | None,
        "quantity": float | None,
        "in_stock": bool | float | str | None,
    }
    item: Any = msgspec.defstruct(
        "Item", [(name, kind, None) for name, kind in (fields_of(product) | given).items()], gc=False
    )
    fields = fields_of(event) | given  # last: what the decoder itself reads keeps its type whoever else reads it
    fields |= {"currency": str | None, "products": list[item] | None, "offer_ends": Time}
    properties = msgspec.defstruct("Properties", [(name, kind, None) for name, kind in fields.items()], gc=False)
    return msgspec.defstruct(
        "Event",
        [
            ("type", str | None, None),
            ("event", str | None, None),
            ("messageId", Id, None),
            ("userId", Id, None),
            ("anonymousId", Id, None),
            ("timestamp", Time, None),
            ("properties", properties | None, None),
            ("traits", properties | None, None),
        ],
        gc=False,
    )


def instant_of(time: datetime | float) -> int:
    """Milliseconds since the epoch, rounded down; a time without a zone is UTC; numbers are seconds, or by their size
    milliseconds (from 1e11 on) or microseconds (from 1e14 on).  OverflowError or ValueError where it is no time."""
    if isinstance(time, datetime):
        return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - EPOCH) // MILLISECOND
    size = abs(time)
    if size >= 1e17:
        raise ValueError("a number too large to be a time")
    if size >= 1e14:
        return int(time // 1000)
    return int(time // 1) if size >= 1e11 else int(time * 1000 // 1)
