"""A worker of counting shards, as a process: ``python counting_worker.py '{"app": ..., "broker": ..., ...}'``."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Mapping
from typing import Any

from stream.app.app import App, build_app
from stream.app.logs import set_up_logging
from stream.app.wiring import Wiring
from stream.app.worker import run_worker
from stream.errors import UserError
from stream.kafka.transaction import Payload, ShardProducer
from stream.plan.definitions import Definitions
from stream.settings import Settings
from stream.web.site import add_site
from tests.integration.counting_shard import CountingShard, Decoder


def counting_app(
    app: str,
    broker: str,
    partitions: int,
    *,
    me: str = "A",
    web_port: int | None = None,
    never_restored: bool = False,
    ready_without_kafka: float = 10.0,
    **more: Any,
) -> App:
    """The app; topics are <app>-a and <app>-b in, <app>-all to everyone, <app>-out out.

    ``never_restored``: its shards never come to the end of their opening.
    """
    wiring = Wiring(
        app_id=app,
        partitions=partitions,
        group_topics=(f"{app}-a", f"{app}-b"),
        broadcast_topics=(f"{app}-all",),
        changelog=f"{app}-customers-changelog",
        changes=f"{app}-out",
        customers=f"{app}-segments",
        dead_letters=f"{app}-dead",
        vectors=f"{app}-vectors",
        rekeyed=f"{app}-rekeyed",
        make_shard=lambda partition, sources: CountingShard(partition, sources, me, opens=not never_restored),
        decoder=Decoder(),
        client_options={"bootstrap_servers": broker},
        **more,
    )
    made = build_app(wiring, session_timeout=6.0, web_port=web_port)
    settings = Settings.model_validate({"web": {"ready_without_kafka": f"{ready_without_kafka * 1000:.0f}ms"}})
    add_site(made, settings, Definitions(()))
    return made


def slow_down(share: float, seconds: float) -> None:
    """Make that share of all transactions wait inside, between their records and their commit."""
    transact = ShardProducer._transact

    async def slow(self: ShardProducer, payload: Payload) -> Mapping[str, int]:
        commit = self._producer.commit_transaction

        async def late_commit() -> None:
            if random.random() < share:
                await asyncio.sleep(seconds)
            await commit()

        self._producer.commit_transaction = late_commit
        try:
            return await transact(self, payload)
        finally:
            self._producer.commit_transaction = commit

    ShardProducer._transact = slow  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    options = json.loads(sys.argv[1])
    share, seconds = options.pop("slow", (0.0, 0.0))
    if share:
        slow_down(share, seconds)
    set_up_logging("INFO", stream=sys.stdout)
    try:
        sys.exit(run_worker(counting_app(**options)))
    except UserError as error:
        print(error)
        sys.exit(error.exit_code)
