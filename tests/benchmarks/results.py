"""What was measured: figures by round, checks, a table for people and a file for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

OURS = "segstream"


@dataclass
class Figure:
    """One thing measured of one system, once a round."""

    part: str
    system: str
    what: str
    rounds: list[float] = field(default_factory=list)
    #: most resident memory of the process tree in any round, in bytes; 0: not looked at
    peak: int = 0

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return median(self.rounds)

    @property
    def spread(self) -> float:
        """From the least to the greatest round, as a share of the median."""
        return (max(self.rounds) - min(self.rounds)) / self.median if self.median else 0.0


@dataclass(frozen=True)
class Check:
    """Whether a result was right."""

    part: str
    system: str
    right: bool
    detail: str


class Results:
    """All figures and checks of one run, in the order in which they came."""

    def __init__(self) -> None:
        self.figures: dict[tuple[str, str, str], Figure] = {}
        self.checks: list[Check] = []
        #: part -> what is to be known when its figures are read
        self.notes: dict[str, list[str]] = {}
        #: part -> seconds that it took
        self.took: dict[str, float] = {}

    def add(self, part: str, system: str, what: str, value: float, peak: int = 0) -> None:
        """One more round of a figure; NaN: there was nothing to measure, which is noted."""
        if math.isnan(value):
            self.note(part, f"{what}: nothing was left to measure after warming up")
            return
        figure = self.figures.setdefault((part, system, what), Figure(part, system, what))
        figure.rounds.append(value)
        figure.peak = max(figure.peak, peak)

    def check(self, part: str, system: str, wrong: str | None) -> None:
        """Note whether a result was right: ``wrong`` says what is not, None that nothing is."""
        self.checks.append(Check(part, system, wrong is None, wrong or ""))

    def note(self, part: str, text: str) -> None:
        """What is to be known when the figures of a part are read; said once."""
        notes = self.notes.setdefault(part, [])
        if text not in notes:
            notes.append(text)

    @property
    def wrong(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.checks if not check.right]

    def ratio(self, figure: Figure) -> float | None:
        """A system's figure over that of segstream in the same part; None where there is no such thing."""
        ours = self.figures.get((figure.part, OURS, figure.what))
        return figure.median / ours.median if ours and ours is not figure and ours.median else None

    def table(self, console: Console, part: str) -> None:
        """One line a figure of a part."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=part, title_justify="left")
        for column in ("system", "what", "median", "spread", "of segstream", "peak memory"):
            table.add_column(column, justify="left" if column in ("system", "what") else "right")
        for figure in self.figures.values():
            if figure.part == part:
                table.add_row(
                    figure.system,
                    figure.what,
                    *self._cells(figure),
                )
        console.print(table)
        for note in self.notes.get(part, ()):
            console.print(note, highlight=False)
        for check in self.checks:
            if check.part == part and not check.right:
                console.print(f"[red]WRONG[/] {check.system}: {check.detail}", highlight=False)

    def _cells(self, figure: Figure) -> tuple[str, str, str, str]:
        """Median, spread, ratio and memory, as people read them."""
        ratio = self.ratio(figure)
        return (
            f"{figure.median:,.0f}" if figure.median >= 100 else f"{figure.median:,.3g}",
            f"{figure.spread:.0%}" if len(figure.rounds) > 1 else "",
            f"{ratio:.3g}x" if ratio is not None else "",
            f"{figure.peak / 2**20:,.0f} MiB" if figure.peak else "",
        )

    def markdown(self, about: Mapping[str, Any]) -> str:
        """The whole run for the README: the machine, one row a figure, and what is to be known."""
        machine, versions = about["machine"], about["versions"]
        ours = {**versions["ours"], "Python": versions["python"], "Kafka": versions["kafka"]}
        peers = {**versions["peers"], "kafka-streams": versions["kafka-streams"]}
        lines = [
            f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gib']} GiB, {machine['system']}; "
            f"{versions['java']}; one run of {sum(self.took.values()) / 60:.0f} minutes, began {about['began']}, "
            f"commit {versions['commit']}. "
            f"Here: {_listed(ours)}. Peers: {_listed(peers)}.",
            "",
            "| Part | System | What | Median | Spread | Of segstream | Peak memory |",
            "|---|---|---|---|---|---|---|",
        ]
        rows = ((one.part, one.system, one.what, *self._cells(one)) for one in self.figures.values())
        lines += [f"| {' | '.join(cells)} |" for cells in rows]
        for part, notes in self.notes.items():
            lines += ["", *(f"{part}: {note}" for note in notes)]
        return "\n".join(lines) + "\n"

    def write(self, file: Path, about: Mapping[str, Any]) -> None:
        """Everything as JSON; written after every part, so that a run cut short is not lost."""
        figures = [
            {**asdict(figure), "median": figure.median, "spread": figure.spread, "ratio": self.ratio(figure)}
            for figure in self.figures.values()
        ]
        checks = [asdict(check) for check in self.checks]
        found = {**about, "seconds": self.took, "figures": figures, "checks": checks, "notes": self.notes}
        file.write_text(json.dumps(found, indent=2) + "\n")


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
