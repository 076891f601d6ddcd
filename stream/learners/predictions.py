"""What learns predictions as part of a worker: questions in, versions out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from stream.kafka.transaction import ShardProducer
from stream.learners.control import Published
from stream.learners.learner import Learner, LearnerSettings, publish
from stream.learners.slices import Slices, beside
from stream.predict.learning import Pace, PropensityLearner
from stream.predict.questions import decode, kind_of
from stream.predict.trainer import PropensitySettings
from stream.predict.trial import Verdict

log = logging.getLogger(__name__)


class Reports(Protocol):
    """Whoever wants to know what is learned, while it is."""

    def asked(self, kind: str, outcome: str, seconds: float) -> None:
        """A question became open, was refused, or brought an answer that was learned, in so many seconds of a
        processor's time."""

    def tried(self, learner: PropensityLearner) -> None:
        """There is a verdict on what it would publish first."""

    def published(self, learner: PropensityLearner) -> None:
        """Its newest version is of this trainer, or of the one that it goes on from."""

    def ended(self) -> None:
        """The trainer runs here no longer."""


class PropensityService(Learner):
    """Runs the trainers of all predictions over the topic of questions.

    Parameters
    ----------
    settings
        Where to read and write.
    predictions, pace
        What to learn, and when to publish.
    on_failure
        See `Learner`.
    share
        The most of one processor that learning may take, in (0, 1].
    reports
        Who is told what it does.
    """

    def __init__(
        self,
        settings: LearnerSettings,
        predictions: Sequence[PropensitySettings],
        pace: Pace,
        on_failure: Callable[[BaseException], None],
        *,
        share: float = 0.1,
        reports: Reports | None = None,
    ) -> None:
        super().__init__("propensity", settings, on_failure)
        self._predictions = tuple(predictions)
        self._pace = pace
        self._slices = Slices(share)
        self._reports = reports
        self.learners: dict[str, PropensityLearner] = {}
        self._told: dict[str, Verdict] = {}

    def resume(self, published: Published) -> int | None:
        """Be the trainers that wrote the newest versions, each at its place; what was open there is read again."""
        for one in self._predictions:
            newest = published.propensity(one.name)
            learner = PropensityLearner(one, self._pace, newest)
            self.learners[one.name] = learner
            if newest is not None and self._reports is not None:
                self._reports.published(learner)
        starts = [learner.recall for learner in self.learners.values() if learner.newest is not None]
        return min(starts) if len(starts) == len(self.learners) else None

    def place(self, start: int | None, first: int, end: int) -> int:
        """See `Learner.place`: where the topic was made anew or cut, each goes on with what is there."""
        for kind, learner in self.learners.items():
            if learner.cursor > end:
                log.warning(
                    "%s ends at %d, before %d, where %s was: it was made anew or cut; all that is in it is learned",
                    self._where.source,
                    end,
                    learner.cursor,
                    kind,
                )
                learner.begin_again(first)
                start = first
        return first if start is None else max(first, start)

    async def stop(self) -> None:
        """See `Learner.stop`."""
        await super().stop()
        if self._reports is not None:
            self._reports.ended()

    async def learn(self, records: Sequence[Any], producer: ShardProducer) -> None:
        """Learn records in slices, with pauses that keep to the share; publish exactly where a version is due."""
        done = 0
        while done < len(records):
            self._slices.begin()
            due: PropensityLearner | None = None
            while done < len(records) and due is None and not self._slices.over:
                learner = self._take(records[done])
                done += 1
                if learner is not None:
                    self._tell(learner)
                    due = learner if learner.due else None
            spent = self._slices.spent
            if due is not None:
                spent += await self._publish(due, producer)
            await self._slices.rest(spent)

    def _take(self, record: Any) -> PropensityLearner | None:
        """The learner of a record's prediction, after it took the record; None where nobody learns it."""
        kind = kind_of(record)
        learner = self.learners.get(kind)
        asked = None if learner is None else decode(record, len(learner.settings.features))
        if learner is None or asked is None:  # of former definitions
            return None
        busy, refused = time.thread_time(), learner.settling.refused
        learned = learner.take(asked, record.offset)
        if self._reports is not None:
            outcome = "learned" if learned else "refused" if learner.settling.refused > refused else "asked"
            self._reports.asked(kind, outcome, time.thread_time() - busy)
        return learner

    def _tell(self, learner: PropensityLearner) -> None:
        """Say so where there is a new verdict on what a trainer would publish first."""
        trial = learner.trainer.trial
        verdict = None if trial is None else trial.verdict
        if verdict is None or self._told.get(learner.settings.name) is verdict:
            return
        self._told[learner.settings.name] = verdict
        log.info(
            "%s: %s on %d answers: log loss %.3f, %.3f of %s; AUC %.3f, %.3f of the best baseline",
            learner.settings.name,
            "its first version may be published, better" if verdict.better else "no version yet, no better",
            verdict.answers,
            verdict.loss,
            verdict.rival_loss,
            verdict.rival,
            verdict.auc,
            verdict.rival_auc,
        )
        if self._reports is not None:
            self._reports.tried(learner)

    async def _publish(self, learner: PropensityLearner, producer: ShardProducer) -> float:
        """Make the version that is due beside the event loop, and write it; the processor's time that took."""
        before = learner.newest
        model, spent = await beside(learner.version)
        if model is None or model is before:
            return spent
        await publish(producer, self._where.control, model)
        if self._reports is not None:
            self._reports.published(learner)
        return spent
