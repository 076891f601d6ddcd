"""Which partition a key belongs to: as producers in Java and aiokafka choose it by default."""

from __future__ import annotations

from aiokafka.partitioner import murmur2


def partition_of(key: bytes, count: int) -> int:
    """The partition, of ``count``, of a record with this key.

    >>> partition_of(b"c17", 8)
    2
    """
    return int(murmur2(key) & 0x7FFFFFFF) % count
