"""Whether a model that nobody is judged by yet is worth to be published: what its drafts said of customers, beside what
is known without learning, scored when the answers come."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from stream.predict.calibration import Calibrated
from stream.predict.progress import CERTAIN, Window
from stream.predict.propensity import PropensityModel

Floats = NDArray[np.float64]

#: The judge whose scores are the drafts'.
DRAFT = "draft"
#: The judge that says of everybody how many do it.
SHARE = "share"
#: So many standard errors of the mean difference in log loss are more than chance, however often it is looked at.
BEYOND_CHANCE = 3.0


@dataclass(frozen=True)
class Verdict:
    """What a trial came to, on so many answers.

    Parameters
    ----------
    answers
        To questions of which a draft had said something when they were asked.
    loss, auc
        Of the drafts.
    rival, rival_loss, rival_auc
        The baseline with the least log loss, and its loss; the greatest AUC of any.
    better
        Whether the drafts were better by both: by log loss beyond what chance makes of so many answers (three standard
        errors).
    """

    answers: int
    loss: float
    auc: float
    rival: str
    rival_loss: float
    rival_auc: float
    better: bool


class Trial:
    """Scores drafts and baselines.

    Parameters
    ----------
    baselines
        What the drafts must beat, beside the share of those who do it. Scores of any kind: what they mean as
        probabilities is learned as well, so that the drafts have no advantage by that.
    least
        Answers before there is a verdict, which goes by twice as many, the latest.
    """

    def __init__(self, baselines: tuple[str, ...], least: int) -> None:
        self._baselines = baselines
        self._rivals = (SHARE, *baselines)
        self._least = least
        # Raw scores of baselines for ranks, then probabilities.
        self._window = Window((*self._scored(), DRAFT, *self._rivals), 2 * least)
        self._draft: PropensityModel | None = None
        self._curves: tuple[Calibrated, ...] = ()
        self.verdict: Verdict | None = None

    def _scored(self) -> tuple[str, ...]:
        return tuple(f"{name}, as it is" for name in self._baselines)

    def draft(self, model: PropensityModel, scores: Floats, came: NDArray[np.bool_]) -> None:
        """From now on this model speaks; and what baselines mean is read from these answers: a row of ``scores`` for
        each, one column a baseline."""
        self._draft = model
        none = np.full(len(came), nan)
        self._curves = tuple(Calibrated.of(column, came) for column in (none, *scores.T))

    def words(self, vector: Floats, scores: tuple[float, ...]) -> tuple[float, ...]:
        """What the draft and its rivals say of a question as it is asked; nothing before the first draft."""
        if self._draft is None:
            return ()
        chance = float(self._draft.probability(vector[np.newaxis])[0])
        return (chance, *(one.probability(score) for one, score in zip(self._curves, (nan, *scores), strict=True)))

    def add(self, words: tuple[float, ...], scores: tuple[float, ...], came: bool) -> None:
        """One answer to a question that had these words."""
        if words:
            self._window.add((*scores, *words), came)

    def judge(self) -> None:
        """Come to a verdict, where there are answers enough."""
        window = self._window
        if len(window) < self._least or not 0 < window.came.sum() < len(window):
            return
        losses = {judge: _losses(window.said(judge), window.came) for judge in (DRAFT, *self._rivals)}
        rival = min(self._rivals, key=lambda judge: float(losses[judge].mean()))
        known = [one for judge in (SHARE, *self._scored()) if not isnan(one := window.auc(judge))]
        auc, rival_auc = window.auc(DRAFT), max(known)
        ahead = losses[rival] - losses[DRAFT]
        beyond_chance = float(ahead.mean()) > BEYOND_CHANCE * float(ahead.std()) / sqrt(len(ahead))
        self.verdict = Verdict(
            len(window),
            float(losses[DRAFT].mean()),
            auc,
            rival,
            float(losses[rival].mean()),
            rival_auc,
            beyond_chance and auc > rival_auc,
        )


def _losses(said: Floats, came: NDArray[np.bool_]) -> Floats:
    """-log(probability given to what came to be), one an answer."""
    known = np.clip(said, CERTAIN, 1 - CERTAIN)
    return np.asarray(-np.log(np.where(came, known, 1 - known)))
