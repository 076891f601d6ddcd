"""What was read does not follow on what a shard had: read again from there, and where that does not help, rejoin."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from aiokafka import TopicPartition

from stream.kafka.fetch import Fetched

log = logging.getLogger(__name__)

#: A gap that seeking does not close within this many seconds closes the shard.
GAP_SECONDS = 5.0


class Gaps:
    """The gaps before what was read of the sources of one shard.

    ``seek`` has a source read again from an offset; ``rejoin`` asks the group for a new assignment, which opens the
    shard anew.
    """

    def __init__(self, seek: Callable[[TopicPartition, int], None], rejoin: Callable[[], None]) -> None:
        self._seek, self._rejoin = seek, rejoin
        self._since: dict[TopicPartition, float] = {}

    def clear(self) -> None:
        """There is none."""
        self._since.clear()

    def closed(self, tp: TopicPartition) -> None:
        """What was read follows on what was there."""
        self._since.pop(tp, None)

    def mind(self, tp: TopicPartition, expected: int, fetched: Fetched) -> None:
        """What was read begins behind the offset that is expected."""
        now = time.monotonic()
        since = self._since.setdefault(tp, now)
        log.info(
            "shard %d: %s/%d has %d..%d, expected %d: read again from there",
            tp.partition,
            *tp,
            fetched.lo,
            fetched.hi,
            expected,
            extra={"shard": tp.partition, "topic": tp.topic},
        )
        if now - since > GAP_SECONDS:
            del self._since[tp]
            self._rejoin()
        else:
            self._seek(tp, expected)
