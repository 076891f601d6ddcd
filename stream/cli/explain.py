"""``segstream explain``: why is a customer where they are, and what comes next?"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.console import Console

from stream.cli.ask import ask, base_of
from stream.cli.durations import DURATION
from stream.cli.instants import INSTANT
from stream.cli.replaying import open_records, open_replay
from stream.durations import format_duration
from stream.engine.foresee import LONGEST_MS
from stream.errors import UserError
from stream.settings import Settings, load_settings

if TYPE_CHECKING:
    from stream.engine.explain import Explanation
    from stream.history.record import FileRecord
    from stream.history.replay import Replay

#: Characters a line where the output goes into a file or a pipe.
WIDTH = 120


@click.command()
@click.argument("customer")
@click.option("--events", multiple=True, metavar="FILE", help="Event file to replay; give it again for further files.")
@click.option("--worker", metavar="URL", help="Worker to ask. [default, without --events: the settings' web server]")
@click.option("--at", type=INSTANT, help="Instant up to which events are replayed. [default: the last event's time]")
@click.option("--mapping", metavar="FILE", help="YAML file that says what the columns mean; without it: JSON events.")
@click.option("--sort", is_flag=True, help="Apply in the order of event time; large files are sorted on disk.")
@click.option("--definitions", type=click.Path(path_type=Path, file_okay=False), help="Folder of definitions.")
@click.option("--versions", type=click.Path(path_type=Path, dir_okay=False), help="Published versions to use.")
@click.option("--cuts", type=click.Choice(["going", "final"]), help="When cuts by share are learned; see replay.")
@click.option("--dimension", "wanted", multiple=True, metavar="NAME", help="Only this dimension; give it again.")
@click.option("--ahead", type=DURATION, default="400d", help="How far to look for what comes next. [default: 400d]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(
    customer: str,
    events: tuple[str, ...],
    worker: str | None,
    at: int | None,
    mapping: str | None,
    sort: bool,
    definitions: Path | None,
    versions: Path | None,
    cuts: str | None,
    wanted: tuple[str, ...],
    ahead: int,
    as_json: bool,
    config: Path | None,
) -> None:
    """Why is CUSTOMER in each of their segments, why not in the others, and what comes next if nothing comes?

    CUSTOMER is a user id, or anonymous: and an anonymous id. Each part of each condition is shown with the values put
    in, and what else keeps somebody from entering or leaving a segment. Asks a running worker, or replays --events.
    Exit code 1: there is no such customer.
    """
    from stream.app.definition_files import read_definitions

    settings = load_settings(config)
    if ahead > LONGEST_MS:
        raise UserError(f"--ahead: at most {format_duration(LONGEST_MS)}")
    if not events:
        replaying = {
            "--at": at,
            "--mapping": mapping,
            "--definitions": definitions,
            "--versions": versions,
            "--cuts": cuts,
        }
        for option in [name for name, value in replaying.items() if value is not None]:
            raise UserError(f"{option} is for a replay: name the event files with --events")
        found = asked(settings, base_of(settings, worker), customer, ahead)
    elif worker is not None:
        raise UserError("--events and --worker exclude each other: replay files, or ask a worker")
    else:
        folder = definitions or settings.config_dir / "segments"
        replay = open_replay(settings, read_definitions(folder, settings), versions, cuts_at_end=cuts == "final")
        found = replayed(replay, open_records(events, mapping, sort), customer, at, ahead)
    show(found, wanted, as_json, settings)


def replayed(replay: Replay, records: Iterator[FileRecord], customer: str, at: int | None, ahead: int) -> Explanation:
    """The customer after a replay."""
    from stream.engine.explain import explain

    for _ in replay.run(records, at):
        pass
    found = explain(replay.shard, customer, ahead)
    if found is None:
        keys = list(replay.shard.rows.index)
        few = ", ".join(key.decode("utf-8", "replace") for key in keys[:3])
        there = f"the {len(keys):,} customers are called like {few}" if keys else "no event was about a customer"
        raise UserError(f"there is no customer {customer!r} in these events: {there}", exit_code=1)
    return found


def asked(settings: Settings, base: str, customer: str, ahead: int) -> Explanation:
    """The customer as a running worker explains them; it asks the worker that has them."""
    from stream.engine.explain import Explanation

    status, body = ask(settings, base, f"/customers/{urllib.parse.quote(customer, safe='')}/explain?ahead={ahead}")
    if status == 404:
        raise UserError(f"there is no customer {customer!r} at {base}", exit_code=1)
    if status != 200:
        raise UserError(
            f"{base} answered {status}; is the customer's shard ready? See {base}/health/ready", exit_code=1
        )
    try:
        return msgspec.json.decode(body, type=Explanation)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{base} is no worker of this version: {error}", exit_code=1) from error


def show(found: Explanation, wanted: tuple[str, ...], as_json: bool, settings: Settings) -> None:
    """Print the dimensions asked for."""
    from stream.cli.view.explained import draw
    from stream.cli.view.show import check_wanted

    check_wanted(wanted, {d.dimension: () for d in found.dimensions})
    if wanted:
        found.dimensions = [d for d in found.dimensions if d.dimension in wanted]
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found), indent=2, ensure_ascii=False))
    else:
        console = Console()
        if not console.is_terminal:
            console = Console(width=WIDTH)
        console.print(draw(found, ZoneInfo(settings.time.zone)))
