"""``segstream backfill``: publish definitions whose new features know the past that the topics still hold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream.cli.instants import INSTANT
from stream.cli.publish import effective_of, prepared
from stream.errors import UserError
from stream.events.instant import iso

if TYPE_CHECKING:
    from stream.app.rebuild import Rebuild
    from stream.engine.versions import DefinitionsVersion
    from stream.plan.plan import Plan
    from stream.settings import Settings

Report = Callable[[str], None]


@click.command()
@click.option("--definitions", type=click.Path(path_type=Path, file_okay=False), help="Folder of definitions.")
@click.option("--at", type=INSTANT, help="From which instant of event time on. [default: when it has caught up]")
@click.option("--note", default="", help="What this change is for; it stays with the version.")
@click.option("--resume", is_flag=True, help="Finish for the newest version what a backfill that broke off began.")
@click.option("--broker", metavar="HOST:PORT", help="Kafka there instead of the one in the settings.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(
    definitions: Path | None, at: int | None, note: str, resume: bool, broker: str | None, config: Path | None
) -> None:
    """Publish definitions like `publish`, and fill their new features from the events that the topics still hold.

    Reads all events from the beginning under the new definitions, beside the running workers. When it has caught up it
    publishes them, goes on up to the instant of the switch, and writes its rows; at that instant the shards take the
    new features from there. They wait for it, so do not stop it then; where it broke off, --resume finishes it. It
    holds the rows of all customers in memory.

    Exit codes: 0 published and filled, 1 nothing new or not written, 2 a mistake in what was asked.
    """
    from stream.app import bootstrap
    from stream.settings import load_settings

    settings = load_settings(config, brokers=broker)
    if resume:
        if definitions is not None or at is not None:
            raise UserError("--resume goes on with what was published: leave out --definitions and --at")
        version = asyncio.run(_begun(settings))
        plan = bootstrap.make_plan(bootstrap.checked(version.files, settings), settings)
        count = asyncio.run(_resume(settings, plan, version))
    else:
        effective_of(at, settings)
        plan, files = prepared(settings, definitions)
        version, count = asyncio.run(_run(settings, plan, files, at, note))
    click.echo(
        f"version {version.version} of the definitions takes effect at {iso(version.effective)}, "
        f"filled for {count:,} customers"
    )


async def _begun(settings: Settings) -> DefinitionsVersion:
    """The newest published definitions, if they wait for a backfill."""
    from stream.kafka.client import consumer_options
    from stream.learners.control import read_published

    published = await read_published(consumer_options(settings), settings.topics.control)
    newest = published.definitions[-1] if published.definitions else None
    if newest is None or not newest.backfilled:
        raise UserError("there is nothing to resume: the newest definitions were not published by a backfill")
    return newest


async def _run(
    settings: Settings, plan: Plan, files: Mapping[str, str], at: int | None, note: str
) -> tuple[DefinitionsVersion, int]:
    from stream.cli.publish import publish_files

    async def work(rebuild: Rebuild, report: Report) -> DefinitionsVersion:
        await rebuild.catch_up(lambda read: report(f"{read:,} events read"))
        effective = effective_of(at, settings)
        latest = max(one.shard.position for one in rebuild.shards)
        if latest >= effective:
            raise UserError(f"there are events of {iso(latest)} already: choose a later --at")
        version = await publish_files(settings, plan, files, effective, note, backfilled=True)
        rebuild.stop_at(version)
        return version

    return await _rebuild(settings, plan, work)


async def _resume(settings: Settings, plan: Plan, version: DefinitionsVersion) -> int:
    async def work(rebuild: Rebuild, report: Report) -> DefinitionsVersion:
        rebuild.stop_at(version)
        return version

    return (await _rebuild(settings, plan, work))[1]


async def _rebuild(
    settings: Settings, plan: Plan, work: Callable[[Rebuild, Report], Awaitable[DefinitionsVersion]]
) -> tuple[DefinitionsVersion, int]:
    """Read, have ``work`` say where to stop, go on until there, and write the rows."""
    from stream.app.bootstrap import make_decoder, read_clock
    from stream.app.live import wire
    from stream.app.plans import Plans
    from stream.app.rebuild import Rebuild
    from stream.cli.progress import progress_bar
    from stream.kafka.client import producer_options
    from stream.kafka.transaction import ShardProducer

    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    wiring = wire(settings, plan, Plans(settings))
    decoder = make_decoder(settings, plan, control=read_clock)
    rebuild = Rebuild(wiring, decoder, settings.topics.backfill, failed.set_exception)
    producer = ShardProducer(
        f"{settings.app.id}-backfill",
        settings.app.id,
        0,
        producer_options(settings),
        timeout=wiring.transaction_timeout,
    )

    async def all_of_it() -> tuple[DefinitionsVersion, int]:
        with progress_bar("backfill") as bar:
            report = partial(bar, None)
            await producer.start()
            await rebuild.start()
            version = await work(rebuild, report)
            await rebuild.reach(lambda read: report(f"{read:,} events read, up to {iso(version.effective)}"))
            return version, await rebuild.write(producer, version)

    task = asyncio.create_task(all_of_it())
    try:
        either: set[asyncio.Future[Any]] = {task, failed}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            failed.result()
        return await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await rebuild.stop()
        await producer.stop()
