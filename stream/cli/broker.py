"""``segstream broker``: one Kafka node in the foreground."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from stream.errors import UserError
from stream.kafka.broker import EmbeddedBroker
from stream.kafka.processes import die_with_parent
from stream.settings import Settings, load_settings


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), help="Folder for its data. [default: <data_dir>/kafka]"
)
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="Port on 127.0.0.1; 0: any free one. [default: of kafka.brokers]"
)
@click.option("--heap", type=click.IntRange(min=128), default=512, show_default=True, metavar="MB", help="Java heap.")
@click.option(
    "--set", "extra", multiple=True, metavar="KEY=VALUE", help="A line for server.properties; may be repeated."
)
@click.option("--with-parent", is_flag=True, help="End when the process that started this command ends.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(
    data: Path | None, port: int | None, heap: int, extra: tuple[str, ...], with_parent: bool, config: Path | None
) -> None:
    """Run Apache Kafka, one node, until Ctrl-C.

    For the demo, tests and a first look: real Kafka with transactions, but one copy of everything. Needs Java 17 or
    newer, and Maven, which brings Kafka itself the first time. Prints its address once it answers; its log is
    broker.log in its data folder.
    """
    if with_parent:
        die_with_parent(signal.SIGTERM)
    # Both signals end it in good order, also in a script's background job, where the shell has switched SIGINT off.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    settings = load_settings(config)
    broker = EmbeddedBroker(
        data or settings.app.data_dir / "kafka",
        _port(settings) if port is None else port,
        heap,
        dict(_pair(text) for text in extra),
        jars=settings.app.data_dir / "kafka",
    )
    try:
        with broker:
            click.echo(f"Kafka is ready at {broker.address} (log: {broker.log_file})")
            broker.wait()
    except KeyboardInterrupt:
        click.echo("Kafka has stopped.")


def _port(settings: Settings) -> int:
    """The port that clients look at, so that both sides agree without an option."""
    return int(settings.kafka.brokers.split(",")[0].rpartition(":")[2])


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {text}: expected KEY=VALUE, such as log.segment.bytes=1048576")
    return key.strip(), value.strip()
