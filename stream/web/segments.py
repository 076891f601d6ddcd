"""Questions about all customers: sizes, flows, and who is in a segment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal
from weakref import ref

import msgspec
from aiohttp import web

from stream.app.moves import WITHIN, Moves, churn
from stream.app.shards import ShardHost
from stream.cluster.model import ClusterModel, Profile
from stream.events.instant import iso
from stream.plan.definitions import Definitions, Dimension
from stream.plan.words import show
from stream.web.endpoint import Endpoint, asked, json
from stream.web.past import Past
from stream.web.peers import Peers, from_worker
from stream.web.refusal import RefusalError
from stream.web.told import Instant

#: Counting a million rows takes a third of a second, so a count serves everybody for so many seconds, or so many times
#: as long as it took.
SIZES_SECONDS, SIZES_TIMES = 1.0, 20.0
Within = Annotated[Literal["1h", "24h", "7d", "30d"], msgspec.Meta(description="How far to look back, in event time.")]


class Segment(msgspec.Struct):
    """One segment of a dimension.

    ``words``: its condition, or what sets a cluster apart; ``name``: a cluster's human name; ``entered_hour`` and so
    on: how many came and went in the last hour and day of event time; ``warning``: what is wrong with it, in a
    sentence; ``topic``: where changes into it go as well.
    """

    segment: str
    words: str
    note: str
    name: str | None
    size: int
    topic: str | None
    entered_hour: int
    left_hour: int
    entered_day: int
    left_day: int
    warning: str | None


class DimensionAnswer(msgspec.Struct):
    """One way of dividing customers; ``learned``: its segments are clusters; ``customers``: how many are in any."""

    dimension: str
    description: str
    owner: str
    definition: str
    learned: bool
    minimum_size: int | None
    customers: int
    segments: list[Segment]


class SegmentsAnswer(msgspec.Struct):
    """All dimensions.  ``as_of``: event time, the least of the shards; ``since``: from when on moves are counted, null
    where all that there ever were are; ``missing``: shards that did not answer, whose customers are not counted."""

    as_of: Instant | None
    since: Instant | None
    missing: list[int]
    dimensions: list[DimensionAnswer]


class Flow(msgspec.Struct):
    """How many moved from one segment to another; null: from or into none."""

    from_segment: str | None = msgspec.field(name="from")
    to_segment: str | None = msgspec.field(name="to")
    changes: int


class FlowsAnswer(msgspec.Struct):
    """Moves in one dimension, the most frequent first; ``since``: from when on they are counted, null: from the first
    one on."""

    dimension: str
    within: str
    as_of: Instant | None
    since: Instant | None
    missing: list[int]
    flows: list[Flow]


class SizesAnswer(msgspec.Struct):
    """Sizes over time: at each of ``times`` (event time, the last one now), how many were in each segment; ``since``:
    from when on moves are counted, null: from the first one on."""

    dimension: str
    within: str
    as_of: Instant | None
    since: Instant | None
    missing: list[int]
    times: list[Instant]
    sizes: dict[str, list[int]]


class FlowsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Of which dimension, and how far back."""

    dimension: Annotated[str, msgspec.Meta(description="Name of the dimension.")]
    within: Within = "24h"


class SegmentsPart(msgspec.Struct):
    """What one shard says to ``/segments``; instants in ms."""

    clock: int | None
    since: int | None
    sizes: dict[str, dict[str, int]]
    hour: list[tuple[str, str, int, int]]
    day: list[tuple[str, str, int, int]]


class FlowsPart(msgspec.Struct):
    """What one shard says to ``/flows``."""

    clock: int | None
    since: int | None
    flows: list[tuple[str | None, str | None, int]]


class SizesPart(msgspec.Struct):
    """What one shard says to ``/sizes``: its sizes now, and by how much they grew in each bucket before."""

    clock: int | None
    since: int | None
    sizes: dict[str, int]
    net: dict[str, list[int]]


class Sizes:
    """Counts the customers of a shard in each segment, in a thread, and not more often than is of use."""

    def __init__(self) -> None:
        #: by partition: the shard, without keeping it in memory, until when the count will do, and the count
        self._counted: dict[int, tuple[ref[Any], float, Mapping[str, Mapping[str, int]]]] = {}
        self._lock = asyncio.Lock()

    async def of(self, partition: int, shard: Any) -> Mapping[str, Mapping[str, int]]:
        """The sizes of a shard's segments, at most a moment old."""
        async with self._lock:
            counted = self._counted.get(partition)
            if counted is not None and counted[0]() is shard and time.monotonic() < counted[1]:
                return counted[2]
            began = time.monotonic()
            found: Mapping[str, Mapping[str, int]] = await asyncio.to_thread(shard.sizes)
            ended = time.monotonic()
            self._counted[partition] = (ref(shard), ended + max(SIZES_SECONDS, SIZES_TIMES * (ended - began)), found)
            return found


