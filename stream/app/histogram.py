"""A histogram that takes many values at once: a million deadlines of one instant would otherwise take seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
        self.bounds, self.most = np.array(buckets, np.float64), most
        self._counts: dict[tuple[str, ...], NDArray[np.int64]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        registry.register(self)

    def observe(self, values: ArrayLike, *labels: str) -> None:
        """Count these values, none of them NaN, under the values of the labels."""
        found = np.asarray(values, np.float64).ravel()
        found = found[found <= self.most]
        self._known(labels)
        places = np.searchsorted(self.bounds, found, side="left")
        self._counts[labels] += np.bincount(places, minlength=len(self.bounds) + 1)
        self._sums[labels] += float(found.sum())

    def add(self, counts: NDArray[np.int64], total: float, *labels: str) -> None:
        """Count values whose counts by bucket, and whose sum, are known."""
        self._known(labels)
        self._counts[labels] += counts
        self._sums[labels] += total

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
        bounds = [*map(str, self.bounds.tolist()), "+Inf"]
        for labels, counts in list(self._counts.items()):
            up_to = np.cumsum(counts).tolist()
            family.add_metric(labels, list(zip(bounds, up_to, strict=True)), self._sums.get(labels, 0.0))
        yield family

    def _known(self, labels: tuple[str, ...]) -> None:
        if len(labels) != len(self._labels):
            raise ValueError(f"{self._name} has the labels {self._labels}, not {len(labels)} of them")
        if labels not in self._counts:
            self._counts[labels] = np.zeros(len(self.bounds) + 1, np.int64)
            self._sums[labels] = 0.0

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self._name, self._documentation, labels=self._labels)


class Groups:
    """Values for a histogram in groups that have numbers; each gets its labels when it is told."""

    def __init__(self, histogram: BulkHistogram, count: int) -> None:
        self._histogram = histogram
        self._counts = np.zeros((count, len(histogram.bounds) + 1), np.int64)
        self._sums = np.zeros(count)

    def observe(self, groups: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Count values, none of them NaN, in the groups of these numbers."""
        within = values <= self._histogram.most
        if not within.all():
            groups, values = groups[within], values[within]
        buckets = np.searchsorted(self._histogram.bounds, values, side="left")
        np.add.at(self._counts.reshape(-1), groups * self._counts.shape[1] + buckets, 1)
        np.add.at(self._sums, groups, values)

    def found(self) -> NDArray[np.int64]:
        """The numbers of the groups that have values."""
        return np.flatnonzero(self._counts.any(axis=1))

    def tell(self, group: int, labels: tuple[str, ...]) -> None:
        """Add a group to the histogram, under these labels."""
        self._histogram.add(self._counts[group], float(self._sums[group]), *labels)
