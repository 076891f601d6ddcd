"""``segstream publish``: switch the running workers to changed definitions, at one instant, without a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.cli.instants import INSTANT
from stream.errors import UserError
from stream.events.instant import iso

if TYPE_CHECKING:
    from stream.engine.versions import DefinitionsVersion
    from stream.plan.plan import Plan
    from stream.settings import Settings


@click.command()
@click.option("--definitions", type=click.Path(path_type=Path, file_okay=False), help="Folder of definitions.")
@click.option("--at", type=INSTANT, help="From which instant of event time on. [default: now and definitions.lead]")
@click.option("--note", default="", help="What this change is for; it stays with the version.")
@click.option("--broker", metavar="HOST:PORT", help="Kafka there instead of the one in the settings.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(definitions: Path | None, at: int | None, note: str, broker: str | None, config: Path | None) -> None:
    """Publish the definitions in a folder as the next version.

    They are checked and compiled first, so that nothing broken is published, and topics that they name are created.
    All workers compile them beside the running ones and switch at the same instant; a customer whom they put elsewhere
    moves with cause `definition`. Published definitions win over the files of the workers. `segstream diff` shows
    before what the change would do.

    Exit codes: 0 published, 1 nothing new or not written, 2 a mistake in what was asked.
    """
    from stream.settings import load_settings

    settings = load_settings(config, brokers=broker)
    effective_of(at, settings)
    plan, files = prepared(settings, definitions)

    async def publish() -> DefinitionsVersion:
        return await publish_files(settings, plan, files, effective_of(at, settings), note)

    version = asyncio.run(publish())
    click.echo(f"version {version.version} of the definitions takes effect at {iso(version.effective)}")
    if settings.time.clock == "event":
        click.echo(
            "note: time is what events say; a shard that has applied events of that instant or later by now takes it "
            "when it arrives, and does not go back",
            err=True,
        )


def effective_of(at: int | None, settings: Settings) -> int:
    """The instant of the switch: as asked, else a lead from now. `UserError` where it cannot be."""
    now = int(time.time() * 1000)
    if at is not None:
        if settings.time.clock == "wall" and at <= now:
            raise UserError(f"--at {iso(at)} has passed: what is published takes effect in the future")
        return at
    if settings.time.clock == "event":
        raise UserError(
            "with time.clock: event, time is what events say, so say with --at from which instant of theirs on"
        )
    return now + settings.definitions.lead


def prepared(settings: Settings, folder: Path | None) -> tuple[Plan, dict[str, str]]:
    """The compiled plan of the definitions in a folder, and their texts by name."""
    from stream.app import bootstrap
    from stream.app.definition_files import read_texts

    texts = read_texts(folder or settings.config_dir / "segments")
    found = bootstrap.checked(texts, settings)
    click.echo("compiling, which takes up to a minute where the definitions are new", err=True)
    return bootstrap.make_plan(found, settings), {Path(name).name: text for name, text in texts.items()}


async def publish_files(
    settings: Settings, plan: Plan, files: Mapping[str, str], effective: int, note: str, *, backfilled: bool = False
) -> DefinitionsVersion:
    """Write the next version of the definitions; topics that they name are created before."""
    from stream.app.learners import learner_settings
    from stream.kafka.client import quiet_aiokafka
    from stream.kafka.topics import create_topics, ensure_topics
    from stream.learners.publishing import publish_definitions

    await ensure_topics(settings)
    for report in await create_topics(settings, plan.definitions.topics()):
        if report.created:
            click.echo(f"topic {report.spec.name} created", err=True)
    where = learner_settings(settings, settings.topics.control, settings.definitions.lead)
    with quiet_aiokafka():
        return await publish_definitions(where, files, effective, note, backfilled=backfilled)
