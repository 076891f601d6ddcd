"""Why a customer is in another cluster: how far from the old and the new centre, and which parts of the vector tell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.engine.models import Model, Versions
from stream.plan import header
from stream.plan.plan import Plan

#: Parts of the vector that are told of a change, at most.
MOST_PARTS = 3
#: Significant digits of what is told.
DIGITS = 6


def evidence_width(plan: Plan) -> int:
    """Columns that any change of a plan needs behind its features: which version judged, and the vector."""
    return 1 + len(plan.vector) if plan.learned is not None else 0


class ClusterEvidence:
    """Tells of changes in the learned dimension of a plan, by the versions that were in force when they were made: ask
    before these go on to others."""

    def __init__(self, plan: Plan, versions: Versions) -> None:
        self.plan, self.versions, self.dimension = plan, versions, plan.learned
        self._at = header.EVIDENCE + (len(plan.evidence[plan.learned]) if plan.learned is not None else 0)

    def of(self, ints: NDArray[np.int64], floats: NDArray[np.float64]) -> list[dict[str, Any]]:
        """What stands under ``clusters`` in the evidence of each of these changes (n), as the kernel wrote them."""
        found: list[dict[str, Any]] = [{"model": None, "from": None, "to": None, "moved_by": []} for _ in ints]
        slots = ints[:, self._at]
        vectors = floats[:, self._at + 1 : self._at + 1 + len(self.plan.vector)]
        for slot in np.unique(slots).tolist():
            picks = np.flatnonzero(slots == slot)
            model = self.versions.model(slot)
            if model is not None:
                self._tell(model, slot, picks, ints[picks], vectors[picks], found)
        return found

    def _tell(
        self,
        model: Model,
        slot: int,
        picks: NDArray[np.intp],
        ints: NDArray[np.int64],
        vectors: NDArray[np.float64],
        found: list[dict[str, Any]],
    ) -> None:
        models, names = self.versions.slots, self._names(slot)
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = scaled_by(vectors, models.mean[slot], models.scale[slot])
            parts = [
                np.square(scaled - _centres(models.centroids[slot], ints[:, column]))
                for column in (header.FROM, header.TO)
            ]
        was, now = (np.sqrt(squares.sum(axis=1)).tolist() for squares in parts)
        gain = np.nan_to_num(parts[0] - parts[1], nan=-1.0)
        order = np.argsort(-gain, axis=1, kind="stable")[:, :MOST_PARTS].tolist()
        for k, pick in enumerate(picks.tolist()):
            one = found[pick]
            one["model"] = model.version
            one["from"] = _side(names.get(int(ints[k, header.FROM])), was[k])
            one["to"] = _side(names.get(int(ints[k, header.TO])), now[k])
            one["moved_by"] = [
                {"part": self.plan.vector[i], "value": told(vectors[k, i])} for i in order[k] if gain[k, i] > 0.0
            ]

    def _names(self, slot: int) -> dict[int, tuple[int, str]]:
        """Number and name of the cluster in each place, as rows in a slot may still have it."""
        known = [model for model in (self.versions.clusters, self.versions.model(slot)) if model is not None]
        return {
            place: (number, name)
            for model in known
            for place, number, name in zip(model.places, model.numbers, model.names, strict=True)
        }


def _centres(centroids: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """The centre of each code's place; NaN of who is in none, or in a segment of former definitions, behind them."""
    there = (codes >= 0) & (codes < len(centroids))
    found: NDArray[np.float64] = np.where(there[:, None], centroids[np.where(there, codes, 0)], np.nan)
    return found


def _side(cluster: tuple[int, str] | None, distance: float) -> dict[str, Any] | None:
    """One end of a move; None where it is in no cluster.  The distance to one that is no more is not known."""
    if cluster is None:
        return None
    return {"id": cluster[0], "name": cluster[1], "distance": told(distance)}


def scaled_by(
    vectors: NDArray[np.float64], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Vectors in scaled space, as kernels have them (:func:`stream.plan.runtime.standard`)."""
    usable = np.clip(vectors, -1e100, 1e100) - mean
    scaled = np.clip(usable / np.where(scale > 0.0, scale, 1.0), -1e100, 1e100)
    return np.where(np.isfinite(vectors), scaled, 0.0)


def told(value: float) -> float | None:
    """A number for people and programs; None where it is missing."""
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
