"""Who enters and leaves segments, how long they stayed and were away: by dimension and segment, within bounds."""

from __future__ import annotations

from collections import Counter as TallyOf
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter

from stream.app.histogram import BulkHistogram
from stream.app.metric_list import MOST_SEGMENTS
from stream.app.ports import Changes, Forgotten

#: Why customers move; a segment has a series of each from the start where the second is true, so that the first
#: customers who move are seen as a rise and not as a series that begins.
CAUSES = {"event": True, "deadline": True, "definition": False, "model": False, "forgotten": False}
#: Stands for no segment.
NONE = "none"

#: a dimension and a segment
Place = tuple[str, str]


class Churn:
    """Counts moves between segments.

    Parameters
    ----------
    entered, left
        By dimension, segment and cause.
    stay, away
        Seconds of event time, by dimension and segment.
    most
        Segments, over all dimensions, that are counted apart at a time.  Definitions change and clusters are born and
        die while a worker runs for months: beyond that many, the one untouched the longest is counted no more.
    """

    def __init__(
        self, entered: Counter, left: Counter, stay: BulkHistogram, away: BulkHistogram, most: int = MOST_SEGMENTS
    ) -> None:
        self._entered, self._left, self._stay, self._away = entered, left, stay, away
        self._most = most
        self._known: OrderedDict[Place, None] = OrderedDict()
        #: those that were counted, as looking one up by its labels takes longer than counting
        self._series: dict[tuple[Counter, Place, str], Counter] = {}

    def show(self, places: Iterable[Place]) -> None:
        """Have series of these segments, at nought where nobody has moved yet."""
        for place in places:
            self._touch(place)

    def moved(self, changes: Changes, forgotten: Sequence[Forgotten]) -> None:
        """Count the changes and the forgotten of one committed step."""
        stays: dict[Place, list[NDArray[np.float64]]] = {}
        aways: dict[Place, list[NDArray[np.float64]]] = {}
        lengths = ((self._stay, changes.stayed_ms / 1000, stays), (self._away, changes.away_ms / 1000, aways))
        for (dimension, before, after, cause), picks in changes.sorts():
            left, entered = (dimension, before or NONE), (dimension, after or NONE)
            self._count(self._entered, entered, cause, len(picks))
            if before is not None:
                self._count(self._left, left, cause, len(picks))
            for (_, seconds, found), place in zip(lengths, (left, entered), strict=True):
                known = seconds[picks]
                known = known[known >= 0]
                if len(known):
                    found.setdefault(place, []).append(known)
        for histogram, _, found in lengths:
            # Nothing of those that have just made room for others.
            histogram.observe_groups([(place, parts) for place, parts in found.items() if place in self._known])
        gone = TallyOf((d, s) for one in forgotten for d, s in one.segments.items() if s is not None)
        for place, number in gone.items():
            self._count(self._left, place, "forgotten", number)

    def _count(self, counter: Counter, place: Place, cause: str, number: int) -> None:
        self._touch(place)
        series = self._series.get((counter, place, cause))
        if series is None:
            series = self._series[counter, place, cause] = counter.labels(*place, cause)
        series.inc(number)

    def _touch(self, place: Place) -> None:
        if place in self._known:
            self._known.move_to_end(place)
            return
        self._known[place] = None
        for cause, shown in CAUSES.items():
            if shown:
                self._entered.labels(*place, cause)
                self._left.labels(*place, cause)
        if len(self._known) > self._most:
            self._drop(self._known.popitem(last=False)[0])

    def _drop(self, place: Place) -> None:
        for cause in CAUSES:
            for counter in (self._entered, self._left):
                self._series.pop((counter, place, cause), None)
            self._entered.remove(*place, cause)
            self._left.remove(*place, cause)
        self._stay.remove(*place)
        self._away.remove(*place)
