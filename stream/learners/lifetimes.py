"""The trainer of the model of lifetimes as part of a worker: what shards tell of purchases in, versions out.

It runs for whoever owns shard 0, and is restarted anywhere: the topic is compacted, so the latest that each shard has
told is read again, and the newest version on the control topic is what the next one goes on from.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from stream.kafka.transaction import ShardProducer
from stream.learners.control import Published
from stream.learners.fit import Done, Task, fit_beside
from stream.learners.gathering import Gathered, GatheringLearner
from stream.learners.learner import LearnerSettings
from stream.predict.lifetime_model import LifetimeModel
from stream.predict.telling import ShardHistories
from stream.predict.words import warnings

log = logging.getLogger(__name__)


class Reports(Protocol):
    """Whoever wants to know what the trainer does."""

    def fitted(self, change: float | None, seconds: float) -> None:
        """A fit took so many seconds of a processor; predictions would change by so much. None: too few bought."""

    def published(self, model: LifetimeModel) -> None:
        """This is the newest version now, of this trainer or of the one that it goes on from."""

    def ended(self) -> None:
        """The trainer runs here no longer."""


def task_of(gathered: Gathered[ShardHistories], newest: LifetimeModel | None, lead_ms: int) -> Task | None:
    """The fit that is due, of a version in force ``lead_ms`` after the latest clock of all shards; what is gathered
    counts as used. None where shards tell of different purchases, as they do while definitions change. Pure."""
    if len({told.of for told in gathered.told}) > 1:
        return None
    gathered.use()
    previous = None if newest is None else newest.to_json()
    return Task([told.encode() for told in gathered.told], gathered.clock + lead_ms, previous)


class LifetimeService(GatheringLearner[ShardHistories]):
    """Fits the model of lifetimes to what all shards tell, each time all have told anew.

    A version is published where it changes what is predicted: whoever goes by a threshold is judged anew by each.

    Parameters
    ----------
    settings
        Where to read and write.
    partitions
        How many shards there are.
    on_failure
        See `Learner`.
    least_change
        By how much predictions must differ from those of the newest version (`stream.predict.fitting.Fitted`).
    share
        The most of one processor that fitting may take, in (0, 1].
    reports
        Who is told what it does.
    """

    def __init__(
        self,
        settings: LearnerSettings,
        partitions: int,
        on_failure: Callable[[BaseException], None],
        *,
        least_change: float = 0.01,
        share: float = 0.1,
        reports: Reports | None = None,
    ) -> None:
        super().__init__("lifetimes", settings, Gathered(partitions, ShardHistories.decode), on_failure)
        self._newest: LifetimeModel | None = None
        self._least_change, self._share, self._reports = least_change, share, reports
        #: when the next fit may begin, by the event loop's clock
        self._rested_at = 0.0
        self._refused = ""

    def resume(self, published: Published) -> int | None:
        """Go on from the newest version; the topic is read whole."""
        self._newest = published.lifetime
        if self._newest is not None and self._reports is not None:
            self._reports.published(self._newest)
        return None

    async def stop(self) -> None:
        """See `Learner.stop`; a fit under way is given up."""
        await super().stop()
        if self._reports is not None:
            self._reports.ended()

    async def learn_all(self, producer: ShardProducer) -> None:
        """Fit, and publish where predictions change; not so soon after the last fit that the share would be passed."""
        now = asyncio.get_running_loop().time()
        if now < self._rested_at:
            return
        task = task_of(self._gathered, self._newest, self._where.lead_ms)
        if task is None:
            return
        done = await fit_beside(task)
        self._rested_at = now + done.seconds / self._share
        model = self._judged(done)
        if model is None:
            return
        await self.publish(model, producer)
        self._newest = model
        _tell(model, done)
        if self._reports is not None:
            self._reports.published(model)

    def _judged(self, done: Done) -> LifetimeModel | None:
        """The version, where there is one and it changes enough."""
        if self._reports is not None:
            self._reports.fitted(None if done.model is None else done.change, done.seconds)
        if done.model is None:
            if done.refused != self._refused:
                log.info("no version of the model of lifetimes yet: %s", done.refused)
            self._refused = done.refused
            return None
        self._refused = ""
        if done.change < self._least_change:
            log.debug("predictions would change by %.2g: no version of the model of lifetimes", done.change)
            return None
        return LifetimeModel.from_json(done.model)


def _tell(model: LifetimeModel, done: Done) -> None:
    """Log a version, and what to mind about it."""
    log.info(
        "version %d of the model of lifetimes published: fitted to %.0f customers (%.0f bought again) in %.1f s",
        model.version,
        model.customers,
        model.repeat_buyers,
        done.seconds,
    )
    for warning in warnings(model):
        log.warning("version %d of the model of lifetimes: %s", model.version, warning)
