"""``segstream deadletters``: what was rejected and why, and sending it again once the reason is gone."""

from __future__ import annotations

import asyncio
import base64
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson
from rich import box
from rich.console import Console
from rich.table import Table

from stream.cli.instants import INSTANT
from stream.errors import UserError
from stream.events.instant import iso
from stream.settings import Settings, load_settings

if TYPE_CHECKING:
    from stream.kafka.dead_letters import Letter


@click.command()
@click.option("--list", "listed", is_flag=True, help="One letter a line, as JSON, with its bytes.")
@click.option("--resend", is_flag=True, help="Send them again to where they came in, each once.")
@click.option("--reason", help="Only those rejected for this reason.")
@click.option("--since", type=INSTANT, help="Only those whose record is not older than this.")
@click.option("--all", "everything", is_flag=True, help="Also those that were sent again already.")
@click.option("--broker", metavar="HOST:PORT", help="Kafka there instead of the one in the settings.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(
    listed: bool,
    resend: bool,
    reason: str | None,
    since: int | None,
    everything: bool,
    broker: str | None,
    config: Path | None,
) -> None:
    """Count the records that could not be applied, by reason; list them, or send them again after a fix.

    --resend writes each of them, with the key and the value it had, to the topic it came in on, and marks it, in one
    transaction: asking twice sends nothing twice. What is sent again comes late: it counts at its own time.
    The exit code is 1 where some could not be sent again.
    """
    if resend and everything:
        raise UserError("--resend --all would apply events twice: leave --all out")
    settings = load_settings(config, brokers=broker)
    letters, sent = asyncio.run(_work(settings, reason, since, everything, resend))
    if listed:
        for letter in letters:
            click.echo(orjson.dumps(_as_json(letter)))
    elif not resend:
        Console().print(_table(letters) if letters else "no dead letters")
    if resend:
        cut = [letter.origin for letter in letters if letter.cut]
        click.echo(f"{sent:,} sent again", err=True)
        if cut:
            more = f" and {len(cut) - 3:,} more" if len(cut) > 3 else ""
            message = f"left, as a dead letter holds only the beginning of them: {', '.join(cut[:3])}{more}"
            raise UserError(message, exit_code=1)


async def _work(
    settings: Settings, reason: str | None, since: int | None, everything: bool, resend: bool
) -> tuple[list[Letter], int]:
    from stream.kafka.client import quiet_aiokafka
    from stream.kafka.dead_letters import Resender, read_letters
    from stream.kafka.topics import check_topics

    topic = settings.topics.dead_letters
    reports = [report for report in await check_topics(settings) if report.spec.name == topic and report.exists]
    if not reports:
        raise UserError(f"there is no topic {topic}: create it with `segstream topics`", exit_code=1)

    async def read() -> list[Letter]:
        found = await read_letters(settings, reports[0].partitions, resent=everything)
        return [x for x in found if reason in (None, x.reason) and (since is None or x.timestamp >= since)]

    with quiet_aiokafka():
        if not resend:
            return await read(), 0
        resender = Resender(settings)
        await resender.start()
        try:
            letters = await read()
            return letters, await resender.send(letter for letter in letters if not letter.cut)
        finally:
            await resender.stop()


def _as_json(letter: Letter) -> dict[str, Any]:
    """A letter for programs; bytes that are no UTF-8 as base64."""
    found: dict[str, Any] = {
        "reason": letter.reason,
        "detail": letter.detail,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "time": iso(letter.timestamp),
    }
    for name, data in (("key", letter.key), ("value", letter.value)):
        if data is None:
            continue
        try:
            found[name] = data.decode()
        except UnicodeDecodeError:
            found[f"{name}_base64"] = base64.b64encode(data).decode()
    return found | ({"cut": True} if letter.cut else {})


def _table(letters: Sequence[Letter]) -> Table:
    """One line a reason: how many, since when, until when, and the latest of them."""
    reasons: dict[str, list[Letter]] = defaultdict(list)
    for letter in letters:
        reasons[letter.reason].append(letter)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("reason", "letters", "first", "last", "for example"):
        table.add_column(column, justify="right" if column == "letters" else "left")
    for reason, some in sorted(reasons.items(), key=lambda item: -len(item[1])):
        first, last = (pick(some, key=lambda letter: letter.timestamp) for pick in (min, max))
        example = f"{last.origin}: {last.detail}"
        table.add_row(reason, f"{len(some):,}", iso(first.timestamp), iso(last.timestamp), example)
    return table
