"""A dead letter as records of its topic, and back: the bytes of what was rejected, and in headers where and why.

Headers: ``reason``, ``detail``, ``topic``, ``partition``, ``offset`` and ``timestamp`` (ms) of the record that was
rejected.  Key and value are its own.  Where both together are longer than PART_BYTES they come in several records, one
behind the other in one partition and transaction: ``part`` says which (1/11, 2/11, ...), the keys are null, the values
joined are the key and then the value, ``key_size`` and ``value_size`` their lengths in bytes (-1: null).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Headers = list[tuple[str, bytes]]

#: Most bytes of a key and a value in one record: well below what a broker takes by default, so that it takes them all.
PART_BYTES = 500_000
#: Longest sentence on what is wrong, in characters.
LONGEST_DETAIL = 1000


class Rejected(Protocol):
    """A record that cannot be applied, and why (:class:`stream.events.batch.DeadLetter`)."""

    @property
    def reason(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def detail(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Letter:
    """One rejected record: where it lies now (``place``), where it came in, why it was rejected, and its bytes.

    ``cut`` says that a part of it is missing, as after the topic's retention deleted its beginning.
    """

    place: tuple[int, int]
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    timestamp: int
    key: bytes | None
    value: bytes | None
    cut: bool = False

    @property
    def origin(self) -> str:
        """Where it came in, as ``topic/partition/offset``."""
        return f"{self.topic}/{self.partition}/{self.offset}"


def records_of(rejected: Rejected) -> Iterator[tuple[bytes | None, bytes | None, Headers]]:
    """Key, value and headers of the records that a letter is written as."""
    headers: Headers = [
        ("reason", rejected.reason.encode()),
        ("detail", rejected.detail[:LONGEST_DETAIL].encode("utf-8", "replace")),
        ("topic", rejected.topic.encode()),
        ("partition", b"%d" % rejected.partition),
        ("offset", b"%d" % rejected.offset),
        ("timestamp", b"%d" % rejected.timestamp),
    ]
    key, value = rejected.key, rejected.value
    joined = (key or b"") + (value or b"")
    if len(joined) <= PART_BYTES:
        yield key, value, headers
        return
    sizes = [(name, b"%d" % (-1 if x is None else len(x))) for name, x in (("key_size", key), ("value_size", value))]
    count = -(-len(joined) // PART_BYTES)
    for k in range(count):
        part = joined[k * PART_BYTES : (k + 1) * PART_BYTES]
        yield None, part, [*headers, ("part", b"%d/%d" % (k + 1, count)), *sizes]


class Assembler:
    """Takes the records of one partition of the dead-letter topic in order, and gives the letters that are complete."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._parts: list[bytes] = []

    def take(self, record: Any) -> Letter | None:
        """The letter that this record ends; None where more of it is to come."""
        headers = {name: value for name, value in record.headers if value is not None}
        number, _, count = headers.get("part", b"").partition(b"/")
        if not (number.isdigit() and count.isdigit()):
            self._parts = []
            return self._letter(record, headers, record.key, record.value)
        if int(number) == 1:
            self._parts = []
        self._parts.append(record.value or b"")
        if int(number) < int(count):
            return None
        joined, complete = b"".join(self._parts), len(self._parts) == int(count)
        self._parts = []
        if not complete:
            return self._letter(record, headers, None, joined, cut=True)
        key_size, value_size = _number(headers, "key_size"), _number(headers, "value_size")
        key, value = joined[: max(0, key_size)], joined[max(0, key_size) :]
        return self._letter(record, headers, None if key_size < 0 else key, None if value_size < 0 else value)

    def _letter(
        self, record: Any, headers: Mapping[str, bytes], key: bytes | None, value: bytes | None, *, cut: bool = False
    ) -> Letter:
        def text(name: str) -> str:
            return headers.get(name, b"").decode("utf-8", "replace")

        return Letter(
            (self._partition, record.offset),
            text("topic"),
            _number(headers, "partition"),
            _number(headers, "offset"),
            text("reason") or "unknown",
            text("detail"),
            _number(headers, "timestamp"),
            key,
            value,
            cut,
        )


def _number(headers: Mapping[str, bytes], name: str) -> int:
    """A whole number; 0 where whoever wrote it wrote none."""
    try:
        return int(headers.get(name, b"0"))
    except ValueError:
        return 0
