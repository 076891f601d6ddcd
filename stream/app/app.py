"""The Faust app: source topics, an agent that offers their batches to the shards, the customers table, web views."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import faust
from aiohttp import web as aiohttp_web
from aiokafka import TopicPartition
from faust.types import TP

from stream.app.health import watch_silence
from stream.app.metrics import Metrics
from stream.app.shards import ShardHost
from stream.app.table import CustomerTable
from stream.app.web import Web
from stream.app.wiring import Wiring
from stream.kafka.recovery import Recovery
from stream.kafka.transport import BATCH_CODEC, Transport


class App(faust.App):
    """A Faust app whose shards read, remember and write exactly once."""

    shards: ShardHost
    #: what made the worker end by itself
    failure: BaseException | None = None
    #: set by the worker: asks it to end as a signal does
    end_worker: Callable[[], None] | None = None
    #: whether the worker is on its way out
    ending = False
    #: brokers, for people
    servers = ""
    watching: asyncio.Task[None] | None = None
    #: adds to the web server what it answers
    site: Callable[[aiohttp_web.Application], None] | None = None

    def fail(self, error: BaseException) -> None:
        """End the worker in good order, and let it say why."""
        if self.failure is None:
            self.failure = error
            if self.end_worker is not None:
                self.end_worker()

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)

    def _new_web(self) -> Web:
        return Web(self)

    def on_webserver_init(self, web: Any) -> None:
        """Faust's web server is about to start."""
        if self.site is not None:
            self.site(web.web_app)

    def _create_directories(self) -> None:
        """Nothing is kept on disk."""

    async def on_start(self) -> None:
        await super().on_start()
        await self.shards.start(self)
        self.watching = asyncio.create_task(watch_silence(self, self.servers), name="silence")

    async def on_stop(self) -> None:
        if self.watching is not None:
            self.watching.cancel()
        await self.shards.stop()
        await super().on_stop()

    def owner_url(self, tp: TP) -> str | None:
        """Address of the worker that owns a partition of the changelog; None where it is not known or this one."""
        url = cast(Any, self.assignor)._tps_url.get(tp)
        return None if url is None or url == str(self.conf.canonical_url) else str(url).rstrip("/")


def build_app(
    wiring: Wiring,
    *,
    metrics: Metrics | None = None,
    session_timeout: float = 10.0,
    web_host: str = "127.0.0.1",
    web_port: int | None = None,
    web_url: str | None = None,
) -> App:
    """The app for shards of any kind. ``web_port`` None: no web server. ``session_timeout`` in seconds.

    ``web_url`` is where other workers find this one, where that is not its own host and port.
    """
    app = App(
        wiring.app_id,
        # The clients get their addresses from the options; this one is for Faust's own eyes.
        broker=f"segstream://{_servers(wiring)[0]}",
        store="memory://",
        Table=CustomerTable,
        topic_partitions=wiring.partitions,
        topic_disable_leader=True,
        broker_session_timeout=session_timeout,
        broker_heartbeat_interval=session_timeout / 5,
        broker_max_poll_records=wiring.max_records,
        # These count batches, not events.
        stream_buffer_maxsize=16,
        stream_wait_empty=False,
        table_standby_replicas=0,
        web_enabled=web_port is not None,
        web_bind=web_host,
        web_port=web_port or 6066,
        canonical_url=web_url or f"http://{web_host}:{web_port or 6066}",
    )
    app.servers = ",".join(_servers(wiring))
    shards = app.shards = ShardHost(wiring, metrics or Metrics())

    sources = app.topic(
        *wiring.group_topics, key_type=bytes, key_serializer="raw", value_serializer=BATCH_CODEC, acks=False
    )

    @app.agent(sources, name="shards")
    async def offer(batches: Any) -> None:
        """Give each record batch to the shard of its partition. The shards' own tasks do the rest."""
        async for event in batches.events():
            try:
                await shards.take(TopicPartition(*event.message.tp), event.value)
            except Exception as error:  # noqa: BLE001  Faust would skip the batch in silence
                shards.crash(error)

    app.Table("customers", partitions=wiring.partitions, help="Rows of all customers; see stream.engine.")
    cast(Any, app.tables)._recovery = Recovery(app, app.tables, beacon=app.tables.beacon)
    return app


def _servers(wiring: Wiring) -> list[str]:
    servers: str | list[str] = wiring.client_options["bootstrap_servers"]
    return servers.split(",") if isinstance(servers, str) else list(servers)
