"""A segment change: who moved, in which dimension, from where to where, when and why; as a CloudEvent (version 1.0)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from stream.durations import format_duration
from stream.engine.names import Names
from stream.events.instant import iso
from stream.features.base import NO_TEXT, Kind

TYPE = "segstream.segment.changed"
SOURCE = "segstream"
MICROS = 1_000_000
#: Headers that all have in common.
_SPECVERSION, _SOURCE = ("ce_specversion", b"1.0"), ("ce_source", SOURCE.encode())
_CONTENT_TYPE = ("content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Change:
    """One customer moved in one dimension at one instant (event time, milliseconds).

    ``cause`` is ``event``, ``deadline``, ``definition`` or ``model``; ``evidence`` the values of the features that the
    dimension used and, for an event, its name and message id; ``sequence`` counts the customer's changes from 1.
    """

    customer: bytes
    dimension: str
    from_segment: str | None
    to_segment: str | None
    at_ms: int
    cause: str
    sequence: int
    definition: str
    evidence: dict[str, Any]
    topics: tuple[str, ...] = ()
    #: When the cause reached the broker (its record's timestamp, milliseconds); None where no event caused it.
    caused_ms: int | None = None
    #: How long they were in the segment that they left (event time, milliseconds); None where they were in none.
    stayed_ms: int | None = None
    #: How long ago they left the segment that they enter, where they were in it before and its returns are counted.
    away_ms: int | None = None

    @property
    def key(self) -> bytes:
        """The customer's id, the key of the record."""
        return self.customer

    @property
    def subject(self) -> str:
        """The customer's id as text."""
        return self.customer.decode("utf-8", "surrogatepass")

    @property
    def id(self) -> str:
        """From customer, dimension, sequence and instant alone, so that a reader can tell a repetition.

        The instant is part of it because a customer who was forgotten and returns begins again at sequence 1.
        """
        what = b"\0".join((self.customer, self.dimension.encode(), b"%d" % self.sequence, b"%d" % self.at_ms))
        return blake2b(what, digest_size=16).hexdigest()

    def topic_names(self) -> tuple[str, ...]:
        """The further topics that the definition names for the segment entered."""
        return self.topics

    def payload(self) -> dict[str, Any]:
        """The ``data`` of the CloudEvent."""
        return {
            "dimension": self.dimension,
            "from": self.from_segment,
            "to": self.to_segment,
            "cause": self.cause,
            "evidence": self.evidence,
            "sequence": self.sequence,
            "definition": self.definition,
        }

    def data(self) -> bytes:
        """The value of the record in Kafka (binary content mode)."""
        return orjson.dumps(self.payload())

    def headers(self) -> list[tuple[str, bytes]]:
        """The attributes as headers of the record (binary content mode)."""
        return cloud_headers(TYPE, self.id, self.customer, self.at_ms, ("ce_cause", self.cause.encode()))

    def cloud_event(self) -> bytes:
        """The whole change as one line of JSON (structured content mode)."""
        return cloud_event(TYPE, self.id, self.subject, self.at_ms, self.payload())


def cloud_headers(
    kind: str, number: str, customer: bytes, at_ms: int, *others: tuple[str, bytes]
) -> list[tuple[str, bytes]]:
    """The headers of a CloudEvent about a customer, of a type, with its id and its instant (ms)."""
    return [
        _SPECVERSION,
        ("ce_id", number.encode()),
        _SOURCE,
        ("ce_type", kind.encode()),
        ("ce_subject", customer),
        ("ce_time", iso(at_ms).encode()),
        *others,
        _CONTENT_TYPE,
    ]


def cloud_event(kind: str, number: str, subject: str, at_ms: int, data: dict[str, Any]) -> bytes:
    """The same with its data as one line of JSON."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": number,
            "source": SOURCE,
            "type": kind,
            "subject": subject,
            "time": iso(at_ms),
            "datacontenttype": "application/json",
            "data": data,
        }
    )


def shown(value: float, kind: Kind) -> Any:
    """A feature's value for people and programs: durations as the language writes them, amounts in whole units.

    Always one of Python's own types, also where an accumulator answers with one of numpy, which JSON does not know.
    """
    value = float(value)
    if value != value:
        return None
    if kind is Kind.DURATION:
        return format_duration(round(value)) if value >= 0 else f"-{format_duration(round(-value))}"
    if kind is Kind.MONEY:
        return value / MICROS
    return int(value) if value.is_integer() and abs(value) < 1 << 53 else value


def shown_text(code: int, names: Names) -> str | None:
    """A text by its hash: as it was written where that is known, else the hash; None where there is none."""
    code = int(code)
    if code == NO_TEXT:
        return None
    return names.text(code) or f"#{code & (1 << 64) - 1:x}"
