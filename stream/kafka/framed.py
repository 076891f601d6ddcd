"""Record batches that are filled many records at a time, for aiokafka to send.

aiokafka fills a batch record by record, each from Python objects of its own: for small records that costs more than all
else that a transaction does.  Compression, header and checksum stay aiokafka's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

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


def framed(
    frame: Callable[..., tuple[int, int]],
    records: Records,
    picks: NDArray[np.int64],
    most: int,
    compression: int = 0,
) -> Iterator[FramedBatch]:
    """Batches for a transaction of the picked records in their order, each of at most so many bytes; a record too large
    for any is alone in its batch, and refused by the broker."""
    keys, values, headers = records.keys, records.values, records.headers
    sizes = np.diff(keys.ends)[picks] + np.diff(values.ends)[picks] + OVERHEAD
    if len(headers.ends):
        sizes += np.diff(headers.ends)[picks]
    room = most - HEADER_BYTES
    out = np.empty(min(int(sizes.sum()), max(room, int(sizes.max(initial=0)))), np.uint8)
    start = 0
    while start < len(picks):
        begun = start
        start, used = frame(*records.columns(), picks, start, out, room)
        stamp = int(time.time() * 1000)
        yield FramedBatch(compression, out[:used], start - begun, stamp)
