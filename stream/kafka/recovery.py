"""Faust's table recovery, replaced: Faust hands over the assignment, the shards read their own rows back."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Protocol, cast

from faust.tables.recovery import Recovery as StockRecovery
from faust.types import TP
from mode import Service

from stream.errors import UserError

log = logging.getLogger(__name__)


class Openers(Protocol):
    """What recovery asks of those who own the shards (``app.shards``)."""

    async def assigned(self, actives: Iterable[TP]) -> None: ...
    def crash(self, error: BaseException) -> None: ...


class Recovery(StockRecovery):
    """Starts the flow as soon as there is an assignment; no source partition is read before its shard is ready.

    Long work has no place in a rebalance callback, since the worker sends no heartbeat meanwhile: `on_rebalance` only
    passes the assignment on. Stock recovery goes by record offsets and would wait for ever before a control record.
    """

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Tell the shards what this worker owns now."""
        if generation_id != self.app.consumer_generation_id:
            log.info("assignment of generation %s is out of date", generation_id)
            return
        self._generation_id = generation_id
        shards = cast(Openers, cast(Any, self.app).shards)
        try:
            await shards.assigned(self.app.assignor.assigned_actives())
        except UserError as error:
            shards.crash(error)
            return
        self.signal_recovery_start.set()

    def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Nothing is buffered here."""

    def flush_buffers(self) -> None:
        """Nothing is buffered here."""

    @Service.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(self.signal_recovery_start.wait()):
                break
            self.signal_recovery_start.clear()
            await self._start_flow(self._generation_id)

    async def _start_flow(self, generation_id: int) -> None:
        app = self.app
        await app.on_rebalance_complete.send()
        if app.consumer_generation_id != generation_id:
            return
        # Faust's own set of partitions to read; which of them really are read is up to the shards.
        app.consumer.resume_partitions(app.consumer.assignment())
        self.completed.set()
        app.flow_control.resume()
        app.consumer.resume_flow()
        await cast(Any, app)._fetcher.maybe_start()
        self.tables.on_actives_ready()
        self.tables.on_standbys_ready()
        app.on_rebalance_end()

    @Service.task
    async def _slurp_changelogs(self) -> None:
        """Changelogs are read by `stream.kafka.restore`."""

    @Service.task
    async def _publish_stats(self) -> None:
        """Progress is shown by the worker's metrics."""

    async def on_recovery_completed(self, generation_id: int = 0, *args: Any) -> None:
        """Never called: the shards say themselves when they are ready."""
