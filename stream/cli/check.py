"""``segstream check``: are settings and definitions right, and what do the definitions ask for?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson
from rich.console import Console
from rich.text import Text

from stream.errors import UserError
from stream.settings import Settings, load_settings

if TYPE_CHECKING:
    from stream.plan.definitions import Definitions
    from stream.plan.hints import Hint
    from stream.plan.room import DimensionRoom

#: Characters a line where the output goes into a file or a pipe.
WIDTH = 140


@click.command()
@click.option("--definitions", type=click.Path(path_type=Path, file_okay=False), help="Folder of definitions.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
@click.option("--dimension", "wanted", multiple=True, metavar="NAME", help="Show this dimension feature by feature.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
@click.option("--strict", is_flag=True, help="Exit with 1 where there are hints.")
@click.option("--source", is_flag=True, help="Print the program that the definitions become, instead.")
def command(
    definitions: Path | None,
    config: Path | None,
    wanted: tuple[str, ...],
    as_json: bool,
    strict: bool,
    source: bool,
) -> int:
    """Check settings and definitions; every mistake is told at once, with file, line and column.

    Where there is none, shows what each dimension needs: segments, features, the events that move it, bytes of a
    customer's row, topics; and hints at what is probably not meant, such as an event name that is nearly one of the
    specification. Exit codes: 0 all is well, 2 there are mistakes; with --strict 1 where there are hints.
    """
    from stream.plan.hints import find_hints
    from stream.plan.plan import plan_source
    from stream.plan.room import rooms

    aliases, found = read_all(definitions, config)
    layout, inputs, text = plan_source(found)
    if source:
        click.echo(text)
        return 0
    hints, all_rooms = find_hints(found, load_settings(config).customers.forget_events), rooms(found, layout)
    whole = {
        "dimensions": len(found.dimensions),
        "event_names": len(inputs.codes),
        "aliases": len(aliases),
        "row_bytes": layout.width * 8,
    }
    if as_json:
        shown = whole | {"dimensions": [_json(room) for room in all_rooms], "hints": [_hint(hint) for hint in hints]}
        click.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2))
    else:
        tell(chosen(all_rooms, wanted), whole, hints, bool(wanted))
    return 1 if strict and hints else 0


def read_all(folder: Path | None, config: Path | None) -> tuple[dict[str, str], Definitions]:
    """Aliases and definitions; the mistakes of all files, and of the settings, are one `UserError`."""
    from stream.app.definition_files import read_aliases, read_definitions
    from stream.kafka.topics import expected_topics

    problems: list[UserError] = []
    settings = aliases = found = None
    try:
        settings = load_settings(config)
        aliases = read_aliases(settings.config_dir)
    except UserError as error:
        problems.append(error)
    if settings is not None or folder is not None:
        try:
            found = read_definitions(folder or _folder(settings), settings)
            if settings is not None:
                expected_topics(settings, found.topics())
        except UserError as error:
            problems.append(error)
    if problems or aliases is None or found is None:
        raise UserError("\n".join(str(error) for error in problems))
    return aliases, found


def _folder(settings: Settings | None) -> Path:
    return settings.config_dir / "segments" if settings else Path("config/segments")


def chosen(found: Sequence[DimensionRoom], wanted: tuple[str, ...]) -> list[DimensionRoom]:
    """The dimensions asked for; all, where none are named."""
    from stream.cli.view.show import check_wanted

    check_wanted(wanted, {room.dimension.name: () for room in found})
    return [room for room in found if not wanted or room.dimension.name in wanted]


def tell(found: Sequence[DimensionRoom], whole: dict[str, int], hints: Sequence[Hint], closely: bool) -> None:
    """What there is to know, for people."""
    from stream.cli.view.rooms import draw, draw_closely

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    for room in found if closely else ():
        console.print(draw_closely(room))
    if not closely:
        console.print(draw(found))
    console.print(
        f"{whole['dimensions']} dimensions, {whole['event_names']} event names ({whole['aliases']} aliases), "
        f"{whole['row_bytes']} bytes a row in memory; `segstream cost EVENTS` measures what a customer takes at rest"
    )
    mine = [hint for hint in hints if hint.dimension in {room.dimension.name for room in found}]
    for hint in mine:
        console.print(Text.assemble(("hint ", "yellow"), str(hint)), soft_wrap=True)


def _json(room: DimensionRoom) -> dict[str, Any]:
    dimension = room.dimension
    return {
        "dimension": dimension.name,
        "definition": dimension.version,
        "description": dimension.description,
        "owner": dimension.owner,
        "minimum_size": dimension.minimum_size,
        "segments": list(dimension.segment_names),
        "clusters": dimension.learning.range if dimension.learning else None,
        "depends": sorted(dimension.refers_to()),
        "topics": sorted({s.topic for s in dimension.segments if s.topic}),
        "events": list(room.events),
        "row_bytes": room.row_bytes,
        "own_bytes": room.own_bytes,
        "features": [
            {
                "feature": feature.name,
                "word": feature.word,
                "row_bytes": feature.row_bytes,
                "events": list(feature.events),
                "shared_with": list(feature.shared_with),
            }
            for feature in room.features
        ],
    }


def _hint(hint: Hint) -> dict[str, Any]:
    return {"file": hint.place.file, "line": hint.place.line, "dimension": hint.dimension, "hint": hint.sentence}
