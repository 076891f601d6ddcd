"""Questions about one customer."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from aiohttp import web

from stream.app.shards import ShardHost
from stream.engine.explain import Explanation
from stream.engine.foresee import HORIZON_MS, LONGEST_MS
from stream.web.endpoint import Endpoint, NoQuery, asked, json
from stream.web.peers import Peers
from stream.web.refusal import RefusalError
from stream.web.told import Instant


class Warming(msgspec.Struct):
    """A feature that began with later definitions than the customer: since when it counts."""

    since: Instant


class Customer(msgspec.Struct):
    """A customer as of an instant of event time.

    ``segments``: the segment of each dimension, null for none; ``since``: when they entered it; ``features``: by their
    names, durations as text such as 2d12h; ``warming``: features that know nothing from before.
    """

    customer: str
    as_of: Instant
    partition: int
    segments: dict[str, str | None]
    since: dict[str, Instant | None]
    features: dict[str, Any]
    warming: dict[str, Warming]


class Placed(msgspec.Struct):
    """A segment, and since when the customer is in it; null: in none."""

    segment: str | None
    since: Instant | None


class Segments(msgspec.Struct):
    """Only the segments of a customer: what a personalisation engine asks for."""

    customer: str
    as_of: Instant
    segments: dict[str, Placed]


class ExplainQuery(msgspec.Struct, forbid_unknown_fields=True):
    """How far ahead to look."""

    ahead: Annotated[
        int,
        msgspec.Meta(ge=0, le=LONGEST_MS, description="How far to look for what comes next, ms; at most 100 years."),
    ] = HORIZON_MS


class Customers:
    """Answers from the shard that has the customer, or asks the worker that has it."""

    def __init__(self, shards: ShardHost, peers: Peers) -> None:
        self._shards, self._peers = shards, peers

    def endpoints(self) -> list[Endpoint]:
        """What can be asked."""
        parts = {"customer_id": "The user id; or `anonymous:` and the anonymous id."}
        unknown = {404: "there is no such customer", 503: "the shard that has the customer is not ready"}
        base = "/customers/{customer_id}"
        return [
            Endpoint(
                base,
                "Segments and features of a customer, now.",
                self.customer,
                Customer,
                parts=parts,
                refusals=unknown,
                cost=2,
                tag="customers",
            ),
            Endpoint(
                f"{base}/segments",
                "Only the segments: the fast lookup.",
                self.segments,
                Segments,
                parts=parts,
                refusals=unknown,
                here=self.segments_here,
                tag="customers",
            ),
            Endpoint(
                f"{base}/explain",
                "Why the customer is where they are, and what comes next if nothing comes.",
                self.explain,
                Explanation,
                ExplainQuery,
                parts,
                unknown,
                cost=20,
                tag="customers",
            ),
        ]

    async def customer(self, request: web.Request) -> web.Response:
        """Segments and features."""
        name, _ = asked_for(request), asked(request, NoQuery)
        try:
            found = self._shards.describe(name)
        except KeyError:
            return await self._peers.forward(request, self._shards.partition_of(name))
        return _told(None if found is None else found | {"partition": self._shards.partition_of(name)})

    async def segments_here(self, request: web.Request) -> web.Response | None:
        """The fast lookup, where the customer is one of this worker's."""
        name, _ = asked_for(request), asked(request, NoQuery)
        try:
            found = await self._shards.placed(name)
        except KeyError:
            return None
        return _told(found)

    async def segments(self, request: web.Request) -> web.Response:
        """The fast lookup, wherever the customer is."""
        here = await self.segments_here(request)
        if here is not None:
            return here
        return await self._peers.forward(request, self._shards.partition_of(asked_for(request)))

    async def explain(self, request: web.Request) -> web.Response:
        """Why, and what comes next."""
        name, query = asked_for(request), asked(request, ExplainQuery)
        try:
            found = await self._shards.explain(name, query.ahead)
        except KeyError:
            return await self._peers.forward(request, self._shards.partition_of(name))
        return _told(found)


def asked_for(request: web.Request) -> str:
    """The customer that the path names."""
    return request.match_info["customer_id"]


def _told(found: Any) -> web.Response:
    if found is None:
        raise RefusalError(404, "no such customer")
    return json(found)
