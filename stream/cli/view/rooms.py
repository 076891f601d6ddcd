"""What dimensions need, as tables for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stream.durations import format_duration
from stream.plan.definitions import Dimension
from stream.plan.room import DimensionRoom
from stream.plan.words import show


def draw(found: Sequence[DimensionRoom]) -> RenderableType:
    """One line a dimension."""
    table = Table("dimension", "segments, by priority", "moved by", show_lines=True)
    table.add_column("bytes", justify="right")
    table.add_column("own", justify="right")
    table.add_column("further topics")
    for room in found:
        dimension = room.dimension
        moved = [*room.events, *(f"segment.{name}" for name in sorted(dimension.refers_to()))]
        topics = sorted({s.topic for s in dimension.segments if s.topic})
        table.add_row(
            dimension.version,
            ", ".join(dimension.segment_names) or learned(dimension),
            ", ".join(moved),
            str(room.row_bytes),
            str(room.own_bytes),
            ", ".join(topics),
        )
    return table


def learned(dimension: Dimension) -> str:
    """What stands for the segments where these are learned."""
    least, most = dimension.learning.range if dimension.learning else (0, 0)
    return f"{least if least == most else f'{least} to {most}'} clusters, learned" if most else ""


def draw_closely(room: DimensionRoom) -> RenderableType:
    """One dimension: its prose, its segments with their conditions, its features."""
    dimension = room.dimension
    size = "none" if dimension.minimum_size is None else f"{dimension.minimum_size:,}"
    head = Text.assemble((dimension.name, "bold cyan"), f"  {dimension.version}, minimum size {size}")
    prose = [Text(f"  {line}", style="dim") for line in (dimension.description, dimension.owner) if line]
    segments = Table("segment", "when", "beside", box=None, padding=(0, 2))
    for segment in dimension.segments:
        beside = [f"from {' or '.join(segment.came_from)}"] if segment.came_from else []
        beside += [f"leave: {show(segment.leave)}"] if segment.leave else []
        for word, length in (("for", segment.lasts), ("stay", segment.stay), ("cooldown", segment.cooldown)):
            beside += [f"{word} {format_duration(length)}"] if length is not None else []
        segments.add_row(segment.name, show(segment.when), "; ".join(beside))
    if dimension.otherwise is not None:
        segments.add_row(dimension.otherwise, "otherwise", "")
    if dimension.learning is not None:
        segments.add_row(
            learned(dimension), "nearest centre", f"left for one nearer by {dimension.learning.margin:.0%}"
        )
    features = Table("feature", "is a", "bytes", "fed by", "shared with", box=None, padding=(0, 2))
    for feature in room.features:
        features.add_row(
            feature.name,
            feature.word,
            str(feature.row_bytes),
            ", ".join(feature.events),
            ", ".join(feature.shared_with),
        )
    foot = Text(f"  {room.row_bytes} bytes of a row, {room.own_bytes} of them for this dimension alone", style="dim")
    return Group(head, *prose, segments, features, foot, Text())
