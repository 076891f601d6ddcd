"""``segstream replay``: history through the same engine, without a broker."""

from __future__ import annotations

import gzip
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import click
import orjson
from rich.console import Console
from rich.table import Table

from stream.cli.instants import INSTANT
from stream.cli.replaying import open_records, open_replay
from stream.errors import UserError

if TYPE_CHECKING:
    from stream.engine.output import Counts, Output
    from stream.engine.shard import Shard


@dataclass
class Summary:
    """The books of a replay."""

    counts: Counts
    changes: dict[str, Counter[str]] = field(default_factory=dict)
    forgotten: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, out: Output) -> None:
        """Take over one step."""
        self.counts.add(out.counts)
        for (dimension, _, segment, _), picks in out.changes.sorts():
            self.changes.setdefault(dimension, Counter())[segment or "none"] += len(picks)
        self.forgotten.update(one.reason for one in out.forgotten)
        for dead in out.dead:
            self.examples.setdefault(dead.reason, f"line {dead.offset}: {dead.detail}")

    def as_json(self) -> dict[str, Any]:
        """The shape of ``--summary``."""
        return {
            "read": self.counts.read,
            "applied": self.counts.applied,
            "duplicate": self.counts.duplicate,
            "ignored": self.counts.ignored,
            "rejected": dict(sorted(self.counts.rejected.items())),
            "forgotten": dict(sorted(self.forgotten.items())),
            "changes": {d: dict(sorted(c.items())) for d, c in sorted(self.changes.items())},
            "seconds": round(self.seconds, 3),
        }

    def tell(self, console: Console) -> None:
        """The summary for people."""
        counts = self.counts
        rejected = sum(counts.rejected.values())
        rate = counts.read / self.seconds if self.seconds else 0.0
        console.print(
            f"[bold]{counts.read:,}[/] events read in {self.seconds:.1f} s ({rate:,.0f}/s): "
            f"{counts.applied:,} applied, {counts.duplicate:,} duplicate, "
            f"{counts.ignored:,} of names that no definition uses, {rejected:,} rejected"
        )
        for reason, n in sorted(counts.rejected.items()):
            console.print(f"  rejected as [yellow]{reason}[/]: {n:,} (first: {self.examples.get(reason, '')})")
        for reason, n in sorted(self.forgotten.items()):
            console.print(f"  customers forgotten, {reason}: {n:,}")
        table = Table("dimension", "segment entered", "changes", title="Segment changes", title_justify="left")
        for dimension, segments in sorted(self.changes.items()):
            for segment, n in segments.most_common():
                table.add_row(dimension, segment, f"{n:,}")
        console.print(table)


@click.command()
@click.argument("events", nargs=-1, required=True, metavar="EVENTS...")
@click.option("--mapping", metavar="FILE", help="YAML file that says what the columns mean; without it: JSON events.")
@click.option("--sort", is_flag=True, help="Apply in the order of event time; large files are sorted on disk.")
@click.option("--definitions", type=click.Path(path_type=Path, file_okay=False), help="Folder of definitions.")
@click.option("--versions", type=click.Path(path_type=Path, dir_okay=False), help="Published versions to use.")
@click.option(
    "--cuts",
    type=click.Choice(["going", "final"]),
    help="Cuts by share: learned as time goes (cuts.every), or on the whole file, for its end. [default: going]",
)
@click.option("--save-versions", metavar="FILE", help="The versions that the replay learned, for --versions.")
@click.option("--until", type=INSTANT, help="Fire deadlines up to then. [default: the last event's time]")
@click.option(
    "--out",
    "out_file",
    metavar="FILE",
    help="Segment changes and receipts of who was forgotten, one CloudEvent a line (- for stdout, .gz).",
)
@click.option("--snapshot", metavar="FILE", help="One line a customer at the end: segments and features.")
@click.option("--summary", "summary_file", metavar="FILE", help="The summary as JSON.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(
    events: tuple[str, ...],
    mapping: str | None,
    sort: bool,
    definitions: Path | None,
    versions: Path | None,
    cuts: str | None,
    save_versions: str | None,
    until: int | None,
    out_file: str | None,
    snapshot: str | None,
    summary_file: str | None,
    config: Path | None,
) -> None:
    """Run event files through the engine and show who would have moved, when and why. No broker is needed.

    EVENTS are files, plain or .gz: one JSON event a line, as in Kafka, or with --mapping anything else; - is stdin.
    Clusters and cuts by share are learned as the replay goes, unless --versions names a file of published versions
    (`segstream versions`), which may also hold definitions, in force from their instants on.
    Exit codes: 0, also where some lines were rejected (they are counted and told), 1 where all were, 2 for a mistake in
    what was asked.
    """
    from stream.app.definition_files import read_definitions
    from stream.engine.output import Counts
    from stream.settings import load_settings

    _refuse_overlap(
        events, {"--out": out_file, "--snapshot": snapshot, "--summary": summary_file, "--save-versions": save_versions}
    )
    if cuts is not None and versions is not None:
        raise UserError("--cuts says how cuts are learned, and with --versions none are: leave one of them out")
    console = Console(stderr=True)
    settings = load_settings(config)
    records = open_records(events, mapping, sort)
    found = read_definitions(definitions or settings.config_dir / "segments", settings)
    replay = open_replay(settings, found, versions, cuts_at_end=cuts == "final")
    summary = Summary(Counts())
    began = time.perf_counter()
    with _writing(out_file) as sink:
        for step in replay.run(records, until):
            summary.add(step)
            if sink is not None:
                sink.write(b"".join(one.cloud_event() + b"\n" for one in step.told()))
    summary.seconds = time.perf_counter() - began
    with _writing(save_versions) as sink:
        if sink is not None:
            sink.writelines(model.to_json() + b"\n" for model in replay.learned)
    with _writing(snapshot) as sink:
        if sink is not None:
            sink.writelines(_snapshot(replay.shard))
    with _writing(summary_file) as sink:
        if sink is not None:
            sink.write(orjson.dumps(summary.as_json(), option=orjson.OPT_INDENT_2) + b"\n")
    summary.tell(console)
    if summary.counts.read and sum(summary.counts.rejected.values()) == summary.counts.read:
        hint = "" if mapping else "; if these are not wire events, --mapping says what they are"
        raise UserError(f"every line was rejected{hint}", exit_code=1)


def _refuse_overlap(inputs: tuple[str, ...], outputs: dict[str, str | None]) -> None:
    """No output may be an input, or two outputs one file: it would be emptied before it is read."""
    taken = {Path(name).resolve(): "an input" for name in inputs if name != "-"}
    for option, name in outputs.items():
        if name is None or name in ("-", os.devnull):
            continue
        path = Path(name).resolve()
        if path in taken:
            raise UserError(f"{option} {name} is also {taken[path]}: choose another file")
        taken[path] = f"the file of {option}"


def _snapshot(shard: Shard) -> Iterator[bytes]:
    for key in filter(None, shard.rows.keys):
        yield orjson.dumps(shard.describe(key.decode("utf-8", "surrogatepass"))) + b"\n"


@contextmanager
def _writing(path: str | None) -> Iterator[IO[bytes] | None]:
    """The file to write to: packed where its name ends in .gz, standard output for -, None where none is asked for."""
    if path is None:
        yield None
    elif path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with ExitStack() as stack:
            try:
                plain = stack.enter_context(Path(path).open("wb"))
            except OSError as error:
                raise UserError(f"cannot write {path}: {error.strerror}") from error
            if path.endswith(".gz"):
                yield cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=plain, mode="wb")))
            else:
                yield plain
