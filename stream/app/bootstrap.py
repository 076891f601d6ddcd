"""Wires the parts together: from settings and definitions to plans, decoders and shards, for live and replay alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import orjson

from stream.app.compiling_common import compiled_beside
from stream.app.definition_files import in_settings, read_aliases
from stream.cluster.trainer import TrainerSettings
from stream.compiled import DAMAGED, compile_framing, compile_plan, compile_scan, compile_unframing, forget_plan
from stream.engine import rest, teller
from stream.engine.merge import Source
from stream.engine.plans import Plans
from stream.engine.rekey import Home
from stream.engine.shard import Shard
from stream.errors import UserError
from stream.events.decode import Decoder
from stream.events.instant import parse_iso
from stream.features.base import NEVER
from stream.kafka import framing, unframing
from stream.kafka.partitions import partition_of
from stream.learners.control import NAMING, Version, kind_of, read_model, read_version
from stream.plan.definitions import Definitions
from stream.plan.plan import Plan, plan_source
from stream.predict.propensity import PropensityModel
from stream.settings import Settings

if TYPE_CHECKING:
    from stream.predict.learning import Pace
    from stream.predict.trainer import PropensitySettings

#: How much of the reason is shown where definitions cannot be compiled, in characters.
REASON = 300
#: Reads a record of the control topic, see `read_control`.
ReadControl: TypeAlias = Callable[[bytes], tuple[int, Version | None]]


class UncompilableError(UserError):
    """Definitions that no check finds fault with, but of which no machine makes a plan."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"these definitions cannot be compiled, though no mistake was found in them: {reason}")


def make_plan(definitions: Definitions, settings: Settings) -> Plan:
    """The compiled plan, from the cache in the data folder where it was compiled before.

    `UncompilableError` where that fails by the definitions' own fault; what this machine lacks (memory, a folder that
    can be written to) is raised as it is.
    """
    cache = settings.app.data_dir / "plans"
    try:
        try:
            return _warm_plan(definitions, settings, cache)
        except DAMAGED:  # as a power cut leaves files behind: what is in the cache can be made again
            forget_plan(definitions, cache)
            return _warm_plan(definitions, settings, cache)
    except Exception as error:
        if isinstance(error, UserError | OSError) or _out_of_memory(error):
            raise
        raise UncompilableError(_in_short(error)) from error


def _out_of_memory(error: BaseException | None) -> bool:
    """Whether it is at the bottom of an error; numba wraps what its compiler raises."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__ or error.__context__
    return error is not None


def _in_short(error: Exception) -> str:
    """An error in one line; those of numba have dozens, of which the first that is no headline says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in lines if not line.startswith("Failed in ")), "")
    return f"{type(error).__name__}: {said[:REASON]}" if said else type(error).__name__


def _warm_plan(definitions: Definitions, settings: Settings, cache: Path) -> Plan:
    """The plan, with every kernel that it and its events need compiled or loaded."""

    def warm(plan: Plan) -> None:
        make_shard(settings, plan, 0, [("", 0)]).judge.warm()

    with compiled_beside(definitions, cache):
        plan = compile_plan(definitions, cache, warm)
    shard = make_shard(settings, plan, 0, [("", 0)])
    rest.warm(shard.rows)
    teller.warm(shard.rows)
    framing.warm(compile_framing(cache))
    unframing.warm(compile_unframing(cache))
    make_decoder(settings, plan).decode("", 0, [], 0, 0)
    return plan


def make_decoder(
    settings: Settings, plan: Plan, *, replay: bool = False, control: ReadControl | None = None
) -> Decoder:
    """The decoder of all topics; in replay and with the event clock nothing is "in the future".

    ``control`` reads the records of the control topic, `read_control` unless given.
    """
    unchecked = replay or settings.time.clock == "event"
    return Decoder(
        plan.inputs,
        currency=settings.money.currency,
        rates={currency: float(rate) for currency, rate in settings.money.rates.items()},
        aliases=read_aliases(settings.config_dir),
        future_ms=None if unchecked else settings.time.future_tolerance,
        control_topic=settings.topics.control,
        control=control or read_control,
        scan=compile_scan(settings.app.data_dir / "plans"),
        forget=settings.customers.forget_events,
    )


def make_shard(
    settings: Settings,
    plan: Plan,
    partition: int,
    sources: list[Source],
    *,
    everyone: bool = False,
    plans: Plans | None = None,
) -> Shard:
    """An empty shard; with ``everyone`` it has all customers, else it sends on what belongs to another partition.

    ``plans`` has the plans of published definitions; without it the shard keeps to its own.
    """
    count = settings.app.partitions
    home = None if everyone else Home(partition, lambda key: partition_of(key, count), settings.topics.rekeyed)
    return Shard(
        plan,
        partition,
        sources,
        disorder=settings.time.disorder,
        read_model=read_model,
        home=home,
        plans=plans,
        changelog=settings.changelog_topic,
        dormant_after=settings.customers.dormant_after,
        most_vectors=max(1, settings.clusters.most_vectors // (1 if everyone else count)),
    )


def read_control(value: bytes) -> tuple[int, Version | None]:
    """A record of the control topic: (instant, None) for a clock record, (NEVER, version) for a version of any kind.

    A version moves no clock: it takes effect at its own instant.  A request to name a cluster says
    nothing here.  ValueError says what is wrong with a record.
    """
    version = read_version(value)
    if isinstance(version, PropensityModel):  # shards keep every version that is in force
        return NEVER, version.for_shards()
    if version is not None or kind_of(value) == NAMING:
        return NEVER, version
    timestamp = orjson.loads(value).get("timestamp")
    if not isinstance(timestamp, str):
        raise ValueError("a clock record needs a 'timestamp' such as 2026-01-31T09:15:02Z")
    return parse_iso(timestamp), None


def read_clock(value: bytes) -> tuple[int, None]:
    """The same for who takes no versions: a version says nothing."""
    return read_control(value)[0], None


def checked(files: Mapping[str, str], settings: Settings) -> Definitions:
    """The definitions in these texts; `DefinitionError` tells all mistakes, also those that only a plan shows."""
    definitions = in_settings(files, settings)
    plan_source(definitions)
    return definitions


def propensity_settings(settings: Settings, plan: Plan) -> list[PropensitySettings]:
    """How the predictions of the plan are learned, one each."""
    if not plan.layout.predictions:
        return []
    from stream.predict.trainer import PropensitySettings  # with it comes river, which every command would wait for

    own = settings.propensity
    return [
        PropensitySettings(
            one.parts,
            one.within,
            warm_up=own.warm_up,
            publish_every=own.publish_every,
            window=own.window,
            name=one.kind,
        )
        for one in plan.layout.predictions
    ]


def propensity_pace(settings: Settings) -> Pace:
    """When versions of predictions come."""
    from stream.predict.learning import Pace

    own = settings.propensity
    return Pace(own.every, own.lead, own.most_questions)


def trainer_settings(settings: Settings, plan: Plan) -> TrainerSettings | None:
    """How the learned dimension of the plan learns; None where there is none."""
    for dimension in plan.definitions.dimensions:
        if dimension.learning is not None:
            return TrainerSettings(
                plan.vector,
                dimension.learning.range,
                settings.clusters.seed,
                settings.clusters.halflife,
                settings.clusters.publish_every,
                settings.clusters.warm_up,
                dimension.name,
                settings.clusters.window,
                settings.clusters.candidates,
                settings.clusters.redraw_gain,
                dimension.learning.words,
            )
    return None
