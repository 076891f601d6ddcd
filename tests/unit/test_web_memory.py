"""What the web server keeps in memory: no shard that is thrown away, and of rejected records no more than it shows."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast
from weakref import ref

from aiokafka import TopicPartition

from stream.app.runner import State
from stream.kafka.letter import records_of
from stream.web.letters import LONGEST, LOOKED, Letters
from stream.web.members import Members
from stream.web.past import Past
from stream.web.segments import SegmentsPart, Sizes, _dated


class Shard:
    """Of nobody."""

    clock_ms = 0

    def sizes(self) -> dict[str, dict[str, int]]:
        """Nothing."""
        return {}


def test_a_shard_that_is_thrown_away_is_let_go() -> None:
    """Counts, cursors and moves of its rows do not hold it: the next one is read while nobody asks for anything."""

    async def run() -> None:
        shard = Shard()
        runner = SimpleNamespace(shard=shard, state=State.READY)
        shards: Any = SimpleNamespace(
            runners={0: runner}, on_opened=[], on_lost=[], on_committed=[], ready=lambda: [], wiring=None
        )
        sizes, members, past = Sizes(), Members(shards, cast(Any, None), cast(Any, None)), Past(shards, cast(Any, None))
        await sizes.of(0, shard)
        mark = members._mark(0, cast(Any, shard))
        assert members._mark(0, cast(Any, shard)) == mark
        past.opened(0)
        kept, known = ref(shard), past.moves(0)
        past.opened(0)
        assert past.moves(0) is known
        runner.shard = None
        del shard
        gc.collect()
        assert kept() is None
        another = runner.shard = Shard()
        assert members._mark(0, cast(Any, another)) != mark
        past.opened(0)
        assert past.moves(0) is not known

    asyncio.run(run())


def test_moves_that_are_counted_from_the_first_one_on_have_no_since() -> None:
    """An instant of 1970 is told to nobody; of several shards the one that began latest decides."""
    from_the_first, unmoved, later = (SegmentsPart(86_400_000, since, {}, [], []) for since in (0, None, 3_600_000))
    assert _dated([from_the_first, unmoved]) == ("1970-01-02T00:00:00.000Z", None)
    assert _dated([from_the_first, unmoved, later]) == ("1970-01-02T00:00:00.000Z", "1970-01-01T01:00:00.000Z")
    assert _dated([]) == (None, None)


def test_of_a_rejected_record_no_more_is_kept_than_is_shown() -> None:
    """Thousands of the largest that Kafka takes would not fit into memory."""

    class Pieces:
        """A partition full of large letters."""

        async def partitions(self, topic: str) -> list[int]:
            return [0]

        async def bounds(self, tp: TopicPartition) -> tuple[int, int]:
            return 0, LOOKED

        async def read(self, tp: TopicPartition, start: int, end: int) -> AsyncIterator[Any]:
            large = SimpleNamespace(
                reason="x",
                detail="",
                topic="t",
                partition=0,
                offset=0,
                timestamp=0,
                key=b"k" * 90_000,
                value=b"v" * 90_000,
            )
            for key, value, headers in records_of(large):
                yield SimpleNamespace(offset=0, key=key, value=value, headers=headers)

    complete, (letter,) = asyncio.run(Letters("dead", cast(Any, None))._read(cast(Any, Pieces())))
    assert complete
    assert letter.key is not None
    assert letter.value is not None
    assert LONGEST <= len(letter.key) == len(letter.value) <= 4 * LONGEST
