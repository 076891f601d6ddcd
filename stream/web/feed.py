"""The changes as they are written, to whoever listens: server-sent events that can be resumed without loss."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.app.shards import ShardHost
from stream.kafka.reader import ReaderThread, StoppedError
from stream.plan.definitions import Definitions
from stream.web.endpoint import Endpoint, asked
from stream.web.guard import HEADERS
from stream.web.home import where_asked
from stream.web.refusal import UNREADABLE, RefusalError, unread
from stream.web.segments import Segments
from stream.web.told import Change, read_change

#: Most that listen to one worker at a time: each has a consumer of its own.
MOST_LISTENERS = 20
#: Seconds of silence after which an id alone tells that the connection lives, and where to go on.
SIGN_OF_LIFE = 10.0
#: How long stopping waits for those who listen to be let go, in seconds.
STOP_SECONDS = 1.0
_CLUSTER = re.compile(r"cluster-\d{1,18}", re.ASCII)
#: Where the changes are read on: ``partition-offset``, with dots between.
_PLACE = re.compile(r"\d{1,5}-\d{1,18}(\.\d{1,5}-\d{1,18})*", re.ASCII)


class FeedQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which changes are told, and how."""

    dimension: Annotated[str | None, msgspec.Meta(description="Only of this dimension.")] = None
    segment: Annotated[str | None, msgspec.Meta(description="Only into or out of this segment.")] = None
    cause: Annotated[
        Literal["event", "deadline", "definition", "model"] | None, msgspec.Meta(description="Only of this cause.")
    ] = None
    customer: Annotated[str | None, msgspec.Meta(description="Only of this customer.")] = None
    recent: Annotated[
        int, msgspec.Meta(ge=0, le=500, description="Begin with up to so many of the latest ones that fit.")
    ] = 0
    per_second: (
        Annotated[
            int, msgspec.Meta(ge=1, le=10_000, description="Leave out what is more than that, and tell how many were.")
        ]
        | None
    ) = None
    after: Annotated[str | None, msgspec.Meta(description="As the header Last-Event-ID, which wins over it.")] = None


@dataclass
class Listener:
    """One who listens: what fits, where they are, and what they get next. ``take`` runs in the reader's thread."""

    query: FeedQuery
    consumer: AIOKafkaConsumer
    places: dict[int, int]
    skipped: int = 0
    _second: int = 0
    _told: int = 0

    async def take(self) -> bytes:
        """The next events, as they go over the wire; empty after a while of silence."""
        batches = await self.consumer.getmany(timeout_ms=int(SIGN_OF_LIFE * 1000), max_records=2_000)
        out: list[bytes] = []
        for tp, records in batches.items():
            for record in records:
                self.places[tp.partition] = record.offset + 1
                self.tell(record, out)
        if self.skipped and self._second != int(time.monotonic()):
            out.append(b"event: skipped\ndata: %d\n\n" % self.skipped)
            self.skipped = 0
        return b"".join(out)

    def tell(self, record: Any, out: list[bytes]) -> None:
        """Write the change of a record where it fits, or count it where there are too many."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._told = second, 0
        query = self.query
        full = query.per_second is not None and self._told >= query.per_second
        if full and query.dimension is None and query.segment is None:  # what is not told need not be read
            self.skipped += self.concerns(record)
            return
        change = self.fitting(record)
        if change is None:
            return
        if full:
            self.skipped += 1
            return
        self._told += 1
        out.append(b"id: %s\nevent: change\ndata: %s\n\n" % (self.place.encode(), msgspec.json.encode(change)))

    @property
    def place(self) -> str:
        """Where to go on after what was told."""
        return ".".join(f"{partition}-{offset}" for partition, offset in sorted(self.places.items()))

    def concerns(self, record: Any) -> bool:
        """Whether a record is of the customer and the cause that were asked for, by what stands outside its value."""
        query = self.query
        if query.customer is not None and record.key != query.customer.encode("utf-8", "surrogatepass"):
            return False
        return query.cause is None or dict(record.headers).get("ce_cause") == query.cause.encode()

    def fitting(self, record: Any) -> Change | None:
        """The change of a record, where it is one that was asked for."""
        change = read_change(record) if self.concerns(record) else None
        if change is None or self.query.dimension not in (None, change.dimension):
            return None
        return change if self.query.segment in (None, change.from_segment, change.to_segment) else None


class Feed:
    """The changes of all shards, from any worker: it reads what Kafka has of them."""

    def __init__(self, shards: ShardHost, reader: ReaderThread, segments: Segments) -> None:
        self._shards, self._reader, self._segments = shards, reader, segments
        self._listeners: set[asyncio.Task[Any]] = set()

    def endpoints(self) -> list[Endpoint]:
        """What can be asked."""
        return [
            Endpoint(
                "/changes",
                "Segment changes as they are written: server-sent events (`change`; `skipped`: how many were not). "
                "Send the last id that came as Last-Event-ID to go on behind it without loss.",
                self.changes,
                "text/event-stream",
                FeedQuery,
                refusals={410: "Kafka no longer has what comes after this id", 503: "Kafka does not answer"},
                cost=20,
                tag="changes",
            )
        ]

    async def stop(self) -> None:
        """End all answers: the worker ends."""
        tasks = list(self._listeners)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)

    async def changes(self, request: web.Request) -> web.StreamResponse:
        """The changes, until whoever listens is gone."""
        query = asked(request, FeedQuery)
        check(query, self._segments.definitions)
        if len(self._listeners) >= MOST_LISTENERS:
            raise RefusalError(503, f"{MOST_LISTENERS} listen to this worker already: ask another one")
        given = request.headers.get("Last-Event-ID") or query.after
        if given is not None and not _PLACE.fullmatch(given):
            raise RefusalError(400, "Last-Event-ID: send one as it came, or leave it out to begin with what is new")
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("outside of a task")
        self._listeners.add(task)
        try:
            listener, first = await self._reader.do(lambda: self._listen(query, given))
            try:
                return await self._tell(request, listener, first)
            finally:
                with suppress(StoppedError):
                    await asyncio.shield(self._reader.do(lambda: self._reader.release(listener.consumer)))
        except UNREADABLE as error:
            raise unread(error) from error
        finally:
            self._listeners.discard(task)

    async def _tell(self, request: web.Request, listener: Listener, first: bytes) -> web.StreamResponse:
        headers = {
            **HEADERS,
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        }
        answer = web.StreamResponse(headers=headers)
        await where_asked(request, answer.prepare(request))
        await where_asked(request, answer.write(b"retry: 2000\nid: %s\n\n" % listener.place.encode() + first))
        told_at = time.monotonic()
        # Where Kafka or whoever listens is gone, the answer ends: who wants more comes again with the last id.
        with suppress(*UNREADABLE):
            while True:
                told = await self._reader.do(listener.take)
                now = time.monotonic()
                if not told and now - told_at >= SIGN_OF_LIFE:
                    told = b"id: %s\n\n" % listener.place.encode()
                if told:
                    told_at = now
                    await where_asked(request, answer.write(told))
        return answer

    async def _listen(self, query: FeedQuery, given: str | None) -> tuple[Listener, bytes]:
        """A listener at its place, and what they get first. Runs in the reader's thread."""
        topic = self._shards.wiring.changes
        # What retention deletes before it was told must end the answer, not be passed over.
        consumer = await self._reader.consumer(auto_offset_reset="none")
        try:
            cluster = await consumer._client.fetch_all_metadata()
            tps = [TopicPartition(topic, number) for number in sorted(cluster.partitions_for_topic(topic) or ())]
            beginnings, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
            places = {tp.partition: ends[tp] for tp in tps}
            if given is not None:
                places |= resumed(given, beginnings, ends)
            consumer.assign(tps)
            for tp in tps:  # at once: there is no place to begin at by default
                consumer.seek(tp, places[tp.partition])
            first = b""
            if given is None and query.recent:
                first = await _latest(consumer, query, beginnings, ends)
                for tp in tps:
                    consumer.seek(tp, places[tp.partition])
            return Listener(query, consumer, places), first
        except BaseException:
            await self._reader.release(consumer)
            raise


