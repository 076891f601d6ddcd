"""``segstream check``: are settings and definitions right, and what do the definitions ask for?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from stream.settings import load_settings

if TYPE_CHECKING:
    from stream.plan.definitions import Definitions, Dimension


@click.command()
@click.option("--definitions", type=click.Path(path_type=Path, file_okay=False), help="Folder of definitions.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
@click.option("--source", is_flag=True, help="Print the program that the definitions become, instead.")
def command(definitions: Path | None, config: Path | None, source: bool) -> None:
    """Check settings and definitions; every mistake is told at once, with file, line and column.

    Where there is none, shows what each dimension needs: segments, the events that move it, topics.
    Exit codes: 0 all is well, 2 there are mistakes.
    """
    from stream.app.definition_files import read_aliases, read_definitions
    from stream.kafka.topics import expected_topics
    from stream.plan.plan import plan_source

    settings = load_settings(config)
    aliases = read_aliases(settings.config_dir)
    found = read_definitions(definitions or settings.config_dir / "segments", settings.time.zone)
    expected_topics(settings, found.topics())
    layout, inputs, text = plan_source(found)
    if source:
        click.echo(text)
        return
    console = Console()
    console.print(_table(found))
    console.print(
        f"{len(found.dimensions)} dimensions, {len(inputs.codes)} event names ({len(aliases)} aliases), "
        f"{layout.width * 8} bytes a row before compression"
    )


def _table(found: Definitions) -> Table:
    table = Table("dimension", "segments, by priority", "moved by", "further topics")
    for dimension in found.dimensions:
        topics = sorted({s.topic for s in dimension.segments if s.topic})
        table.add_row(
            dimension.version, ", ".join(dimension.segment_names), ", ".join(_events(dimension)), ", ".join(topics)
        )
    return table


def _events(dimension: Dimension) -> list[str]:
    """The event names that feed the dimension's features."""
    names = {name for accumulator in dimension.features.values() for name in accumulator.reactions()}
    return sorted(names)
