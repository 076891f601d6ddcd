"""Who enters and leaves segments, how long they stayed and were away: by dimension and segment, within bounds."""

from __future__ import annotations

from collections import Counter as TallyOf
from collections import OrderedDict
from collections.abc import Iterable, Sequence

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

    def show(self, places: Iterable[Place]) -> None:
        """Have series of these segments, at nought where nobody has moved yet."""
        for place in places:
            self._touch(place)

    def moved(self, changes: Changes, forgotten: Sequence[Forgotten]) -> None:
        """Count the changes and the forgotten of one committed step."""
        stayed, away = changes.stayed_ms, changes.away_ms
        for (dimension, before, after, cause), picks in changes.sorts():
            left, entered = (dimension, before or NONE), (dimension, after or NONE)
            self._count(self._entered, entered, cause, len(picks))
            if before is not None:
                self._count(self._left, left, cause, len(picks))
            for histogram, lengths, place in ((self._stay, stayed[picks], left), (self._away, away[picks], entered)):
                known = lengths[lengths >= 0]
                if len(known):
                    histogram.observe(known / 1000, *place)
        gone = TallyOf((d, s) for one in forgotten for d, s in one.segments.items() if s is not None)
        for place, number in gone.items():
            self._count(self._left, place, "forgotten", number)

    def _count(self, counter: Counter, place: Place, cause: str, number: int) -> None:
        self._touch(place)
        counter.labels(*place, cause).inc(number)

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
            self._entered.remove(*place, cause)
            self._left.remove(*place, cause)
        self._stay.remove(*place)
        self._away.remove(*place)
