"""Whole days that count down to a date: when ``value >= k`` differs next, for all that count so."""

from __future__ import annotations

from typing import Any

from stream.events.leaf import leaf
from stream.features.base import FOREVER
from stream.features.calendar import DAY, day_start


@leaf
def whole(k: float, unit: int) -> int:
    """The least whole number of units that is at least k, which is finite."""
    found = int(k // unit)
    return found if found * unit >= k else found + 1


@leaf
def next_change(zone: Any, today: int, left: int, over: int, k: float, most: int) -> int:
    """``left`` days are left; on day ``over`` the next countdown begins, from at most ``most`` days.

    While as many are left as k asks for, the day on which fewer are; else the day on which the next countdown begins.
    """
    if k != k:
        return day_start(zone, today + 1)
    if k <= 0.0 or k > most * DAY:
        return FOREVER
    asked = whole(k, DAY)
    return day_start(zone, today + left - asked + 1 if left >= asked else over)
