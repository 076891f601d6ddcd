"""Keeps what learns beside the shards running on one worker of the group: the one that owns shard 0."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from stream.learners.learner import Learner

log = logging.getLogger(__name__)

#: Pause before a learner that failed is started again, in seconds.
PAUSE = 10.0


class Keeper:
    """Runs a learner while this worker owns shard 0, so that the group has one.

    ``name`` is for people; ``make`` is asked anew at each start, given whom to tell of a failure; it gives None where
    there is nothing to learn.
    """

    def __init__(self, name: str, make: Callable[[Callable[[BaseException], None]], Learner | None]) -> None:
        self._name = name
        self._make = make
        self._task: asyncio.Task[None] | None = None

    def opened(self, partition: int) -> None:
        """A shard of this worker is ready."""
        if partition == 0 and self._task is None:
            self._task = asyncio.create_task(self._keep(), name=self._name)

    def lost(self, partition: int) -> None:
        """A shard has gone to another worker."""
        if partition == 0 and self._task is not None:
            self._task.cancel()
            self._task = None

    def changed(self, partition: int) -> None:
        """A shard goes by other definitions now: what there is to learn may be something else."""
        if partition == 0 and self._task is not None:
            self.lost(partition)
            self.opened(partition)

    async def _keep(self) -> None:
        while True:
            failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
            learner = self._make(failed.set_result)
            if learner is None:
                return
            await learner.start()
            try:
                error = await failed
            finally:
                await learner.stop()
            log.warning("the %s ended (%s) and starts again in %.0f s", self._name, error, PAUSE)
            await asyncio.sleep(PAUSE)
