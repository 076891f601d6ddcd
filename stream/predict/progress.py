"""How good predictions turn out to be, over the latest answers: ROC AUC, calibration, log loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]

#: Parts into which predictions are cut, from the lowest to the highest, to look at their calibration.
DECILES = 10
#: Probabilities nearer to 0 or 1 than this count as this: one certain mistake must not be an infinite loss.
CERTAIN = 1e-6


@dataclass(frozen=True)
class Decile:
    """Predictions of about one height: how high on average, how often it came, how many."""

    said: float
    came: float
    count: int


class Window:
    """The latest answers, and what each judge had said of them when asked.

    Parameters
    ----------
    judges
        Who says something: the model and what it must beat. A score may be any number, the greater the likelier; one
        that is missing (NaN) counts as the lowest, and a judge that said nothing at all has no AUC. Calibration and log
        loss are for scores that are probabilities.
    size
        Answers kept.
    """

    def __init__(self, judges: Sequence[str], size: int) -> None:
        if size < 1:
            raise ValueError(f"a window of answers must hold at least one, not {size}")
        self.judges = tuple(judges)
        # Of 4 bytes each: what a snapshot holds is then all there is.
        self._rows = np.zeros((size, len(self.judges) + 1), np.float32)
        self._seen = 0

    @property
    def seen(self) -> int:
        """How many answers there were, also those that are no longer kept."""
        return self._seen

    def __len__(self) -> int:
        return min(self._seen, len(self._rows))

    def add(self, said: ArrayLike, came: bool) -> None:
        """One answer: what each judge had said, and whether it came."""
        row = self._rows[self._seen % len(self._rows)]
        row[:-1] = said
        row[-1] = came
        self._seen += 1

    def said(self, judge: str) -> Floats:
        """A judge's scores of the answers kept, the oldest first."""
        return self._kept()[:, self.judges.index(judge)]

    @property
    def came(self) -> NDArray[np.bool_]:
        """The answers kept, the oldest first."""
        return self._kept()[:, -1] > 0

    def auc(self, judge: str, among: str | None = None) -> float:
        """Area under the ROC curve: how often one that came was scored above one that did not; NaN without both.

        ``among``: of the answers of which that judge had said something.
        """
        scores, came = self.said(judge), self.came
        if np.isnan(scores).all():
            return float("nan")
        if among is not None:
            known = np.isfinite(self.said(among))
            scores, came = scores[known], came[known]
        hits, misses = int(came.sum()), int((~came).sum())
        if not hits or not misses:
            return float("nan")
        ranks = rankdata(np.where(np.isnan(scores), -np.inf, scores))
        return float((ranks[came].sum() - hits * (hits + 1) / 2) / (hits * misses))

    def log_loss(self, judge: str) -> float:
        """Mean of -log(probability given to what came to be); NaN without answers."""
        said, came = self._judged(judge)
        if not len(said):
            return float("nan")
        said = np.clip(said, CERTAIN, 1 - CERTAIN)
        return float(-np.log(np.where(came, said, 1 - said)).mean())

    def calibration(self, judge: str) -> list[Decile]:
        """Tenths of the answers by height of what was said; fewer than ten answers: one each."""
        said, came = self._judged(judge)
        order = np.argsort(said, kind="stable")
        parts = [part for part in np.array_split(order, DECILES) if len(part)]
        return [Decile(float(said[part].mean()), float(came[part].mean()), len(part)) for part in parts]

    def worst(self, judge: str) -> float:
        """How far the tenth that is farthest off is from what came, 0 to 1; NaN without answers."""
        return max((abs(part.said - part.came) for part in self.calibration(judge)), default=float("nan"))

    def state(self) -> bytes:
        """All that `restore` needs."""
        return self._kept().astype("<f4").tobytes()

    def restore(self, state: bytes, seen: int) -> None:
        """Go on from a state, of which ``seen`` answers there had been; ValueError where it is of another shape."""
        width = self._rows.shape[1]
        rows = np.frombuffer(state, "<f4")
        if len(rows) % width or seen < len(rows) // width:
            raise ValueError(f"the state of a window must be rows of {width} numbers, as many as were seen at most")
        kept = rows.reshape(-1, width)[-len(self._rows) :]
        # A window that grew since goes on as though it had seen no more than it was given.
        self._seen = seen if len(kept) == len(self._rows) else len(kept)
        first = self._seen - len(kept)
        self._rows[np.arange(first, self._seen) % len(self._rows)] = kept

    def _kept(self) -> Floats:
        size = len(self._rows)
        rows = self._rows[: self._seen] if self._seen <= size else np.roll(self._rows, -(self._seen % size), axis=0)
        return rows.astype(np.float64)

    def _judged(self, judge: str) -> tuple[Floats, NDArray[np.bool_]]:
        """Without answers to questions that the judge could say nothing of."""
        said, came = self.said(judge), self.came
        known = np.isfinite(said)
        return said[known], came[known]
