"""What can be asked about the rows of a shard: segments, features, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.engine.change import shown, shown_text
from stream.engine.reading import read
from stream.engine.rows import Rows
from stream.events.instant import iso
from stream.features.base import NEVER, Accumulator, Kind, books
from stream.features.known_zone import KnownZone
from stream.plan import header
from stream.plan.plan import Plan

#: How many rows are looked through at a time for the members of a segment: about a millisecond.
LOOKED_THROUGH = 32_768


def segments_of(rows: Rows, i: int) -> dict[str, str | None]:
    """The segment of a row in each dimension."""
    codes = rows.table.ints[i, list(rows.plan.layout.segment)].tolist()
    return {d.name: rows.name(j, codes[j]) for j, d in enumerate(rows.plan.definitions.dimensions)}


def feature_names(plan: Plan) -> list[tuple[str, Accumulator]]:
    """Every feature by the name it is shown under: one that means two things is told apart by its dimension."""
    found: list[tuple[str, Accumulator]] = []
    meaning: dict[str, Accumulator] = {}
    for dimension in plan.definitions.dimensions:
        for name, accumulator in dimension.features.items():
            plain = meaning.setdefault(name, accumulator) == accumulator
            found.append((name if plain else f"{dimension.name}.{name}", accumulator))
    return found


def features_of(rows: Rows, i: int, now: int, models: header.Models | None = None) -> dict[str, Any]:
    """Every feature of a row at an instant, by these versions of what is learned (None: by none); and the time zones
    that customers name, where features go by these."""
    found: dict[str, Any] = {}
    ints = rows.table.ints[i]
    for name, accumulator in feature_names(rows.plan):
        for view, how in accumulator.views().items():
            if view == "size":
                continue
            x = read(rows, i, accumulator, how.value, now, models)
            value = shown_text(x, rows.texts) if how.kind is Kind.TEXT else shown(x, how.kind)
            found[f"{name}.{view}" if view else name] = value
    for kept in (one for one in rows.plan.layout.base if isinstance(one, KnownZone)):
        found[f"(zone by {kept.path})"] = shown_text(int(ints[rows.plan.layout.base[kept]]), rows.texts)
    return found


def warming_of(plan: Plan, started: Mapping[str, int], now: int) -> dict[str, int]:
    """The features that began with later definitions than the customers, and since when (event time, ms): they know
    nothing from before.  One that looks back over a window is warm once that has passed."""
    named = ((name, warm_since(accumulator, started, now)) for name, accumulator in feature_names(plan))
    return {name: since for name, since in named if since is not None}


def warm_since(accumulator: Accumulator, started: Mapping[str, int], now: int) -> int | None:
    """Since when a feature counts that knows nothing from before; None where it is warm."""
    window = window_of(accumulator)
    known = (started.get(one.identity()) for one in (accumulator, *books(accumulator)))
    since = max((found for found in known if found is not None), default=None)
    return since if since is not None and (window is None or now < since + window) else None


def window_of(accumulator: Accumulator) -> int | None:
    """How far a feature looks back, ms; None for over all time."""
    inner = getattr(accumulator, "of", None)
    window = window_of(inner) if isinstance(inner, Accumulator) else getattr(accumulator, "window", None)
    return window if isinstance(window, int) else None


def sizes_of(rows: Rows) -> dict[str, dict[str, int]]:
    """How many customers are in each segment of each dimension (those in none are not counted).

    May run beside the thread that the shard works in: each dimension is counted as it stood at one look.
    """
    found: dict[str, dict[str, int]] = {}
    for j, dimension in enumerate(rows.plan.definitions.dimensions):
        codes = rows.table.ints[: len(rows), rows.plan.layout.segment[j]].copy()  # someone may leave while we count
        counts = np.bincount(codes[codes >= 0], minlength=len(rows.names[j])).tolist()
        places = dimension.learning.places if dimension.learning else 0  # codes behind them are former segments
        learned = {code for (name, code) in rows.places if name == dimension.name and code < places}
        there = learned or range(len(dimension.segment_names))
        pairs = enumerate(zip(rows.names[j], counts, strict=False))
        found[dimension.name] = {name: n for code, (name, n) in pairs if n or code in there}
    return found


def since_of(rows: Rows, i: int) -> dict[str, str | None]:
    """Since when a row is in its segment of each dimension; None where it is in none."""
    entered = told_since(rows.table.ints[i, list(rows.plan.layout.entered)])
    return dict(zip([d.name for d in rows.plan.definitions.dimensions], entered, strict=True))


def told_since(instants: NDArray[np.int64]) -> list[str | None]:
    """Instants as they are told; None where there is none."""
    # Many at once: numpy writes them in a fifth of the time that `iso` takes for each.
    there = instants != NEVER
    written = np.datetime_as_string(np.where(there, instants, 0).astype("M8[ms]"), unit="ms", timezone="UTC").tolist()
    return [text if known else None for text, known in zip(written, there.tolist(), strict=True)]


def row_of(rows: Rows, customer: str, clock: int | None) -> tuple[int, int] | None:
    """The row of a customer and the instant (ms) up to which it is known; None where there is no such customer: none,
    or in the middle of a step one whose first event is yet to be applied, or who is just forgotten."""
    i = rows.index.get(customer.encode("utf-8", "surrogatepass"))
    latest = NEVER if i is None else int(rows.table.ints[i, header.LATEST])
    if i is None or latest == NEVER:
        return None
    return i, max(latest, clock if clock is not None else latest)


def placed(rows: Rows, customer: str, clock: int | None) -> dict[str, Any] | None:
    """Only the segments of one customer, each with since when, as of the clock; None where there is no such one."""
    found = row_of(rows, customer, clock)
    if found is None:
        return None
    i, now = found
    since = since_of(rows, i)
    segments = {name: {"segment": one, "since": since[name]} for name, one in segments_of(rows, i).items()}
    return {"customer": customer, "as_of": iso(now), "segments": segments}


def members(
    rows: Rows, dimension: str, segment: str, below: int, most: int
) -> tuple[list[tuple[str, str | None]], int]:
    """Up to ``most`` customers of a segment among the `LOOKED_THROUGH` rows below a number, each with since when; and
    the number below which to go on, 0 at the end.  KeyError where there is no such dimension.

    From the last row to the first, since new customers come behind: whoever is a member all the while is told once.
    """
    names = [d.name for d in rows.plan.definitions.dimensions]
    if dimension not in names:
        raise KeyError(dimension)
    j = names.index(dimension)
    below = min(below, len(rows))
    start = max(0, below - LOOKED_THROUGH)
    codes = [code for code, name in enumerate(rows.names[j]) if name == segment]
    inside = np.isin(rows.table.ints[start:below, rows.plan.layout.segment[j]], codes)
    picks = np.flatnonzero(inside)[::-1][:most] + start
    since = told_since(rows.table.ints[picks, rows.plan.layout.entered[j]])
    found = [
        (rows.keys[i].decode("utf-8", "replace"), at)
        for i, at in zip(picks.tolist(), since, strict=True)
        if rows.keys[i]
    ]
    return found, int(picks[-1]) if len(picks) == most else start


def described(
    rows: Rows, customer: str, clock: int | None, started: Mapping[str, int], models: header.Models | None = None
) -> dict[str, Any] | None:
    """Segments and features of one customer as of the clock; None where there is no such customer."""
    found = row_of(rows, customer, clock)
    if found is None:
        return None
    i, now = found
    return {
        "customer": customer,
        "as_of": iso(now),
        "segments": segments_of(rows, i),
        "since": since_of(rows, i),
        "features": features_of(rows, i, now, models),
        "warming": {name: {"since": iso(since)} for name, since in warming_of(rows.plan, started, now).items()},
    }
