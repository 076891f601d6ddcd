"""``segstream load``: event files into Kafka."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import click

from stream.cli.clock_note import note_on_history
from stream.cli.collector import collect_seldom
from stream.cli.instants import INSTANT
from stream.cli.interrupt import INTERRUPTED_EXIT_CODE, stop_on_signal
from stream.cli.progress import Report, progress_bar
from stream.events.instant import iso
from stream.history.mapping import load_mapping
from stream.history.reader import read_events
from stream.history.record import FileRecord
from stream.kafka.clock import clock_record
from stream.kafka.send import MOST_RECORD_BYTES, sending
from stream.settings import Settings, load_settings

#: How many lines are sent before others get a turn: progress, a signal.
_TURN = 2000
#: How many rejected lines are told one by one.
_TOLD = 10


@dataclass
class Loaded:
    """The books of a load: every line is sent or rejected."""

    sent: int = 0
    last_ms: int | None = None
    rejected: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def reject(self, record: FileRecord, problem: str, detail: str) -> None:
        """Counts a line that cannot be sent; the first few are told in full."""
        self.rejected[problem] += 1
        if len(self.examples) < _TOLD:
            self.examples.append(f"{record.file}:{record.line}: {problem}: {detail}")


@click.command()
@click.argument("events", nargs=-1, required=True, metavar="EVENTS...")
@click.option(
    "--mapping", metavar="FILE", help="YAML file that says what the columns mean; without it: JSONL of events."
)
@click.option("--sort", is_flag=True, help="Send in the order of event time; large files are sorted on disk.")
@click.option("--until", type=INSTANT, help="Time of the closing clock record. [default: the last event's]")
@click.option("--closing-clock/--no-closing-clock", default=True, help="End with a clock record.")
@click.option("--broker", metavar="HOST:PORT", help="Kafka there instead of the one in the settings.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(
    events: tuple[str, ...],
    mapping: str | None,
    sort: bool,
    until: int | None,
    closing_clock: bool,
    broker: str | None,
    config: Path | None,
) -> None:
    """Send event files to Kafka, each event to the topic of its name. EVENTS are files, plain or .gz; - is stdin.

    Without --mapping the lines are events already and are sent as they are, malformed ones too: the worker rejects
    those with a reason. Lines that a mapping cannot make an event of are counted and told, and the exit code is 1.
    """
    collect_seldom()
    settings = load_settings(config, brokers=broker)
    records = read_events(events, None if mapping is None else load_mapping(mapping), sort)
    began = time.monotonic()
    first = list(islice(records, _TURN))  # sorting and a wrong file show here, before anything is sent
    with progress_bar("load") as report:
        loaded, finished = asyncio.run(_run(settings, chain(first, records), until, closing_clock, report))
    _tell(loaded, time.monotonic() - began, finished)
    if loaded.last_ms is not None:
        note_on_history(settings, loaded.last_ms)
    if not finished:
        sys.exit(INTERRUPTED_EXIT_CODE)
    if loaded.rejected:
        sys.exit(1)


async def _run(
    settings: Settings, records: Iterator[FileRecord], until: int | None, closing_clock: bool, report: Report
) -> tuple[Loaded, bool]:
    """What was loaded, and whether to the end."""
    loaded = Loaded()
    with stop_on_signal() as stop:
        async with sending(settings) as sender:
            while not stop.is_set() and (turn := list(islice(records, _TURN))):
                for record in turn:
                    if record.problem:
                        loaded.reject(record, record.problem, record.detail)
                    elif len(record.value) > MOST_RECORD_BYTES:
                        loaded.reject(
                            record, "too-long", f"{len(record.value):,} bytes, Kafka takes {MOST_RECORD_BYTES:,}"
                        )
                    else:
                        loaded.sent += 1
                        if record.timestamp_ms is not None:
                            loaded.last_ms = max(record.timestamp_ms, loaded.last_ms or record.timestamp_ms)
                        if sender.add(record.topic, record.key, record.value):
                            await sender.ship()
                report(None, f"{loaded.sent:,} events")
                await asyncio.sleep(0)
            await sender.ship()
            closing = until if until is not None else loaded.last_ms
            if closing_clock and closing is not None and not stop.is_set():
                sender.add_to_all("control", clock_record(closing))
        return loaded, not stop.is_set()


def _tell(loaded: Loaded, seconds: float, finished: bool) -> None:
    for example in loaded.examples:
        click.echo(example, err=True)
    stopped = "" if finished else "stopped; "
    until = "" if loaded.last_ms is None else f", the last at {iso(loaded.last_ms)}"
    click.echo(
        f"{stopped}{loaded.sent:,} events sent{until}, {loaded.sent / max(seconds, 1e-9):,.0f} a second", err=True
    )
    if loaded.rejected:
        reasons = ", ".join(f"{problem} {count:,}" for problem, count in sorted(loaded.rejected.items()))
        click.echo(f"{loaded.rejected.total():,} lines rejected: {reasons}", err=True)
