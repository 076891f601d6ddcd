"""Wires the parts together: from settings and definitions to plans, decoders and shards, for live and replay alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from stream.app.definition_files import read_aliases
from stream.cluster.model import ClusterModel
from stream.cluster.trainer import TrainerSettings
from stream.compiled import DAMAGED, compile_plan, forget_plan
from stream.engine.merge import Source
from stream.engine.rekey import Home
from stream.engine.shard import Shard
from stream.events.decode import Decoder
from stream.events.instant import parse_iso
from stream.features.base import NEVER
from stream.kafka.partitions import partition_of
from stream.plan.definitions import Definitions
from stream.plan.plan import Plan
from stream.settings import Settings


def make_plan(definitions: Definitions, settings: Settings) -> Plan:
    """The compiled plan, from the cache in the data folder where it was compiled before."""
    cache = settings.app.data_dir / "plans"
    try:
        plan = compile_plan(definitions, cache)
        make_shard(settings, plan, 0, [("", 0)]).judge.warm()
    except DAMAGED:  # as a power cut leaves files behind: what is in the cache can be made again
        forget_plan(definitions, cache)
        plan = compile_plan(definitions, cache)
        make_shard(settings, plan, 0, [("", 0)]).judge.warm()
    return plan


def make_decoder(settings: Settings, plan: Plan, *, replay: bool = False) -> Decoder:
    """The decoder of all topics; in replay and with the event clock nothing is "in the future"."""
    unchecked = replay or settings.time.clock == "event"
    return Decoder(
        plan.inputs,
        currency=settings.money.currency,
        rates={currency: float(rate) for currency, rate in settings.money.rates.items()},
        aliases=read_aliases(settings.config_dir),
        future_ms=None if unchecked else settings.time.future_tolerance,
        control_topic=settings.topics.control,
        control=read_control,
    )


def make_shard(
    settings: Settings, plan: Plan, partition: int, sources: list[Source], *, everyone: bool = False
) -> Shard:
    """An empty shard; with ``everyone`` it has all customers, else it sends on what belongs to another partition."""
    count = settings.app.partitions
    home = None if everyone else Home(partition, lambda key: partition_of(key, count), settings.topics.rekeyed)
    return Shard(
        plan, partition, sources, disorder=settings.time.disorder, read_model=ClusterModel.from_json, home=home
    )


def read_control(value: bytes) -> tuple[int, Any]:
    """A record of the control topic: (instant, None) for a clock record, (NEVER, model) for a version of clusters.

    A version moves no clock: it takes effect at its own instant.  ValueError says what is wrong with a record.
    """
    try:
        record: Mapping[str, Any] = orjson.loads(value)
        kind = record["type"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError("a control record must be a JSON object with a 'type'") from error
    if kind == "clock":
        if not isinstance(record.get("timestamp"), str):
            raise ValueError("a clock record needs a 'timestamp' such as 2026-01-31T09:15:02Z")
        return parse_iso(record["timestamp"]), None
    if kind == "model":
        return NEVER, ClusterModel.from_json(value)
    raise ValueError(f"{str(kind)[:40]!r} is not a type of control record: known are clock and model")


def trainer_settings(settings: Settings, plan: Plan) -> TrainerSettings | None:
    """How the learned dimension of the plan learns; None where there is none."""
    for dimension in plan.definitions.dimensions:
        if dimension.learning is not None:
            return TrainerSettings(
                plan.vector,
                dimension.learning.clusters,
                settings.clusters.seed,
                settings.clusters.halflife,
                settings.clusters.publish_every,
                settings.clusters.warm_up,
                dimension.name,
            )
    return None
