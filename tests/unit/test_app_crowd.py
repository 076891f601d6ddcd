"""What waits in a shard is bounded, in records and in bytes."""

from __future__ import annotations

from aiokafka import TopicPartition

from stream.app.crowd import Crowd

ONE, OTHER = TopicPartition("a", 0), TopicPartition("b", 0)


def test_many_records_are_enough() -> None:
    """And so until half of them are done."""
    crowd = Crowd(100, 1000)
    crowd.took(ONE, 101, 5)
    assert crowd.changed(ONE, 101, 0)
    assert crowd.full == {ONE}
    assert not crowd.changed(ONE, 51, 50)
    assert crowd.changed(ONE, 50, 51)
    assert not crowd.full


def test_a_few_of_megabytes_are_enough_too() -> None:
    """Found: twenty thousand events of five megabytes were allowed to wait, a hundred gigabytes."""
    crowd = Crowd(20_000, 64 << 20)
    full = []
    for k in range(20):
        crowd.took(ONE, k + 1, 5_000_000)
        full += [k] if crowd.changed(ONE, k + 1, 0) else []
    assert full == [13]
    assert not crowd.changed(ONE, 10, 10)
    assert not crowd.changed(OTHER, 5, 0)
    assert crowd.changed(ONE, 6, 14)
    assert not crowd.full


def test_what_is_done_no_longer_counts() -> None:
    """Over any number of batches, empty ones too; a new opening begins with nothing."""
    crowd = Crowd(10, 100)
    for k in range(1000):
        crowd.took(ONE, k, 90 if k % 2 else 0)
        assert not crowd.changed(ONE, 1, k - 1)
    crowd.took(ONE, 1000, 200)
    assert crowd.changed(ONE, 1, 999)
    crowd.clear()
    assert not crowd.full
    assert not crowd.changed(ONE, 0, 0)
