"""Sorting by event time: nothing lost, equal times in the order of the file, however small the memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.history.record import FileRecord
from stream.history.sort import sorted_by_time

times = st.lists(st.one_of(st.none(), st.integers(-3, 3)), max_size=60)


def records(instants: list[int | None]) -> list[FileRecord]:
    return [FileRecord("f", line, "clickstream", b"k", b"v", at) for line, at in enumerate(instants, 1)]


@given(times, st.integers(1, 2000), st.integers(1, 5))
def test_any_size_of_runs_gives_the_stable_order(instants: list[int | None], run_bytes: int, runs: int) -> None:
    """The law: as if each line had its time, or that of the line before it, and all were sorted in memory."""
    given_records = records(instants)
    dated, last = [], -(10**18)
    for record in given_records:
        last = last if record.timestamp_ms is None else record.timestamp_ms
        dated.append((last, record.line, record))
    expected = [record for *_, record in sorted(dated, key=lambda entry: entry[:2])]
    assert list(sorted_by_time(given_records, run_bytes, runs)) == expected


def test_a_line_without_a_time_does_not_take_one_from_another_file() -> None:
    first = FileRecord("a", 1, "clickstream", b"k", b"v", 5)
    second = FileRecord("b", 1, "clickstream", None, b"?", None)
    assert list(sorted_by_time([first, second])) == [second, first]
