"""Records in one buffer are what they were made of."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.events.raw import RawRecord, RawRecords, raw_of

TEXTS = st.none() | st.binary(max_size=4)
RECORDS = st.lists(st.tuples(TEXTS, TEXTS, st.integers(0, 99), st.integers(0, 99)), max_size=6)


@given(RECORDS)
def test_records_come_back_as_they_went_in(records: list[tuple[bytes | None, bytes | None, int, int]]) -> None:
    """Nothing and no bytes are told apart, in keys and in values; what came one by one gives the same."""
    keys, values = [key for key, *_ in records], [value for _, value, *_ in records]
    raw = RawRecords.of(keys, values, [(offset, timestamp) for *_, offset, timestamp in records])
    assert [(one.key, one.value, one.offset, one.timestamp) for one in raw] == records
    assert list(raw.keys()) == [key or b"" for key in keys]
    assert raw.size == sum(len(part or b"") for pair in zip(keys, values, strict=True) for part in pair)
    assert list(raw_of([RawRecord(o, t, key, value, ()) for key, value, o, t in records])) == list(raw)
    assert raw_of(raw) is raw


@given(RECORDS, st.data())
def test_some_are_picked_by_number_and_by_the_byte_their_keys_begin_with(
    records: list[tuple[bytes | None, bytes | None, int, int]], data: st.DataObject
) -> None:
    """In the order of the numbers; no key begins with nothing."""
    raw = RawRecords.of([key for key, *_ in records], [value for _, value, *_ in records])
    picks = data.draw(st.lists(st.integers(0, len(records) - 1), max_size=4)) if records else []
    assert list(raw.some(np.array(picks, np.int64))) == [raw[k] for k in picks]
    letter = data.draw(st.sampled_from([key[:1] for key, *_ in records if key] or [b"c"]))
    assert raw.begin_with(letter).tolist() == [(key or b"")[:1] == letter for key, *_ in records]
