"""An instant as ISO 8601 writes it, read in place from a buffer of bytes, as a function that compiled code can call."""

from __future__ import annotations

from typing import Any

from numba.extending import register_jitable

#: This is no time, or one in a form that is left to others.
NO_TIME = -(1 << 62)
_DAY_MS, _HOUR_MS, _MINUTE_MS = 86_400_000, 3_600_000, 60_000
#: Length of ``2026-01-31T09:15:02``.
_SECONDS_LONG = 19


@register_jitable
def _two(b: Any, i: int) -> int:
    """Two digits as a number; negative where they are none."""
    tens, ones = int(b[i]) - 0x30, int(b[i + 1]) - 0x30
    return tens * 10 + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else -1000


@register_jitable
def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 in the Gregorian calendar; years are counted from March, so that a leap day is last."""
    if month <= 2:
        year -= 1
        month += 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719_469


@register_jitable
def _month_length(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


@register_jitable
def _offset(b: Any, i: int, stop: int) -> int:
    """Milliseconds of what follows the time: nothing or Z (0), +01:00, -0330; NO_TIME for anything else."""
    if i == stop or (i + 1 == stop and b[i] == 0x5A):
        return 0
    colon = stop - i == 6 and b[i + 3] == 0x3A
    if (b[i] != 0x2B and b[i] != 0x2D) or not colon:
        return NO_TIME
    hours, minutes = _two(b, i + 1), _two(b, i + 4)
    if not (0 <= hours <= 23 and 0 <= minutes <= 59):
        return NO_TIME
    size = hours * _HOUR_MS + minutes * _MINUTE_MS
    return size if b[i] == 0x2B else -size


@register_jitable
def instant(b: Any, start: int, stop: int) -> int:
    """Milliseconds since the epoch of ``2026-01-31T09:15:02.125Z``, rounded down; without an offset it is UTC."""
    if stop - start < _SECONDS_LONG or b[start + 4] != 0x2D or b[start + 7] != 0x2D or b[start + 10] != 0x54:
        return NO_TIME
    if b[start + 13] != 0x3A or b[start + 16] != 0x3A:
        return NO_TIME
    year, month, day = _two(b, start) * 100 + _two(b, start + 2), _two(b, start + 5), _two(b, start + 8)
    hour, minute, second = _two(b, start + 11), _two(b, start + 14), _two(b, start + 17)
    if not (1000 <= year <= 9998 and 1 <= month <= 12 and 1 <= day <= _month_length(year, month)):
        return NO_TIME
    if not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 59) or _two(b, start + 2) < 0:
        return NO_TIME
    i = start + _SECONDS_LONG
    ms = 0
    if i < stop and b[i] == 0x2E:
        i += 1
        first = i
        scale = 100
        while i < stop and 0x30 <= b[i] <= 0x39:
            ms += (int(b[i]) - 0x30) * scale
            scale //= 10
            i += 1
        if i == first or i - first > 6:
            return NO_TIME
    offset = _offset(b, i, stop)
    if offset == NO_TIME:
        return NO_TIME
    return _days(year, month, day) * _DAY_MS + hour * _HOUR_MS + minute * _MINUTE_MS + second * 1000 + ms - offset
