"""The changes of one customer, newest first, looked up in the topic of changes from its end backwards."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
from aiohttp import web
from aiokafka import TopicPartition

from stream.app.shards import ShardHost
from stream.events.instant import iso
from stream.kafka.reader import Pieces, ReaderThread
from stream.web.customers import asked_for
from stream.web.endpoint import Endpoint, asked, json
from stream.web.refusal import UNREADABLE, unread
from stream.web.told import Change, Instant, read_change

#: The first look at the topic takes so many offsets, each further one four times as many, up to the last.
FIRST_LOOK, LARGEST_LOOK = 2_000, 50_000
#: One question looks through so many offsets at most, and begins no further look after so many seconds.
MOST_LOOKED, LONGEST_LOOK = 200_000, 2.0


class ChangesQuery(msgspec.Struct, forbid_unknown_fields=True):
    """How many, and from where on."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=500, description="How many changes at most.")] = 50
    before: (
        Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,18}$", description="`next` of the answer before.")] | None
    ) = None


class ChangesAnswer(msgspec.Struct):
    """Changes of a customer, newest first.

    ``next``: what to send as ``before`` for older ones; null: there are none.  ``looked_back_to``: all changes written
    since then were looked through; ``not_looked``: what could not be looked through, and why, in a sentence.
    """

    customer: str
    changes: list[Change]
    next: str | None
    looked_back_to: Instant | None
    not_looked: str | None


class History:
    """Reads what Kafka has, so any worker can answer for any customer."""

    def __init__(self, shards: ShardHost, reader: ReaderThread) -> None:
        self._shards, self._reader = shards, reader

    def endpoints(self) -> list[Endpoint]:
        """What can be asked."""
        return [
            Endpoint(
                "/customers/{customer_id}/changes",
                "The changes of a customer, newest first; none, too, where there is no such customer.",
                self.changes,
                ChangesAnswer,
                ChangesQuery,
                {"customer_id": "The user id; or `anonymous:` and the anonymous id."},
                {503: "Kafka does not answer"},
                cost=50,
                tag="customers",
            )
        ]

    async def changes(self, request: web.Request) -> web.Response:
        """The changes of a customer."""
        customer, query = asked_for(request), asked(request, ChangesQuery)
        before = None if query.before is None else int(query.before)
        partition = self._shards.partition_of(customer)

        async def look(pieces: Pieces) -> ChangesAnswer:
            numbers = await pieces.partitions(self._shards.wiring.changes)
            if not numbers:
                return ChangesAnswer(customer, [], None, None, f"there is no topic {self._shards.wiring.changes}")
            tp = TopicPartition(self._shards.wiring.changes, partition % len(numbers))
            return await Backwards(pieces, tp, customer, query.limit).look(before)

        try:
            return json(await self._reader.pieces(look))
        except UNREADABLE as error:
            raise unread(error) from error


class Backwards:
    """Looks through one partition from its end, or before an offset, for the changes of one customer."""

    def __init__(self, pieces: Pieces, tp: TopicPartition, customer: str, limit: int) -> None:
        self._pieces, self._tp, self._customer, self._limit = pieces, tp, customer, limit
        self._key = customer.encode("utf-8", "surrogatepass")
        #: offset and change, newest first
        self._found: list[tuple[int, Change]] = []
        self._oldest_ms: int | None = None

    async def look(self, before: int | None) -> ChangesAnswer:
        """What is found within the bounds of one question."""
        first, end = await self._pieces.bounds(self._tp)
        upper = end if before is None else min(before, end)
        size, looked, until = FIRST_LOOK, 0, time.monotonic() + LONGEST_LOOK
        while upper > first and not self._enough and looked < MOST_LOOKED and time.monotonic() < until:
            lower = max(first, upper - size)
            await self._piece(lower, upper)
            looked, upper, size = looked + upper - lower, lower, min(4 * size, LARGEST_LOOK)
        return self._told(max(upper, first), first)

    async def _piece(self, lower: int, upper: int) -> None:
        found = []
        oldest: int | None = None
        async for record in self._pieces.read(self._tp, lower, upper):
            oldest = record.timestamp if oldest is None else oldest
            if record.key == self._key:
                change = read_change(record)
                if change is not None:
                    found.append((record.offset, change))
        self._found += reversed(found)
        self._oldest_ms = self._oldest_ms if oldest is None else oldest

    @property
    def _enough(self) -> bool:
        """Whether there are as many as were asked for, or the customer's very first is among them."""
        return len(self._found) >= self._limit or any(change.sequence == 1 for _, change in self._found)

    def _told(self, lower: int, first: int) -> ChangesAnswer:
        told = self._found[: self._limit]
        all_told = len(told) == len(self._found)
        going_on = lower if all_told else told[-1][0]
        begun = all_told and any(change.sequence == 1 for _, change in told)
        oldest = None if self._oldest_ms is None else iso(self._oldest_ms)
        unseen = None
        if not begun and lower <= first:
            unseen = "Kafka keeps no older changes (retention of the topic)" if first > 0 else None
        elif not begun and all_told and len(told) < self._limit:
            unseen = "so many changes of others lie between that older ones were not looked through: ask for `next`"
        done = begun or (all_told and lower <= first)
        return ChangesAnswer(
            self._customer, [change for _, change in told], None if done else str(going_on), oldest, unseen
        )
