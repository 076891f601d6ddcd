"""Records of a fetch as places in its bytes: of thousands, aiokafka would make an object each.

The answers are aiokafka's, which looks after positions, errors and aborted transactions; only what it does with each
record is left out.  Messages of formats before Kafka 0.11 are read by it as ever.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from weakref import ref

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch

from stream.events.raw import PLACES, Headers, RawRecords
from stream.kafka.unframing import number, text, unframe

#: Of a record batch: bytes before its length counts, of its head; where its format and the count of its records are.
_BEFORE, _HEAD, _MAGIC, _COUNT = 12, 61, 16, 57
_DECODE: dict[int, Callable[[memoryview], bytes]] = {1: gzip_decode, 2: snappy_decode, 3: lz4_decode, 4: zstd_decode}
#: A record batch as aiokafka has it, its bytes, and how many records it has.
_Batch = tuple[DefaultRecordBatch, memoryview, int]


def read_in_bulk(consumer: AIOKafkaConsumer, unframe: Callable[..., int]) -> None:
    """Make a consumer hand out :class:`RawRecords`.  ``unframe`` is that of :mod:`stream.kafka.unframing`."""
    fetcher = consumer._fetcher
    original = fetcher._proc_fetch_request
    overheard = fetcher._client = _Overheard(fetcher._client)

    async def proc_fetch_request(assignment: Any, node_id: int, request: Any) -> bool:
        overheard.answer = None
        done: bool = await original(assignment, node_id, request)
        # Nothing else has run since the answer arrived.
        answer, overheard.answer = overheard.answer, None
        for topic, partitions in () if answer is None else answer.topics:
            for partition, *_, data in partitions:
                found = fetcher._records.get(TopicPartition(topic, partition))
                if data and getattr(found, "_partition_records", None) is not None and _is_new(data):
                    found.getall = partial(_take, ref(found), Unread(found._partition_records, data, unframe))
        return done

    fetcher._proc_fetch_request = proc_fetch_request


class _Overheard:
    """A client of aiokafka whose latest answer is kept."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.answer: Any = None

    async def send(self, *args: Any, **more: Any) -> Any:
        """As the client's own."""
        self.answer = await self._client.send(*args, **more)
        return self.answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _take(of: Callable[[], Any], unread: Unread, most: int | None = None) -> Sequence[Any]:
    """In place of ``getall`` of aiokafka's result of a fetch, which must not hold itself: it is large."""
    result = of()
    if not result.check_assignment(result._topic_partition) or not result.has_more():
        return []
    records = unread.take(most)
    result._update_position()
    if unread.done:
        result._partition_records = None
    return records


class Unread:
    """What is left of an answer about one partition; ``found`` is what aiokafka made of it, ``data`` its bytes."""

    def __init__(self, found: Any, data: bytes, unframe: Callable[..., int] = unframe) -> None:
        self._found, self._unframe = found, unframe
        found._records = found._records_iterator = None  # which hold the bytes, and what was found
        self._batches = _batches(data)
        self._rest: RawRecords | None = None
        self._position = found.next_fetch_offset
        self.done = False

    def take(self, most: int | None = None) -> RawRecords:
        """The next records, ``most`` of them at most, and the position moved behind them."""
        records, self._rest = self._rest or self._read(most), None
        if most is not None and len(records) > most:
            records, self._rest = records[:most], records[most:]
            self._found.next_fetch_offset = int(records.offsets[-1]) + 1
        else:
            self._found.next_fetch_offset = self._position
        return records

    def _read(self, most: int | None) -> RawRecords:
        """The records of so many batches that there are ``most``; all where that is None."""
        picked: list[_Batch] = []
        count, position = 0, self._position
        while most is None or count < most:
            batch = next(self._batches, None)
            if batch is None:
                self.done = True
                break
            found, data, n = batch
            self._position = found.next_offset
            if self._counts(found):
                picked.append((found, data, n))
                count += n
        return self._records(picked, count, position)

    def _counts(self, batch: DefaultRecordBatch) -> bool:
        """Whether a batch has records that are anybody's; as aiokafka's ``PartitionRecords._unpack_records`` has it."""
        found = self._found
        if found._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"a record batch of {found._tp} does not match its checksum")
        if found._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            found._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and found._contains_abort_marker(batch):
                found._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in found._aborted_producers:
                return False
        return not batch.is_control_batch

    def _records(self, picked: Sequence[_Batch], count: int, position: int) -> RawRecords:
        parts = [_plain(batch, data) for batch, data, _ in picked]
        buffer = b"".join(parts)  # one alone, if it is bytes already, is not copied
        places, times = np.empty((count, PLACES), np.int64), np.empty(count, np.int64)
        offsets = np.empty(count, np.int64)
        data, at, begin = np.frombuffer(buffer or b" ", np.uint8), 0, 0
        for part, (batch, _, n) in zip(parts, picked, strict=True):
            fixed = batch.max_timestamp if batch.timestamp_type else -1
            counts = (batch.base_offset, batch.first_timestamp, fixed, begin, begin + n)
            if self._unframe(data, at, at + len(part), *counts, places, offsets, times) != begin + n:
                raise CorruptRecordException(f"a record batch of {self._found._tp} at {batch.base_offset} is no such")
            at, begin = at + len(part), begin + n
        records = RawRecords(buffer, places, offsets, times, read_headers)
        # The first batch may begin before what was asked for.
        return records if not count or offsets[0] >= position else records[int(np.searchsorted(offsets, position)) :]


def _batches(data: bytes) -> Iterator[_Batch]:
    """The record batches in an answer; the last of them may be cut off, and is left out then."""
    at, view = 0, memoryview(data)
    while (end := _end(data, at)) is not None:
        yield DefaultRecordBatch(view[at:end]), view[at:end], struct.unpack_from(">i", data, at + _COUNT)[0]
        at = end


def _end(data: bytes, at: int) -> int | None:
    """Where the record batch at ``at`` ends; None where it is not there whole."""
    if len(data) - at < _BEFORE:
        return None
    end: int = at + _BEFORE + struct.unpack_from(">i", data, at + 8)[0]
    return end if end <= len(data) else None


def _is_new(data: bytes) -> bool:
    """Whether all record batches of an answer are of the format that is read here."""
    at = 0
    while (end := _end(data, at)) is not None:
        if end - at < _HEAD or data[at + _MAGIC] != 2:
            return False
        at = end
    return True


def _plain(batch: DefaultRecordBatch, data: memoryview) -> bytes | memoryview:
    """The records of a batch, not compressed."""
    if not batch.compression_type:
        return data[_HEAD:]
    if batch.compression_type not in _DECODE:
        raise CorruptRecordException(f"a record batch is compressed in an unknown way: {batch.compression_type}")
    return _DECODE[batch.compression_type](data[_HEAD:])


def read_headers(data: bytes) -> Headers:
    """Headers of a record, from their bytes."""
    found: list[tuple[str, bytes | None]] = []
    count, at = number(data, 0, len(data))
    for _ in range(count):
        key, end = text(data, at, len(data))
        value, at = text(data, end, len(data))
        found.append((data[key:end].decode(), data[value:at] if value >= 0 else None))
    return found
