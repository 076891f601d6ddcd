"""The trainer as part of a worker: vectors in, versions out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stream.cluster.drifting import INERTIA, Drifted
from stream.cluster.model import ClusterModel
from stream.cluster.trainer import Trainer, TrainerSettings
from stream.cluster.wire import decode, layout_of
from stream.kafka.transaction import ShardProducer
from stream.learners.control import Published
from stream.learners.learner import Learner, LearnerSettings, publish
from stream.learners.slices import Slices, beside

log = logging.getLogger(__name__)

#: Vectors learned between two looks at the clock.
CHUNK = 16
#: So many fetches in a row that bring nothing mean that there is nothing.
SILENT = 4


@dataclass
class ServiceCounts:
    """What the service has done since it was started; ``seconds`` of a processor's time went into learning."""

    learned: int = 0
    skipped: int = 0
    published: int = 0
    version: int = 0
    seconds: float = 0.0


class Reports(Protocol):
    """Whoever wants to know what a trainer does, while it does it."""

    def learned(self, learned: int, skipped: int, seconds: float) -> None:
        """So many vectors were learned and passed over, in so many seconds of a processor's time."""

    def drifted(self, what: str) -> None:
        """A feature was seen to drift, or `stream.cluster.drifting.INERTIA`."""

    def published(self, model: ClusterModel) -> None:
        """This is the newest version now, of this trainer or of the one that it goes on from."""

    def ended(self) -> None:
        """The trainer runs here no longer."""


