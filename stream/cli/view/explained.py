"""An explanation of a customer as lines for a terminal. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stream.cli.view.words import instant, short_value
from stream.durations import format_duration
from stream.engine.explain import DimensionReading, Explanation, SegmentReading, Upcoming
from stream.engine.interpret import Part
from stream.events.instant import parse_iso

_DURATION = re.compile(r"(?<![\w.#])\d+(?:ms|[dhms])(?:\d+(?:ms|[hms]))+(?!\w)")
_DECIMALS = re.compile(r"(?<![\w.#])\d+\.\d{4,}(?![\w.%])")
YES, NO, BUT = Text("✓", style="green"), Text("✗", style="red"), Text("!", style="yellow")
INDENT = "  "

#: A line of a dimension: mark, name of the segment, condition or sentence, values put in.
Line = tuple[Text, Text, Text, Text]


def draw(explanation: Explanation, zone: tzinfo = UTC) -> RenderableType:
    """The whole explanation; instants in ``zone``."""
    head = Text.assemble(
        ("customer ", ""), (explanation.customer, "bold"), f" as of {instant(parse_iso(explanation.at), zone)} ({zone})"
    )
    blocks: list[RenderableType] = [head]
    for one in explanation.dimensions:
        blocks += [Text(), *_dimension(one, explanation, zone)]
    if explanation.forgotten is not None:
        when = instant(parse_iso(explanation.forgotten), zone)
        blocks += [Text(), Text.assemble(("forgotten, if nothing comes: ", "italic"), when)]
    return Group(*blocks)


def _dimension(one: DimensionReading, explanation: Explanation, zone: tzinfo) -> Iterator[RenderableType]:
    head = Text.assemble((one.dimension, "bold cyan"), ": ", (one.segment or "in no segment", "bold"))
    if one.since is not None:
        ago = short_value(format_duration(max(0, parse_iso(explanation.at) - parse_iso(one.since))))
        head.append(f" since {instant(parse_iso(one.since), zone)} ({ago})")
    yield head.append(f"  {one.definition}", style="dim")
    if one.description:
        yield Text(INDENT + one.description, style="dim")
    grid = Table.grid(padding=(0, 2, 0, 0))
    for line in _lines(one, zone):
        grid.add_row(Text(), *line)
    yield grid
    yield Text.assemble((f"{INDENT}next, if nothing comes: ", "italic"), _ahead(one, explanation, zone))


def _lines(one: DimensionReading, zone: tzinfo) -> Iterator[Line]:
    here = one.segment
    passed = False
    for segment in one.segments:
        lines = list(_segment(segment, one, zone, passed))
        for k, (mark, name, text, values) in enumerate(lines):
            style = "bold" if segment.segment == here and k == 0 else "dim" if passed else ""
            yield mark, Text(name.plain, style=style), text, values
        passed = passed or segment.here
    nearest = min((c.distance for c in one.clusters), default=0.0)
    for cluster in one.clusters:
        mark = YES if cluster.distance == nearest else Text("·")
        inside = cluster.segment == one.segment
        text = Text(f"{cluster.distance:.2f} from the centre of {cluster.name or cluster.segment}")
        if inside:
            text.append("  <- here", style="bold green")
        elif cluster.distance == nearest and one.margin is not None:
            text.append(f"  (left for one that is nearer by {one.margin:.0%})", style="dim")
        yield mark, Text(cluster.segment, style="bold" if inside else ""), text, Text()
    if one.clusters:
        learned = ", ".join(f"{name} {short_value(value)}" for name, value in one.features.items())
        yield Text(), Text(), Text(f"judged by model {one.model}: {learned}", style="dim"), Text()
    elif not one.segments:
        yield Text(), Text(), Text("no clusters were learned yet"), Text()
    if one.otherwise is not None:
        found = not any(segment.here for segment in one.segments)
        name = Text(one.otherwise, style="bold" if one.otherwise == here else "")
        yield YES if found else NO, name, Text("otherwise: who is in none of the above"), Text()


def _segment(segment: SegmentReading, one: DimensionReading, zone: tzinfo, passed: bool) -> Iterator[Line]:
    mark = YES if segment.holds else NO
    inside = segment.segment == one.segment
    lines = list(_part(segment.when, zone, "" if segment.leave is None else "enters: "))
    if segment.leave is not None:
        lines += _part(segment.leave, zone, "leaves: ")
    for hindrance in segment.hindrances:
        until = f" ({instant(parse_iso(hindrance.until), zone)})" if hindrance.until else ""
        lines.append((_marked(BUT, 0, f"{hindrance.kind}: {hindrance.text}{until}"), Text()))
    # Once that stay is over they do not come here either: what keeps them out is also the order.
    stays = passed and segment.when.holds and {h.kind for h in segment.hindrances} == {"stay"}
    if (segment.holds or stays) and not segment.here:
        first = next((s.segment for s in one.segments if s.here), "")
        lines.append((_marked(BUT, 0, f"would hold, but {first} comes first"), Text()))
    elif inside and segment.here:
        lines[0][0].append("  <- here", style="bold green")
    for k, (text, values) in enumerate(lines):
        yield mark if k == 0 else Text(), Text(segment.segment if k == 0 else ""), text, values


def _part(part: Part, zone: tzinfo, label: str, depth: int = 0) -> Iterator[tuple[Text, Text]]:
    """(mark and text, values) of a condition and of what it is made of."""
    mark = YES if part.holds else NO
    inner = part.parts[0] if len(part.parts) == 1 and not part.parts[0].parts else part
    if inner is not part or not part.parts:
        notes = [f"no {name} yet" for name in inner.missing] + ([inner.note] if inner.note else [])
        notes += _warming(inner.warming, zone)
        note = f"  ({', '.join(notes)})" if notes else ""
        yield _marked(mark, depth, label + part.text), Text.assemble(shortened(inner.values), (note, "yellow"))
        return
    yield _marked(mark, depth, label + _joint(part)), Text()
    for one in part.parts:
        yield from _part(one, zone, "", depth + 1)


def _warming(since: Mapping[str, str], zone: tzinfo) -> list[str]:
    """What a nought may only mean: the feature is younger than the customer. Named where there are several."""
    days = {name: instant(parse_iso(at), zone)[:10] for name, at in since.items()}
    if len(days) == 1:
        return [f"warming: counts since {day}" for day in days.values()]
    return [f"{name} warming: counts since {day}" for name, day in days.items()]


def _marked(mark: Text, depth: int, text: str) -> Text:
    return Text.assemble(INDENT * depth, mark, " ", text)


def _joint(part: Part) -> str:
    if len(part.parts) == 1:
        return "not:"
    return "all of these:" if part.all_of else "any of these:"


def shortened(values: str) -> str:
    """Durations to two units and numbers to three decimals, which is what an eye can take in.

    >>> shortened("95d3h12m5s >= 2 * 45d = 90d"), shortened("0.77880078307 >= 0.5")
    ('95d3h >= 2 * 45d = 90d', '0.779 >= 0.5')
    """
    shorter = _DURATION.sub(lambda match: short_value(match[0]), values)
    return _DECIMALS.sub(lambda match: f"{float(match[0]):.3f}", shorter)


def _ahead(one: DimensionReading, explanation: Explanation, zone: tzinfo) -> Text:
    if not one.next:
        return Text(f"stays until {instant(parse_iso(explanation.foreseen), zone)} at least")
    return Text(", then ").join(_upcoming(change, zone) for change in one.next)


def _upcoming(change: Upcoming, zone: tzinfo) -> Text:
    return Text.assemble((change.to_segment or "none", "bold"), f" on {instant(parse_iso(change.at), zone)}")
