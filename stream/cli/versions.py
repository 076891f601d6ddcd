"""``segstream versions``: what was published on the control topic, as a file for replay."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import click
from pydantic import ValidationError

from stream.errors import UserError
from stream.kafka.client import consumer_options, quiet_aiokafka
from stream.kafka.topics import check_topics
from stream.learners.control import KINDS, Published, read_published
from stream.learners.versions import write_versions
from stream.settings import Settings, load_settings
from stream.settings_kafka import Kafka

#: The kinds of versions, for people.
WHAT = {
    "model": "clusters",
    "cuts": "cuts",
    "definitions": "definitions",
    "lifetime": "the model of lifetimes",
    "propensity": "predictions",
}


@click.command()
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
@click.option("--broker", metavar="HOST:PORT", help="Kafka to read from. [default: kafka.brokers]")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write, one version a line."
)
def command(config: Path | None, broker: str | None, out: Path) -> None:
    """Write all versions published so far to a file: of definitions, of cuts by share, of clusters, of
    the model of lifetimes, of predictions.

    `segstream replay --versions FILE` then judges customers by the same versions, from the same instants on, as the
    live system did. The exit code is 1 if a record on the control topic claims to be a version and cannot be read.
    """
    published = asyncio.run(_read(_with_broker(load_settings(config), broker)))
    write_versions(out, published.versions)
    kinds = Counter(type(version) for version in published.versions)
    told = ", ".join(f"{kinds[kind]} of {WHAT[name]}" for name, kind in KINDS.items() if kinds[kind])
    click.echo(f"{len(published.versions)} versions written to {out}{f' ({told})' if told else ''}", err=True)
    if published.broken:
        raise UserError("left out, as no versions: " + "; ".join(published.broken), exit_code=1)


async def _read(settings: Settings) -> Published:
    topic = settings.topics.control
    if not any(report.exists and report.spec.name == topic for report in await check_topics(settings)):
        raise UserError(
            f"there is no topic {topic}: create it with `segstream topics`, or mend topics.control", exit_code=1
        )
    with quiet_aiokafka():
        return await read_published(consumer_options(settings), topic)


def _with_broker(settings: Settings, broker: str | None) -> Settings:
    """The same settings with other brokers; the address is checked as in the file."""
    if broker is None:
        return settings
    try:
        Kafka(brokers=broker)
    except ValidationError as error:
        raise UserError(f"--broker {broker}: expected HOST:PORT, such as 127.0.0.1:9092") from error
    return settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"brokers": broker})})
