"""Short texts for numbers, instants and evidence. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from stream.cli.view.state import Move

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION = re.compile(r"-?(?:\d+(?:ms|[dhms]))+")
_PART = re.compile(r"\d+(?:ms|[dhms])")


def short_count(number: int) -> str:
    """At most four characters up to 999 million.

    >>> short_count(9999), short_count(12_345), short_count(1_234_567)
    ('9999', '12k', '1.2M')
    """
    if number < 10_000:
        return str(number)
    for unit, size in (("k", 1_000), ("M", 1_000_000)):
        if number < 1_000 * size:
            return f"{number / size:.1f}{unit}" if number < 10 * size else f"{number // size}{unit}"
    return f"{number // 1_000_000_000}G"


def flow(sign: str, number: int) -> str:
    """How many came or went, at most four characters up to 999 thousand; nothing for none.

    >>> flow("+", 0), flow("+", 12), flow("-", 12_345)
    ('', '+12', '-12k')
    """
    if number == 0:
        return ""
    if number < 1_000:
        return f"{sign}{number}"
    return f"{sign}{number // 1_000}k" if number < 1_000_000 else f"{sign}{number // 1_000_000}M"


def short_value(value: Any) -> str:
    """A feature's value: durations to two units, other numbers to three digits.

    >>> short_value("42d3h12m5s"), short_value(3.14159), short_value(12), short_value(1234.5)
    ('42d3h', '3.14', '12', '1,234')
    """
    if isinstance(value, str) and _DURATION.fullmatch(value):
        return "-" * value.startswith("-") + "".join(_PART.findall(value)[:2])
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


def short_evidence(evidence: Mapping[str, Any]) -> str:
    """What moved the customer: the event, where there was one, then the features that have a value.

    Without an event it was time, so what time moves comes first.

    >>> short_evidence({"orders": 3, "spend": None, "event": {"name": "Order Completed", "messageId": "m1"}})
    'Order Completed: orders 3'
    >>> short_evidence({"orders": 3, "since_order": "42d3h12m5s"})
    'since_order 42d3h, orders 3'
    """
    event = evidence.get("event")
    name = str(event.get("name", "")) if isinstance(event, Mapping) else ""
    shown = [(key, value) for key, value in evidence.items() if isinstance(value, str | int | float)]
    if not name:
        shown.sort(key=lambda item: not (isinstance(item[1], str) and _DURATION.fullmatch(item[1])))
    values = [f"{feature} {short_value(value)}" for feature, value in shown]
    return ": ".join(part for part in (name, ", ".join(values)) if part)


def segments_of(move: Move) -> str:
    """From where to where; a first placement comes from nowhere."""
    return f"{move.from_segment or '(new)'} → {move.to_segment or '(none)'}"


def instant(at_ms: int, zone: tzinfo = UTC) -> str:
    """``2025-01-31 09:15:02`` in a time zone.

    >>> instant(1769850902125)
    '2026-01-31 09:15:02'
    """
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).isoformat(" ")[:19]


def plain_line(move: Move, zone: tzinfo = UTC) -> str:
    """One change as one line of plain text, its parts apart by two spaces."""
    parts = (instant(move.at_ms, zone), move.customer, move.dimension, segments_of(move).replace("→", "->"), move.cause)
    return "  ".join((*parts, short_evidence(move.evidence))).rstrip()
