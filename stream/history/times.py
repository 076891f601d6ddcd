"""Times as event files write them -> milliseconds since the epoch. Fast for the common forms, strptime for the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from zoneinfo import ZoneInfo

from stream.events.instant import EARLIEST_MS, LATEST_MS, to_ms

#: A column's text -> milliseconds; ValueError if the text is no such time.
Clock = Callable[[str], int]

#: How many of the unit are one millisecond, as a fraction.
_UNITS = {"s": Decimal(1000), "ms": Decimal(1), "us": Decimal("0.001")}

#: strptime beginnings that ``datetime.fromisoformat`` reads about ten times as fast, with the length of such a text.
_ISO_LIKE = {"%Y-%m-%d %H:%M:%S": 19, "%Y-%m-%dT%H:%M:%S": 19, "%Y-%m-%d": 10, "%Y%m%d": 8}

#: Enough for the different days or seconds that are near each other in a file.
_REMEMBERED = 1 << 16


def strptime_mistake(form: str) -> str:
    """What is wrong with a strptime format (``iso`` is one too), or nothing: it must be able to name a day."""
    if form == "iso":
        return ""
    probe = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    try:
        found = datetime.strptime(probe.strftime(form), form)  # noqa: DTZ007 - only its date is looked at
    except ValueError as error:
        return str(error)
    return "" if found.date() == probe.date() else "it does not say year, month and day"


def unit_clock(unit: str) -> Clock:
    """A clock for counts since 1970 in ``s``, ``ms`` or ``us``; decimals are allowed and round down.

    >>> unit_clock("s")("1511848894"), unit_clock("s")("1.0019"), unit_clock("us")("-1")
    (1511848894000, 1001, -1)
    """
    factor = _UNITS[unit]
    whole = int(factor) if unit != "us" else 0

    def clock(text: str) -> int:
        if whole and text.isdecimal():
            instant = int(text) * whole
        else:
            try:
                count = Decimal(text) * factor
                instant = int(count.to_integral_value("ROUND_FLOOR"))
            except (InvalidOperation, ValueError, OverflowError):
                raise ValueError(f"{text!r} is no count of {unit} since 1970") from None
        if not EARLIEST_MS <= instant <= LATEST_MS:
            raise ValueError(f"{text!r} {unit} is outside the years 1 to 9999; is the unit right?")
        return instant

    return clock


def format_clock(form: str, zone: str) -> Clock:
    """A clock for texts in a strptime format or ``iso``; ``zone`` holds where the text has no offset of its own.

    >>> format_clock("%Y-%m-%d %H:%M:%S UTC", "UTC")("2019-10-01 00:00:01 UTC")
    1569888001000
    >>> format_clock("iso", "Europe/Berlin")("2019-10-01T02:00:01")
    1569888001000
    """
    read = _reader(form)
    home = UTC if zone == "UTC" else ZoneInfo(zone)

    @lru_cache(maxsize=_REMEMBERED)
    def clock(text: str) -> int:
        try:
            moment = read(text)
            return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=home))
        except (ValueError, OverflowError):
            raise ValueError(f"{text!r} is no time of the form {form}") from None

    return clock


def _reader(form: str) -> Callable[[str], datetime]:
    """The fastest function that reads texts of that form."""
    if form == "iso":
        return datetime.fromisoformat
    for beginning, length in _ISO_LIKE.items():
        suffix = form.removeprefix(beginning)
        if suffix != form and "%" not in suffix:
            return _iso_reader(form, beginning, length, suffix)
    return lambda text: datetime.strptime(text, form)  # noqa: DTZ007 - the caller adds the zone


def _iso_reader(form: str, beginning: str, length: int, suffix: str) -> Callable[[str], datetime]:
    """fromisoformat where the text has exactly the form's shape, else strptime, which decides what else is allowed."""
    shape = beginning.replace("%Y", "0000").replace("%m", "00").replace("%d", "00")
    shape = shape.replace("%H", "00").replace("%M", "00").replace("%S", "00")
    marks = [(at, mark) for at, mark in enumerate(shape) if mark != "0"]

    def read(text: str) -> datetime:
        head = text[:length]
        if text[length:] == suffix and len(head) == length and "W" not in head:
            for at, mark in marks:
                if head[at] != mark:
                    break
            else:
                return datetime.fromisoformat(head)
        return datetime.strptime(text, form)  # noqa: DTZ007 - the caller adds the zone

    return read
