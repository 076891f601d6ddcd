"""Who enters and leaves segments, how long they stayed and were away: by dimension and segment, within bounds.

Every transaction only adds to arrays; what they come to is put into words when somebody asks for the metrics, which is
seldom.
"""

from __future__ import annotations

from collections import Counter as TallyOf
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from threading import Lock, RLock

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter

from stream.app.histogram import BulkHistogram, Groups
from stream.app.metric_list import MOST_SEGMENTS
from stream.app.ports import Changes, Forgotten
from stream.engine.kinds import Kinds

#: Why customers move; a segment has a series of each from the start where the second is true, so that the first
#: customers who move are seen as a rise and not as a series that begins.
CAUSES = {"event": True, "deadline": True, "definition": False, "model": False, "forgotten": False}
#: Stands for no segment.
NONE = "none"

#: So many times segments may be named anew before what was counted is put into words unasked.
MOST_TALLIES = 8

#: a dimension and a segment
Place = tuple[str, str]


class Tally:
    """What was counted by one numbering of kinds of changes since it was told last."""

    def __init__(self, kinds: Kinds, stay: BulkHistogram, away: BulkHistogram) -> None:
        self.kinds = kinds
        self.moved = np.zeros(kinds.count, np.int64)
        self.stays, self.aways = (Groups(one, kinds.place_count) for one in (stay, away))

    def add(self, numbers: NDArray[np.int64], stayed_ms: NDArray[np.int64], away_ms: NDArray[np.int64]) -> None:
        """Count changes, as :class:`stream.engine.changes.Changes` has them."""
        np.add.at(self.moved, numbers, 1)
        left, entered = self.kinds.places(numbers)
        for groups, places, lengths in ((self.stays, left, stayed_ms), (self.aways, entered, away_ms)):
            known = np.flatnonzero(lengths >= 0)
            groups.observe(places[known], lengths[known] / 1000)


class Churn:
    """Counts moves between segments; `tell` brings what was counted into the metrics.

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
        self._tallies: dict[Kinds, Tally] = {}
        self._forgotten: TallyOf[Place] = TallyOf()
        #: Steps are counted in one thread, and told in another: the first guards the tallies, the second the rest.
        self._counting, self._telling = Lock(), RLock()

    def show(self, places: Iterable[Place]) -> None:
        """Have series of these segments, at nought where nobody has moved yet."""
        with self._telling:
            for place in places:
                self._touch(place)

    def moved(self, changes: Changes, forgotten: Sequence[Forgotten]) -> None:
        """Count the changes and the forgotten of one committed step."""
        stayed, away, start = changes.stayed_ms, changes.away_ms, 0
        with self._counting:
            for kinds, numbers in changes.numbered():
                if kinds not in self._tallies:
                    self._tallies[kinds] = Tally(kinds, self._stay, self._away)
                stop = start + len(numbers)
                self._tallies[kinds].add(numbers, stayed[start:stop], away[start:stop])
                start = stop
            for one in forgotten:
                self._forgotten.update((d, s) for d, s in one.segments.items() if s is not None)
        if len(self._tallies) > MOST_TALLIES:
            self.tell()

    def tell(self) -> None:
        """Bring all that was counted into the metrics."""
        with self._telling:
            with self._counting:
                tallies, self._tallies = self._tallies, {}
                forgotten, self._forgotten = self._forgotten, TallyOf()
            for tally in tallies.values():
                self._tell(tally)
            for place, number in forgotten.items():
                self._count(self._left, place, "forgotten", number)

    def _tell(self, tally: Tally) -> None:
        kinds = np.flatnonzero(tally.moved)
        for kind, number in zip(kinds.tolist(), tally.moved[kinds].tolist(), strict=True):
            dimension, before, after, cause = tally.kinds.sort(kind)
            self._count(self._entered, (dimension, after or NONE), cause, number)
            if before is not None:
                self._count(self._left, (dimension, before or NONE), cause, number)
        for groups in (tally.stays, tally.aways):
            for number in groups.found().tolist():
                dimension, segment = tally.kinds.place(number)
                place = dimension, segment or NONE
                if place in self._known:  # those that have just made room for others are not told
                    groups.tell(number, place)

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
