"""Changes in the plainest way: a list of objects, each of which says its own bytes. What is written in bulk is held
against it, and small shards of tests are content with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from aiokafka.record.util import encode_varint
from numpy.typing import NDArray

from stream.engine.kinds import CAUSES, Kinds, Sort
from stream.engine.records import Column, Records


def headers_on_the_wire(headers: Sequence[tuple[str, bytes]]) -> bytes:
    """As Kafka's record format has them: their count, then each with its lengths."""
    out = bytearray()
    encode_varint(len(headers), out.append)
    for text in (part for name, value in headers for part in (name.encode(), value)):
        encode_varint(len(text), out.append)
        out += text
    return bytes(out)


class PlainChanges(list[Any]):
    """What `stream.app` asks of changes, of objects with the attributes of `stream.engine.change.Change`."""

    @property
    def causes(self) -> NDArray[np.int64]:
        return np.array([CAUSES.index(one.cause) for one in self], np.int64)

    @property
    def at_ms(self) -> NDArray[np.int64]:
        return np.array([one.at_ms for one in self], np.int64)

    def records(self) -> Records:
        keys, values = [one.key for one in self], [one.data() for one in self]
        headers = [headers_on_the_wire(one.headers()) for one in self]
        return Records(Column.of(keys), Column.of(values), np.zeros(len(self), np.uint8), Column.of(headers))

    def topics(self) -> dict[str, NDArray[np.int64]]:
        found: dict[str, list[int]] = {}
        for k, one in enumerate(self):
            for topic in one.topic_names():
                found.setdefault(topic, []).append(k)
        return {topic: np.array(picks) for topic, picks in found.items()}

    @property
    def stayed_ms(self) -> NDArray[np.int64]:
        return np.array([-1 if one.stayed_ms is None else one.stayed_ms for one in self], np.int64)

    @property
    def away_ms(self) -> NDArray[np.int64]:
        return np.array([-1 if one.away_ms is None else one.away_ms for one in self], np.int64)

    def sorts(self) -> list[tuple[Sort, NDArray[np.int64]]]:
        found: dict[Sort, list[int]] = {}
        for k, one in enumerate(self):
            found.setdefault((one.dimension, one.from_segment, one.to_segment, one.cause), []).append(k)
        return [(sort, np.array(picks)) for sort, picks in found.items()]

    def numbered(self) -> list[tuple[Kinds, NDArray[np.int64]]]:
        names: dict[str, list[str]] = {}
        for one in self:
            known = names.setdefault(one.dimension, [])
            known += [s for s in (one.from_segment, one.to_segment) if s is not None and s not in known]
        kinds = Kinds(list(names), list(names.values()))
        numbers = {kinds.sort(kind): kind for kind in range(kinds.count)}
        sorts = [(one.dimension, one.from_segment, one.to_segment, one.cause) for one in self]
        return [(kinds, np.array([numbers[sort] for sort in sorts], np.int64))]

    def caused(self) -> NDArray[np.int64]:
        came = {(one.key, one.caused_ms, str(getattr(one, "evidence", {}).get("event"))) for one in self}
        return np.array([at for _, at, _ in came if at is not None], np.int64)


def told(records: Records, picks: Iterable[int]) -> list[tuple[bytes, bytes | None, bytes]]:
    """Key, value and headers (as on the wire) of some records."""
    headers = list(records.headers) if len(records.headers.ends) else [b"\0"] * len(records)
    columns = zip(records.keys, records.values, records.absent.tolist(), headers, strict=True)
    rows = [(key, None if absent else value, header) for key, value, absent, header in columns]
    return [rows[k] for k in picks]
