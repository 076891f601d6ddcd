"""Records of a fetch as places in its bytes are those that aiokafka reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.kafka import unframing
from stream.kafka.unframed import Unread, _is_new

TP = TopicPartition("t", 3)
UNFRAME = numba.njit(unframing.unframe)
texts = st.none() | st.binary(max_size=70)
headers = st.lists(st.tuples(st.text(max_size=4), texts), max_size=3)
record = st.tuples(st.integers(0, 1 << 41), texts, texts, headers)
#: Kind (0: plain, 1: of a transaction, 2: of an aborted one, 3: the mark of its end), codec, gap before it, records.
batch = st.tuples(
    st.integers(0, 3), st.sampled_from([0, 1, 2, 3, 4]), st.integers(0, 3), st.lists(record, min_size=1, max_size=5)
)


def written(batches: Sequence[tuple[int, int, int, Sequence[Any]]]) -> tuple[bytes, list[tuple[int, int]]]:
    """A partition's log, as a broker answers with it, and its aborted transactions."""
    log, offset, aborted = bytearray(), 0, []
    for kind, codec, gap, records in batches:
        builder = DefaultRecordBatchBuilder(
            2, 0 if kind == 3 else codec, int(kind > 0), 7 if kind else -1, 0, 0, 1 << 20
        )
        given = [(0, b"\0\0\0\0", b"", [])] if kind == 3 else records
        for k, (time, key, value, own) in enumerate(given):
            assert builder.append(k, time, key, value, own)
        data = bytearray(builder.build())
        offset += gap
        data[:8] = offset.to_bytes(8, "big")
        if kind == 2:
            aborted.append((7, offset))
        if kind == 3:
            data[22] |= 0x20
        log += checked(data)
        offset += len(given)
    return bytes(log), aborted


def checked(batch: bytearray) -> bytes:
    """A batch with the checksum of what is in it."""
    batch[17:21] = calc_crc32c(bytes(batch[21:])).to_bytes(4, "big")
    return bytes(batch)


def read(data: bytes, aborted: list[tuple[int, int]], position: int) -> PartitionRecords:
    """What aiokafka makes of an answer."""
    return PartitionRecords(TP, MemoryRecords(data), aborted, position, None, None, True, READ_COMMITTED)


def told(one: Any) -> tuple[Any, ...]:
    """All of a record that anybody reads."""
    return one.offset, one.timestamp, one.key, one.value, tuple(one.headers)


@settings(max_examples=150, deadline=None)
@given(st.lists(batch, max_size=5), st.integers(0, 12), st.integers(1, 9) | st.none())
def test_records_are_those_that_aiokafka_reads(
    batches: list[tuple[int, int, int, list[Any]]], position: int, most: int | None
) -> None:
    """With all that is to be left out, however many are taken at once; and so is the position behind them."""
    data, aborted = written(batches)
    if batches:  # an answer begins with the batch in which the position is
        kind, _, gap, records = batches[0]
        position %= gap + (1 if kind == 3 else len(records))
    plain = read(data, aborted, position)
    expected = [told(one) for one in plain]
    found = read(data, aborted, position)
    unread = Unread(found, data, UNFRAME)
    got: list[Any] = []
    while not unread.done:
        taken = unread.take(most)
        assert most is None or len(taken) <= most
        assert taken.size == sum(len(one.key or b"") + len(one.value or b"") for one in taken)
        got += taken
        assert not len(taken) or found.next_fetch_offset > got[-1].offset
    assert [told(one) for one in got] == expected
    assert found.next_fetch_offset == plain.next_fetch_offset


@settings(max_examples=300, deadline=None)
@given(st.lists(record, min_size=1, max_size=3), st.data())
def test_bytes_that_are_no_records_are_refused(records: list[Any], data: st.DataObject) -> None:
    """Whatever a byte is changed to, it is records or an error, and nothing beyond is read."""
    log = bytearray(written([(0, 0, 0, records)])[0])
    log[data.draw(st.integers(61, len(log) - 1))] = data.draw(st.integers(0, 255))
    found = checked(log)
    try:
        got = Unread(read(found, [], 0), found, UNFRAME).take()
    except CorruptRecordException:
        return
    places = got.places.tolist()
    assert all(-1 <= first <= last <= len(got.buffer) for place in places for first, last in batched(place))


def batched(place: list[int]) -> list[tuple[int, int]]:
    """Where key, value and headers of a record begin and end."""
    return list(zip(place[::2], place[1::2], strict=True))


def test_a_wrong_checksum_is_an_error() -> None:
    """As it is for aiokafka."""
    data = bytearray(written([(0, 0, 0, [(1, b"k", b"value", [])])])[0])
    data[-3] ^= 1
    with pytest.raises(CorruptRecordException, match=r"t.*3.*does not match its checksum"):
        Unread(read(bytes(data), [], 0), bytes(data), UNFRAME).take()


def test_older_formats_are_left_to_aiokafka() -> None:
    """They are told apart before anything is read."""
    data = written([(0, 0, 0, [(1, b"k", b"value", [])])])[0]
    assert _is_new(data)
    assert _is_new(data + data[:40])
    assert not _is_new(data[:16] + b"\1" + data[17:])


def test_the_compiled_function_does_what_its_text_says() -> None:
    """Compiled or not, the same places."""
    data = written([(0, 3, 0, [(5, b"k", None, [("a", b"b")]), (6, None, b"v" * 300, [])])])[0]
    once, again = (Unread(read(data, [], 0), data, function).take() for function in (UNFRAME, unframing.unframe))
    assert once.places.tolist() == again.places.tolist()
    assert (once.offsets.tolist(), once.timestamps.tolist()) == (again.offsets.tolist(), again.timestamps.tolist())