class Segments:
    """Answers for all shards, from whichever worker."""

    def __init__(self, shards: ShardHost, peers: Peers, past: Past, definitions: Definitions) -> None:
        self._shards, self._peers, self._past = shards, peers, past
        self._own_definitions = definitions
        self._sizes = Sizes()

    def endpoints(self) -> list[Endpoint]:
        """What can be asked."""
        return [
            Endpoint(
                "/segments",
                "Every dimension and segment: conditions in words, sizes, who came and went.",
                self.segments,
                SegmentsAnswer,
                cost=10,
                tag="segments",
            ),
            Endpoint(
                "/flows",
                "Who moved from where to where in one dimension.",
                self.flows,
                FlowsAnswer,
                FlowsQuery,
                refusals={404: "there is no such dimension"},
                cost=10,
                tag="segments",
            ),
            Endpoint(
                "/sizes",
                "The sizes of one dimension's segments over time.",
                self.sizes,
                SizesAnswer,
                FlowsQuery,
                refusals={404: "there is no such dimension"},
                cost=10,
                tag="segments",
            ),
        ]

    async def segments(self, request: web.Request) -> web.Response:
        """All dimensions."""
        own: dict[int, SegmentsPart] = {}
        for runner, shard in list(self._shards.ready_shards()):
            moves, clock = self._past.moves(runner.partition), shard.clock_ms
            hour, day = (_churn(moves, clock, within) for within in ("1h", "24h"))
            sizes = {name: dict(found) for name, found in (await self._sizes.of(runner.partition, shard)).items()}
            own[runner.partition] = SegmentsPart(clock, moves.since, sizes, hour, day)
        if from_worker(request):
            return json(own)
        parts = await self._peers.gather(request, own, SegmentsPart)
        as_of, since = _dated(parts.values())
        told = [_dimension(one, parts.values(), self._clusters(one)) for one in self.definitions.dimensions]
        return json(SegmentsAnswer(as_of, since, self._peers.missing(parts), told))

    async def flows(self, request: web.Request) -> web.Response:
        """Moves between the segments of a dimension."""
        query = asked(request, FlowsQuery)
        self.dimension(query.dimension)
        own = {}
        for runner, shard in self._shards.ready_shards():
            moves = self._past.moves(runner.partition)
            found = {} if shard.clock_ms is None else moves.flows(shard.clock_ms, query.within)
            flows = [(out_of, into, n) for (name, out_of, into), n in found.items() if name == query.dimension]
            own[runner.partition] = FlowsPart(shard.clock_ms, moves.since, flows)
        if from_worker(request):
            return json(own)
        parts = await self._peers.gather(request, own, FlowsPart)
        totals: dict[tuple[str | None, str | None], int] = {}
        for part in parts.values():
            for out_of, into, n in part.flows:
                totals[out_of, into] = totals.get((out_of, into), 0) + n
        told = [Flow(*pair, n) for pair, n in sorted(totals.items(), key=lambda item: -item[1])]
        as_of, since = _dated(parts.values())
        missing = self._peers.missing(parts)
        return json(FlowsAnswer(query.dimension, query.within, as_of, since, missing, told))

    async def sizes(self, request: web.Request) -> web.Response:
        """Sizes over time."""
        query = asked(request, FlowsQuery)
        dimension = self.dimension(query.dimension)
        own = {}
        for runner, shard in list(self._shards.ready_shards()):
            moves, clock = self._past.moves(runner.partition), shard.clock_ms
            sizes = dict((await self._sizes.of(runner.partition, shard)).get(query.dimension, {}))
            net = {} if clock is None else moves.net(clock, query.within, query.dimension)
            grown = {name: found.tolist() for name, found in net.items()}
            own[runner.partition] = SizesPart(clock, moves.since, sizes, grown)
        if from_worker(request):
            return json(own)
        return json(self._over_time(query, dimension, await self._peers.gather(request, own, SizesPart)))

    def _over_time(self, query: FlowsQuery, dimension: Dimension, parts: Mapping[int, SizesPart]) -> SizesAnswer:
        as_of, since = _dated(parts.values())
        missing = self._peers.missing(parts)
        length, (width, _) = WITHIN[query.within]
        clock = max((part.clock for part in parts.values() if part.clock is not None), default=None)
        if clock is None:
            return SizesAnswer(query.dimension, query.within, as_of, since, missing, [], {})
        # Bucket by bucket backwards from what there is now; shards whose clocks are behind are laid side by side.
        count, known_from = length // width, max(part.since or 0 for part in parts.values())
        ends = [min(clock, (clock // width - count + k + 1) * width) for k in range(count)]
        first = next((k for k, end in enumerate(ends) if end >= known_from), count - 1)
        plain = dimension.segment_names if dimension.learning is None else ()
        # Also of clusters that are no more, and of segments of former definitions, which lost whom they had.
        left = (name for part in parts.values() for name, net in part.net.items() if any(net))
        names = dict.fromkeys([*plain, *(name for part in parts.values() for name in part.sizes), *left])
        sizes = {name: [0] * count for name in names}
        for part in parts.values():
            for name, line in sizes.items():
                size, net = part.sizes.get(name, 0), part.net.get(name)
                for k in range(count - 1, -1, -1):
                    line[k] += max(0, size)
                    size -= net[k] if net is not None else 0
        told = {name: line[first:] for name, line in sizes.items()}
        return SizesAnswer(
            query.dimension, query.within, as_of, since, missing, [iso(end) for end in ends[first:]], told
        )

    @property
    def definitions(self) -> Definitions:
        """The definitions in force: those of a shard here, else those that the worker began with."""
        plan = next((shard.plan for _, shard in self._shards.ready_shards()), None)
        return self._own_definitions if plan is None else plan.definitions

    def _clusters(self, dimension: Dimension) -> ClusterModel | None:
        """The clusters of a learned dimension that are in force; None where they are not, or not known here."""
        found = next((shard.clusters for _, shard in self._shards.ready_shards()), None)
        return found if isinstance(found, ClusterModel) and found.dimension == dimension.name else None

    def dimension(self, name: str) -> Dimension:
        """A dimension by its name; `RefusalError` 404 where there is none."""
        for dimension in self.definitions.dimensions:
            if dimension.name == name:
                return dimension
        raise RefusalError(404, f"there is no dimension {name[:100]!r}: /segments lists them")


def _churn(moves: Moves, clock: int | None, within: str) -> list[tuple[str, str, int, int]]:
    if clock is None:
        return []
    return [(*key, entered, left) for key, (entered, left) in churn(moves.flows(clock, within)).items()]


def _dated(parts: Iterable[SegmentsPart | FlowsPart | SizesPart]) -> tuple[str | None, str | None]:
    """The least clock of the shards, null where none has one, and from when on all of them count moves, null where that
    is from the first one on."""
    found = list(parts)
    clocks = [part.clock for part in found if part.clock is not None]
    since = max((part.since for part in found if part.since is not None), default=0)
    return iso(min(clocks)) if clocks else None, iso(since) if since > 0 else None


def _dimension(dimension: Dimension, parts: Iterable[SegmentsPart], clusters: ClusterModel | None) -> DimensionAnswer:
    plain = dimension.segment_names if dimension.learning is None else ()
    sizes: dict[str, int] = dict.fromkeys(plain, 0)
    hour: dict[str, tuple[int, int]] = {}
    day: dict[str, tuple[int, int]] = {}
    for part in parts:
        for segment, n in part.sizes.get(dimension.name, {}).items():
            sizes[segment] = sizes.get(segment, 0) + n
        for counted, told in ((hour, part.hour), (day, part.day)):
            for name, segment, entered, left in told:
                if name == dimension.name:
                    before = counted.get(segment, (0, 0))
                    counted[segment] = (before[0] + entered, before[1] + left)
    learned = _learned(clusters)
    segments = [
        _segment(dimension, name, size, hour.get(name, (0, 0)), day.get(name, (0, 0)), learned.get(name))
        for name, size in sizes.items()
    ]
    return DimensionAnswer(
        dimension.name,
        dimension.description,
        dimension.owner,
        dimension.version,
        dimension.learning is not None,
        dimension.minimum_size,
        sum(sizes.values()),
        segments,
    )


def _learned(clusters: ClusterModel | None) -> dict[str, tuple[str, Profile | None]]:
    """By segment: the name of its cluster, and what is known of it."""
    if clusters is None:
        return {}
    profiles = clusters.profiles or (None,) * len(clusters.names)
    return {
        segment: (name, profile)
        for segment, name, profile in zip(clusters.segments, clusters.names, profiles, strict=True)
    }


def _segment(
    dimension: Dimension,
    name: str,
    size: int,
    hour: tuple[int, int],
    day: tuple[int, int],
    learned: tuple[str, Profile | None] | None,
) -> Segment:
    declared = next((one for one in dimension.segments if one.name == name), None)
    called, profile = learned or (None, None)
    least = dimension.minimum_size
    warning = f"fewer than the {least:,} that it needs to be of use" if least is not None and size < least else None
    if profile is not None and profile.warning:
        warning = profile.warning
    return Segment(
        name,
        show(declared.when) if declared is not None else _in_words(dimension, name, profile),
        "" if declared is None else declared.note,
        called,
        size,
        None if declared is None else declared.topic,
        *hour,
        *day,
        warning,
    )


def _in_words(dimension: Dimension, name: str, profile: Profile | None) -> str:
    """What a segment without a condition is."""
    if profile is not None and profile.traits:
        return ", ".join(f"{trait.words} ({trait.feature} {trait.deviations:+.1f} sd)" for trait in profile.traits)
    if dimension.learning is not None:
        return "learned from " + ", ".join(dimension.learning.vector)
    return "everybody else" if name == dimension.otherwise else "no longer defined"
