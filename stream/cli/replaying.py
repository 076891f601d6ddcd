"""What commands that run event files through the engine share: the records, and the replay around a new shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from stream.app.plans import Plans
    from stream.history.record import FileRecord
    from stream.history.replay import Replay
    from stream.learners.control import Version
    from stream.plan.definitions import Definitions
    from stream.settings import Settings


def open_replay(
    settings: Settings, found: Definitions, versions: Path | None, *, cuts_at_end: bool = False, redefined: bool = True
) -> Replay:
    """A replay of nothing yet, under these definitions; with the published ``versions``, else it learns its own.

    ``cuts_at_end``: cuts by share are learned once, on the whole file, and applied at its end.  ``redefined`` False:
    versions of the definitions are left out, so that the given ones stay.

    Tells on stderr that definitions are compiled: the first time that takes some seconds.
    """
    from stream.app import bootstrap
    from stream.app.plans import Plans
    from stream.cluster.trainer import Trainer
    from stream.history.replay import SOURCES, CutsPace, Replay

    with Console(stderr=True).status("compiling definitions (the first time takes some seconds)"):
        plan = bootstrap.make_plan(found, settings)
    plans = Plans(settings, replay=True)
    shard = bootstrap.make_shard(settings, plan, 0, SOURCES, everyone=True, plans=plans)
    if versions is not None:
        replay = Replay(shard, plans.decoder_of(plan))
        replay.versions(_checked(plans, versions, redefined))
        return replay
    learning = bootstrap.trainer_settings(settings, plan)
    trainer = Trainer(learning) if learning is not None else None
    cuts = CutsPace() if cuts_at_end else CutsPace(settings.cuts.every, settings.cuts.lead)
    predicted = bootstrap.propensity_settings(settings, plan)
    predictions = []
    if predicted:
        from stream.predict.learning import PropensityLearner

        predictions = [PropensityLearner(one, bootstrap.propensity_pace(settings)) for one in predicted]
    return Replay(
        shard,
        plans.decoder_of(plan),
        trainer=trainer,
        lead=settings.clusters.lead,
        cuts=cuts,
        predictions=predictions,
    )


def _checked(plans: Plans, file: Path, redefined: bool) -> Iterator[Version]:
    """The versions in a file; definitions with mistakes are left out, as live, and told."""
    from stream.engine.versions import DefinitionsVersion
    from stream.learners.versions import read_versions
    from stream.plan.problems import DefinitionError

    for version in read_versions(file):
        if isinstance(version, DefinitionsVersion):
            if not redefined:
                continue
            try:
                plans.check(version)
            except DefinitionError as error:
                Console(stderr=True).print(
                    f"version {version.version} of the definitions in {file} has mistakes and is left out:\n{error}"
                )
                continue
        yield version


def open_records(events: Sequence[str], mapping: str | None, sort: bool) -> Iterator[FileRecord]:
    """The lines of event files, read through a mapping where one is named."""
    from stream.history.mapping import load_mapping
    from stream.history.reader import read_events

    return read_events(events, None if mapping is None else load_mapping(mapping), sort)
