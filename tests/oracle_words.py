"""The oracle's features that look at several events together.  See :mod:`tests.oracle_features`."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

Spec = Mapping[str, Any]


class Event(Protocol):
    """What is read of an event."""

    @property
    def t(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def properties(self) -> Mapping[str, Any]: ...


def listed(spec: Any) -> list[str]:
    """One name or a list of them."""
    return [spec] if isinstance(spec, str) else list(spec or ())


def local(t: int, zone: str) -> datetime:
    """The local time of an instant."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=t)).astimezone(ZoneInfo(zone))


def read(path: str, event: Event, of: Any, zone: str) -> Iterator[str]:
    """The texts that an event has under a path: none, one, or one for each product."""
    if path == "label":
        yield from (label for label, names in of.items() if event.name in listed(names))
    elif path == "event":
        yield event.name
    elif path.startswith("time."):
        there = local(event.t, zone)
        form = {"hour": "%H", "weekday": "%A", "month": "%B", "day": "%Y-%m-%d"}[path.removeprefix("time.")]
        yield there.strftime(form).lower()
    elif path.startswith("products."):
        name = path.removeprefix("products.")
        given = event.properties.get("products")
        products = [event.properties] if given is None and "product_id" in event.properties else given or []
        yield from (product[name] for product in products if name in product)
    elif path in event.properties:
        yield event.properties[path]


def texts(spec: Spec, word: str, past: Sequence[Event], zone: str) -> list[tuple[int, str]]:
    """Instant and text of all that a feature reads, in order of time."""
    of = spec["of"]
    names = [name for names in of.values() for name in listed(names)] if isinstance(of, Mapping) else listed(of)
    found = [(e.t, text) for e in past if e.name in names for text in read(spec[word], e, of, zone)]
    return sorted(found, key=lambda one: one[0])


def distinct(spec: Spec, past: Sequence[Event], now: int, window: float, zone: str) -> int:
    """How many different texts."""
    return len({text for t, text in texts(spec, "distinct", past, zone) if t > now - window})


def favourite(spec: Spec, past: Sequence[Event], now: int, view: str, window: float, zone: str) -> Any:
    """The most frequent of the last choices, and what else they tell."""
    last = texts(spec, "favourite", past, zone)[-spec.get("last", 10) :]
    chosen = [text for t, text in last if t > now - window]
    if view == "choices":
        return len(chosen)
    if not chosen:
        return None
    many = Counter(chosen)
    if view == "share":
        return max(many.values()) / len(chosen)
    if view == "variety":
        entropy = sum(n / len(chosen) * math.log(len(chosen) / n) for n in many.values())
        return entropy / math.log(len(chosen)) if len(chosen) > 1 else 0
    if view == "switching":
        differ = [a != b for a, b in itertools.pairwise(chosen)]
        return statistics.mean(differ) if differ else None
    most = max(many.values())
    return next(text for text in reversed(chosen) if many[text] == most)


def spread(spec: Spec, times: list[int], view: str) -> float | None:
    """How far the last gaps differ from each other."""
    gaps = [b - a for a, b in itertools.pairwise(sorted(times)[-spec.get("last", 6) - 1 :])]
    if view == "mean":
        return statistics.mean(gaps) if gaps else None
    if len(gaps) < 2 or (view == "ratio" and not any(gaps)):
        return None
    return statistics.pstdev(gaps) / (statistics.mean(gaps) if view == "ratio" else 1)


def trend(times: list[int], now: int, view: str, window: int) -> float | None:
    """The window against the one before."""
    recent = sum(now - window < t for t in times)
    before = sum(now - 2 * window < t <= now - window for t in times)
    if view == "ratio":
        return recent / before if before else None
    return {"now": recent, "before": before, "": recent - before}[view]


def sequence(spec: Spec, past: Sequence[Event], now: int, window: int) -> int | None:
    """Since the latest end of steps in order."""
    times = [[e.t for e in past if e.name in listed(names)] for names in spec["sequence"]]
    rising = (run for run in itertools.product(*times) if all(a < b for a, b in itertools.pairwise(run)))
    ends = [run[-1] for run in rising if run[-1] - run[0] <= window]
    return now - max(ends) if ends else None
