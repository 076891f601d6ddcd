"""The smallest shard that shows exactly once: it counts each customer's events and tells every count.

Each event ``{"n": k}`` of a customer becomes one change ``{"topic", "n", "count", "by"}``. An event lost, applied twice
or applied to the wrong rows shows in the counts.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stream.app.ports import Source
from stream.engine.busiest import Busiest
from stream.engine.output import Asked
from stream.engine.slices import Slices
from stream.events.raw import RawRecords
from tests.plain_changes import PlainChanges

OWN_ROW = b"\x00shard"


@dataclass
class Batch:
    topic: str
    partition: int
    lo: int
    hi: int
    records: Sequence[Any]
    at_ms: int = 0
    answer: tuple[int, int] = (0, 0)


class Decoder:
    def decode(self, topic: str, partition: int, records: Sequence[Any], lo: int, hi: int) -> Batch:
        return Batch(topic, partition, lo, hi, records)


@dataclass(frozen=True)
class Change:
    key: bytes
    body: dict[str, Any]
    at_ms: int = 0
    caused_ms: int | None = None
    cause: str = "event"
    dimension: str = "count"
    from_segment: str | None = None
    to_segment: str | None = "counted"
    stayed_ms: int | None = None
    away_ms: int | None = None

    def topic_names(self) -> Sequence[str]:
        return ()

    def headers(self) -> list[tuple[str, bytes]]:
        return [("ce_type", b"test")]

    def data(self) -> bytes:
        return json.dumps(self.body).encode()


@dataclass
class Counts:
    read: int = 0
    applied: int = 0
    duplicate: int = 0
    ignored: int = 0
    rekeyed: int = 0
    unknown_zones: int = 0
    rejected: dict[str, int] = field(default_factory=dict)

    def by_outcome(self) -> dict[str, int]:
        return {"applied": self.applied, "ignored": self.ignored}


@dataclass
class Step:
    changes: PlainChanges = field(default_factory=PlainChanges)
    rows: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    customers: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    dead: list[Any] = field(default_factory=list)
    forgotten: list[Any] = field(default_factory=list)
    rekeyed: list[Any] = field(default_factory=list)
    offsets: dict[Source, int] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    vectors: None = None
    vector_keys: Sequence[bytes] = ()
    vector_instants: Sequence[int] = ()
    asked: list[Asked] = field(default_factory=list)
    unmatched: int = 0
    beyond: int = 0


class CountingShard:
    """Counts per customer. ``big_row`` makes one row of that many bytes, which no topic takes."""

    def __init__(self, partition: int, sources: Sequence[Source], by: str, *, opens: bool = True) -> None:
        self.partition = partition
        self.counts: dict[bytes, int] = {}
        self.proofs: dict[Source, tuple[int, int]] = {}
        self.clock_ms: int | None = None
        self.plan = None
        self.definitions_version = 0
        self.compiling = None
        self.clusters = None
        self.books: dict[str, int] = {}
        self._sources = list(sources)
        self._by = by
        self._own: dict[Source, int] = {}
        self._expected: dict[Source, int] = {}
        self._applied: dict[Source, int] = {}
        self._waiting: dict[Source, deque[Any]] = {source: deque() for source in sources}
        self._moved = False
        self._opens = opens

    @property
    def customers(self) -> int:
        return len(self.counts)

    @property
    def busiest(self) -> Busiest:
        return Busiest()

    @property
    def poison(self) -> Sequence[Any]:
        return ()

    def read_back(self, records: RawRecords) -> None:
        for record in records:
            key, value = record.key, record.value
            if key == OWN_ROW:
                assert value is not None
                self._own = {(topic, partition): at for topic, partition, at in json.loads(value)}
            else:
                self.counts[key or b""] = int(value or b"0")

    def planned(self) -> bool:
        return self._opens

    def restored(self) -> bool:
        return self._opens

    def next_offset(self, source: Source) -> int | None:
        return self._own.get(source)

    def start(self, source: Source, offset: int) -> None:
        self._expected[source] = self._applied[source] = offset

    def expected(self, source: Source) -> int:
        return self._expected[source]

    def offer(self, batch: Batch) -> None:
        source = (batch.topic, batch.partition)
        expected = self._expected[source]
        assert batch.lo <= expected, f"gap: {batch.lo} after {expected}"
        new = (i for i, record in enumerate(batch.records) if record.offset >= expected)
        self._waiting[source].extend((batch.records, i) for i in new)
        self._expected[source] = max(expected, batch.hi)
        self._moved = True

    def prove(self, source: Source, position: int, at_ms: int, answer: tuple[int, int] = (0, 0)) -> None:
        assert position == self._expected[source]
        self.proofs[source] = position, at_ms

    def waiting(self, source: Source) -> int:
        return len(self._waiting[source])

    def stepping(self, limit: int, wall_ms: int | None) -> Slices[Step | None]:
        if not self._moved:
            return None
        step, touched = Step(), set()
        for source in self._sources:
            waiting = self._waiting[source]
            while waiting and step.counts.read < limit:
                records, i = waiting.popleft()
                record = records[i]
                step.counts.read += 1
                self._applied[source] = record.offset + 1
                if record.key is None:
                    step.counts.ignored += 1
                    continue
                step.counts.applied += 1
                self.counts[record.key] = count = self.counts.get(record.key, 0) + 1
                touched.add(record.key)
                body = {"topic": source[0], "n": json.loads(record.value)["n"], "count": count, "by": self._by}
                step.changes.append(Change(record.key, body, record.timestamp, record.timestamp))
            if not waiting:
                self._applied[source] = self._expected[source]
            yield
        self._moved = any(self._waiting.values())
        step.offsets = dict(self._applied)
        own = json.dumps([[topic, partition, at] for (topic, partition), at in self._applied.items()])
        step.rows = [*((key, b"%d" % self.counts[key]) for key in sorted(touched)), (OWN_ROW, own.encode())]
        return step

    def blocked_by(self) -> Source | None:
        return None

    def sizes(self) -> Mapping[str, Mapping[str, int]]:
        return {"count": {"counted": len(self.counts)}}

    def explaining(self, customer: str, horizon: int) -> Iterator[Any]:
        return iter(())

    def placed(self, customer: str) -> dict[str, Any] | None:
        return None if customer.encode() not in self.counts else {"customer": customer, "segments": {}}

    def members(self, dimension: str, segment: str, below: int, most: int) -> tuple[list[tuple[str, str | None]], int]:
        return [(customer.decode(), None) for customer in self.counts], 0

    def typical(self, segment: str, most: int) -> Iterator[list[dict[str, Any]] | None]:
        return iter(([],))

    def describe(self, customer_id: str) -> dict[str, Any] | None:
        count = self.counts.get(customer_id.encode())
        return None if count is None else {"customer": customer_id, "count": count}
