"""How much waits in a shard: a source of which enough does is not read further, so that memory stays bounded."""

from __future__ import annotations

from collections import deque

from aiokafka import TopicPartition


class Crowd:
    """The sources of one shard of which more than ``records`` records, or ``size`` bytes of them, wait (``full``).

    Once left out, a source is read again when half of that is done, so that it does not come and go.
    """

    def __init__(self, records: int, size: int) -> None:
        self.full: set[TopicPartition] = set()
        self._records, self._size = records, size
        #: per source: where each batch that waits ends, and its bytes
        self._batches: dict[TopicPartition, deque[tuple[int, int]]] = {}
        self._bytes: dict[TopicPartition, int] = {}

    def clear(self) -> None:
        """Nothing waits."""
        self.full.clear()
        self._batches.clear()
        self._bytes.clear()

    def took(self, tp: TopicPartition, end: int, size: int) -> None:
        """A batch of so many bytes that ends at this offset waits now."""
        self._batches.setdefault(tp, deque()).append((end, size))
        self._bytes[tp] = self._bytes.get(tp, 0) + size

    def changed(self, tp: TopicPartition, waiting: int, done: int) -> bool:
        """Whether a source has become full, or is no longer: ``waiting`` records are left of it, and all before the
        offset ``done`` are not among them."""
        batches = self._batches.get(tp)
        while batches and batches[0][0] <= done:
            self._bytes[tp] -= batches.popleft()[1]
        share = 2 if tp in self.full else 1
        full = waiting > self._records // share or self._bytes.get(tp, 0) > self._size // share
        if full is (tp in self.full):
            return False
        self.full ^= {tp}
        return True
