"""What was learned: every version of the clusters, with centres, names, profiles and what became of them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Annotated

import msgspec
from aiohttp import web
from aiokafka import TopicPartition

from stream.app.shards import ShardHost
from stream.cluster.model import ClusterModel, Happening, Profile, Score
from stream.events.instant import iso
from stream.kafka.reader import Pieces, ReaderThread
from stream.learners.control import read_version
from stream.web.endpoint import Endpoint, asked, json
from stream.web.peers import Peers, from_worker
from stream.web.refusal import UNREADABLE, unread
from stream.web.told import Instant

#: How many versions are kept for whoever asks; older ones are on the control topic.
MOST_KEPT = 500


class ClustersQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Of which dimension, and how many versions."""

    dimension: Annotated[str | None, msgspec.Meta(description="Only of this dimension.")] = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_KEPT, description="How many versions at most, the latest.")] = 50


class Cluster(msgspec.Struct):
    """One cluster.  ``centre``: its mean of each feature, in the units of the vector; ``deviations``: the same as
    standard deviations from the mean of all; ``given``: whether a person gave its name; ``profile``: what is known of
    it, null where nothing was measured."""

    id: int
    segment: str
    name: str
    given: bool
    centre: list[float]
    deviations: list[float]
    profile: Profile | None


class ClusterVersion(msgspec.Struct):
    """One version.  ``effective``: event time from which it is in force; ``story``: what became of clusters since the
    version before; ``scores``: the candidates; ``why``: why this one; ``drifted``: what was seen to drift."""

    dimension: str
    version: int
    effective: Instant
    learned: int
    features: list[str]
    clusters: list[Cluster]
    story: tuple[Happening, ...]
    scores: tuple[Score, ...]
    why: str
    drifted: tuple[str, ...]


class ClustersAnswer(msgspec.Struct):
    """Versions, the latest first."""

    versions: list[ClusterVersion]


class TypicalQuery(msgspec.Struct, forbid_unknown_fields=True):
    """How many."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=100, description="How many customers at most.")] = 5


class Typical(msgspec.Struct):
    """A customer near the centre of their cluster: how far in scaled space, and their vector."""

    customer: str
    distance: float | None
    vector: dict[str, float | None]


class TypicalAnswer(msgspec.Struct):
    """The members of a cluster that are nearest to its centre; of a large one a part is looked at.  ``missing``: shards
    that did not answer."""

    segment: str
    customers: list[Typical]
    missing: list[int]


class Clusters:
    """Reads the control topic, each record once; asks the shards of all workers for typical members."""

    def __init__(self, shards: ShardHost, peers: Peers, control: str, reader: ReaderThread) -> None:
        self._shards, self._peers, self._reader = shards, peers, reader
        self._tp = TopicPartition(control, 0)
        self._position = 0
        self._kept: deque[ClusterVersion] = deque(maxlen=MOST_KEPT)

    def endpoints(self) -> list[Endpoint]:
        """What can be asked."""
        return [
            Endpoint(
                "/clusters",
                "The versions of the learned clusters.",
                self.clusters,
                ClustersAnswer,
                ClustersQuery,
                refusals={503: "Kafka does not answer"},
                cost=20,
                tag="segments",
            ),
            Endpoint(
                "/clusters/{segment}/typical",
                "The members of a cluster nearest to its centre; none where there is no such cluster in force.",
                self.typical,
                TypicalAnswer,
                TypicalQuery,
                {"segment": "The cluster's segment, such as cluster-3."},
                cost=50,
                tag="segments",
            ),
        ]

    async def clusters(self, request: web.Request) -> web.Response:
        """All versions, as far as they are kept."""
        query = asked(request, ClustersQuery)
        try:
            await self._reader.pieces(self._read_on)
        except UNREADABLE as error:
            raise unread(error) from error
        kept = list(self._kept)  # in one step: the reader's thread may go on
        fitting = [one for one in reversed(kept) if query.dimension in (None, one.dimension)]
        return json(ClustersAnswer(fitting[: query.limit]))

    async def typical(self, request: web.Request) -> web.Response:
        """Those nearest to the centre."""
        query, segment = asked(request, TypicalQuery), request.match_info["segment"]
        own: dict[int, list[Typical]] = {}
        for runner, shard in list(self._shards.ready_shards()):
            for found in shard.typical(segment, query.limit):
                if found is not None:
                    own[runner.partition] = msgspec.convert(found, list[Typical])
                await asyncio.sleep(0)  # events have their turn between two parts
        if from_worker(request):
            return json(own)
        parts = await self._peers.gather(request, own, list[Typical])
        nearest = sorted(
            (one for part in parts.values() for one in part),
            key=lambda one: (one.distance is None, one.distance, one.customer),
        )
        return json(TypicalAnswer(segment, nearest[: query.limit], self._peers.missing(parts)))

    async def _read_on(self, pieces: Pieces) -> None:
        if not await pieces.partitions(self._tp.topic):
            return
        first, end = await pieces.bounds(self._tp)
        async for record in pieces.read(self._tp, max(first, self._position), end):
            try:
                version = read_version(record.value or b"")
            except ValueError:  # not for us to tell: shards count it, and pass it over
                version = None
            if isinstance(version, ClusterModel):
                self._kept.append(told(version))
            self._position = record.offset + 1
        self._position = max(self._position, end)


def told(model: ClusterModel) -> ClusterVersion:
    """A version as it is told."""
    scale = [one or 1.0 for one in model.scale]
    profiles = model.profiles or (None,) * len(model.names)
    rows = zip(model.numbers, model.segments, model.names, model.centroids, profiles, strict=True)
    return ClusterVersion(
        model.dimension,
        model.version,
        iso(model.effective),
        model.learned,
        list(model.features),
        [
            Cluster(
                number,
                segment,
                name,
                number in model.given,
                [mean + s * x for mean, s, x in zip(model.mean, scale, centroid, strict=True)],
                list(centroid),
                profile,
            )
            for number, segment, name, centroid, profile in rows
        ],
        model.story,
        model.scores,
        model.why,
        model.drifted,
    )
