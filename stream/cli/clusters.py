"""``segstream clusters``: the clusters that were learned, what became of them, and names for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console

from stream.errors import UserError

if TYPE_CHECKING:
    from stream.cluster.model import ClusterModel
    from stream.settings import Settings

#: Characters a line where the output goes into a file or a pipe.
WIDTH = 140

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Where:
    """Which dimension, and where its versions are; None: as the settings have it."""

    dimension: str | None = None
    broker: str | None = None
    config: Path | None = None

    def over(self, other: Where) -> Where:
        """This, and where it leaves something open the other."""
        return Where(self.dimension or other.dimension, self.broker or other.broker, self.config or other.config)


def where_options(command: F) -> F:
    """The options that all of these commands have."""
    command = click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")(
        command
    )
    command = click.option("--broker", metavar="HOST:PORT", help="Kafka there instead of the one in the settings.")(
        command
    )
    return click.option("--dimension", metavar="NAME", help="The learned dimension. [default: the only one there is]")(
        command
    )


@click.group(invoke_without_command=True)
@click.option("--worker", metavar="URL", help="Worker to ask for sizes. [default: the settings' web server]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
@where_options
@click.pass_context
def command(
    ctx: click.Context,
    worker: str | None,
    as_json: bool,
    dimension: str | None,
    broker: str | None,
    config: Path | None,
) -> None:
    """The clusters in force: name, size, what sets each apart, and which are too small or too loose to be of use.

    Sizes are told by a running worker; where none answers, the share of the sampled customers is shown. `history`
    tells what became of clusters from version to version, `rename` gives one a name that stays.
    """
    ctx.obj = where = Where(dimension, broker, config)
    if ctx.invoked_subcommand is not None:
        if worker is not None or as_json:
            raise click.UsageError(f"--worker and --json before {ctx.invoked_subcommand} mean nothing: leave them out")
        return
    from stream.cli.view.clusters import as_json as told
    from stream.cli.view.clusters import draw_clusters

    settings = _settings(where)
    model = asyncio.run(_models(settings, where))[-1]
    sizes = _sizes(settings, worker, model.dimension)
    if as_json:
        click.echo(json.dumps(told(model, sizes), indent=2, ensure_ascii=False))
    else:
        _console().print(draw_clusters(model, sizes))


@command.command()
@click.option("--all", "everything", is_flag=True, help="Also versions in which no cluster came, went or was renamed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
@where_options
@click.pass_obj
def history(
    above: Where, everything: bool, as_json: bool, dimension: str | None, broker: str | None, config: Path | None
) -> None:
    """What became of clusters: which were born, split, merged and died in which version, and what had drifted."""
    from stream.cli.view.clusters import draw_history, eventful, history_as_json

    where = Where(dimension, broker, config).over(above)
    versions = asyncio.run(_models(_settings(where), where))
    shown = versions if everything else eventful(versions)
    if as_json:
        click.echo(json.dumps(history_as_json(shown), indent=2, ensure_ascii=False))
        return
    _console().print(draw_history(versions, shown))
    if len(shown) < len(versions):
        click.echo(f"{len(versions) - len(shown)} more versions moved centres only; --all shows them", err=True)


@command.command()
@click.argument("cluster", metavar="ID")
@click.argument("name", default="")
@click.option(
    "--timeout", type=click.FloatRange(0), default=60.0, show_default=True, help="Seconds to wait for the version."
)
@where_options
@click.pass_obj
def rename(
    above: Where,
    cluster: str,
    name: str,
    timeout: float,
    dimension: str | None,
    broker: str | None,
    config: Path | None,
) -> None:
    """Call cluster ID (7 or cluster-7) by NAME from now on, whatever is learned; without NAME by the trainer's own.

    The segment stays cluster-7: topics, queries and dashboards that name it go on. The trainer publishes a version
    with that name at once, and keeps it in all later ones.

    Exit codes: 0 a version has the name, 1 none came in time, 2 a mistake in what was asked.
    """
    from stream.events.instant import iso
    from stream.kafka.client import consumer_options, producer_options, quiet_aiokafka
    from stream.learners.naming import ask

    where = Where(dimension, broker, config).over(above)
    settings = _settings(where)

    async def asked() -> ClusterModel | None:
        newest = (await _models(settings, where))[-1]
        request = requested(newest, cluster, name)
        with quiet_aiokafka():
            options = consumer_options(settings), producer_options(settings)
            return await ask(*options, settings.topics.control, request, timeout, newest)

    version = asyncio.run(asked())
    if version is None:
        raise UserError(
            f"no version with that name within {timeout:g} s: is a worker running? The request is in Kafka, and the "
            "trainer grants it as soon as it runs",
            exit_code=1,
        )
    number = number_of(cluster)
    called = version.names[version.numbers.index(number)]
    click.echo(f"cluster-{number} is called {called!r} by version {version.version}, from {iso(version.effective)} on")


def number_of(cluster: str) -> int:
    """The id in what somebody typed; `UserError` where it is none."""
    digits = cluster.removeprefix("cluster-")
    if not digits.isascii() or not digits.isdecimal():
        raise UserError(f"{cluster!r} is no cluster's id: expected a number such as 7, as `segstream clusters` shows")
    return int(digits)


def requested(model: ClusterModel, cluster: str, name: str) -> Any:
    """The request for the control topic; `UserError` where it could not be granted."""
    from stream.cluster.model import ClusterName

    number = number_of(cluster)
    if number not in model.numbers:
        there = ", ".join(str(one) for one in sorted(model.numbers))
        raise UserError(f"version {model.version} of {model.dimension} has no cluster {number}; it has {there}")
    taken = dict(zip(model.names, model.numbers, strict=True)).get(name, number)
    if taken != number:
        raise UserError(f"cluster-{taken} is called {name!r} already: choose another name, or rename that one first")
    try:
        return ClusterName(model.dimension, number, name)
    except ValueError as error:
        raise UserError(f"{name!r} cannot be a cluster's name: {error}") from error


def _settings(where: Where) -> Settings:
    from stream.settings import load_settings

    return load_settings(where.config, brokers=where.broker)


async def _models(settings: Settings, where: Where) -> list[ClusterModel]:
    """The published versions of the dimension, in order; at least one."""
    from stream.kafka.client import consumer_options, quiet_aiokafka
    from stream.kafka.topics import ensure_topics
    from stream.learners.control import read_published

    await ensure_topics(settings)
    with quiet_aiokafka():
        published = await read_published(consumer_options(settings), settings.topics.control)
    return models_of(published.versions, where.dimension)


def models_of(versions: list[Any], dimension: str | None) -> list[ClusterModel]:
    """The versions of the clusters of one dimension, in order; `UserError` where there are none, or of several."""
    from stream.cluster.model import ClusterModel

    models = [version for version in versions if isinstance(version, ClusterModel)]
    names = sorted({model.dimension for model in models})
    if not names:
        raise UserError(
            "no clusters have been learned yet: the first version comes when clusters.warm_up vectors were sampled "
            "under definitions with a dimension that has `learn`",
            exit_code=1,
        )
    if dimension is not None and dimension not in names:
        raise UserError(f"no clusters were learned of {dimension!r}: there are those of {', '.join(names)}")
    if dimension is None and len(names) > 1:
        raise UserError(f"there are clusters of {', '.join(names)}: say which with --dimension")
    chosen = dimension or names[0]
    return sorted((model for model in models if model.dimension == chosen), key=lambda model: model.version)


def _sizes(settings: Settings, worker: str | None, dimension: str) -> dict[str, int] | None:
    """Customers by segment, of all workers; None where none answers, which is a mistake only where one was named."""
    from stream.cli.ask import ask, base_of

    base = base_of(settings, worker)
    try:
        status, body = ask(settings, base, "/segments")
        if status != 200:
            raise UserError(f"{base} answered {status} to /segments: is it a worker, and ready?", exit_code=1)
    except UserError as error:
        if worker is not None:
            raise
        click.echo(f"{error}; shares of the sample are shown instead of sizes", err=True)
        return None
    try:
        told = json.loads(body)
        if told["missing"]:
            click.echo(f"sizes are without partitions {', '.join(map(str, told['missing']))}: not ready", err=True)
        return sizes_in(told, dimension)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{base} is no worker of this version: its /segments cannot be read", exit_code=1) from error


def sizes_in(told: Any, dimension: str) -> dict[str, int] | None:
    """The sizes of a dimension's segments in a worker's answer; None where it does not know the dimension."""
    for one in told["dimensions"]:
        if one["dimension"] == dimension:
            return {segment["segment"]: segment["size"] for segment in one["segments"]}
    return None


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)
