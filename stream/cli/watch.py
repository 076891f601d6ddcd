"""``segstream watch``: segment sizes and the latest changes, live in the terminal."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from stream.app.definition_files import read_definitions
from stream.cli.interrupt import stop_on_signal
from stream.cli.view.order import shown_first
from stream.cli.view.show import Show, broker_gone, check_wanted
from stream.cli.view.source import Start, reading
from stream.cli.view.state import View
from stream.settings import Settings, load_settings


@click.command()
@click.option("--dimension", "wanted", multiple=True, metavar="D", help="Only this dimension; may be repeated.")
@click.option("--from-beginning", is_flag=True, help="Read all changes that Kafka still has, not only the latest.")
@click.option("--plain", is_flag=True, help="One line a change, as where the output is no terminal.")
@click.option(
    "--definitions",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of definitions, for the order of segments. [default: segments/ beside stream.yaml]",
)
@click.option("--broker", metavar="HOST:PORT", help="Kafka there instead of the one in the settings.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(
    wanted: tuple[str, ...],
    from_beginning: bool,
    plain: bool,
    definitions: Path | None,
    broker: str | None,
    config: Path | None,
) -> None:
    """Show how many customers are in each segment and who moves, until Ctrl-C.

    The table has every dimension with its segments: how many customers, their share as a bar, and how many came and
    went in the last minute. Below it are the latest changes: when it happened (event time, in time.zone of the
    settings), the customer, the dimension, from -> to, the cause, and the values that decided. Where more come than
    can be read, some of each kind are shown; all are counted.

    Where the output is no terminal, each change from now on is one line of text. It only reads; any number may run.
    """
    settings = load_settings(config, brokers=broker)
    known = shown_first(read_definitions(definitions or settings.config_dir / "segments", settings))
    check_wanted(wanted, known)
    plain = plain or not sys.stdout.isatty()
    start: Start = "beginning" if from_beginning else "now" if plain else "lately"
    asyncio.run(_watch(settings, View(known, wanted, ZoneInfo(settings.time.zone)), start, plain))


async def _watch(settings: Settings, view: View, start: Start, plain: bool) -> None:
    with stop_on_signal() as stop:
        async with reading(settings, start, sizes=not plain) as source:
            show = Show(source, view, plain=plain, subtitle=f"Kafka {settings.kafka.brokers}   Ctrl-C ends")
            tasks = [asyncio.create_task(work) for work in (show.run(), broker_gone(settings))]
            halted = asyncio.create_task(stop.wait())
            await asyncio.wait([*tasks, halted], return_when=asyncio.FIRST_COMPLETED)
            for task in (*tasks, halted):
                task.cancel()
            await asyncio.wait([*tasks, halted])
    for task in tasks:
        if not task.cancelled():
            task.result()
