"""Changes of a customer are found backwards, page by page; what was not looked through is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random
from typing import Any, cast

import orjson
import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from stream.web import history
from stream.web.history import Backwards, ChangesAnswer
from stream.web.told import read_change

TP = TopicPartition("changes", 0)


@dataclass(frozen=True)
class Record:
    """A change of a customer, or of nobody known: no change at all."""

    offset: int
    key: bytes
    sequence: int

    @property
    def timestamp(self) -> int:
        """When it was written, ms."""
        return 1_000 * self.offset

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """As a CloudEvent has them."""
        return [("ce_id", b"%d" % self.offset), ("ce_time", b"2026-01-01T00:00:00.000Z")]

    @property
    def value(self) -> bytes:
        """The data."""
        if self.key == b"broken":
            return b"no json"
        names: dict[str, Any] = {
            "dimension": "d",
            "from": None,
            "to": "s",
            "cause": "event",
            "evidence": {},
            "definition": "d@1",
        }
        return orjson.dumps({**names, "sequence": self.sequence})


class Log:
    """One partition: offsets without a record are marks of transactions."""

    def __init__(self, first: int, end: int, records: list[Record]) -> None:
        self.first, self.end, self.records = first, end, records
        self.looked = 0

    async def bounds(self, tp: TopicPartition) -> tuple[int, int]:
        """The first offset and the end."""
        return self.first, self.end

    async def read(self, tp: TopicPartition, start: int, end: int) -> AsyncIterator[Any]:
        """The records between two offsets."""
        assert self.first <= start <= end <= self.end
        self.looked += end - start
        for record in self.records:
            if start <= record.offset < end:
                yield record


def log_of(random: Random, first: int) -> Log:
    """Changes of three customers in a log with gaps, of which retention has deleted what lies before ``first``."""
    sequences = {b"a": 0, b"b": 0, b"c": 0, b"broken": 0}
    records = []
    for offset in range(80):
        if random.random() < 0.7:
            key = random.choices(list(sequences), (1, 8, 8, 1))[0]
            sequences[key] += 1
            records.append(Record(offset, key, sequences[key]))
    return Log(first, 80, [record for record in records if record.offset >= first])


def page(log: Log, customer: str, limit: int, before: str | None) -> ChangesAnswer:
    """One page."""
    return asyncio.run(Backwards(cast(Any, log), TP, customer, limit).look(None if before is None else int(before)))


@given(st.integers(0, 10_000), st.sampled_from([0, 0, 10, 40]), st.integers(1, 5), st.integers(1, 30))
def test_all_pages_together_are_all_changes(seed: int, first: int, limit: int, most: int) -> None:
    """Newest first and each once, also where one question looks at a few offsets only."""
    log = log_of(Random(seed), first)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "FIRST_LOOK", 2)
        patch.setattr(history, "LARGEST_LOOK", 16)
        patch.setattr(history, "MOST_LOOKED", most)
        for customer in ("a", "b", "nobody"):
            found, before = [], None
            for _ in range(200):
                answer = page(log, customer, limit, before)
                assert len(answer.changes) <= limit
                found += answer.changes
                before = answer.next
                if before is None:
                    break
                assert answer.changes or answer.not_looked is not None, "a page without any says why"
            assert before is None
            mine = [record for record in log.records if record.key == customer.encode()]
            assert found == [read_change(record) for record in reversed(mine)]
            gone = first > 0 and not (mine and mine[0].sequence == 1)
            assert (answer.not_looked is not None) is gone, "what retention deleted is said, and nothing else"


def test_the_first_change_of_all_ends_the_search() -> None:
    """Whoever came late is not looked for in what was written before."""
    records = [Record(offset, b"b", offset + 1) for offset in range(90_000)]
    log = Log(0, 90_001, [*records, Record(90_000, b"a", 1)])
    answer = page(log, "a", 50, None)
    assert ([change.sequence for change in answer.changes], answer.next) == ([1], None)
    assert log.looked == history.FIRST_LOOK