def check(query: FeedQuery, definitions: Definitions) -> None:
    """`RefusalError` 400 where a dimension or segment is asked for that there is not: nothing would ever come."""
    dimensions = {one.name: one for one in definitions.dimensions}
    if query.dimension is not None and query.dimension not in dimensions:
        known = ", ".join(sorted(dimensions))
        raise RefusalError(400, f"dimension: there is no {query.dimension[:100]!r}: there are {known}")
    meant = list(dimensions.values()) if query.dimension is None else [dimensions[query.dimension]]
    # Clusters are born and die while one listens, and the topic tells of former ones.
    if query.segment is None or (_CLUSTER.fullmatch(query.segment) and any(one.learning is not None for one in meant)):
        return
    segments = [*dict.fromkeys(name for one in meant if one.learning is None for name in one.segment_names)]
    if query.segment not in segments:
        known = ", ".join([*segments, *(["cluster-<id>"] if any(one.learning is not None for one in meant) else [])])
        raise RefusalError(400, f"segment: there is no {query.segment[:100]!r}: there are {known}")


def resumed(given: str, beginnings: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> dict[int, int]:
    """Where to go on, by partition; a partition that is not named is new since then, and read from its beginning."""
    known = {tp.partition: beginning for tp, beginning in beginnings.items()}
    named = {int(p): int(at) for p, _, at in (part.partition("-") for part in given.split("."))}
    if not named.keys() <= known.keys():
        raise RefusalError(400, "Last-Event-ID names partitions that there are not: leave it out to begin anew")
    gone = [p for p, at in named.items() if at < known[p]]
    if gone:
        said = f"Kafka no longer has all changes after this id (partition {gone[0]}): leave it out to begin anew"
        raise RefusalError(410, said)
    ahead = [tp.partition for tp, end in ends.items() if named.get(tp.partition, 0) > end]
    if ahead:
        said = f"the topic was made anew since this id (partition {ahead[0]}): leave it out to begin anew"
        raise RefusalError(410, said)
    return known | named


async def _latest(
    consumer: AIOKafkaConsumer,
    query: FeedQuery,
    beginnings: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> bytes:
    """The latest changes that fit among the last records of each partition, oldest first."""
    # Two offsets a record: each transaction has a mark of its own.
    reach = max(200, 4 * query.recent)
    left = set()
    for tp, end in ends.items():
        start = max(beginnings[tp], end - reach)
        consumer.seek(tp, start)
        if start < end:
            left.add(tp)
    listener = Listener(msgspec.structs.replace(query, per_second=None), consumer, {tp.partition: 0 for tp in ends})
    found: list[Change] = []
    until = time.monotonic() + 2.0
    while left and time.monotonic() < until:
        for tp, records in (await consumer.getmany(*left, timeout_ms=200)).items():
            known = (listener.fitting(record) for record in records if record.offset < ends[tp])
            found += [change for change in known if change is not None]
        left = {tp for tp in left if await consumer.position(tp) < ends[tp]}
    found.sort(key=lambda change: change.time)
    # Without an id: what is resumed is what comes behind them.
    told = [b"event: change\ndata: %s\n\n" % msgspec.json.encode(change) for change in found[-query.recent :]]
    return b"".join(told)
