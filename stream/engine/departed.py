"""What stays of customers who are forgotten for doing nothing: how many there were of a kind, and of nobody who it was.

They are those who left. A model of lifetimes that heard of the others only would believe that nobody ever does. So each
adds one to the count of who bought about as often, over about as long, up to about the same month; who asked to be
forgotten adds to none. Counts are few, however many customers there were.
"""

from __future__ import annotations

import struct
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from stream.durations import UNITS

#: The first letter of the keys of counts at rest.
DEPARTED = b"d"
DAY = UNITS["d"]
#: The instant of the last purchase is rounded to multiples of so many days.
LAST_DAYS = 28
#: How many binary digits are kept of the number of purchases, and of the days between the first and the last.
COUNT_DIGITS, SPAN_DIGITS = 3, 4

#: Of a key behind its letter: which population, purchases, days from the first to the last, the last in `LAST_DAYS`.
_KEY = struct.Struct(">8sQQq")
_COUNT = struct.Struct(">Q")

Group = tuple[bytes, int, int, int]


class Departed:
    """The counts of one shard."""

    def __init__(self) -> None:
        self.groups: dict[Group, int] = {}
        self._changed: set[Group] = set()

    def add(self, of: str, count: int, first: int, last: int) -> None:
        """One customer more who is forgotten, after so many purchases (instants in ms) of this population."""
        if count <= 0:
            return
        span = (last - first + DAY // 2) // DAY if count > 1 else 0
        month = round(last / (LAST_DAYS * DAY))
        group = _mark(of), _rounded(count, COUNT_DIGITS), _rounded(max(0, span), SPAN_DIGITS), month
        self.groups[group] = self.groups.get(group, 0) + 1
        self._changed.add(group)

    def columns(self, of: str) -> tuple[NDArray[np.int64], ...]:
        """Of this population: purchases, instants (ms) of the first and the last, and how many customers have these."""
        mark = _mark(of)
        found = [(count, span, month, many) for (m, count, span, month), many in self.groups.items() if m == mark]
        count, span, month, many = np.array(sorted(found), np.int64).reshape(-1, 4).T
        last = month * LAST_DAYS * DAY
        return count, last - span * DAY, last, many

    # At rest

    def read(self, key: bytes, value: bytes | None) -> None:
        """A record of the changelog; ValueError where it is none of these."""
        try:
            group: Group = _KEY.unpack(key[len(DEPARTED) :])
            if value is None:  # it could not be read before, and was set aside
                self.groups.pop(group, None)
            else:
                self.groups[group] = _COUNT.unpack(value)[0]
        except struct.error as error:
            raise ValueError(f"no count of customers who were forgotten: {error}") from error

    def write(self) -> list[tuple[bytes, bytes | None]]:
        """The records that differ from what is at rest; they count as at rest from now on."""
        changed, self._changed = sorted(self._changed), set()
        return [(DEPARTED + _KEY.pack(*group), _COUNT.pack(self.groups[group])) for group in changed]


def _mark(of: str) -> bytes:
    """Tells one population from another."""
    return blake2b(of.encode(), digest_size=8).digest()


def _rounded(number: int, digits: int) -> int:
    """To so many binary digits."""
    shift = max(0, number.bit_length() - digits)
    return (number + (1 << shift >> 1)) >> shift << shift
