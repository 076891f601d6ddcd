"""The trainer of the model of lifetimes as part of a worker: what shards tell of purchases in, versions out.

It runs for whoever owns shard 0, and is restarted anywhere: the topic is compacted, so the latest that each shard has
told is read again, and the newest version on the control topic is what the next one goes on from.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from stream.cluster.control import Published
from stream.cluster.learner import Learner, LearnerSettings, publish
from stream.foresight.fit import Done, Task, fit_beside
from stream.kafka.transaction import Row, ShardProducer
from stream.predict.lifetime_model import LifetimeModel
from stream.predict.telling import ShardHistories
from stream.predict.words import warnings

log = logging.getLogger(__name__)

#: Key of the record that tells which histories the newest version was learned from.
USED = b"used"


def key_of(told: ShardHistories) -> bytes:
    """Key of what a shard tells: compaction keeps the latest of each."""
    return b"%d" % told.partition


class Reports(Protocol):
    """Whoever wants to know what the trainer does."""

    def fitted(self, change: float | None, seconds: float) -> None:
        """A fit took so many seconds of a processor; predictions would change by so much. None: too few bought."""

    def published(self, model: LifetimeModel) -> None:
        """This is the newest version now, of this trainer or of the one that it goes on from."""

    def ended(self) -> None:
        """The trainer runs here no longer."""


@dataclass
class Gathered:
    """What each shard has told last, and from what the newest version was learned. Pure.

    Parameters
    ----------
    partitions
        How many shards there are.
    lead_ms
        How long after the latest clock of all shards a version takes effect.
    """

    partitions: int
    lead_ms: int
    newest: LifetimeModel | None = None
    #: Shard -> the instant as of which it has told, of which purchases, and what, as it was written.
    latest: dict[int, tuple[int, str, bytes]] = field(default_factory=dict)
    #: Shard -> the instant of what it told that was last learned from.
    used: dict[int, int] = field(default_factory=dict)

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record of the topic; ValueError says what is wrong with it."""
        if key == USED:
            try:
                self.used = msgspec.json.decode(value or b"", type=dict[int, int])
            except msgspec.DecodeError as error:
                raise ValueError(f"broken note of the histories used: {error}") from error
            return
        told = ShardHistories.decode(value or b"")
        if 0 <= told.partition < self.partitions:
            self.latest[told.partition] = told.at, told.of, value or b""

    def due(self) -> bool:
        """Whether every shard has told anew since the last fit, and all of the same purchases, which they do not while
        definitions change."""
        return (
            len(self.latest) == self.partitions
            and len({of for _, of, _ in self.latest.values()}) == 1
            and all(at > self.used.get(partition, at - 1) for partition, (at, _, _) in self.latest.items())
        )

    def task(self) -> Task:
        """The fit that is due; it counts as done."""
        self.used = {partition: at for partition, (at, _, _) in self.latest.items()}
        told = [value for _, (_, _, value) in sorted(self.latest.items())]
        previous = None if self.newest is None else self.newest.to_json()
        return Task(told, max(self.used.values()) + self.lead_ms, previous)


class LifetimeService(Learner):
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
        super().__init__("lifetimes", settings, on_failure)
        self._gathered = Gathered(partitions, settings.lead_ms)
        self._least_change, self._share, self._reports = least_change, share, reports
        #: whether the topic has been read to its end once
        self._caught_up = False
        #: when the next fit may begin, by the event loop's clock
        self._rested_at = 0.0
        self._refused = ""

    def resume(self, published: Published) -> int | None:
        """Go on from the newest version; the topic is read whole, which is short, being compacted."""
        newest = self._gathered.newest = published.lifetime
        if newest is not None and self._reports is not None:
            self._reports.published(newest)
        return None

    async def stop(self) -> None:
        """See `Learner.stop`; a fit under way is given up."""
        await super().stop()
        if self._reports is not None:
            self._reports.ended()

    async def learn(self, records: Sequence[Any], producer: ShardProducer) -> None:
        """Take what shards tell, and publish where every shard has told anew and predictions change."""
        self._caught_up = self._caught_up or not records
        for record in records:
            try:
                self._gathered.take(record.key, record.value)
            except ValueError as error:
                log.warning("%s[0]@%d is passed over: %s", self._where.source, record.offset, error)
        now = asyncio.get_running_loop().time()
        if not self._caught_up or not self._gathered.due() or now < self._rested_at:
            return
        done = await fit_beside(self._gathered.task())
        self._rested_at = now + done.seconds / self._share
        model = self._judged(done)
        if model is None:
            return
        used: Row = (USED, msgspec.json.encode(self._gathered.used), [])
        await publish(producer, self._where.control, model, {self._where.source: [used]})
        self._gathered.newest = model
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
