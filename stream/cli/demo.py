"""``segstream demo``: broker, topics, a worker and simulated shoppers, and segment changes live in the terminal."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from stream.cli.demo_folder import fresh_folder
from stream.cli.demo_run import DemoOptions, run_demo
from stream.settings import load_settings


@click.command()
@click.option("--customers", type=click.IntRange(1), default=250, show_default=True, help="Shoppers.")
@click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    default=86_400.0,
    show_default="86400, a day a second",
    metavar="X",
    help="Times as fast as life.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed, the same shoppers and events.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Stop so long after the first change.")
@click.option("--plain", is_flag=True, help="One line a change, as where the output is no terminal.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for Kafka, caches and logs. [default: app.data_dir of the settings]",
)
@click.option("--broker", metavar="HOST:PORT", help="Your own Kafka, instead of one that the demo starts.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(
    customers: int,
    speed: float,
    seed: int,
    seconds: float | None,
    plain: bool,
    data: Path | None,
    broker: str | None,
    config: Path | None,
) -> None:
    """Run everything on this machine and watch customers move, until Ctrl-C.

    Starts Apache Kafka, creates the topics, starts a worker with the definitions in segments/ and simulated shoppers
    (two years of them, from 2025-01-01), and shows what `segstream watch` shows. Needs Java 17 and Maven, no Kafka.
    The default ports are used where they are free, else any free ones.

    Every start is a new story: the folder demo/ below --data, with Kafka's data and the logs, is emptied first. It
    stays after the end, for a look. The first start also fetches Kafka and compiles the definitions, which is kept.

    With --broker everything runs on that Kafka, in topics of the demo's own (segstream-demo-...), which are deleted at
    the end; logins are those of the settings.

    Ctrl-C stops all that was started. The exit code is 0 then, and 1 when something ended by itself: its last lines
    are shown.
    """
    settings = load_settings(config, brokers=broker)
    plain = plain or not sys.stdout.isatty()
    options = DemoOptions(customers, speed, seed, seconds, plain, own_kafka=broker is None)
    with fresh_folder((data or settings.app.data_dir).resolve()) as folder:
        asyncio.run(run_demo(settings, options, folder))
