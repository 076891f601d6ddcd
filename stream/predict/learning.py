"""One prediction as it is learned from the stream of questions: what a worker and a replay both run."""

from __future__ import annotations

from dataclasses import dataclass

from stream.predict.propensity import PropensityModel
from stream.predict.settling import Asked, Settling
from stream.predict.trainer import PropensitySettings, PropensityTrainer


@dataclass(frozen=True)
class Pace:
    """When versions come.

    Parameters
    ----------
    every_ms, lead_ms
        A version comes no sooner than so long after the one before it, in event time, and takes effect ``lead_ms``
        after the latest question it was learned from.
    most
        Open questions at most.
    """

    every_ms: int = 86_400_000
    lead_ms: int = 60_000
    most: int = 100_000


class PropensityLearner:
    """Goes on from the newest version, at its place in the stream of questions.

    Parameters
    ----------
    settings, pace
        How to learn, and when to publish.
    newest
        The version to go on from; None: there is none.
    """

    def __init__(self, settings: PropensitySettings, pace: Pace, newest: PropensityModel | None = None) -> None:
        self.settings = settings
        self._pace = pace
        self.newest = newest
        if newest is None:
            self.trainer = PropensityTrainer(settings)
            self.settling = Settling(settings.horizon_ms, pace.most)
            self.cursor, self.recall = 0, 0
        else:
            self.trainer = PropensityTrainer.after(settings, newest)
            ceiling, reached = int(newest.ceiling), newest.reached
            self.settling = Settling(settings.horizon_ms, pace.most, ceiling=ceiling, reached=reached)
            self.cursor = newest.cursor.get(0, 0)
            self.recall = newest.recall.get(0, self.cursor)

    def begin_again(self, place: int) -> None:
        """The stream begins anew at this place: what was learned stays, what was open is over."""
        self.cursor = self.recall = place
        ceiling, reached = self.settling.ceiling, self.settling.reached
        self.settling = Settling(self.settings.horizon_ms, self._pace.most, ceiling=ceiling, reached=reached)

    @property
    def due(self) -> bool:
        """Whether the next version is due now."""
        if self.trainer.warming_up or not self.trainer.trusted or self.trainer.until_due():
            return False
        latest = self.settling.latest
        return self.newest is None or (
            latest is not None and latest + self._pace.lead_ms >= self.newest.effective + self._pace.every_ms
        )

    def take(self, asked: Asked, place: int) -> bool:
        """A question in its place in the stream; whether an answer was learned.

        What lies before the cursor was learned before the newest version came: it only becomes open again.
        """
        trial = self.trainer.trial
        tried = () if trial is None else trial.words(asked.vector, asked.baselines)
        answer = self.settling.take(asked, place, tried)
        if place < self.cursor:
            return False
        self.cursor = place + 1
        if answer is not None:
            self.trainer.learn([answer])
        return answer is not None

    def version(self) -> PropensityModel | None:
        """The next version, or None while warming up."""
        latest = self.settling.latest
        if latest is None:
            return None
        since = self.settling.since
        model = self.trainer.snapshot(
            latest + self._pace.lead_ms,
            {0: self.cursor},
            recall={0: self.cursor if since is None else since},
            ceiling=self.settling.ceiling,
            reached=self.settling.reached,
        )
        self.newest = model or self.newest
        return model
