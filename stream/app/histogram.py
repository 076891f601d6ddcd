"""A histogram that takes many values at once: a million deadlines of one instant would otherwise take seconds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry


class BulkHistogram(Collector):
    """Like a histogram of prometheus_client, whose ``observe`` takes one value after the other.

    ``buckets`` are upper bounds, rising; one for all that is greater is put behind them.  What is above ``most`` is not
    counted at all.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        buckets: Sequence[float],
        registry: CollectorRegistry,
        most: float = np.inf,
    ) -> None:
        self._name, self._documentation, self._labels = name, documentation, tuple(labels)
        self._bounds, self._most = np.array(buckets, np.float64), most
        self._counts: dict[tuple[str, ...], NDArray[np.int64]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        registry.register(self)

    def observe(self, values: ArrayLike, *labels: str) -> None:
        """Count these values, none of them NaN, under the values of the labels."""
        found = np.asarray(values, np.float64).ravel()
        found = found[found <= self._most]
        self._known(labels)
        places = np.searchsorted(self._bounds, found, side="left")
        self._counts[labels] += np.bincount(places, minlength=len(self._bounds) + 1)
        self._sums[labels] += float(found.sum())

    def observe_groups(self, groups: Collection[tuple[tuple[str, ...], Sequence[NDArray[np.float64]]]]) -> None:
        """The same for many values of the labels at once, each with its values."""
        if not groups:
            return
        sizes = [sum(map(len, parts)) for _, parts in groups]
        values = np.concatenate([part for _, parts in groups for part in parts])
        which = np.repeat(np.arange(len(groups)), sizes)
        within = values <= self._most
        values, which = values[within], which[within]
        width = len(self._bounds) + 1
        places = which * width + np.searchsorted(self._bounds, values, side="left")
        counts = np.bincount(places, minlength=len(groups) * width).reshape(-1, width)
        sums = np.bincount(which, values, minlength=len(groups)).tolist()
        for k, (labels, _) in enumerate(groups):
            self._known(labels)
            self._counts[labels] += counts[k]
            self._sums[labels] += sums[k]

    def remove(self, *labels: str) -> None:
        """Forget what was counted under these values of the labels, if anything was."""
        self._counts.pop(labels, None)
        self._sums.pop(labels, None)

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """The metric without values."""
        yield self._family()

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The metric with its values; one without labels is there from the start."""
        if not self._labels:
            self._known(())
        family = self._family()
        bounds = [*map(str, self._bounds.tolist()), "+Inf"]
        for labels, counts in list(self._counts.items()):
            up_to = np.cumsum(counts).tolist()
            family.add_metric(labels, list(zip(bounds, up_to, strict=True)), self._sums.get(labels, 0.0))
        yield family

    def _known(self, labels: tuple[str, ...]) -> None:
        if len(labels) != len(self._labels):
            raise ValueError(f"{self._name} has the labels {self._labels}, not {len(labels)} of them")
        if labels not in self._counts:
            self._counts[labels] = np.zeros(len(self._bounds) + 1, np.int64)
            self._sums[labels] = 0.0

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
