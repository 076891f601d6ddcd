"""Records as they came from Kafka, in one buffer: of thousands nobody makes an object, but of those that are asked for.

What reads them goes by the buffer and the places in it; whoever needs a record as such takes it by its number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

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
