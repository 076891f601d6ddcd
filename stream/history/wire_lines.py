"""JSONL of wire events: every line goes on as it is, with what routing and sorting need of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from stream.events.instant import parse_iso
from stream.events.names import NAMES_OF_TYPES
from stream.events.routing import topic_of
from stream.history.record import FileRecord


class _Envelope(msgspec.Struct, gc=False):
    """What routing needs of a wire event; the engine's decoder judges the whole of it."""

    type: str = "track"
    event: str | None = None
    userId: str | None = None  # noqa: N815 - the wire's own names
    anonymousId: str | None = None  # noqa: N815
    timestamp: str | None = None


class _ProductProperties(msgspec.Struct, gc=False):
    product_id: str | None = None


class _ProductEvent(msgspec.Struct, gc=False):
    properties: _ProductProperties


_envelope = msgspec.json.Decoder(_Envelope).decode
_product = msgspec.json.Decoder(_ProductEvent).decode


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
        topic = topic_of(NAMES_OF_TYPES.get(event.type) or event.event or "")
        customer = _product(value).properties.product_id if topic == "products" else event.userId or event.anonymousId
        key = customer.encode() if customer else None
    except (msgspec.MsgspecError, UnicodeError):
        return FileRecord(file, number, "clickstream", None, value, None)
    try:
        instant = parse_iso(event.timestamp) if event.timestamp else None
    except (ValueError, OverflowError):
        instant = None
    return FileRecord(file, number, topic, key, value, instant)
