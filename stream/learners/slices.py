"""Learning in slices: the event loop is never held up for long, and a processor no more than by a share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: The event loop is held up for this long at most, in seconds, but for the step that a learner is at.
SLICE_SECONDS = 0.002


class Slices:
    """Tells a learner when to pause, and pauses.

    Parameters
    ----------
    share
        The most of one processor that learning may take, in (0, 1].
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._began = self._busy = 0.0

    def begin(self) -> None:
        """A slice begins now."""
        self._began, self._busy = time.perf_counter(), time.thread_time()

    @property
    def over(self) -> bool:
        """Whether it has lasted long enough."""
        return time.perf_counter() - self._began >= SLICE_SECONDS

    @property
    def spent(self) -> float:
        """The processor's time since it began, in seconds; to be asked before anything is awaited."""
        return time.thread_time() - self._busy

    async def rest(self, spent: float) -> None:
        """Leave the processor to others for as long as the share asks after so many seconds of its time."""
        await asyncio.sleep(spent * (1 / self._share - 1))


async def beside(make: Callable[[], T]) -> tuple[T, float]:
    """What ``make`` gives, called in a thread beside the event loop, and the processor's time that it took."""

    def timed() -> tuple[T, float]:
        busy = time.thread_time()
        return make(), time.thread_time() - busy

    return await asyncio.to_thread(timed)
