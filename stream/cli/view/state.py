"""What the live view knows: who is in which segment, who came and went lately, and the latest changes. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from itertools import islice
from typing import Any

#: Came and went are counted over so long, in milliseconds.
LATELY_MS = 60_000
#: A change that waits longer than this to be shown in the feed is left out: others speak for it by then.
STALE_MS = 3_000
#: The feed begins with up to so many lines.
FIRST_LINES = 20
#: The feed keeps so many lines: more than any terminal has.
FEED_LINES = 200
#: A kind of change is not shown again among so many lines, if there are others.
VARIETY = 12
#: So many changes wait to be shown at most.
WAITING = 2_000


@dataclass(frozen=True, slots=True)
class Move:
    """One segment change as it was read. ``at_ms`` is event time; ``written_ms`` is when it came to the broker."""

    customer: str
    dimension: str
    from_segment: str | None
    to_segment: str | None
    at_ms: int
    cause: str
    evidence: Mapping[str, Any]
    written_ms: int


@dataclass(frozen=True, slots=True)
class SegmentLine:
    """One segment of the table; ``share`` of the dimension's customers, from 0 to 1."""

    name: str
    size: int
    share: float
    came: int
    went: int


class Sizes:
    """How many customers are in each segment of each dimension, from the latest segments of each customer."""

    def __init__(self) -> None:
        self._segments: dict[str, dict[str, str | None]] = {}
        self._sizes: dict[str, Counter[str]] = {}

    def place(self, customer: str, segments: Mapping[str, str | None] | None) -> None:
        """The customer is in these segments now, in place of all they were in before; None: there is no such one."""
        for dimension, segment in self._segments.pop(customer, {}).items():
            if segment is not None:
                self._sizes[dimension][segment] -= 1
        if segments is None:
            return
        self._segments[customer] = dict(segments)
        for dimension, segment in segments.items():
            if segment is not None:
                self._sizes.setdefault(dimension, Counter())[segment] += 1

    @property
    def customers(self) -> int:
        """How many customers there are."""
        return len(self._segments)

    def of(self, dimension: str) -> Counter[str]:
        """Segment -> customers in it."""
        return self._sizes.get(dimension, Counter())

    def dimensions(self) -> set[str]:
        """Those that anybody was ever in."""
        return set(self._sizes)


