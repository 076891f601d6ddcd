"""The trainer as part of a worker: vectors in, versions out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stream.cluster.control import Published
from stream.cluster.learner import Learner, LearnerSettings, publish
from stream.cluster.trainer import Trainer, TrainerSettings
from stream.cluster.wire import decode, layout_of
from stream.kafka.transaction import ShardProducer

#: The event loop is held up for this long at most, in seconds, but for one chunk.
SLICE_SECONDS = 0.002
#: Vectors learned between two looks at the clock.
CHUNK = 16


@dataclass
class ServiceCounts:
    """What the service has done since it was started."""

    learned: int = 0
    skipped: int = 0
    published: int = 0
    version: int = 0


class TrainerService(Learner):
    """Runs a trainer over the topic of vectors.

    Parameters
    ----------
    settings
        Where to read and write.
    training
        How to learn.
    on_failure
        See `Learner`.
    share
        The most of one processor that learning may take, in (0, 1].
    """

    def __init__(
        self,
        settings: LearnerSettings,
        training: TrainerSettings,
        on_failure: Callable[[BaseException], None],
        *,
        share: float = 0.1,
    ) -> None:
        super().__init__("trainer", settings, on_failure)
        self.counts = ServiceCounts()
        self._trainer = Trainer(training)
        self._layout = layout_of(training.features)
        self._share = share
        self._latest_ms = 0
        self._cursor = 0

    def resume(self, published: Published) -> int | None:
        """Be the trainer that wrote the newest version, at its place in the vectors topic."""
        newest = published.newest(self._trainer.settings.dimension)
        if newest is None:
            return None
        self._trainer = Trainer.after(self._trainer.settings, newest)
        self.counts.version = newest.version
        return newest.cursor.get(0)

    async def learn(self, records: Sequence[Any], producer: ShardProducer) -> None:
        """Learn records in slices, with pauses that keep to the share; publish exactly where a version is due."""
        done = 0
        while done < len(records):
            began = time.perf_counter()
            while done < len(records) and time.perf_counter() - began < SLICE_SECONDS:
                # Never past the point where a version is due: versions do not depend on how records were fetched.
                size = min(CHUNK, self._trainer.until_due())
                self._take(records[done : done + size])
                done += size
                if self._trainer.until_due() == 0:
                    break
            busy = time.perf_counter() - began
            if self._trainer.until_due() == 0:
                await self._publish(producer)
            await asyncio.sleep(busy * (1 / self._share - 1))

    def _take(self, records: Sequence[Any]) -> None:
        features = self._trainer.settings.features
        decoded = [item for record in records if (item := decode(record, features, self._layout)) is not None]
        if decoded:
            self._trainer.learn(np.stack([vector for _, vector in decoded]))
            self._latest_ms = max(self._latest_ms, *(instant for instant, _ in decoded))
        self._cursor = records[-1].offset + 1
        self.counts.learned += len(decoded)
        self.counts.skipped += len(records) - len(decoded)

    async def _publish(self, producer: ShardProducer) -> None:
        model = self._trainer.snapshot(self._latest_ms + self._where.lead_ms, {0: self._cursor})
        if model is None:
            return
        await publish(producer, self._where.control, model)
        self.counts.published += 1
        self.counts.version = model.version
