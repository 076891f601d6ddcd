"""Lengths of time, as people write them (``30d``, ``1h30m``, ``25ms``) and as the code holds them: int milliseconds."""

from __future__ import annotations

import re

#: unit -> milliseconds, from the longest to the shortest; a day is always 24 hours.
UNITS: dict[str, int] = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}

#: The longest that definitions speak of: a thousand years.  Instants and windows add up far below what a column holds.
LONGEST = 36_525 * 10 * UNITS["d"]

_PART = re.compile(r"(\d+)(ms|[dhms])", re.ASCII)
_ORDER = list(UNITS)


def parse_duration(text: str) -> int:
    """Milliseconds of a duration such as ``30d``, ``2d12h`` or ``25ms``.

    Units are d, h, m, s and ms, each at most once and the longest first; numbers are whole and not negative.
    Raises ValueError with a sentence that says what is expected.

    >>> parse_duration("1h30m")
    5400000
    """
    compact = text.strip()
    total, position, last_unit = 0, 0, -1
    while position < len(compact):
        part = _PART.match(compact, position)
        if part is None or _ORDER.index(part[2]) <= last_unit:
            break
        total += int(part[1]) * UNITS[part[2]]
        position, last_unit = part.end(), _ORDER.index(part[2])
    if not compact or position < len(compact):
        raise ValueError(
            f"{text!r} is not a duration: write whole numbers with units d, h, m, s, ms, the longest first, "
            "such as 30d, 1h30m or 25ms"
        )
    return total


def parse_bounded(text: str) -> int:
    """The same of at most a thousand years; raises ValueError with a sentence."""
    total = parse_duration(text) if len(text) <= 100 else LONGEST + 1
    if total > LONGEST:
        raise ValueError(f"{text[:40]!r} is too long: a duration is at most 1000 years (365250d)")
    return total


def format_duration(ms: int) -> str:
    """The shortest text that `parse_duration` reads back as exactly ``ms``; negative lengths raise ValueError.

    >>> format_duration(216_000_000)
    '2d12h'
    """
    if ms < 0:
        raise ValueError(f"a duration cannot be negative: {ms} ms")
    parts = []
    for unit, size in UNITS.items():
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
