"""From settings and a compiled plan to the Faust app that runs live."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.app import bootstrap
from stream.app.app import App, build_app
from stream.app.filling import Filling
from stream.app.keeper import Keeper
from stream.app.learners import MakeLearner, make_cuts_learner, make_lifetimes, make_propensity, make_trainer
from stream.app.live_plans import LivePlans
from stream.app.metrics import Metrics
from stream.app.plans import Plans
from stream.app.ports import Summary
from stream.app.shards import ShardHost
from stream.app.wiring import Rule, Wiring
from stream.cluster.wire import encode_headers, encode_value, layout_of
from stream.compiled import compile_framing, compile_unframing
from stream.cuts.measuring import Pace, tell
from stream.engine.versions import DefinitionsVersion
from stream.kafka.client import client_options, consumer_options, producer_options
from stream.learners.gathering import key_of
from stream.learners.learner import Learner
from stream.plan.plan import Plan
from stream.predict.lifetime_model import LIFETIME
from stream.predict.measuring import asks_for_lifetimes, histories_of
from stream.settings import Settings

log = logging.getLogger(__name__)

Headers = list[tuple[str, bytes]]


def create_app(
    settings: Settings, plan: Plan, *, web_port: int | None = None, published: DefinitionsVersion | None = None
) -> App:
    """The worker's app. ``web_port`` wins over the settings; 0: any free one.

    ``published`` are the newest definitions on the control topic: they are compiled here, before the first shard opens.
    """
    port = (settings.web.port if web_port is None else web_port) or _free_port(settings.web.host)
    metrics = Metrics()
    plans = LivePlans(settings, metrics)
    app = build_app(
        wire(settings, plan, plans),
        metrics=metrics,
        session_timeout=settings.batch.session_timeout / 1000,
        web_host=settings.web.host,
        web_port=port,
        web_url=_url(settings, port),
    )
    host = app.shards
    plans.crashed = host.crash
    plans.on_ready.append(host.look_again)
    host.on_stop.append(plans.stop)
    host.on_adopted.append(InForce(host).adopted)
    plans.filling = Filling(
        consumer_options(settings),
        settings.topics.backfill,
        lambda plan, partition: bootstrap.make_shard(settings, plan, partition, []),
        host.look_again,
        host.crash,
    )
    if published is not None:
        plans.load(published)
    learners: tuple[tuple[str, MakeLearner], ...] = (
        ("trainer of the clusters", make_trainer),
        ("learner of the cuts", make_cuts_learner),
        ("trainer of predictions", make_propensity),
        ("trainer of lifetimes", make_lifetimes),
    )
    for name, make in learners:
        keeper = Keeper(name, partial(_learner, make, settings, host))
        host.on_opened.append(keeper.opened)
        host.on_adopted.append(keeper.changed)
        host.on_lost.append(keeper.lost)
    return app


class InForce:
    """Tells once a version and worker that shards go by new definitions."""

    def __init__(self, host: ShardHost) -> None:
        self._host = host
        self._told = 0

    def adopted(self, partition: int) -> None:
        """A shard goes by other definitions now."""
        shard: Any = self._host.runners[partition].shard
        version = None if shard is None else shard.versions.definitions
        if version is not None and version.version > self._told:
            self._told = version.version
            log.info(
                "version %d of the definitions is in force: shard %d goes by it, the others follow",
                version.version,
                partition,
            )


def _learner(
    make: MakeLearner, settings: Settings, host: ShardHost, on_failure: Callable[[BaseException], None]
) -> Learner | None:
    """What learns by the definitions that shard 0 goes by now."""
    shard = host.runners[0].shard if 0 in host.runners else None
    return None if shard is None else make(settings, shard.plan, on_failure, host.metrics)


def wire(settings: Settings, plan: Plan, plans: Plans) -> Wiring:
    """What the settings say, for shards that begin with this plan and go on with published ones."""
    topics, batch = settings.topics, settings.batch

    def rule_of(topic: str) -> Rule:
        output = settings.output(topic)
        return Rule(output.max_age, frozenset(output.causes))

    def encode_vector(shard: Any, instant_ms: int, vector: NDArray[np.float64]) -> tuple[bytes, Headers]:
        return encode_value(vector), encode_headers(instant_ms, layout_of(shard.plan.vector))

    return Wiring(
        app_id=settings.app.id,
        partitions=settings.app.partitions,
        group_topics=(topics.clickstream, topics.purchases, topics.profiles, topics.rekeyed),
        broadcast_topics=(topics.products, topics.control),
        changelog=settings.changelog_topic,
        changes=topics.changes,
        customers=topics.customers,
        forgotten=topics.forgotten,
        dead_letters=topics.dead_letters,
        vectors=topics.vectors,
        questions=topics.questions,
        rekeyed=topics.rekeyed,
        output_prefix=settings.app.output_prefix,
        make_shard=lambda partition, sources: bootstrap.make_shard(settings, plan, partition, sources, plans=plans),
        decoder=plans.decoder_of(plan),
        decoder_of=lambda shard: plans.decoder_of(shard.plan),
        make_summary=lambda: partial(
            _summaries, settings, Pace(settings.cuts.every), Pace(settings.predict.every, LIFETIME, asks_for_lifetimes)
        ),
        client_options=client_options(settings),
        consumer_options=consumer_options(settings),
        producer_options=producer_options(settings),
        rule_of=rule_of,
        encode_vector=encode_vector,
        wall_clock=settings.time.clock == "wall",
        disorder_ms=settings.time.disorder,
        max_records=batch.max_records,
        max_waiting=5 * batch.max_records,
        commit_every=batch.commit_every / 1000,
        transaction_timeout=batch.transaction_timeout / 1000,
        frame=compile_framing(settings.app.data_dir / "plans"),
        unframe=compile_unframing(settings.app.data_dir / "plans"),
        hot_share=settings.customers.hot_share,
    )


def _summaries(settings: Settings, cuts: Pace, lifetimes: Pace, shard: Any) -> list[Summary]:
    """What tells of a shard's customers, where that is due."""

    def for_cuts() -> tuple[str, bytes, bytes]:
        summary = tell(shard, settings.cuts.lead)
        return settings.topics.summaries, key_of(summary), summary.encode()

    def for_lifetimes() -> tuple[str, bytes, bytes]:
        told = histories_of(shard)
        return settings.topics.histories, key_of(told), told.encode()

    both = (cuts, for_cuts), (lifetimes, for_lifetimes)
    return [summary for pace, summary in both if pace.due(shard)]


def _url(settings: Settings, port: int) -> str:
    """Where other workers find this one's web server."""
    if settings.web.url is not None:
        return settings.web.url.rstrip("/")
    host = socket.gethostname() if settings.web.host in ("0.0.0.0", "::") else settings.web.host  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _free_port(host: str) -> int:
    """A port that nobody uses now: Faust must know the port before it listens."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
