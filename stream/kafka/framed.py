"""Record batches that are filled many records at a time, for aiokafka to send.

aiokafka fills a batch record by record, each from Python objects of its own: for small records that costs more than all
else that a transaction does.  Compression, header and checksum stay aiokafka's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from numpy.typing import NDArray

from stream.engine.records import Records
from stream.kafka.framing import OVERHEAD

#: What aiokafka fills in plain Python, whose parts can be reached.
LibraryBuilder = _DefaultRecordBatchBuilderPy
#: Of a record batch, before its records.
HEADER_BYTES = LibraryBuilder.HEADER_STRUCT.size


class FramedBatch(BatchBuilder):  # type: ignore[misc]
    """A batch of a transaction with records that are written already; ``stamp`` is the timestamp of all of them (ms);
    ``compression`` aiokafka's number of the kind."""

    def __init__(self, compression: int, records: NDArray[np.uint8], count: int, stamp: int) -> None:
        super().__init__(len(records), compression, is_transactional=1)
        builder = LibraryBuilder(2, compression, 1, -1, -1, 0, len(records))
        builder._buffer += records.data
        builder._first_timestamp = builder._max_timestamp = stamp
        builder._num_records, builder._last_offset = count, count - 1
        self._builder = builder
        self._relative_offset = count
        self.close()

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._builder.set_producer_state(producer_id, producer_epoch, base_sequence)


class Picked(NamedTuple):
    """Some of many records, by their numbers."""

    records: Records
    picks: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.picks)

    def sizes(self) -> NDArray[np.int64]:
        """How many bytes each takes in a batch at most."""
        records, picks = self
        columns = [records.keys, records.values, *([records.headers] if len(records.headers.ends) else [])]
        sizes = [np.diff(column.ends)[picks] for column in columns]
        found: NDArray[np.int64] = np.sum(sizes, axis=0) + (OVERHEAD + sum(map(len, records.before)))
        return found


def framed(
    frame: Callable[..., tuple[int, int]], parts: Sequence[Picked], most: int, compression: int = 0
) -> Iterator[FramedBatch]:
    """Batches for a transaction of all these records in their order, each of at most so many bytes; a record too large
    for any is alone in its batch, and refused by the broker."""
    sizes = [part.sizes() for part in parts]
    room, longest = most - HEADER_BYTES, max((int(one.max(initial=0)) for one in sizes), default=0)
    out = np.empty(min(sum(int(one.sum()) for one in sizes), max(room, longest)), np.uint8)
    count = used = 0
    for part in parts:
        columns, start = part.records.columns(), 0
        while start < len(part):
            begun = start
            start, used = frame(*columns, part.picks, start, count, out, used, room)
            count += start - begun
            if start < len(part):
                yield FramedBatch(compression, out[:used], count, int(time.time() * 1000))
                count = used = 0
    if count:
        yield FramedBatch(compression, out[:used], count, int(time.time() * 1000))
