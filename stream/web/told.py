"""A segment change as the API tells it, read from its record."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import orjson

Instant = Annotated[
    str, msgspec.Meta(description="ISO 8601, UTC, milliseconds.", examples=["2026-01-31T09:15:02.000Z"])
]


class Change(msgspec.Struct):
    """A customer moved in a dimension; ``time`` is the instant at which it became true.

    ``cause``: event, deadline, definition or model; ``evidence``: the features that the dimension uses, as of then;
    ``sequence`` counts the customer's changes; ``id`` is the same however often it is told.
    """

    id: str
    time: Instant
    customer: str
    dimension: str
    from_segment: str | None = msgspec.field(name="from")
    to_segment: str | None = msgspec.field(name="to")
    cause: str
    evidence: dict[str, Any]
    sequence: int
    definition: str


def read_change(record: Any) -> Change | None:
    """The change that a record of the topic of changes holds; None where it holds none."""
    try:
        headers = dict(record.headers)
        data = orjson.loads(record.value)
        return Change(
            headers["ce_id"].decode(),
            headers["ce_time"].decode(),
            record.key.decode("utf-8", "replace"),
            data["dimension"],
            data["from"],
            data["to"],
            data["cause"],
            data["evidence"],
            data["sequence"],
            data["definition"],
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
