"""JSONL of wire events: every line goes on as it is, with what routing and sorting need of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from stream.events.names import NAMES_OF_TYPES
from stream.events.routing import topic_of
from stream.events.wire import Id, Time, instant_of
from stream.history.record import FileRecord


class _Envelope(msgspec.Struct, gc=False):
    """What routing needs of a wire event; the engine's decoder judges the whole of it."""

    type: str | None = None
    event: str | None = None
    userId: Id = None  # noqa: N815 - the wire's own names
    anonymousId: Id = None  # noqa: N815
    timestamp: Time = None


class _ProductProperties(msgspec.Struct, gc=False):
    product_id: Id = None


class _ProductEvent(msgspec.Struct, gc=False):
    properties: _ProductProperties


# As lenient as the engine's decoder, so that what it accepts has its key here.
_envelope = msgspec.json.Decoder(_Envelope, strict=False).decode
_product = msgspec.json.Decoder(_ProductEvent, strict=False).decode


def read_wire_lines(file: str, stream: BinaryIO) -> Iterator[FileRecord]:
    """One record a line, blank lines left out; malformed ones too, since the engine rejects them with a reason."""
    for number, line in enumerate(stream, 1):
        value = line.rstrip(b"\r\n")
        if value and not value.isspace():
            yield wire_record(file, number, value)


def wire_record(file: str, number: int, value: bytes) -> FileRecord:
    """The record of one line of wire JSON, routed by its event's name as a live producer would."""
    try:
        event = _envelope(value)
        topic = topic_of(NAMES_OF_TYPES.get(event.type or "") or event.event or "")
        owner = _product(value).properties.product_id if topic == "products" else event.userId or event.anonymousId
        key = str(owner).encode() if owner else None
        instant = None if event.timestamp is None else instant_of(event.timestamp)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return FileRecord(file, number, "clickstream", None, value, None)
    return FileRecord(file, number, topic, key, value, instant)