class Flows:
    """Moves into and out of each segment within the last minute, second by second of the broker's clock."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, Counter[tuple[str, str]], Counter[tuple[str, str]]]] = deque()
        self.came: Counter[tuple[str, str]] = Counter()
        self.went: Counter[tuple[str, str]] = Counter()

    def add(self, move: Move) -> None:
        """Counts a move; partitions may come a little out of order, so a second may be counted a second late."""
        second = move.written_ms // 1000
        if not self._seconds or self._seconds[-1][0] < second:
            self._seconds.append((second, Counter(), Counter()))
        _, came, went = self._seconds[-1]
        if move.to_segment is not None:
            came[move.dimension, move.to_segment] += 1
            self.came[move.dimension, move.to_segment] += 1
        if move.from_segment is not None:
            went[move.dimension, move.from_segment] += 1
            self.went[move.dimension, move.from_segment] += 1

    def forget(self, now_ms: int) -> None:
        """Takes out what is older than a minute."""
        while self._seconds and self._seconds[0][0] * 1000 <= now_ms - LATELY_MS:
            _, came, went = self._seconds.popleft()
            self.came -= came
            self.went -= went


class Feed:
    """The latest changes at a pace that can be read: where more come, some of each kind, the rarest first.

    A kind is a dimension and the segment entered.
    """

    def __init__(self) -> None:
        self._shown: deque[Move] = deque(maxlen=FEED_LINES)
        self._waiting: deque[Move] = deque(maxlen=WAITING)
        self.left_out = 0

    def add(self, move: Move) -> None:
        """A change that came; it is shown at one of the next turns, or left out."""
        self.left_out += len(self._waiting) == WAITING
        self._waiting.append(move)

    def turn(self, count: int, seen: Mapping[tuple[str, str], int], now_ms: int) -> None:
        """Shows up to ``count`` more: of the kinds least shown of late the rarest by ``seen``, of equals the newest."""
        fresh = [move for move in self._waiting if move.written_ms > now_ms - STALE_MS]
        if not self._shown:
            # Who starts late sees at once what has just happened.
            fresh, count = list(self._waiting), max(count, FIRST_LINES)
        elif len(fresh) < count:
            fresh = list(self._waiting)[-count:]
        self.left_out += len(self._waiting) - len(fresh)
        for _ in range(min(count, len(fresh))):
            shown_lately = Counter(map(_kind, islice(reversed(self._shown), VARIETY)))
            kinds = [_kind(move) for move in fresh]
            best = min(range(len(fresh)), key=lambda i: (shown_lately[kinds[i]], seen.get(kinds[i], 0), -i))
            self._shown.append(fresh.pop(best))
        self._waiting = deque(fresh, maxlen=WAITING)

    def latest(self, count: int) -> list[Move]:
        """The last ``count`` that were shown, the newest by event time first."""
        recent = list(self._shown)[-count:] if count > 0 else []
        return sorted(recent, key=lambda move: move.at_ms, reverse=True)


def _kind(move: Move) -> tuple[str, str]:
    return move.dimension, move.to_segment or ""


class View:
    """All that is shown. ``known`` names dimensions and their segments in the order of the definitions.

    ``wanted``, where not empty, are the only dimensions shown; times are shown in ``zone``.
    """

    def __init__(self, known: Mapping[str, Sequence[str]], wanted: Sequence[str] = (), zone: tzinfo = UTC) -> None:
        self.zone = zone
        self._known = dict(known)
        self._wanted = tuple(wanted)
        self._sizes = Sizes()
        self._flows = Flows()
        self._feed = Feed()
        self.changes = 0
        self.latest_ms: int | None = None
        #: how much of the latest segments has been read at the start, 0 to 1
        self.loaded = 0.0

    def place(self, customer: str, segments: Mapping[str, str | None] | None) -> None:
        """A record of the latest segments."""
        self._sizes.place(customer, segments)

    def move(self, move: Move) -> bool:
        """A segment change; whether it is one of those that are wanted."""
        self.latest_ms = move.at_ms if self.latest_ms is None else max(self.latest_ms, move.at_ms)
        if not self.wants(move.dimension):
            return False
        self.changes += 1
        self._flows.add(move)
        self._feed.add(move)
        return True

    def turn(self, now_ms: int, feed_lines: int) -> None:
        """Time has come so far; the feed grows by up to so many lines."""
        self._flows.forget(now_ms)
        self._feed.turn(feed_lines, self._flows.came, now_ms)

    def wants(self, dimension: str) -> bool:
        """Whether it is shown."""
        return not self._wanted or dimension in self._wanted

    @property
    def customers(self) -> int:
        """How many customers have segments."""
        return self._sizes.customers

    @property
    def moves_lately(self) -> int:
        """Changes within the last minute, in the dimensions shown."""
        return self._flows.came.total()

    @property
    def left_out(self) -> int:
        """Changes that were counted, but came too fast for the feed."""
        return self._feed.left_out

    def feed(self, count: int) -> list[Move]:
        """The latest changes, the newest first."""
        return self._feed.latest(count)

    def table(self) -> dict[str, list[SegmentLine]]:
        """Dimension by dimension; segments that no definition here knows come after those that one does."""
        found = self._sizes.dimensions() | {dimension for dimension, _ in self._flows.came}
        names = [*self._known, *sorted(found - self._known.keys())]
        return {dimension: self._lines(dimension) for dimension in names if self.wants(dimension)}

    def _lines(self, dimension: str) -> list[SegmentLine]:
        sizes, came, went = self._sizes.of(dimension), self._flows.came, self._flows.went
        known = self._known.get(dimension, ())
        found = set(sizes) | {segment for of, segment in came if of == dimension}
        whole = max(1, sizes.total())
        return [
            SegmentLine(name, sizes[name], sizes[name] / whole, came[dimension, name], went[dimension, name])
            for name in (*known, *sorted(found - set(known)))
        ]
