"""``segstream cost``: how many bytes a customer takes at rest, in all and by dimension."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from stream.cli.replaying import open_records, open_replay
from stream.errors import UserError
from stream.settings import load_settings

if TYPE_CHECKING:
    from stream.engine.cost import Cost
    from stream.engine.shard import Shard

#: Rows that are compressed together, about as many as one transaction of a busy shard writes.
TOGETHER = 200


@click.command()
@click.argument("events", nargs=-1, required=True, metavar="EVENTS...")
@click.option("--mapping", metavar="FILE", help="YAML file that says what the columns mean; without it: JSON events.")
@click.option("--sort", is_flag=True, help="Apply in the order of event time; large files are sorted on disk.")
@click.option("--definitions", type=click.Path(path_type=Path, file_okay=False), help="Folder of definitions.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def command(
    events: tuple[str, ...],
    mapping: str | None,
    sort: bool,
    definitions: Path | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """How many bytes a customer takes at rest: in all, and what each dimension adds.

    EVENTS are files as `segstream replay` reads them; they are run through the engine first. "alone" is what a customer
    would take if there were only that dimension, "adds" what leaving it out would save: features and instants that
    dimensions share are written once. Exit codes: 0, or 2 for a mistake in what was asked.
    """
    from stream.app.definition_files import read_definitions
    from stream.engine.cost import cost_of

    settings = load_settings(config)
    records = open_records(events, mapping, sort)
    found = read_definitions(definitions or settings.config_dir / "segments", settings)
    replay = open_replay(settings, found, None)
    for _ in replay.run(records, None):
        pass
    if not replay.shard.rows.index:
        raise UserError("the events have no customers: nothing can be measured; see what `segstream replay` rejects")
    cost, disk = cost_of(replay.shard.rows), compressed(replay.shard)
    if as_json:
        click.echo(orjson.dumps(_json(cost, disk), option=orjson.OPT_INDENT_2))
    else:
        _tell(cost, disk)


def compressed(shard: Shard) -> float:
    """The mean bytes of a row on the changelog topic's disk: zstd over as many rows as are written together."""
    import cramjam

    from stream.engine import rest

    rows, total = shard.rows, 0
    order = np.random.default_rng(1).permutation(rows.living())
    for start in range(0, len(order), TOGETHER):
        some = rest.encode_rows(rows, order[start : start + TOGETHER], rest.fingerprint(rows.plan))
        total += len(bytes(cramjam.zstd.compress(b"".join(key + (value or b"") for key, value in some))))
    return total / len(order)


def _json(cost: Cost, disk: float) -> dict[str, Any]:
    median, p95 = np.percentile(cost.sizes, [50, 95]).tolist()
    return {
        "customers": len(cost.sizes),
        "median": median,
        "p95": p95,
        "mean": float(cost.sizes.mean()),
        "compressed": disk,
        "in_memory": cost.plain,
        "common": cost.common,
        "dimensions": {
            d.name: {"adds": d.adds, "alone": d.alone, "columns": d.columns, "own": d.own, "events": d.events}
            for d in cost.dimensions
        },
    }


def _tell(cost: Cost, disk: float) -> None:
    table = Table("dimension", "adds", "alone", "columns", "only its own", "events")
    for name in ("adds", "alone", "columns", "only its own", "events"):
        next(c for c in table.columns if c.header == name).justify = "right"
    for one in sorted(cost.dimensions, key=lambda d: (-d.adds, d.name)):
        numbers = (one.adds, one.alone, one.columns, one.own, len(one.events))
        table.add_row(one.name, *(f"{x:,.0f}" for x in numbers))
    console = Console()
    console.print(table)
    median, p95 = np.percentile(cost.sizes, [50, 95]).tolist()
    console.print(
        f"[bold]{median:,.0f} bytes a customer at rest[/] (median; p95 {p95:,.0f}, mean {cost.sizes.mean():,.0f}; "
        f"{len(cost.sizes):,} customers, {len(cost.dimensions)} dimensions), {cost.common:,.0f} of them whatever the "
        f"definitions are; about {disk:,.0f} as the topic compresses them; {cost.plain:,} in memory"
    )
