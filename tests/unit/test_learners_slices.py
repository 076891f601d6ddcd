"""Learning beside the event loop: how it is cut in slices, and what it may take of a processor."""

from __future__ import annotations

import asyncio
import time

import pytest

from stream.learners.slices import SLICE_SECONDS, Slices, beside


def busy(seconds: float) -> None:
    """Take so much of a processor's time."""
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass


def test_a_slice_is_over_when_its_time_is() -> None:
    """So that nobody who shares the event loop waits for longer."""
    slices = Slices(0.5)
    slices.begin()
    busy(SLICE_SECONDS)
    assert slices.over
    assert slices.spent >= SLICE_SECONDS
    slices.begin()
    assert slices.spent < SLICE_SECONDS


@pytest.mark.parametrize(("share", "least"), [(0.25, 0.06), (0.5, 0.02), (1.0, 0.0)])
def test_a_rest_leaves_others_their_share(share: float, least: float) -> None:
    """After 20 ms of a processor at a quarter of it, three times as long belongs to the others."""

    async def scenario() -> float:
        began = time.perf_counter()
        await Slices(share).rest(0.02)
        return time.perf_counter() - began

    assert asyncio.run(scenario()) >= least - 0.001


def test_what_is_made_beside_the_event_loop_is_counted() -> None:
    """The loop's own thread has not spent it."""

    def make() -> str:
        busy(0.02)
        return "made"

    async def scenario() -> tuple[str, float, float]:
        own = time.thread_time()
        made, spent = await beside(make)
        return made, spent, time.thread_time() - own

    made, spent, own = asyncio.run(scenario())
    assert made == "made"
    assert spent >= 0.02 > own
