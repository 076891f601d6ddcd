"""The workers, what each is at, and what its shards have read."""

from __future__ import annotations

import time

import msgspec
from aiohttp import web

from stream.app.health import Health
from stream.app.runner import ShardRunner, State
from stream.app.shards import ShardHost
from stream.events.instant import iso
from stream.web.endpoint import Endpoint, NoQuery, asked, json
from stream.web.peers import Peers, from_worker
from stream.web.told import Instant

#: What a rejected record's outcome begins with in a shard's books.
REJECTED = "rejected_"


class ShardAnswer(msgspec.Struct):
    """One shard.  ``doing``: what it waits for while it is not ready; ``lag``: records of each source that are not yet
    committed; ``clock``: up to which instant (event time) its deadlines have fired; ``clock_age_seconds``: how far that
    is behind now; ``blocked_by``: the topic it waits to know more about; ``busiest_customer``: whom more than
    ``customers.hot_share`` of the events of the last minute were about; ``books``: what became of all its records."""

    partition: int
    state: str
    doing: str | None
    customers: int | None
    clock: Instant | None
    clock_age_seconds: float | None
    lag: dict[str, int]
    blocked_by: str | None
    definitions_version: int | None
    busiest_customer_share: float
    busiest_customer: str | None
    books: dict[str, int]


class WorkerAnswer(msgspec.Struct):
    """One worker: where it answers, whether it is ready and if not why, and its shards."""

    url: str
    ready: bool
    why: list[str]
    kafka_silent_seconds: float
    shards: list[ShardAnswer]


class WorkersAnswer(msgspec.Struct):
    """All workers that answered.  ``missing``: shards that none of them speaks of; ``rejects``: how many records were
    rejected by reason, since the first one that a shard read, over all shards."""

    workers: list[WorkerAnswer]
    missing: list[int]
    rejects: dict[str, int]


class Workers:
    """Answers for this worker, and asks the others."""

    def __init__(self, shards: ShardHost, peers: Peers, health: Health, url: str) -> None:
        self._shards, self._peers, self._health, self._url = shards, peers, health, url

    def endpoints(self) -> list[Endpoint]:
        """What can be asked."""
        summary = "The workers and their shards: states, lag, clocks, what became of the records."
        return [Endpoint("/workers", summary, self.workers, WorkersAnswer, cost=10)]

    async def workers(self, request: web.Request) -> web.Response:
        """All workers."""
        asked(request, NoQuery)
        own = self._own()
        if from_worker(request):
            return json(own)
        found = [own, *await self._peers.each(request, WorkerAnswer)]
        known = {shard.partition for worker in found for shard in worker.shards}
        missing = [partition for partition in range(self._shards.wiring.partitions) if partition not in known]
        rejects: dict[str, int] = {}
        for shard in (shard for worker in found for shard in worker.shards):
            for outcome, n in shard.books.items():
                if outcome.startswith(REJECTED):
                    reason = outcome.removeprefix(REJECTED)
                    rejects[reason] = rejects.get(reason, 0) + n
        return json(WorkersAnswer(found, missing, rejects))

    def _own(self) -> WorkerAnswer:
        _, told = self._health.ready()
        shards = [self._shard(runner) for _, runner in sorted(self._shards.runners.items())]
        return WorkerAnswer(
            self._url, bool(told["ready"]), list(told.get("why", ())), float(told["kafka_silent_seconds"]), shards
        )

    def _shard(self, runner: ShardRunner) -> ShardAnswer:
        state, shard = runner.state, runner.shard
        if shard is None or state is not State.READY:
            doing = runner.doing
            return ShardAnswer(runner.partition, state.value, doing, None, None, None, {}, None, None, 0.0, None, {})
        blocked = shard.blocked_by()
        clock = shard.clock_ms
        return ShardAnswer(
            runner.partition,
            state.value,
            None,
            shard.customers,
            None if clock is None else iso(clock),
            None if clock is None else round(time.time() - clock / 1000, 3),
            {topic: lag for (topic, _), lag in self._shards.lag(runner).items()},
            "definitions" if shard.compiling is not None else None if blocked is None else blocked[0],
            shard.definitions_version,
            round(runner.hot.share, 4),
            runner.hot.customer,
            dict(shard.books),
        )
