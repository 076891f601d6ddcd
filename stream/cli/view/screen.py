"""Draws the view into a rectangle of characters: the table of segments above, the feed of changes below."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo

from rich.text import Text

from stream.cli.view.state import Move, SegmentLine, View
from stream.cli.view.words import flow, instant, segments_of, short_count, short_evidence

#: A column of the table is no narrower and no wider than this.
NARROWEST, WIDEST = 26, 62
#: Characters of a segment's line beside its name: the size, a gap, the bar, what came, what went.
_SIZE, _FLOW, _LEAST_BAR, _MOST_BAR = 5, 4, 1, 24
_HEAD_LINES, _FEED_TITLE, _LEAST_FEED = 2, 1, 5

_CAUSES = {"event": "cyan", "deadline": "yellow", "model": "magenta", "definition": "blue"}
_EIGHTHS = " ▏▎▍▌▋▊▉█"

Block = tuple[str, list[SegmentLine]]


def draw(view: View, width: int, height: int, subtitle: str) -> Text:
    """Exactly ``height`` lines of at most ``width`` characters; ``subtitle`` is the second line."""
    table = draw_table(list(view.table().items()), width, height - _HEAD_LINES - _FEED_TITLE - _LEAST_FEED)
    room = max(0, height - _HEAD_LINES - _FEED_TITLE - len(table))
    lines = [_title(view, width), _cut(Text(f" {subtitle}", "dim"), width), *table, _feed_title(view, width)]
    lines += draw_feed(view.feed(room), width, view.zone)
    lines = (lines + [Text()] * height)[:height]
    return Text("\n", no_wrap=True, end="").join(lines)


def _title(view: View, width: int) -> Text:
    latest = "no change yet" if view.latest_ms is None else instant(view.latest_ms, view.zone)
    left = f"{view.customers:,} customers   {view.moves_lately:,} changes in the last minute"
    if view.loaded < 1:
        left = f"reading the latest segments: {view.loaded:.0%}"
    return _cut(Text(f" {left}   {latest:>{max(0, width - len(left) - 5)}} ", "bold reverse"), width)


def _feed_title(view: View, width: int) -> Text:
    note = " (too many to show all: some of each kind)" if view.left_out else ""
    return _cut(Text.assemble(("latest changes", "bold underline"), (note, "dim")), width)


def draw_table(blocks: Sequence[Block], width: int, room: int) -> list[Text]:
    """The dimensions side by side in as few columns as fit the room; what does not fit is named in the last line."""
    blocks = [block for block in blocks if block[1]]
    if not blocks or room < 2:
        return []
    most = max(1, min(len(blocks), width // NARROWEST))
    fewest = min(most, -(-width // WIDEST))
    hidden: list[str] = []
    while True:
        heights = [len(lines) + 1 for _, lines in blocks]
        packings = [pack(heights, columns) for columns in range(fewest, most + 1)]
        fitting = [packing for packing in packings if tallest(heights, packing) + bool(hidden) <= room]
        if fitting or len(blocks) == 1:
            break
        hidden.insert(0, blocks.pop()[0])
    drawn = _beside([[blocks[i] for i in column] for column in (fitting or packings[-1:])[0]], width)
    if hidden:
        drawn.append(_cut(Text(f"no room for {len(hidden)} more (--dimension D): {', '.join(hidden)}", "dim"), width))
    return drawn[:room]


def pack(heights: Sequence[int], columns: int) -> list[list[int]]:
    """Indexes of blocks, column by column in their order, so that the tallest column is as low as can be.

    >>> pack([5, 7, 5, 8], 2)
    [[0, 1], [2, 3]]
    """
    limit = max(heights)
    while True:
        packing: list[list[int]] = [[]]
        for index, height in enumerate(heights):
            if sum(heights[i] for i in packing[-1]) + height > limit:
                packing.append([])
            packing[-1].append(index)
        if len(packing) <= columns:
            return packing
        limit += 1


def tallest(heights: Sequence[int], packing: Sequence[Sequence[int]]) -> int:
    """Lines that a packing takes."""
    return max(sum(heights[i] for i in column) for column in packing)


def _beside(columns: Sequence[Sequence[Block]], width: int) -> list[Text]:
    each = (width - (len(columns) - 1)) // len(columns)
    names = [max(len(line.name) for _, lines in column for line in lines) for column in columns]
    beside = _SIZE + 1 + _LEAST_BAR + 2 * _FLOW
    # Narrow columns of short names lend what they have left to those of long ones.
    cap = max(names)
    while cap > 4 and sum(min(name, cap) + beside for name in names) > width - (len(columns) - 1):
        cap -= 1
    roomy = cap == max(names) and max(names) + beside <= each
    drawn = []
    for column, name in zip(columns, names, strict=True):
        name_width = min(name, cap)
        bar = min(_MOST_BAR, each - name_width - beside + _LEAST_BAR) if roomy else _LEAST_BAR
        column_width = each if roomy else name_width + beside
        drawn.append((column_width, [line for block in column for line in _block(block, name_width, bar)]))
    lines = []
    for i in range(max(len(cells) for _, cells in drawn)):
        line = Text()
        for column_width, cells in drawn:
            cell = cells[i].copy() if i < len(cells) else Text()
            cell.truncate(column_width, pad=True)
            line.append_text(cell).append(" ")
        line.rstrip()
        lines.append(_cut(line, width))
    return lines


def _block(block: Block, name_width: int, bar_width: int) -> list[Text]:
    dimension, segments = block
    lines = [Text(dimension, "bold")]
    for segment in segments:
        name = Text(segment.name)
        name.truncate(name_width, overflow="ellipsis", pad=True)
        line = Text.assemble(name, f"{short_count(segment.size):>{_SIZE}} ", (bar(segment.share, bar_width), "blue"))
        line.append(f"{flow('+', segment.came):>{_FLOW}}", "green")
        line.append(f"{flow('-', segment.went):>{_FLOW}}", "red")
        if not segment.size and not segment.came and not segment.went:
            line.stylize("dim")
        lines.append(line)
    return lines


def bar(share: float, width: int) -> str:
    """A bar in eighths of a character; where anything is there, at least the thinnest.

    >>> bar(0.5, 4), bar(0.0, 2), bar(0.001, 2)
    ('██  ', '  ', '▏ ')
    """
    eighths = min(8 * width, max(round(8 * width * share), 1 if share > 0 else 0))
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def draw_feed(moves: Sequence[Move], width: int, zone: tzinfo = UTC) -> list[Text]:
    """One line a change."""
    if not moves:
        return []
    wide = width >= 110
    customer = min(24 if wide else 10, max(len(move.customer) for move in moves))
    dimension = min(24 if wide else 10, max(len(move.dimension) for move in moves))
    segments = min(40 if wide else 24, max(len(segments_of(move)) for move in moves))
    return [_feed_line(move, instant(move.at_ms, zone), width, wide, (customer, dimension, segments)) for move in moves]


def _feed_line(move: Move, at: str, width: int, wide: bool, sizes: tuple[int, int, int]) -> Text:
    customer, dimension, segments = sizes
    line = Text(at if wide else at[5:16], "dim")
    for text, size, style in (
        (move.customer, customer, ""),
        (move.dimension, dimension, "dim"),
        (segments_of(move), segments, "bold"),
        (move.cause, 10 if wide else 8, _CAUSES.get(move.cause, "")),
    ):
        cell = Text(text, style)
        cell.truncate(size, overflow="ellipsis", pad=True)
        line.append(" ").append_text(cell)
    line.append(" ").append(short_evidence(move.evidence))
    return _cut(line, width)


def _cut(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    return line
