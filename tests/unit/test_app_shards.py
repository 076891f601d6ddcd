"""What all shards of a worker share, as far as no Kafka is needed."""

from __future__ import annotations

import pytest

from stream.app.shards import parts
from stream.kafka.fetch import End, Fetched
from tests.shards import Record


@pytest.mark.parametrize("offsets", [[], [3], [3, 4, 9], [3, 4, 9, 10], [3, 5, 6, 7, 8, 20, 21]])
def test_parts_of_what_was_fetched_follow_on_each_other(offsets: list[int]) -> None:
    """Every position lies in one part, holes too, with the records there; only the last part tells of the end."""
    fetched = Fetched(2, 30, [Record(at, b"") for at in offsets], 7, End(30, 7), 3, (1, 2))
    found = list(parts(fetched, 3))
    assert [found[0].lo, *(one.hi for one in found)] == [*(one.lo for one in found), 30]
    for one in found:
        assert len(one.records) <= 3
        assert all(one.lo <= record.offset < one.hi for record in one.records)
        assert (one.at_ms, one.term, one.answer) == (7, 3, (1, 2))
    assert [record.offset for one in found for record in one.records] == offsets
    assert [one.end for one in found] == [*[None] * (len(found) - 1), End(30, 7)]
