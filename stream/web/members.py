"""Who is in a segment: page by page, shard by shard."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Annotated
from weakref import ref

import msgspec
from aiohttp import web

from stream.app.ports import Shard
from stream.app.runner import State
from stream.app.shards import ShardHost
from stream.web.endpoint import Endpoint, asked, json
from stream.web.peers import Peers
from stream.web.refusal import RefusalError
from stream.web.segments import Segments
from stream.web.told import Instant

#: How long one page may be looked for, and how much of that at a time holds the event loop, in seconds.
LONGEST_SECONDS, SLICE_SECONDS = 1.0, 0.002
#: Below all rows.
ALL_ROWS = 1 << 62


class MembersQuery(msgspec.Struct, forbid_unknown_fields=True):
    """How many, and from where on."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=5_000, description="How many customers at most.")] = 100
    after: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^[0-9]{1,5}(\.[0-9a-f]{8}\.[0-9]{1,18})?$", description="`next` of the answer before."
            ),
        ]
        | None
    ) = None


class Member(msgspec.Struct):
    """A customer in a segment, and since when."""

    customer: str
    since: Instant | None


class MembersAnswer(msgspec.Struct):
    """Customers in a segment, of one or several shards.  ``next``: what to send as ``after`` for more; null: that is
    all.  A page may be short, or empty, before the end."""

    dimension: str
    segment: str
    customers: list[Member]
    next: str | None


class Members:
    """Answers from the shards in turn; those of other workers are asked there."""

    def __init__(self, shards: ShardHost, peers: Peers, segments: Segments) -> None:
        self._shards, self._peers, self._segments = shards, peers, segments
        #: by partition: the shard that row numbers in cursors are of, and its mark
        self._marks: dict[int, tuple[ref[Shard], str]] = {}

    def endpoints(self) -> list[Endpoint]:
        """What can be asked."""
        return [
            Endpoint(
                "/segments/{dimension}/{segment}/customers",
                "Who is in a segment. Whoever is in it from the first page to the last is told once.",
                self.members,
                MembersAnswer,
                MembersQuery,
                {"dimension": "Name of the dimension.", "segment": "Name of the segment."},
                {
                    404: "there is no such dimension or segment",
                    410: "the shard was opened anew: begin again",
                    503: "the shard that comes next is not ready",
                },
                cost=20,
                tag="segments",
            )
        ]

    async def members(self, request: web.Request) -> web.Response:
        """A page of them."""
        query, dimension, segment = asked(request, MembersQuery), *_path(request)
        place = (query.after or "0").split(".")
        partition, mark, below = int(place[0]), (place[1] if len(place) > 1 else None), ALL_ROWS
        if len(place) > 1:
            below = int(place[2])
        if partition >= self._shards.wiring.partitions:
            raise RefusalError(400, f"after: there is no shard {partition}: send `next` as it came")
        shard = self._shard(partition)
        if shard is None:
            return await self._peers.forward(request, partition)
        self._check(dimension, segment)
        found: list[Member] = []
        until = time.monotonic() + LONGEST_SECONDS
        while shard is not None and len(found) < query.limit and time.monotonic() < until:
            if mark is not None and mark != self._mark(partition, shard):
                raise RefusalError(410, f"shard {partition} was opened anew since then: begin again without `after`")
            mark, below = self._mark(partition, shard), await self._some(shard, dimension, segment, below, query, found)
            if below == 0:
                partition, mark, below = partition + 1, None, ALL_ROWS
                shard = self._shard(partition)
        done = partition >= self._shards.wiring.partitions
        going_on = None if done else str(partition) if mark is None else f"{partition}.{mark}.{below}"
        return json(MembersAnswer(dimension, segment, found, going_on))

    async def _some(
        self, shard: Shard, dimension: str, segment: str, below: int, query: MembersQuery, found: list[Member]
    ) -> int:
        """Add some members of a shard; below which row to go on."""
        began = time.perf_counter()
        try:
            some, going_on = shard.members(dimension, segment, below, query.limit - len(found))
        except KeyError as error:
            raise RefusalError(404, f"there is no dimension {dimension[:100]!r}: /segments lists them") from error
        found += [Member(customer, since) for customer, since in some]
        if time.perf_counter() - began > SLICE_SECONDS:
            await asyncio.sleep(SLICE_SECONDS)
        else:
            await asyncio.sleep(0)
        return going_on

    def _check(self, dimension: str, segment: str) -> None:
        found = self._segments.dimension(dimension)
        known = found.segment_names
        if segment not in known and found.learning is None:
            said = f"there is no segment {segment[:100]!r} in {dimension}: it has {', '.join(known)}"
            raise RefusalError(404, said)

    def _shard(self, partition: int) -> Shard | None:
        runner = self._shards.runners.get(partition)
        return runner.shard if runner is not None and runner.state is State.READY else None

    def _mark(self, partition: int, shard: Shard) -> str:
        kept = self._marks.get(partition)
        if kept is None or kept[0]() is not shard:
            # Not the shard itself: one that is thrown away, or another worker's now, would stay in memory for it.
            kept = self._marks[partition] = (ref(shard), secrets.token_hex(4))
        return kept[1]


def _path(request: web.Request) -> tuple[str, str]:
    return request.match_info["dimension"], request.match_info["segment"]
