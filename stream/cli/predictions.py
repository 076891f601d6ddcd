"""``segstream predictions``: the models that predict, in words, and how they went from version to version."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from stream.errors import UserError

if TYPE_CHECKING:
    from stream.predict.lifetime_model import LifetimeModel
    from stream.settings import Settings

#: Characters a line where the output goes into a file or a pipe.
WIDTH = 120


@click.command()
@click.option("--history", is_flag=True, help="All versions, a line each, instead of what the newest one says.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
@click.option("--broker", metavar="HOST:PORT", help="Kafka there instead of the one in the settings.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(history: bool, as_json: bool, broker: str | None, config: Path | None) -> None:
    """The model of lifetimes in force: what it says of your customers, how it was learned, and what to mind.

    It is behind the features alive, buys, expected, order_value and clv, and is fitted beside the stream to what all
    customers bought. Exit codes: 0 there is a version, 1 there is none yet, 2 a mistake in what was asked.
    """
    from stream.cli.view.predictions import as_json as told
    from stream.cli.view.predictions import draw_history, draw_lifetime
    from stream.settings import load_settings

    settings = load_settings(config, brokers=broker)
    versions = asyncio.run(_versions(settings))
    shown = versions if history else versions[-1:]
    currency = settings.money.currency
    if as_json:
        found = [told(version, currency) for version in shown]
        click.echo(json.dumps(found if history else found[0], indent=2, ensure_ascii=False))
        return
    console = Console()
    console = console if console.is_terminal else Console(width=WIDTH)
    console.print(draw_history(shown, currency) if history else draw_lifetime(shown[0], currency))


async def _versions(settings: Settings) -> list[LifetimeModel]:
    """The published versions, in order; at least one."""
    from stream.cluster.control import read_published
    from stream.kafka.client import consumer_options, quiet_aiokafka
    from stream.kafka.topics import ensure_topics
    from stream.predict.lifetime_model import LifetimeModel

    await ensure_topics(settings)
    with quiet_aiokafka():
        published = await read_published(consumer_options(settings), settings.topics.control)
    found = [version for version in published.versions if isinstance(version, LifetimeModel)]
    if not found:
        raise UserError(
            "no model of lifetimes has been learned yet: the first version comes when a worker runs definitions that "
            "use alive, buys, expected, order_value or clv, and enough customers have bought more than once",
            exit_code=1,
        )
    return sorted(found, key=lambda model: model.version)
