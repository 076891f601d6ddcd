"""``segstream simulate``: shoppers of known personas, to Kafka or to a file."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import click
import orjson

from stream.cli.clock_note import note_on_history
from stream.cli.collector import collect_seldom
from stream.cli.instants import INSTANT
from stream.cli.interrupt import INTERRUPTED_EXIT_CODE, stop_on_signal
from stream.cli.progress import Report, progress_bar
from stream.errors import UserError
from stream.events.instant import iso
from stream.kafka.send import sending
from stream.settings import load_settings
from stream.simulate.pacing import Played, play
from stream.simulate.simulation import SimulationOptions, personas, simulate
from stream.simulate.sinks import Sink, event_file, file_sink, kafka_sink

_DEFAULTS = SimulationOptions()


class _Speed(click.ParamType):
    name = "X|max"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """0 stands for as fast as it goes."""
        if value == "max":
            return 0.0
        try:
            speed = float(str(value))
        except ValueError:
            speed = -1.0
        if not 0 < speed < float("inf"):
            self.fail(f"{value!r} is no speed: write how many times as fast as life, such as 86400, or max", param, ctx)
        return speed


@click.command()
@click.option("--customers", type=click.IntRange(1), default=_DEFAULTS.customers, show_default=True, help="Shoppers.")
@click.option(
    "--days", type=click.FloatRange(0, min_open=True), default=_DEFAULTS.days, show_default=True, help="Simulated days."
)
@click.option("--events", type=click.IntRange(0), help="Stop after so many events, where that comes first.")
@click.option(
    "--products", type=click.IntRange(1), default=_DEFAULTS.products, show_default=True, help="Products sold."
)
@click.option(
    "--anonymous",
    type=click.FloatRange(0, 1),
    default=_DEFAULTS.anonymous_share,
    show_default=True,
    help="Share of shoppers who never log in.",
)
@click.option("--currency", help="Currency of all prices. [default: that of the settings; in a file EUR]")
@click.option("--seed", type=int, default=_DEFAULTS.seed, show_default=True, help="The same seed, the same events.")
@click.option(
    "--start", type=INSTANT, default="2025-01-01", show_default=True, help="First instant of the simulation, or 'now'."
)
@click.option(
    "--speed", type=_Speed(), default="max", show_default=True, help="Times as fast as life; 86400 is a day a second."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write JSONL there, packed if it ends in .gz; - is stdout.",
)
@click.option("--broker", metavar="HOST:PORT", help="Kafka there instead of the one in the settings.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
@click.option(
    "--truth", type=click.Path(path_type=Path, dir_okay=False), help="Write every customer's persona there, as JSONL."
)
@click.option(
    "--drift-day",
    type=click.FloatRange(0),
    help="Day on which the world changes: customers of a persona that was not there before (reorderer) begin to come.",
)
@click.option(
    "--drift-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help=f"Share of all customers who are of that persona. [default: {_DEFAULTS.drift_share}]",
)
@click.option(
    "--pace",
    type=click.FloatRange(0, 100, min_open=True),
    default=_DEFAULTS.pace,
    show_default=True,
    help="How many times as long the gaps between visits and orders are as the personas have them.",
)
@click.option("--pages", is_flag=True, help="Every product, search, cart and checkout is a page viewed as well.")
@click.option(
    "--closing-clock/--no-closing-clock", default=True, help="End with a clock record at the last event's time."
)
def command(
    customers: int,
    days: float,
    events: int | None,
    products: int,
    anonymous: float,
    currency: str | None,
    seed: int,
    start: int,
    speed: float,
    out: Path | None,
    broker: str | None,
    config: Path | None,
    truth: Path | None,
    drift_day: float | None,
    drift_share: float | None,
    pace: float,
    pages: bool,
    closing_clock: bool,
) -> None:
    """Simulate shoppers: what they look at, wish for, buy and send back, and when they leave and return.

    The events go to Kafka, to the topics of the settings, or with --out to a file. The same options give the same
    events to the byte. Who is which persona stands in no event, only in the file of --truth. With --drift-day the world
    changes on the way, to see how learned clusters follow. With --pages and a --pace of 3 the stream is that of a web
    site most of whose customers come a few times a month.

    To Kafka, records carry the time of sending as theirs; event times are the simulation's. With --speed the control
    topic gets a clock record every second.
    """
    collect_seldom()
    if out is not None and (broker is not None or config is not None):
        raise click.UsageError("--out writes a file; --broker and --config are for Kafka: give one or the other")
    if drift_share is not None and drift_day is None:
        raise click.UsageError("--drift-share says how many: say with --drift-day from when on, or leave it out")
    options = SimulationOptions(
        *(customers, days, seed, start, events, products, anonymous, currency or "EUR"),
        drift_day=drift_day,
        drift_share=drift_share or _DEFAULTS.drift_share,
        pace=pace,
        pages=pages,
    )
    sink: AbstractAsyncContextManager[Sink]
    if out is None:
        settings = load_settings(config, brokers=broker)
        note_on_history(settings, start)
        options = replace(options, currency=currency or settings.money.currency)
        sink = kafka_sink(sending(settings))
    else:
        sink = file_sink(out)
    if truth is not None:
        if out is not None and truth.resolve() == out.resolve():
            raise UserError(f"--truth {truth} is also the file of --out: choose another file")
        write_truth(truth, options)
    began = time.monotonic()
    with progress_bar("simulate") as report:
        played, finished = asyncio.run(_run(options, sink, speed or None, closing_clock, report))
    seconds = time.monotonic() - began
    click.echo(_summary(options, played, seconds, finished), err=True)
    if not finished:
        sys.exit(INTERRUPTED_EXIT_CODE)


def write_truth(path: Path, options: SimulationOptions) -> None:
    """One line a customer: ``{"customer", "persona"}``."""
    with event_file(path) as stream:
        for customer, persona in personas(options):
            stream.write(orjson.dumps({"customer": customer, "persona": persona}) + b"\n")


async def _run(
    options: SimulationOptions,
    sink: AbstractAsyncContextManager[Sink],
    speed: float | None,
    closing_clock: bool,
    report: Report,
) -> tuple[Played, bool]:
    """What was played, and whether to the end."""

    def told(played: Played) -> None:
        now = options.start_ms if played.last_ms is None else played.last_ms
        done = (now - options.start_ms) / (options.end_ms - options.start_ms)
        if options.events:
            done = max(done, played.events / options.events)
        report(done, f"{played.events:,} events, {iso(now)[:16]}")

    with stop_on_signal() as stop:
        async with sink as opened:
            played = await play(simulate(options), opened, start_ms=options.start_ms, speed=speed, stop=stop, told=told)
            if closing_clock and played.last_ms is not None:
                await opened.clock(played.last_ms)
        return played, not stop.is_set()


def _summary(options: SimulationOptions, played: Played, seconds: float, finished: bool) -> str:
    until = "" if played.last_ms is None else f", {iso(options.start_ms)} to {iso(played.last_ms)}"
    rate = f"{played.events / seconds:,.0f} a second" if seconds > 0 else "at once"
    stopped = "" if finished else "stopped; "
    return f"{stopped}{played.events:,} events of {options.customers:,} customers{until}, {rate}"
