"""One logistic regression of river among those that learn side by side, and how well it does."""

from __future__ import annotations

from math import log
from typing import Any

import msgspec
from river import linear_model, optim, utils
from scipy.special import expit

from stream.predict.progress import CERTAIN

#: Values by the places of their inputs; those that are not known are left out.
Sample = dict[int, float]

#: What a loss of some answers ago counts for: half, so many answers later.
LOSS_HALF_LIFE = 1_000


class CandidateState(msgspec.Struct, frozen=True):
    """One regression: its rate, whether by logarithms, its weights (the intercept last), and its loss lately."""

    rate: float
    curved: bool
    weights: tuple[float, ...]
    loss: float


class Candidate:
    """A river regression over so many inputs, and how well it does.

    What speaks are its weights as they are. Their mean over the latest answers, which wanders less, did no better in
    steady traffic and worse through a drift (tests/benchmarks/propensity.py).
    """

    def __init__(self, rate: float, curved: bool, inputs: int) -> None:
        self.rate = rate
        self.curved = curved
        self.loss = log(2)
        self._inputs = range(inputs)
        self._begin((0.0,) * (inputs + 1))

    def _begin(self, weights: tuple[float, ...]) -> None:
        # Any: river's own methods are partly without types.
        self._regression: Any = linear_model.LogisticRegression(
            optim.SGD(self.rate), intercept_lr=self.rate, intercept_init=weights[-1]
        )
        self._regression._weights = utils.VectorDict(dict(enumerate(weights[:-1])))

    def restore(self, state: CandidateState) -> None:
        """Go on from a state."""
        self.loss = state.loss
        self._begin(state.weights)

    def state(self) -> CandidateState:
        """All that `restore` needs."""
        return CandidateState(self.rate, self.curved, self.weights, self.loss)

    def log_odds(self, sample: Sample) -> float:
        """What it says."""
        weights = self._regression.weights
        total = self._regression.intercept + sum(weights.get(place, 0.0) * x for place, x in sample.items())
        return float(total)

    def learn(self, sample: Sample, came: bool) -> None:
        """Score, then learn."""
        said = min(max(float(expit(self.log_odds(sample))), CERTAIN), 1 - CERTAIN)
        self.loss += (1 - 0.5 ** (1 / LOSS_HALF_LIFE)) * (-log(said if came else 1 - said) - self.loss)
        self._regression.learn_one(sample, came)

    @property
    def weights(self) -> tuple[float, ...]:
        """One an input, then the intercept."""
        weights = self._regression.weights
        return (*(float(weights.get(place, 0.0)) for place in self._inputs), float(self._regression.intercept))
