"""Transactions shrink where Kafka is slow, until they end in time, and grow again where it is quick."""

from __future__ import annotations

import pytest

from stream.app.portion import HOLD_SECONDS, Portion


@pytest.mark.parametrize("rate", [1.0, 20.0, 300.0, 5_000.0])
def test_a_slow_output_gets_what_it_takes_in_time(rate: float) -> None:
    """Whatever the rate (events a second), only the first few transactions fail, and then none; all are applied."""
    portion, now, failed_at, done = Portion(4_000, 10.0), 0.0, [0.0], 0
    while now < 2_000:
        seconds = portion.size / rate
        if seconds > 9.0:
            failed_at.append(now)
            portion.failed(now := now + 9.0)
            continue
        now += seconds + 0.025
        done += portion.size
        portion.took(seconds, portion.size, now)
    assert max(failed_at) <= 40, "none fails once the size is found"
    assert done > 0.9 * rate * (2_000 - 40)


def test_a_burst_says_nothing_of_what_comes_after() -> None:
    """Growth waits: the quota of a broker lets much through after a pause."""
    portion = Portion(4_000, 10.0)
    assert portion.took(10.0, 4_000, 0.0)
    assert portion.size == 1_000
    portion.took(0.01, 1_000, HOLD_SECONDS - 1)
    assert portion.size == 1_000
    portion.took(0.01, 1_000, HOLD_SECONDS)
    assert portion.size == 2_000


def test_only_full_transactions_make_it_grow_and_never_beyond_the_setting() -> None:
    """That a few events go quickly says nothing of many."""
    portion = Portion(4_000, 10.0)
    portion.failed(0.0)
    portion.took(0.01, 10, 100.0)
    assert portion.size == 500
    for _ in range(9):
        portion.took(0.01, portion.size, 100.0)
    assert portion.size == 4_000


def test_one_event_always_goes() -> None:
    """However slow, there is no smaller step."""
    portion = Portion(4_000, 10.0)
    for _ in range(9):
        portion.failed(0.0)
    assert portion.size == 1
    assert not portion.took(8.0, 1, 0.0)
    assert portion.size == 1
