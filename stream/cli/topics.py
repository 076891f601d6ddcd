"""``segstream topics``: create what is missing, or say what differs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from stream.app.definition_files import read_definitions
from stream.kafka.topics import TopicReport, check_topics, create_topics, describe_retention
from stream.settings import load_settings


@click.command()
@click.option("--check", is_flag=True, help="Only look; create nothing.")
@click.option(
    "--definitions",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of definitions. [default: segments/]",
)
@click.option("--broker", metavar="HOST:PORT", help="Kafka there instead of the one in the settings.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(check: bool, definitions: Path | None, broker: str | None, config: Path | None) -> None:
    """Create the topics that are missing and check all of them.

    The topics are those of the settings and those that definitions name for their segments.

    Existing topics are never changed: what differs (partitions, compaction, retention, compression, sizes, copies) is
    said in the table. The exit code is 0 when all is as it must be, 1 when something differs.
    """
    settings = load_settings(config, brokers=broker)
    outputs = read_definitions(definitions or settings.config_dir / "segments", settings).topics()
    work = check_topics if check else create_topics
    reports = asyncio.run(work(settings, outputs))
    Console().print(table(reports))
    if any(report.differences for report in reports):
        sys.exit(1)


def table(reports: list[TopicReport]) -> Table:
    """One line a topic, with what differs in the last column."""
    result = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("topic", "for", "partitions", "keeps", "state"):
        result.add_column(column, justify="right" if column == "partitions" else "left", no_wrap=column == "topic")
    for report in reports:
        if not report.exists:
            state = "[red]missing"
        elif report.differences:
            state = "[red]" + "\n".join(str(item) for item in report.differences)
        else:
            state = "[green]created" if report.created else "ok"
        keeps = describe_retention(report.settings) if report.exists else ""
        result.add_row(report.spec.name, report.spec.role, str(report.partitions or ""), keeps, state)
    return result
