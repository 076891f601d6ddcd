"""Instants as people and files write them, to and from int64 milliseconds since the epoch (UTC)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MINUTE_MS = 60_000

#: The years 1 to 9999, all that ISO 8601 and ``datetime`` can write.
EARLIEST_MS = -62_135_596_800_000
LATEST_MS = 253_402_300_799_999

_SECONDS = [f"{second:02d}." for second in range(60)]


def to_ms(moment: datetime) -> int:
    """Milliseconds of an aware datetime, rounded down.

    >>> to_ms(datetime(1970, 1, 2, tzinfo=UTC))
    86400000
    """
    return (moment - _EPOCH) // _MILLISECOND


@lru_cache(maxsize=4096)
def _minute(minute: int) -> str:
    """A minute since the epoch as ``2026-01-31T09:15:``; events come in time order, so few are asked for."""
    return f"{(_EPOCH + timedelta(minutes=minute)).isoformat()[:16]}:"


def iso(instant_ms: int) -> str:
    """The instant on the wire, UTC with milliseconds; ValueError outside the years 1 to 9999.

    >>> iso(1769850902125)
    '2026-01-31T09:15:02.125Z'
    """
    if not EARLIEST_MS <= instant_ms <= LATEST_MS:
        raise ValueError(f"{instant_ms} ms is outside the years 1 to 9999")
    minute, rest = divmod(instant_ms, _MINUTE_MS)
    second, millisecond = divmod(rest, 1000)
    return f"{_minute(minute)}{_SECONDS[second]}{millisecond:03d}Z"


def parse_iso(text: str) -> int:
    """The instant an ISO 8601 text names; without an offset it is UTC. ValueError if it is not one.

    >>> parse_iso("2026-01-31T10:15:02.125+01:00"), parse_iso("1970-01-02")
    (1769850902125, 86400000)
    """
    moment = datetime.fromisoformat(text)
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
