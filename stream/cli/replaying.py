"""What commands that run event files through the engine share: the records, and the replay around a new shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from stream.history.record import FileRecord
    from stream.history.replay import Replay
    from stream.plan.definitions import Definitions
    from stream.settings import Settings


def open_replay(settings: Settings, found: Definitions, versions: Path | None) -> Replay:
    """A replay of nothing yet, under these definitions; with the published ``versions``, else it learns its own.

    Tells on stderr that definitions are compiled: the first time that takes some seconds.
    """
    from stream.app import bootstrap
    from stream.cluster.trainer import Trainer
    from stream.cluster.versions import read_versions
    from stream.history.replay import SOURCES, Replay

    with Console(stderr=True).status("compiling definitions (the first time takes some seconds)"):
        plan = bootstrap.make_plan(found, settings)
    shard = bootstrap.make_shard(settings, plan, 0, SOURCES, everyone=True)
    learning = bootstrap.trainer_settings(settings, plan)
    trainer = Trainer(learning) if learning is not None and versions is None else None
    decoder = bootstrap.make_decoder(settings, plan, replay=True)
    replay = Replay(shard, decoder, trainer=trainer, lead=settings.clusters.lead)
    if versions is not None:
        replay.versions(read_versions(versions))
    return replay


def open_records(events: Sequence[str], mapping: str | None, sort: bool) -> Iterator[FileRecord]:
    """The lines of event files, read through a mapping where one is named."""
    from stream.history.mapping import load_mapping
    from stream.history.reader import read_events

    return read_events(events, None if mapping is None else load_mapping(mapping), sort)
