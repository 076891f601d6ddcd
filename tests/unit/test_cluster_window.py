"""The sample of the recent past is bounded, fair, and the same however it is filled; extremes do not set its scale."""

from __future__ import annotations

import numpy as np
import pytest

from stream.cluster.window import CAPACITY, FAR, Space, Window


def filled(count: int, step: int = 1_000, oldest: int = 0, share: float = 1.0) -> Window:
    window = Window(1, oldest, share)
    for first in range(oldest, count, step):
        window.add(first, np.arange(first, min(first + step, count), dtype=np.float64)[:, np.newaxis])
    return window


def test_few_vectors_are_all_kept_and_many_are_sampled_evenly() -> None:
    assert filled(CAPACITY).samples()[:, 0].tolist() == list(range(CAPACITY))
    window = filled(20 * CAPACITY)
    assert CAPACITY / 2 * 0.95 <= len(window) <= CAPACITY
    quarters = np.bincount(window.numbers // (5 * CAPACITY), minlength=4)
    assert quarters.min() > 0.22 * len(window)
    assert window.samples()[:, 0].tolist() == window.numbers.tolist()


@pytest.mark.parametrize(("step", "oldest"), [(97, 0), (1_000, 20_001), (9_000, 39_999)])
def test_a_window_filled_again_is_the_same(step: int, oldest: int) -> None:
    """From the same place on, with the share that it had, in whatever batches."""
    one = filled(60_000)
    one.forget(oldest)
    again = filled(60_000, step, oldest, one.share)
    assert again.numbers.tolist() == one.numbers.tolist()
    assert np.array_equal(again.samples(), one.samples())


def test_what_is_forgotten_does_not_come_back() -> None:
    window = filled(100)
    window.forget(60)
    assert window.numbers.tolist() == list(range(60, 100))
    window.add(55, np.zeros((10, 1)))
    assert window.numbers.tolist() == [*range(60, 100), *range(60, 65)]


def test_a_few_extremes_do_not_decide_the_scale() -> None:
    rows = np.random.default_rng(1).normal(5, 2, (5_000, 1))
    rows[:3] = 1e100
    space = Space.of(rows)
    assert space.mean[0] == pytest.approx(5, abs=0.1)
    assert space.scale[0] == pytest.approx(2, abs=0.1)
    assert space.scaled(rows).max() == FAR


def test_missing_values_are_at_the_mean_and_a_constant_has_a_scale_of_0() -> None:
    rows = np.array([[1.0, 4.0, np.nan], [3.0, 4.0, np.nan], [np.nan, 4.0, np.nan]])
    space = Space.of(rows)
    assert (space.mean.tolist(), space.scale.tolist()) == ([2.0, 4.0, 0.0], [1.0, 0.0, 0.0])
    assert space.scaled(rows).tolist() == [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert space.raw(np.array([[1.0, 2.0, 3.0]])).tolist() == [[3.0, 6.0, 3.0]]
