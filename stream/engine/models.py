"""Learned models by version: the one in force, the one to come, and those behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from stream.features.base import FOREVER, NEVER
from stream.plan import header
from stream.plan.plan import Plan


class Model(Protocol):
    """A version of the clusters; :class:`stream.cluster.model.ClusterModel` is one."""

    @property
    def version(self) -> int: ...
    @property
    def effective(self) -> int: ...
    @property
    def features(self) -> Sequence[str]: ...
    @property
    def mean(self) -> Sequence[float]: ...
    @property
    def scale(self) -> Sequence[float]: ...
    @property
    def centroids(self) -> Sequence[Sequence[float]]: ...
    def to_json(self) -> bytes: ...


class Versions:
    """The kernel sees two models at a time: slot 0, which rows may still be judged by, and slot 1, which they move to
    at its effective instant.  Later ones wait until every row has moved."""

    def __init__(self, plan: Plan) -> None:
        d = max(1, len(plan.vector))
        learning = next((x.learning for x in plan.definitions.dimensions if x.learning), None)
        self.most = learning.clusters if learning else 1
        self.features = plan.vector
        self.slots = header.Models(
            np.zeros(2, np.int64),
            np.array([NEVER, FOREVER], np.int64),
            np.full(2, header.MODEL, np.int64),
            np.full((2, max(1, len(plan.cuts))), np.nan),
            np.zeros(2, np.int64),
            np.zeros((2, d)),
            np.ones((2, d)),
            np.zeros((2, self.most, d)),
        )
        self.known: list[tuple[int, Model]] = []
        self.skipped = 0
        self.late = 0

    def add(self, model: Model, position: int) -> None:
        """A version that was published; one that is late for this shard takes effect at once, and is counted."""
        newest = self.known[-1] if self.known else None
        if not self.fits(model) or (newest is not None and model.version <= newest[1].version):
            self.skipped += 1
            return
        effective = model.effective
        if effective <= position:
            self.late += 1
            effective = position + 1
        if newest is not None:
            effective = max(effective, newest[0] + 1)
        self.place(effective, model)

    def fits(self, model: Model) -> bool:
        """Whether it was learned from the features that the plan has, and has no more clusters than the plan."""
        return tuple(model.features) == self.features and 1 <= len(model.centroids) <= self.most

    def place(self, effective: int, model: Model) -> None:
        """Append a version with the instant from which it holds here."""
        self.known.append((effective, model))
        self._load()

    def _load(self) -> None:
        """Slot 0 holds the first known version once it is in force everywhere, slot 1 the next."""
        for effective, model in self.known:
            if model.version > self.slots.version[0] and self.slots.effective[1] == FOREVER:
                self._fill(1, effective, model)
                return

    def _fill(self, slot: int, effective: int, model: Model) -> None:
        k = len(model.centroids)
        self.slots.version[slot] = model.version
        self.slots.effective[slot] = effective
        self.slots.clusters[slot] = k
        self.slots.mean[slot] = model.mean
        self.slots.scale[slot] = model.scale
        self.slots.centroids[slot, :k] = model.centroids

    def promote(self) -> None:
        """Every row is judged by slot 1: it becomes slot 0, and the next version may come."""
        for array in self.slots:
            array[0] = array[1]
        self.slots.effective[1] = FOREVER
        current = int(self.slots.version[0])
        self.known = [(e, m) for e, m in self.known if m.version >= current]
        self._load()

    @property
    def coming(self) -> int:
        """When slot 1 takes effect; FOREVER where it is empty."""
        return int(self.slots.effective[1])

    @property
    def crowded_at(self) -> int:
        """The instant of the version behind slot 1: events from there on wait until slot 1 is in force everywhere."""
        behind = [e for e, m in self.known if m.version > self.slots.version[1] and self.coming < FOREVER]
        return min(behind, default=FOREVER)
