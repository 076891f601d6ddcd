"""What is published of propensity: a scaler and a logistic regression, which any shard can answer with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import isfinite

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.engine.versions import PredictionVersion
from stream.features.propensity import FARTHEST, KNOTS, PROPENSITY, names_of
from stream.predict.settling import ALL

Floats = NDArray[np.float64]


class PropensityModel(PredictionVersion, frozen=True, dict=True, tag="propensity", tag_field="type"):
    """One version; broken ones cannot be made (ValueError, one sentence). Unknown fields are ignored.

    Parameters
    ----------
    version, effective
        See :class:`stream.engine.versions.PredictionVersion`.
    horizon_ms
        It answers whether a customer buys within this.
    features
        Names of the d features, in the order of a vector's values.
    units
        d numbers: a value v is taken as sign(v) log(1 + |v| / unit), or as it is where the unit is 0.
    mean, scale, weights
        2 d numbers each: of the values, then of whether they are missing (1 or 0). A scale of 0 counts as 1.
    intercept
        Of the regression.
    knots, chances
        What calibrates it: log odds of the regression, rising, and the probabilities that they turned out to mean,
        which do not fall; between two knots along a line. Empty: the log odds mean what they say.
    name
        What it predicts (:attr:`stream.features.propensity.Propensity.kind`).
    learned
        Answers learned so far.
    cursor
        Partition of the answers' topic -> offset of the first record not yet learned.
    recall
        Partition -> offset from which on questions are open (`stream.predict.settling.Settling`).
    ceiling, reached
        Of the open questions; ``ceiling`` as text, for it is beyond what JSON's numbers hold everywhere.  Shard ->
        instant of its latest question.
    trainer
        The trainer's own state as JSON, read by the trainer only.
    """

    horizon_ms: int
    features: tuple[str, ...]
    units: tuple[float, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float
    knots: tuple[float, ...] = ()
    chances: tuple[float, ...] = ()
    name: str = ""
    learned: int = 0
    cursor: dict[int, int] = msgspec.field(default_factory=dict)
    recall: dict[int, int] = msgspec.field(default_factory=dict)
    ceiling: str = str(ALL)
    reached: dict[int, int] = msgspec.field(default_factory=dict)
    trainer: msgspec.Raw = msgspec.Raw(b"null")

    def __post_init__(self) -> None:
        width = len(self.features)
        if not width or len(self.units) != width or self.version < 1 or self.horizon_ms < 1:
            raise ValueError("broken propensity model: it needs features, a unit for each, a version and a horizon")
        if self.name and not self.name.startswith(PROPENSITY):
            raise ValueError(f"broken propensity model: its name must begin with {PROPENSITY!r}")
        if any(len(row) != 2 * width for row in (self.mean, self.scale, self.weights)):
            raise ValueError(f"broken propensity model: its rows must hold {2 * width} numbers, two a feature")
        numbers = (*self.units, *self.mean, *self.scale, *self.weights, self.intercept, *self.knots, *self.chances)
        if not all(map(isfinite, numbers)) or min(*self.units, *self.scale) < 0:
            raise ValueError("broken propensity model: its numbers must be finite, units and scales not negative")
        if (
            len(self.knots) != len(self.chances)
            or len(self.knots) > KNOTS
            or any(np.diff(self.knots) <= 0)
            or any(np.diff(self.chances) < 0)
        ):
            raise ValueError(
                f"broken propensity model: knots, at most {KNOTS}, must rise, and as many chances not fall"
            )
        if not (self.ceiling.isdecimal() and int(self.ceiling) <= ALL):
            raise ValueError("broken propensity model: its ceiling must be a hash of a customer, as text")
        if self.chances and not 0 <= self.chances[0] <= self.chances[-1] <= 1:
            raise ValueError("broken propensity model: its chances must be probabilities")

    @classmethod
    def from_json(cls, data: bytes) -> PropensityModel:
        """Read one version; ValueError says in one sentence what is wrong with it."""
        try:
            model = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"broken propensity model: {error}") from error
        return msgspec.structs.replace(model, trainer=model.trainer.copy())

    @property
    def kind(self) -> str:
        return self.name or PROPENSITY

    def numbers(self, names: Sequence[str]) -> Sequence[float] | None:
        if tuple(names) != names_of(len(self.features)):
            return None
        scale = [one or 1.0 for one in self.scale]
        rest = [0.0] * (KNOTS - len(self.knots))
        curve = (*self.knots, *rest, *self.chances, *rest)
        return [self.intercept, float(len(self.knots)), *self.units, *self.mean, *scale, *self.weights, *curve]

    def for_shards(self) -> PropensityModel:
        """The version without what only its trainer reads."""
        return msgspec.structs.replace(self, reached={}, trainer=msgspec.Raw(b"null"))

    def probability(self, vectors: Floats) -> Floats:
        """The probability that each customer (a row of d values, missing ones not finite) buys within the horizon.

        A row's answer depends on that row only, to the last bit.
        """
        from scipy.special import expit  # every command would wait for it

        odds = self.log_odds(vectors)
        return np.asarray(np.interp(odds, self.knots, self.chances) if self.knots else expit(odds))

    def log_odds(self, vectors: Floats) -> Floats:
        """The regression's own, before it is calibrated."""
        if vectors.ndim != 2 or vectors.shape[1] != len(self.features):
            raise ValueError(f"vectors of shape (n, {len(self.features)}) expected, not {vectors.shape}")
        units, mean, scale, weights = self._arrays
        inputs = (taken(vectors, units) - mean) / scale
        inputs = np.clip(np.where(np.isnan(inputs), 0.0, inputs), -FARTHEST, FARTHEST)
        total = np.full(len(vectors), self.intercept)
        # Input by input: sums over a matrix's axis may add in another order for another number of rows.
        for place, weight in enumerate(weights):
            total += weight * inputs[:, place]
        return total

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats, Floats, Floats]:
        scale = np.asarray(self.scale, np.float64)
        rest = (np.asarray(row, np.float64) for row in (self.units, self.mean, self.weights))
        units, mean, weights = rest
        return units, mean, np.where(scale == 0.0, 1.0, scale), weights


def taken(vectors: Floats, units: Floats) -> Floats:
    """Vectors (n, d) as the regression takes them: (n, 2 d), values in their units, then whether each is missing."""
    values = np.where(np.isfinite(vectors), vectors, np.nan)
    linear = units == 0.0
    with np.errstate(over="ignore"):
        curved = np.sign(values) * np.log1p(np.abs(values) / np.where(linear, 1.0, units))
    return np.hstack([np.where(linear, values, curved), np.isnan(values).astype(np.float64)])
