"""``segstream worker``: one worker of the group."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from stream.errors import UserError

if TYPE_CHECKING:
    from stream.app.ending import Ending
    from stream.engine.versions import DefinitionsVersion
    from stream.settings import Settings

log = logging.getLogger(__name__)


@click.command()
@click.option("--broker", metavar="HOST:PORT", help="Kafka there instead of the one in the settings.")
@click.option(
    "--definitions",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of definitions. [default: segments/ beside stream.yaml]",
)
@click.option("--web-port", type=click.IntRange(0, 65_535), help="Port of metrics and views; 0: any free one.")
@click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    help="How much to log, on stderr. [default: logging.level of the settings]",
)
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(
    broker: str | None, definitions: Path | None, web_port: int | None, log_level: str | None, config: Path | None
) -> None:
    """Run one worker until Ctrl-C.

    Workers of one app.id form a group: each owns some partitions with their customers, and when one ends the others
    take over its customers with their state. Workers on one machine need a --web-port each.

    Metrics are at /metrics, a customer at /customers/ID. The exit code is 0 after SIGTERM or Ctrl-C, which finish or
    abort what is being written, and not 0 when the worker cannot start or go on.
    """
    from stream.app.ending import Ending
    from stream.app.logs import Level, set_up_logging
    from stream.settings import load_settings

    settings = load_settings(config, brokers=broker)
    how = settings.logging
    level = cast(Level, (log_level or how.level).upper())
    set_up_logging(level, how.format, repeat_after=how.repeat_after / 1000)
    with Ending() as ending:
        try:
            code = _run(settings, definitions, web_port, ending)
        except UserError as error:
            if how.format == "text":
                raise
            log.critical("%s", error)
            code = error.exit_code
    sys.exit(code)


def _run(settings: Settings, definitions: Path | None, web_port: int | None, ending: Ending) -> int:
    # Imported here: the engine takes a second, and help should not.
    from stream.app.bootstrap import checked, make_plan
    from stream.app.definition_files import read_texts
    from stream.app.live import create_app
    from stream.app.worker import run_worker
    from stream.kafka.topics import ensure_topics
    from stream.web.site import add_site, check_reach

    check_reach(settings.web)
    folder = definitions or settings.config_dir / "segments"
    texts = read_texts(folder)
    compiled = checked(texts, settings)
    for report in asyncio.run(ensure_topics(settings, compiled.topics())):
        for difference in report.differences:
            of_topic = {"topic": report.spec.name, "place": f"{report.spec.name}: {difference}"}
            log.warning("topic %s: %s", report.spec.name, difference, extra=of_topic)
    published = asyncio.run(_published(settings))
    if published is not None and published.files != {Path(name).name: text for name, text in texts.items()}:
        log.warning(
            "the definitions in %s differ from version %d, which was published and is what counts; `segstream publish` "
            "makes them the next version",
            folder,
            published.version,
        )
    log.info("loading %d dimensions; compiling them takes a minute or two where they are new", len(compiled.dimensions))
    plan = make_plan(compiled, settings)
    app = create_app(settings, plan, web_port=web_port, published=published)
    add_site(app, settings, compiled)
    log.info(
        "worker of %s at %s, metrics at http://%s:%d/metrics",
        settings.app.id,
        settings.kafka.brokers,
        settings.web.host,
        app.conf.web_port,
    )
    return run_worker(app, ending)


async def _published(settings: Settings) -> DefinitionsVersion | None:
    """The newest definitions on the control topic that can be read and have no mistakes."""
    from stream.app.bootstrap import checked
    from stream.kafka.client import consumer_options, quiet_aiokafka
    from stream.learners.control import read_published
    from stream.plan.problems import DefinitionError

    with quiet_aiokafka():
        published = await read_published(consumer_options(settings), settings.topics.control)
    for version in reversed(published.definitions):
        try:
            checked(version.files, settings)
        except DefinitionError:
            continue  # told, and counted, when the shards come to it
        return version
    return None