class TrainerService(Learner):
    """Runs a trainer over the topic of vectors, and does as people ask on the control topic.

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
    reports
        Who is told what it does.
    """

    listens = True

    def __init__(
        self,
        settings: LearnerSettings,
        training: TrainerSettings,
        on_failure: Callable[[BaseException], None],
        *,
        share: float = 0.1,
        reports: Reports | None = None,
    ) -> None:
        super().__init__("trainer", settings, on_failure)
        self.counts = ServiceCounts()
        self._trainer = Trainer(training)
        self._layout = layout_of(training.features)
        self._slices = Slices(share)
        self._reports = reports
        self._latest_ms = 0
        self._cursor = 0
        self._ids: dict[str, tuple[int, ...]] = {}
        #: Vectors before the cursor, which the trainer's sample is filled from again; None: it is filled.
        self._recalled: list[NDArray[np.float64]] | None = None
        self._asked = False
        #: Where the topic of vectors ended when this trainer began, until it was read up to there; then 0.
        self._behind = 0
        self._silent = 0

    @property
    def newest(self) -> ClusterModel | None:
        """The newest version, of this trainer or of the one that it goes on from."""
        return self._trainer.newest

    def resume(self, published: Published) -> int | None:
        """Be the trainer that wrote the newest version, at its place in the vectors topic.

        Vectors that lie before that place, as far as the sample reaches back, are read again, but not learned again.
        """
        newest = published.newest(self._trainer.settings.dimension)
        if newest is not None:
            self._trainer = Trainer.after(self._trainer.settings, newest)
            self.counts.version = newest.version
            self._cursor = newest.cursor.get(0, 0)
            self._latest_ms = newest.effective - self._where.lead_ms
            self._recalled = []
            if self._reports is not None:
                self._reports.published(newest)
        for request in published.namings:  # those that were granted change nothing
            self._trainer.name(request)
        self._asked = bool(published.namings)
        self._ids = published.ids
        return None if newest is None else min(self._trainer.recall.get(0, 0), self._cursor)

    def place(self, start: int | None, first: int, end: int) -> int:
        """See `Learner.place`: go on from what is there, where that is not what there was."""
        self._behind = end
        if self._cursor > end:
            log.warning(
                "%s ends at %d, before %d, where learning was: it was made anew or cut; all that is in it is learned",
                self._where.source,
                end,
                self._cursor,
            )
            self._go_on_from(first)
        elif self._cursor < first and start is not None:
            log.warning(
                "%s begins at %d: the %d vectors from %d on, where learning was, were deleted before they were learned",
                self._where.source,
                first,
                first - self._cursor,
                self._cursor,
            )
            self._go_on_from(first)
        return max(first, min(start or 0, self._cursor))

    def _go_on_from(self, offset: int) -> None:
        """All before it is not there any more: the sample fills again as it goes."""
        self._cursor, self._recalled = offset, None
        self._trainer.begin_again({0: offset})

    async def stop(self) -> None:
        """See `Learner.stop`."""
        await super().stop()
        if self._reports is not None:
            self._reports.ended()

    async def hear(self, records: Sequence[Any], producer: ShardProducer) -> None:
        """Grant what people ask: names of clusters."""
        heard = Published(ids=self._ids)
        for record in records:
            heard.add(f"{self._where.control}[0]@{record.offset}", record.value)
        for request in heard.namings:
            if self._trainer.name(request):
                self._asked = True
            else:
                heard.refused.append(request)
        for request in heard.refused:
            log.warning("nothing is called otherwise: there is no cluster %d of %.40r", request.id, request.dimension)

    async def learn(self, records: Sequence[Any], producer: ShardProducer) -> None:
        """Learn records in slices, with pauses that keep to the share; publish exactly where a version is due."""
        # Not before it knows how far time was when it began: shards would be past the instant of the version.
        if self._caught_up(records) and self._asked:
            self._asked = False
            await self._send(self._trainer.renamed(self._latest_ms + self._where.lead_ms), producer)
        done = 0
        while done < len(records):
            self._slices.begin()
            learned, skipped = self.counts.learned, self.counts.skipped
            while done < len(records) and not self._slices.over:
                # Never past the point where a version is due: versions do not depend on how records were fetched.
                size = min(CHUNK, self._trainer.until_due())
                self._take(records[done : done + size])
                done += size
                if self._trainer.until_due() == 0:
                    break
            spent = self._slices.spent
            for drifted in self._trainer.drifts:
                self._tell(drifted)
            self._trainer.drifts.clear()
            if self._trainer.until_due() == 0:
                spent += await self._publish(producer)
            self.counts.seconds += spent
            if self._reports is not None:
                self._reports.learned(self.counts.learned - learned, self.counts.skipped - skipped, spent)
            await self._slices.rest(spent)

    def _caught_up(self, records: Sequence[Any]) -> bool:
        """Whether what was there when it began is read; the last offsets may hold no records."""
        self._silent = 0 if records else self._silent + 1
        if self._cursor >= self._behind or self._silent >= SILENT:
            self._behind = 0
        return self._behind == 0

    def _take(self, records: Sequence[Any]) -> None:
        features = self._trainer.settings.features
        if self._recalled is None and records[0].offset < self._cursor:
            log.warning(
                "%s goes on at %d, after %d: it was made anew or cut; all that is in it is learned",
                self._where.source,
                records[0].offset,
                self._cursor - 1,
            )
            self._go_on_from(records[0].offset)
        new = [record for record in records if record.offset >= self._cursor]
        if self._recalled is not None:
            old = [item for r in records if r.offset < self._cursor and (item := decode(r, features, self._layout))]
            self._recalled += [vector for _, vector in old]
            if new:
                self._remember(self._recalled)
        decoded = [item for record in new if (item := decode(record, features, self._layout)) is not None]
        if decoded:
            self._trainer.learn(np.stack([vector for _, vector in decoded]))
            self._latest_ms = max(self._latest_ms, *(instant for instant, _ in decoded))
        if new:
            self._cursor = new[-1].offset + 1
        self.counts.learned += len(decoded)
        self.counts.skipped += len(new) - len(decoded)

    def _remember(self, vectors: list[NDArray[np.float64]]) -> None:
        if vectors:
            self._trainer.remember(np.stack(vectors))
        self._recalled = None

    def _tell(self, drifted: Drifted) -> None:
        if self._reports is not None:
            self._reports.drifted(drifted.what)
        if drifted.what == INERTIA:
            log.warning(
                "customers fit their clusters otherwise than when these were drawn: squared distances are %.2f times "
                "what they were; the next version draws them anew where that is better",
                np.exp(drifted.after - drifted.before),
            )
        else:
            log.warning(
                "%s drifts: its mean went from %+.2f to %+.2f standard deviations; the next version of the clusters "
                "draws them anew where that is better",
                drifted.what,
                drifted.before,
                drifted.after,
            )

    async def _publish(self, producer: ShardProducer) -> float:
        """Make the version that is due beside the event loop, with all that the next one begins with, and write it; the
        processor's time that took."""
        effective, cursor = self._latest_ms + self._where.lead_ms, {0: self._cursor}

        def make() -> ClusterModel | None:
            model = self._trainer.snapshot(effective, cursor)
            self._trainer.prepare()
            return model

        model, spent = await beside(make)
        await self._send(model, producer)
        return spent

    async def _send(self, model: ClusterModel | None, producer: ShardProducer) -> None:
        if model is None:
            return
        await publish(producer, self._where.control, model)
        self.counts.published += 1
        self.counts.version = model.version
        if self._reports is not None:
            self._reports.published(model)
