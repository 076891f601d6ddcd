"""What scores turned out to mean: probabilities that never fall as the score rises."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from stream.features.propensity import KNOTS

Floats = NDArray[np.float64]

#: A knot is of as many answers; fewer than this have none.
LEAST_OF_KNOT = 100
#: What is believed beforehand counts as so many answers at every knot.
OWN_WORD = 10.0


def curve(
    scores: Floats, came: NDArray[np.bool_], believed: Callable[[float], float], least: int = 2
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Knots and chances: the isotonic regression of the parts of the answers by height of their (finite) scores, each
    pulled to what was ``believed`` of its mean score; none where there would be fewer than ``least``."""
    parts = min(KNOTS, len(scores) // LEAST_OF_KNOT)
    if parts < least:
        return (), ()
    order = np.argsort(scores, kind="stable")
    found: dict[float, tuple[float, int]] = {}
    for part in np.array_split(order, parts):
        at = float(scores[part].mean())
        hits = float(came[part].sum() + OWN_WORD * believed(at))
        before, size = found.get(at, (0.0, 0))
        found[at] = before + hits, size + len(part)
    rates = [hits / (size + OWN_WORD) for hits, size in found.values()]
    smooth = isotonic_regression(np.clip(rates, 0.0, 1.0), weights=[size for _, size in found.values()]).x
    return tuple(found), tuple(float(chance) for chance in np.maximum.accumulate(smooth))


class Calibrated(msgspec.Struct, frozen=True):
    """A score as a probability.

    Parameters
    ----------
    knots, chances
        Along which it is read, between two of them along a line; none: every score means ``missing``.
    missing
        What it means that there is no finite score.
    """

    knots: tuple[float, ...]
    chances: tuple[float, ...]
    missing: float

    @classmethod
    def of(cls, scores: Floats, came: NDArray[np.bool_]) -> Calibrated:
        """What these scores turned out to mean; there is at least one."""
        share = float(came.mean())
        known = np.isfinite(scores)
        knots, chances = curve(scores[known], came[known], lambda _: share, least=1)
        hits, size = float(came[~known].sum()), int((~known).sum())
        return cls(knots, chances, (hits + OWN_WORD * share) / (size + OWN_WORD))

    def probability(self, score: float) -> float:
        """Of one."""
        if not self.knots or not np.isfinite(score):
            return self.missing
        return float(np.interp(score, self.knots, self.chances))
