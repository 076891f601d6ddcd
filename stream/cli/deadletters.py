"""``segstream deadletters``: what was rejected and why, and sending it again once the reason is gone."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stream.cli.instants import INSTANT
from stream.errors import UserError
from stream.events.instant import EARLIEST_MS, LATEST_MS, iso
from stream.settings import Settings, load_settings

if TYPE_CHECKING:
    from stream.kafka.dead_letters import Letter, Resender


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
    counts = Counts()

    def show(letter: Letter) -> None:
        if listed:
            click.echo(orjson.dumps(_as_json(letter)))
        else:
            counts.add(letter)

    def fits(letter: Letter) -> bool:
        return reason in (None, letter.reason) and (since is None or letter.timestamp >= since)

    resender = asyncio.run(_work(settings, fits, show, everything, resend))
    if resender is not None:
        click.echo(f"{resender.sent:,} sent again", err=True)
        if resender.left:
            told = "; ".join(f"{origin}: {why}" for origin, why in resender.left[:3])
            more = f"; and {len(resender.left) - 3:,} more" if len(resender.left) > 3 else ""
            raise UserError(f"not sent again: {told}{more}", exit_code=1)
    elif not listed:
        Console().print(counts.table() if counts.reasons else "no dead letters")


async def _work(
    settings: Settings,
    fits: Callable[[Letter], bool],
    show: Callable[[Letter], None],
    everything: bool,
    resend: bool,
) -> Resender | None:
    from stream.kafka.client import quiet_aiokafka
    from stream.kafka.dead_letters import Resender, read_letters
    from stream.kafka.topics import check_topics

    topic = settings.topics.dead_letters
    reports = [report for report in await check_topics(settings) if report.spec.name == topic and report.exists]
    if not reports:
        raise UserError(f"there is no topic {topic}: create it with `segstream topics`", exit_code=1)
    partitions = reports[0].partitions
    with quiet_aiokafka():
        if not resend:
            await read_letters(settings, partitions, lambda x: show(x) if fits(x) else None, resent=everything)
            return None
        resender = Resender(settings)
        await resender.start()
        try:
            await read_letters(settings, partitions, lambda x: resender.take(x) if fits(x) else None)
            await resender.flush()
            return resender
        finally:
            await resender.stop()


def _when(ms: int) -> str:
    """A record's timestamp; one that no calendar has, as the number it is."""
    return iso(ms) if EARLIEST_MS <= ms <= LATEST_MS else str(ms)


def _as_json(letter: Letter) -> dict[str, Any]:
    """A letter for programs; bytes that are no UTF-8 as base64."""
    found: dict[str, Any] = {
        "reason": letter.reason,
        "detail": letter.detail,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "time": _when(letter.timestamp),
    }
    for name, data in (("key", letter.key), ("value", letter.value)):
        if data is None:
            continue
        try:
            found[name] = data.decode()
        except UnicodeDecodeError:
            found[f"{name}_base64"] = base64.b64encode(data).decode()
    return found | ({"cut": True} if letter.cut else {})


@dataclass
class Reason:
    """The letters of one reason: how many, when (ms) the first and the last came, and the last as an example."""

    count: int = 0
    first: int = 0
    last: int = 0
    example: str = ""


@dataclass
class Counts:
    """Letters by reason."""

    reasons: dict[str, Reason] = field(default_factory=dict)

    def add(self, letter: Letter) -> None:
        """One more."""
        one = self.reasons.setdefault(letter.reason, Reason(0, letter.timestamp, letter.timestamp))
        one.count += 1
        one.first = min(one.first, letter.timestamp)
        if letter.timestamp >= one.last:
            one.last, one.example = letter.timestamp, f"{letter.origin}: {letter.detail}"

    def table(self) -> Table:
        """One line a reason, the most frequent first."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in ("reason", "letters", "first", "last", "for example"):
            table.add_column(column, justify="right" if column == "letters" else "left")
        for reason, one in sorted(self.reasons.items(), key=lambda item: -item[1].count):
            texts = (reason, f"{one.count:,}", _when(one.first), _when(one.last), one.example)
            table.add_row(*(Text("".join(c if c.isprintable() else "?" for c in text)) for text in texts))
        return table
