"""What changed definitions make of a history, as tables for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stream.cli.diffing import Difference

#: The most moves of a dimension that are listed.
MOVES = 12


def draw(found: Sequence[Difference], customers: int) -> RenderableType:
    """The dimensions that differ; the others are only counted."""
    differing = [one for one in found if not one.same]
    blocks: list[RenderableType] = []
    for one in differing:
        blocks += [*_dimension(one, customers), Text()]
    same = len(found) - len(differing)
    blocks.append(Text(f"{same} of {len(found)} dimensions give the same for all {customers:,} customers", style="dim"))
    return Group(*blocks)


def _dimension(one: Difference, customers: int) -> Iterator[RenderableType]:
    moved = one.moved.total()
    share = 100 * moved / customers if customers else 0.0
    yield Text.assemble(
        (one.dimension, "bold cyan"),
        f": {one.old or 'not there'} -> {one.new or 'not there'}; ",
        (f"{moved:,} customers ({share:.1f}%) end in another segment", "bold"),
    )
    yield _sizes(one)
    if one.moved:
        yield _moves(one)
    a, b = one.pace
    yield Text(
        f"changes a customer: {a.mean:.2f} -> {b.mean:.2f} on average, 95% have at most {a.p95} -> {b.p95}, "
        f"the most is {a.most} -> {b.most}",
        style="yellow" if b.most > 2 * max(1, a.most) else "",
    )


def _sizes(one: Difference) -> Table:
    table = Table("segment", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("customers old", "new", "", "changes into it old", "new", ""):
        table.add_column(name, justify="right")
    for segment, (a, b) in one.sizes.items():
        before, after = one.entered.get(segment, (0, 0))
        table.add_row(segment, f"{a:,}", f"{b:,}", _delta(a, b), f"{before:,}", f"{after:,}", _delta(before, after))
    return table


def _delta(a: int, b: int) -> Text:
    if a == b:
        return Text()
    return Text(f"{b - a:+,}", style="green" if b > a else "red")


def _moves(one: Difference) -> Table:
    table = Table("who moves", "", "customers", "such as", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.columns[2].justify = "right"
    listed = one.moved.most_common(MOVES)
    for (a, b), n in listed:
        table.add_row(a, f"-> {b}", f"{n:,}", ", ".join(one.examples[a, b]))
    if len(one.moved) > len(listed):
        rest = one.moved.total() - sum(n for _, n in listed)
        table.add_row("others", "", f"{rest:,}", f"{len(one.moved) - len(listed)} further moves; --json has all")
    return table
