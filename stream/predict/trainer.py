"""Learns who will buy from answers as they come, with river: scalers and logistic regressions; the best one speaks.

Several run side by side, of different rates and with values as they are or as their logarithms. Each is scored on
every answer before it learns from it, and the one with the least loss lately is published. Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, sqrt
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from river import preprocessing
from scipy.special import expit

from stream.features.propensity import FARTHEST, PROPENSITY
from stream.predict.calibration import curve
from stream.predict.candidate import Candidate, Sample
from stream.predict.delayed import Answer
from stream.predict.progress import Window
from stream.predict.propensity import PropensityModel, taken
from stream.predict.settling import ALL, BASELINES
from stream.predict.trainer_state import MODEL, PropensityState, read_state, scaler_state
from stream.predict.trial import Trial

Floats = NDArray[np.float64]

#: Passes over the warm-up's answers.
PASSES = 5
#: Inputs beyond this are cut to it: the square of a greater one would be infinite, and so would a scaler's variance.
GREATEST = 1e100
#: The judge that keeps the regression's log odds, which calibration is fitted to.
LOG_ODDS = "log odds"


@dataclass(frozen=True)
class PropensitySettings:
    """How to learn.

    Parameters
    ----------
    features
        Names of the d features.
    horizon_ms
        Will the customer buy within this.
    baselines
        Names of what the model must beat, whose scores every question carries after the model's.
    rates
        How fast regressions learn, side by side; each with plain values and with logarithms.
    warm_up
        Answers before the first regression begins.
    publish_every
        Answers from one version to the next.
    window
        Latest answers by which the model is judged and calibrated.
    name
        What it predicts (:attr:`stream.features.propensity.Propensity.kind`).
    """

    features: tuple[str, ...]
    horizon_ms: int
    baselines: tuple[str, ...] = BASELINES
    rates: tuple[float, ...] = (0.003, 0.01, 0.03)
    warm_up: int = 500
    publish_every: int = 500
    window: int = 4_000
    name: str = ""

    @property
    def title(self) -> str:
        """The name, without what tells one meaning of it from another."""
        return self.name.removeprefix(PROPENSITY).partition("@")[0]

    def __post_init__(self) -> None:
        if not self.features or not self.rates or min(self.horizon_ms, self.warm_up, self.publish_every) < 1:
            raise ValueError("propensity needs features, rates, and a horizon, warm_up and publish_every of at least 1")
        if not all(0 < rate <= 1 for rate in self.rates):
            raise ValueError(f"rates must lie above 0 and at most at 1, not {self.rates}")


class PropensityTrainer:
    """The regressions, and the rule when to publish the best.

    Parameters
    ----------
    settings
        How to learn.
    version, effective
        Of the last version that was published, if there is one: the next is above both.
    """

    def __init__(self, settings: PropensitySettings, *, version: int = 0, effective: int = 0) -> None:
        self.settings = settings
        self.learned = 0
        self.window = Window((MODEL, *settings.baselines, LOG_ODDS), settings.window)
        self._version = version
        self._effective = effective
        self._published_at: int | None = None
        self._kept: list[Answer] | None = []
        self._drafted_at = 0
        #: Until the first version.
        self.trial: Trial | None = Trial(settings.baselines, settings.publish_every)
        self._units = np.zeros(len(settings.features))
        # Of values as they are, and of logarithms.
        self._scalers: tuple[Any, Any] = (preprocessing.StandardScaler(), preprocessing.StandardScaler())
        self._candidates = [
            Candidate(rate, curved, 2 * len(settings.features)) for curved in (True, False) for rate in settings.rates
        ]

    @classmethod
    def after(cls, settings: PropensitySettings, newest: PropensityModel) -> PropensityTrainer:
        """The trainer that wrote that version, going on exactly; a new one, which counts on from it, where it learned
        something else."""
        trainer = cls(settings, version=newest.version, effective=newest.effective)
        state = read_state(newest)
        same = newest.features == settings.features and newest.horizon_ms == settings.horizon_ms
        if state is None or not same or state.judges != trainer.window.judges:
            return trainer
        if [(c.rate, c.curved) for c in state.candidates] != [(c.rate, c.curved) for c in trainer._candidates]:
            return trainer
        trainer._restore(state)
        return trainer

    @property
    def warming_up(self) -> bool:
        """No regression yet, so nothing to publish."""
        return self._kept is not None

    @property
    def trusted(self) -> bool:
        """Whether what it learned may be published: since its drafts said more of customers, when they were asked
        about, than what is known without learning. From then on versions follow each other: held back, they would leave
        an older one in force."""
        return self.trial is None or (self.trial.verdict is not None and self.trial.verdict.better)

    def until_due(self) -> int:
        """How many more answers make the next version due; 0: due now. While warming up: until that may end."""
        if self._kept is not None:
            return max(1, self.settings.warm_up - len(self._kept))
        if self._published_at is None:
            return 0
        return max(0, self._published_at + self.settings.publish_every - self.learned)

    def learn(self, answers: Sequence[Answer]) -> None:
        """Learn answers, in order; what the question's judges had said is what they are judged by."""
        for answer in answers:
            self.learned += 1
            if self._kept is None:
                self._learn_one(answer)
                self._try()
                continue
            self._kept.append(answer)
            came = sum(kept.came for kept in self._kept)
            if len(self._kept) >= self.settings.warm_up and 0 < came < len(self._kept):
                kept = self._kept
                self._end_warm_up(kept)
                scores = np.array([one.question.said[1:] for one in kept])
                self._draft(scores, np.array([one.came for one in kept]))

    def _end_warm_up(self, kept: list[Answer]) -> None:
        """Units and scalers from what was kept, and a first fit by some passes over it."""
        vectors = np.abs(np.stack([answer.question.vector for answer in kept]))
        vectors = np.where(np.isfinite(vectors) & (vectors > 0), np.minimum(vectors, GREATEST), np.nan)
        for place, column in enumerate(vectors.T):
            known = column[~np.isnan(column)]
            self._units[place] = float(np.median(known)) if len(known) else 1.0
        self._kept = None
        for answer in kept:
            for scaler, sample in zip(self._scalers, self._samples(answer.question.vector), strict=True):
                scaler.learn_one(sample)
        for _ in range(PASSES):
            for answer in kept:
                self._learn_by_all(answer)

    def _try(self) -> None:
        """A verdict and a new draft, while there is no version and they are due."""
        if self.trial is None or self.learned < self._drafted_at + self.settings.publish_every:
            return
        self.trial.judge()
        scores = np.column_stack([self.window.said(name) for name in self.settings.baselines])
        self._draft(scores, self.window.came)

    def _draft(self, scores: Floats, came: NDArray[np.bool_]) -> None:
        if self.trial is not None:
            self._drafted_at = self.learned
            self.trial.draft(self._model(1, 1), scores, came)

    def _learn_one(self, answer: Answer) -> None:
        best = self._best()
        sample = self._scaled(answer.question.vector, best.curved)
        said = answer.question.said
        if len(said) != 1 + len(self.settings.baselines):
            raise ValueError(
                f"a question carries the scores of {1 + len(self.settings.baselines)} judges, not {len(said)}"
            )
        self.window.add((*said, best.log_odds(sample)), answer.came)
        if self.trial is not None:
            self.trial.add(answer.question.tried, said[1:], answer.came)
        for scaler, values in zip(self._scalers, self._samples(answer.question.vector), strict=True):
            scaler.learn_one(values)
        self._learn_by_all(answer)

    def _learn_by_all(self, answer: Answer) -> None:
        samples = [self._scaled(answer.question.vector, curved) for curved in (False, True)]
        for candidate in self._candidates:
            candidate.learn(samples[candidate.curved], answer.came)

    def _samples(self, vector: Floats) -> tuple[Sample, Sample]:
        """A vector as it is, and by logarithms; missing values left out."""
        plain = taken(vector[np.newaxis, :], np.zeros(len(vector)))[0]
        curved = taken(vector[np.newaxis, :], self._units)[0]
        return _known(plain), _known(curved)

    def _scaled(self, vector: Floats, curved: bool) -> Sample:
        scaled = self._scalers[curved].transform_one(self._samples(vector)[curved])
        return {place: min(max(value, -FARTHEST), FARTHEST) for place, value in scaled.items()}

    def _best(self) -> Candidate:
        return min(self._candidates, key=lambda candidate: candidate.loss)

    def losses(self) -> dict[str, float]:
        """Each regression's log loss lately, by its name, the one that speaks first."""
        ranked = sorted(self._candidates, key=lambda candidate: candidate.loss)
        return {f"{'log' if c.curved else 'plain'} {c.rate:g}": c.loss for c in ranked}

    def _calibration(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """What the regression's log odds turned out to mean in the window: the isotonic regression of its parts."""
        return curve(self.window.said(LOG_ODDS), self.window.came, lambda at: float(expit(at)))

    def snapshot(
        self,
        effective_ms: int,
        cursor: dict[int, int],
        *,
        recall: dict[int, int] | None = None,
        ceiling: int = ALL,
        reached: Mapping[int, int] | None = None,
    ) -> PropensityModel | None:
        """The next version, or None while warming up; in force at ``effective_ms``, or 1 ms after the one before.

        ``recall``, ``ceiling`` and ``reached`` are of the open questions, see `PropensityModel`.
        """
        if self._kept is not None:
            return None
        self._version += 1
        self._effective = max(effective_ms, self._effective + 1)
        self._published_at = self.learned
        self.trial = None
        return msgspec.structs.replace(
            self._model(self._version, self._effective),
            learned=self.learned,
            cursor=cursor,
            recall=recall or {},
            ceiling=str(ceiling),
            reached=dict(reached or {}),
            trainer=msgspec.Raw(msgspec.json.encode(self._state())),
        )

    def _model(self, version: int, effective: int) -> PropensityModel:
        """What speaks now."""
        best = self._best()
        scaler = scaler_state(self._scalers[best.curved], 2 * len(self.settings.features))
        knots, chances = self._calibration()
        return PropensityModel(
            version=version,
            effective=effective,
            horizon_ms=self.settings.horizon_ms,
            features=self.settings.features,
            units=tuple(self._units.tolist()) if best.curved else (0.0,) * len(self.settings.features),
            mean=scaler.means,
            scale=tuple(sqrt(variance) for variance in scaler.variances),
            weights=best.weights[:-1],
            intercept=best.weights[-1],
            knots=knots,
            chances=chances,
            name=self.settings.name,
        )

    def _state(self) -> PropensityState:
        width = 2 * len(self.settings.features)
        return PropensityState(
            version=self._version,
            effective=self._effective,
            learned=self.learned,
            units=tuple(self._units.tolist()),
            scalers=(scaler_state(self._scalers[0], width), scaler_state(self._scalers[1], width)),
            candidates=tuple(candidate.state() for candidate in self._candidates),
            judges=self.window.judges,
            window=self.window.state(),
            seen=self.window.seen,
        )

    def _restore(self, state: PropensityState) -> None:
        self._kept = self.trial = None
        self.learned = self._published_at = state.learned
        self._units = np.array(state.units)
        for scaler, kept in zip(self._scalers, state.scalers, strict=True):
            scaler.counts = Counter(dict(enumerate(kept.counts)))
            scaler.means = defaultdict(float, enumerate(kept.means))
            scaler.vars = defaultdict(float, enumerate(kept.variances))
        for candidate, was in zip(self._candidates, state.candidates, strict=True):
            candidate.restore(was)
        self.window.restore(state.window, state.seen)


def _known(values: Floats) -> Sample:
    cut = np.clip(values, -GREATEST, GREATEST).tolist()
    return {place: value for place, value in enumerate(cut) if not isnan(value)}
