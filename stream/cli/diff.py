"""``segstream diff``: what changed definitions would have made of history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson
from rich.console import Console

from stream.cli.diffing import Difference, Side, compare, places
from stream.cli.instants import INSTANT
from stream.cli.replaying import open_records, open_replay
from stream.errors import UserError
from stream.settings import Settings, load_settings

if TYPE_CHECKING:
    from stream.history.record import FileRecord

#: Characters a line where the output goes into a file or a pipe.
WIDTH = 120
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command()
@click.argument("old", type=_FOLDER)
@click.argument("new", type=_FOLDER)
@click.option(
    "--events", multiple=True, required=True, metavar="FILE", help="Event file to replay; again for further files."
)
@click.option("--mapping", metavar="FILE", help="YAML file that says what the columns mean; without it: JSON events.")
@click.option("--sort", is_flag=True, help="Apply in the order of event time; large files are sorted on disk.")
@click.option("--until", type=INSTANT, help="Fire deadlines up to then. [default: the last event's time]")
@click.option("--versions", type=click.Path(path_type=Path, dir_okay=False), help="Published clusters and cuts to use.")
@click.option("--cuts", type=click.Choice(["going", "final"]), help="When cuts by share are learned; see replay.")
@click.option("--dimension", "wanted", multiple=True, metavar="NAME", help="Only this dimension; again for others.")
@click.option("--examples", type=click.IntRange(0), default=3, help="Customers named for each move. [default: 3]")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Who differs, one a line (JSONL).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 where anyone ends in another segment.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(
    old: Path,
    new: Path,
    events: tuple[str, ...],
    mapping: str | None,
    sort: bool,
    until: int | None,
    versions: Path | None,
    cuts: str | None,
    wanted: tuple[str, ...],
    examples: int,
    out: Path | None,
    as_json: bool,
    exit_code: bool,
    config: Path | None,
) -> int:
    """What would the definitions in the folder NEW have made of history, compared with those in OLD?

    Replays the events with both and shows, for each dimension that differs: how many customers each segment ends with,
    who moves from where to where (some by id), and how often customers change (a definition that flaps shows here).
    """
    settings = load_settings(config)
    if "-" in events:
        raise UserError("--events -: the events are read twice, so they must be files")
    if out is not None and out.resolve() in [Path(name).resolve() for name in events]:
        raise UserError(f"--out {out} is also an input: choose another file")

    def replayed(folder: Path) -> Side:
        return replay_side(settings, folder, open_records(events, mapping, sort), until, versions, cuts == "final")

    sides = replayed(old), replayed(new)
    found = compare(*sides, examples)
    found = chosen(found, wanted)
    if out is not None:
        write(out, found, *sides)
    if as_json:
        click.echo(orjson.dumps([one.as_json() for one in found], option=orjson.OPT_INDENT_2))
    else:
        tell(found, len({*sides[0].keys, *sides[1].keys}))
    return 1 if exit_code and any(one.moved for one in found) else 0


def replay_side(
    settings: Settings,
    folder: Path,
    records: Iterator[FileRecord],
    until: int | None,
    versions: Path | None,
    cuts_at_end: bool,
) -> Side:
    """One of the two replays."""
    from stream.app.definition_files import read_definitions

    definitions = read_definitions(folder, settings)
    replay = open_replay(settings, definitions, versions, cuts_at_end=cuts_at_end, redefined=False)
    side = Side(definitions)
    with Console(stderr=True).status(f"replaying with {folder}"):
        for step in replay.run(records, until):
            side.take(step.changes)
    side.end(replay.shard)
    return side


def chosen(found: list[Difference], wanted: tuple[str, ...]) -> list[Difference]:
    """The dimensions asked for; all, where none are named."""
    from stream.cli.view.show import check_wanted

    check_wanted(wanted, {one.dimension: () for one in found})
    return [one for one in found if not wanted or one.dimension in wanted]


def write(out: Path, found: list[Difference], old: Side, new: Side) -> None:
    """Who ends elsewhere, one line a customer and dimension."""
    everyone = list(dict.fromkeys([*old.keys, *new.keys]))
    with out.open("wb") as file:
        for one in found:
            for customer, a, b in places(one.dimension, everyone, old, new):
                if a != b:
                    name = customer.decode("utf-8", "surrogatepass")
                    line = {"customer": name, "dimension": one.dimension, "old": a, "new": b}
                    file.write(orjson.dumps(line) + b"\n")


def tell(found: list[Difference], customers: int) -> None:
    """The comparison for people."""
    from stream.cli.view.differences import draw

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(draw(found, customers))
