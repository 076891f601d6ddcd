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
    from stream.predict.propensity import PropensityModel
    from stream.settings import Settings

#: Characters a line where the output goes into a file or a pipe.
WIDTH = 120


@click.command()
@click.option("--history", is_flag=True, help="All versions, a line each, instead of what the newest one says.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
@click.option("--broker", metavar="HOST:PORT", help="Kafka there instead of the one in the settings.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(history: bool, as_json: bool, broker: str | None, config: Path | None) -> None:
    """The models in force: what they say of your customers, how they were learned, and what to mind.

    That of lifetimes is behind the features alive, buys, expected, order_value and clv, and is fitted beside the stream
    to what all customers bought. Those of `predict` are learned online; told is how well they ranked customers, beside
    what is known without them. In JSON, `kind` says which of the two a version is of: lifetimes or prediction.
    Exit codes: 0 there is a version, 1 there is none yet, 2 a mistake in what was asked.
    """
    from stream.cli.view import predictions as lifetimes_view
    from stream.cli.view import propensity as propensity_view
    from stream.predict.lifetime_model import LifetimeModel
    from stream.settings import load_settings

    settings = load_settings(config, brokers=broker)
    currency = settings.money.currency
    versions = asyncio.run(_versions(settings))
    lifetimes: list[LifetimeModel] = [one for one in versions if isinstance(one, LifetimeModel)]
    learned = [one for one in versions if not isinstance(one, LifetimeModel)]
    if not history:
        lifetimes, learned = lifetimes[-1:], list({one.kind: one for one in learned}.values())
    if as_json:
        told = [lifetimes_view.as_json(one, currency) for one in lifetimes]
        more = [propensity_view.as_json(one) for one in learned]
        found = [*told, *more] if history else {**(told[0] if told else {}), "predictions": more}
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    console = Console()
    console = console if console.is_terminal else Console(width=WIDTH)
    if history:
        if lifetimes:
            console.print(lifetimes_view.draw_history(lifetimes, currency))
        if learned:
            console.print(propensity_view.draw_history(learned))
        return
    for lifetime in lifetimes:
        console.print(lifetimes_view.draw_lifetime(lifetime, currency))
    for one in learned:
        console.print(propensity_view.draw_propensity(one))


async def _versions(settings: Settings) -> list[LifetimeModel | PropensityModel]:
    """The published versions, those of each model in order; at least one."""
    from stream.kafka.client import consumer_options, quiet_aiokafka
    from stream.kafka.topics import ensure_topics
    from stream.learners.control import read_published
    from stream.predict.lifetime_model import LifetimeModel
    from stream.predict.propensity import PropensityModel

    await ensure_topics(settings)
    with quiet_aiokafka():
        published = await read_published(consumer_options(settings), settings.topics.control)
    found = [version for version in published.versions if isinstance(version, LifetimeModel | PropensityModel)]
    if not found:
        raise UserError(
            "no model of lifetimes has been learned yet, and none of a prediction: the first version comes when a "
            "worker runs definitions that use alive, buys, expected, order_value or clv, and enough customers have "
            "bought more than once; that of 'predict' when it tells more than is known without it",
            exit_code=1,
        )
    return sorted(found, key=lambda model: (model.kind, model.version))
