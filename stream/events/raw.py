"""Records as they came from Kafka, in one buffer: of thousands nobody makes an object, but of those that are asked for.

What reads them goes by the buffer and the places in it; whoever needs a record as such takes it by its number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

Headers = Sequence[tuple[str, bytes | None]]

#: Columns of the places of a record: its key, its value and its headers, each from where up to where; -1: it has none.
KEY, KEY_END, VALUE, VALUE_END, HEADERS, HEADERS_END = range(6)
PLACES = 6


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record; ``timestamp`` in milliseconds since the epoch."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True, eq=False)
class RawRecords(Sequence[RawRecord]):
    """Records of one topic partition in the order of the log: ``places`` int64 (n, PLACES) in ``buffer``; ``offsets``
    and ``timestamps`` int64 (n).  ``read_headers`` makes headers of their bytes."""

    buffer: bytes
    places: NDArray[np.int64]
    offsets: NDArray[np.int64]
    timestamps: NDArray[np.int64]
    read_headers: Callable[[bytes], Headers]

    @classmethod
    def of(
        cls, keys: Sequence[bytes | None], values: Sequence[bytes | None], marks: Sequence[tuple[int, int]] = ()
    ) -> RawRecords:
        """Of these keys and values, which have no headers; ``marks``: offset and timestamp of each (-1 and 0)."""
        parts = [part for pair in zip(keys, values, strict=True) for part in pair]
        sizes = np.array([0 if part is None else len(part) for part in parts], np.int64)
        ends = np.cumsum(sizes)
        begins = ends - sizes
        missing = np.array([part is None for part in parts], np.bool_)
        spans = np.stack((begins, ends), axis=1)
        spans[missing] = -1
        n = len(keys)
        places = np.concatenate((spans.reshape(n, VALUE_END + 1), np.zeros((n, 2), np.int64)), axis=1)
        known = np.array(marks or [(-1, 0)] * n, np.int64).reshape(-1, 2)
        buffer = b"".join(part for part in parts if part is not None)
        return cls(buffer, places, known[:, 0], known[:, 1], lambda _: ())

    @property
    def data(self) -> NDArray[np.uint8]:
        """The buffer as an array, which is never empty."""
        return np.frombuffer(self.buffer or b" ", np.uint8)

    def some(self, picks: NDArray[np.int64]) -> RawRecords:
        """Those with these numbers, in this order."""
        return RawRecords(
            self.buffer, self.places[picks], self.offsets[picks], self.timestamps[picks], self.read_headers
        )

    def begin_with(self, letter: bytes) -> NDArray[np.bool_]:
        """Whose keys begin with this byte."""
        first, last, data = self.places[:, KEY], self.places[:, KEY_END], self.data
        begun: NDArray[np.bool_] = (last > first) & (data[np.clip(first, 0, len(data) - 1)] == letter[0])
        return begun

    def keys(self) -> Iterator[bytes]:
        """All keys, empty where there is none."""
        buffer = self.buffer
        return (buffer[first:last] for first, last in self.places[:, KEY : KEY_END + 1].tolist())

    @property
    def size(self) -> int:
        """Bytes of all keys and values."""
        places = self.places
        return int((places[:, KEY_END] - places[:, KEY] + places[:, VALUE_END] - places[:, VALUE]).sum())

    def __len__(self) -> int:
        return len(self.offsets)

    def __iter__(self) -> Iterator[RawRecord]:
        return (self[i] for i in range(len(self)))

    @overload
    def __getitem__(self, i: int, /) -> RawRecord: ...
    @overload
    def __getitem__(self, i: slice, /) -> RawRecords: ...
    def __getitem__(self, i: int | slice, /) -> RawRecord | RawRecords:
        if isinstance(i, slice):
            return RawRecords(self.buffer, self.places[i], self.offsets[i], self.timestamps[i], self.read_headers)
        key, key_end, value, value_end, headers, headers_end = self.places[i].tolist()
        return RawRecord(
            int(self.offsets[i]),
            int(self.timestamps[i]),
            self.buffer[key:key_end] if key >= 0 else None,
            self.buffer[value:value_end] if value >= 0 else None,
            self.read_headers(self.buffer[headers:headers_end]),
        )


def raw_of(records: Sequence[Any]) -> RawRecords:
    """Records as such, where they came one by one: those of formats before Kafka 0.11."""
    if isinstance(records, RawRecords):
        return records
    marks = [(record.offset, record.timestamp) for record in records]
    return RawRecords.of([record.key for record in records], [record.value for record in records], marks)
