"""From settings and a compiled plan to the Faust app that runs live."""

from __future__ import annotations

import asyncio
import logging
import socket

import numpy as np
from numpy.typing import NDArray

from stream.app import bootstrap
from stream.app.app import App, build_app
from stream.app.wiring import Rule, Wiring
from stream.cluster.service import ServiceSettings, TrainerService
from stream.cluster.trainer import TrainerSettings
from stream.cluster.wire import encode_headers, encode_value, layout_of
from stream.kafka.client import client_options, consumer_options, producer_options
from stream.plan.plan import Plan
from stream.settings import Settings

log = logging.getLogger(__name__)

#: Pause before a trainer that failed is started again, in seconds.
TRAINER_PAUSE = 10.0


def create_app(settings: Settings, plan: Plan, *, web_port: int | None = None) -> App:
    """The worker's app. ``web_port`` wins over the settings; 0: any free one."""
    port = settings.web.port if web_port is None else web_port
    app = build_app(
        wire(settings, plan),
        session_timeout=settings.batch.session_timeout / 1000,
        web_host=settings.web.host,
        web_port=port or _free_port(settings.web.host),
    )
    training = bootstrap.trainer_settings(settings, plan)
    if training is not None:
        keeper = TrainerKeeper(settings, training)
        app.shards.on_opened.append(keeper.opened)
        app.shards.on_lost.append(keeper.lost)
    return app


def wire(settings: Settings, plan: Plan) -> Wiring:
    """What the settings say, for shards of this plan."""
    topics, batch = settings.topics, settings.batch
    layout = layout_of(plan.vector)

    def rule_of(topic: str) -> Rule:
        output = settings.output(topic)
        return Rule(output.max_age, frozenset(output.causes))

    def encode_vector(instant_ms: int, vector: NDArray[np.float64]) -> tuple[bytes, list[tuple[str, bytes]]]:
        return encode_value(vector), encode_headers(instant_ms, layout)

    return Wiring(
        app_id=settings.app.id,
        partitions=settings.app.partitions,
        group_topics=(topics.clickstream, topics.purchases, topics.profiles, topics.rekeyed),
        broadcast_topics=(topics.products, topics.control),
        changelog=settings.changelog_topic,
        changes=topics.changes,
        customers=topics.customers,
        dead_letters=topics.dead_letters,
        vectors=topics.vectors,
        rekeyed=topics.rekeyed,
        output_prefix=settings.app.output_prefix,
        make_shard=lambda partition, sources: bootstrap.make_shard(settings, plan, partition, sources),
        decoder=bootstrap.make_decoder(settings, plan),
        client_options=client_options(settings),
        consumer_options=consumer_options(settings),
        producer_options=producer_options(settings),
        rule_of=rule_of,
        encode_vector=encode_vector,
        wall_clock=settings.time.clock == "wall",
        max_records=batch.max_records,
        max_waiting=5 * batch.max_records,
        commit_every=batch.commit_every / 1000,
        transaction_timeout=batch.transaction_timeout / 1000,
    )


class TrainerKeeper:
    """Runs the trainer of the clusters while this worker owns shard 0, so that the group has one."""

    def __init__(self, settings: Settings, training: TrainerSettings) -> None:
        self._training = training
        self._service = ServiceSettings(
            settings.app.id,
            settings.topics.vectors,
            settings.topics.control,
            consumer_options(settings),
            producer_options(settings),
            lead_ms=settings.clusters.lead,
            share=settings.clusters.share,
            transaction_seconds=settings.batch.transaction_timeout / 1000,
        )
        self._task: asyncio.Task[None] | None = None

    def opened(self, partition: int) -> None:
        """A shard of this worker is ready."""
        if partition == 0 and self._task is None:
            self._task = asyncio.create_task(self._keep(), name="trainer")

    def lost(self, partition: int) -> None:
        """A shard has gone to another worker."""
        if partition == 0 and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _keep(self) -> None:
        while True:
            failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
            service = TrainerService(self._service, self._training, failed.set_result)
            await service.start()
            try:
                error = await failed
            finally:
                await service.stop()
            log.warning("the trainer of the clusters ended (%s) and starts again in %.0f s", error, TRAINER_PAUSE)
            await asyncio.sleep(TRAINER_PAUSE)


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
