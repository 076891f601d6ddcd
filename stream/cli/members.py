"""``segstream members``: who is in a segment, as CSV."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO
from urllib.parse import quote, urlencode

import click
import msgspec

from stream.cli.ask import ask, base_of
from stream.errors import UserError
from stream.settings import Settings, load_settings

if TYPE_CHECKING:
    from stream.web.members import Member

#: Customers in one answer.
PAGE = 2_000
#: For how many seconds a shard that is not ready is waited for, and how often it is asked.
WAIT_S, EVERY_S = 60.0, 0.5


@click.command()
@click.argument("dimension")
@click.argument("segment")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default=Path("-"),
    help="CSV file to write. [default: stdout]",
)
@click.option("--worker", metavar="URL", help="Worker to ask, any of them. [default: the settings' web server]")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(dimension: str, segment: str, out: Path, worker: str | None, config: Path | None) -> None:
    """Write the ids of all customers in SEGMENT of DIMENSION, each with since when, from all workers.

    Two columns: customer, and since (event time, ISO 8601). Whoever is in the segment all the while is in the file
    once; who enters or leaves meanwhile may be in it or not. The file appears when it is complete.
    """
    settings = load_settings(config)
    found = everyone(settings, base_of(settings, worker), dimension, segment)
    if str(out) == "-":
        write(sys.stdout, found)
        return
    part = out.with_name(f"{out.name}.part")
    try:
        with part.open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
            count = write(file, found)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    click.echo(f"{count:,} customers in {segment} of {dimension}: {out}", err=True)


def write(file: TextIO, found: Iterator[Member]) -> int:
    """Write the lines; how many customers."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("customer", "since"))
    count = 0
    for one in found:
        writer.writerow((one.customer, one.since or ""))
        count += 1
    return count


def everyone(settings: Settings, base: str, dimension: str, segment: str) -> Iterator[Member]:
    """All members, page by page; `UserError` where that cannot be."""
    from stream.web.members import MembersAnswer

    path = f"/segments/{quote(dimension, '')}/{quote(segment, '')}/customers"
    after: str | None = "0"
    told: set[str] = set()
    ready_by = time.monotonic() + WAIT_S
    while after is not None:
        status, body = ask(settings, base, f"{path}?{urlencode({'limit': PAGE, 'after': after})}")
        if status == 410:  # its rows are in another order now: whom we have is known by name
            after = after.partition(".")[0]
        elif status in (429, 503) and time.monotonic() < ready_by:
            time.sleep(EVERY_S)
        elif status != 200:
            raise UserError(f"{base}: {_sentence(body)}", exit_code=1)
        else:
            try:
                page = msgspec.json.decode(body, type=MembersAnswer)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise UserError(f"{base} is no worker of this version: {error}", exit_code=1) from error
            for one in page.customers:
                if one.customer not in told:
                    told.add(one.customer)
                    yield one
            after, ready_by = page.next, time.monotonic() + WAIT_S


def _sentence(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["error"])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        return "it answered something else than a worker does"
