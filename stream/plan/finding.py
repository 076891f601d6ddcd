"""The row of a customer by the bytes of their id: a table of open addressing, as functions that are compiled.

``marks`` and ``rows`` int64 (size, a power of two): the hash of an id and its row, FREE where a place is free;
``ids`` uint8 has the ids, and ``places`` int64 (n, 2) where that of each row begins and ends.  Where the table is
looked into first goes by a number that nobody outside knows (``salt``): ids that were made to meet in one place would
have to be looked through one by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stream.events.blake import SCRATCH, digest
from stream.events.leaf import leaf

FREE = -1
#: The part of a hash that says where to look first.
_LOW = 0xFFFFFFFF


@leaf
def _first(mark: int, salt: int, size: int) -> int:
    """Where to look first: ``salt`` is odd and has 31 bits, so that the product has 63."""
    return (((mark & _LOW) * salt & _LOW) * size) >> 32


@leaf
def _row(
    b: Any, first: int, last: int, mark: int, salt: int, marks: Any, rows: Any, ids: Any, places: Any
) -> tuple[int, int]:
    """The row of ``b[first:last]``, or FREE; and the place in the table where that is, or would be."""
    size = len(rows)
    at = _first(mark, salt, size)
    while rows[at] != FREE:
        if marks[at] == mark:
            row = rows[at]
            begin = places[row, 0]
            same = places[row, 1] - begin == last - first
            k = first
            while same and k < last:
                same = ids[begin + k - first] == b[k]
                k += 1
            if same:
                return row, at
        at = (at + 1) & (size - 1)
    return FREE, at


def find(b: Any, spans: Any, salt: int, marks: Any, rows: Any, ids: Any, places: Any, found: Any, hashes: Any) -> None:
    """The row of each ``b[spans[k, 0]:spans[k, 1]]`` (uint8) to ``found``, FREE where it has none or is empty; their
    hashes to ``hashes``."""
    words = np.zeros(SCRATCH, np.uint64)
    for k in range(len(spans)):
        first, last = spans[k, 0], spans[k, 1]
        found[k] = FREE
        if first < last:
            hashes[k] = digest(b, first, last, words)
            found[k], _ = _row(b, first, last, hashes[k], salt, marks, rows, ids, places)


def add(
    b: Any,
    spans: Any,
    hashes: Any,
    picks: Any,
    fresh: Any,
    salt: int,
    marks: Any,
    rows: Any,
    ids: Any,
    used: int,
    places: Any,
    found: Any,
    origins: Any,
) -> tuple[int, int]:
    """Give the picked ids, some of which may be the same, the rows of ``fresh``, one after the other.

    ``origins``: of each row given, the pick that it was given to first.  Returns how many were given, and how much of
    ``ids`` is used, of which ``used`` bytes were; for all there must be room.
    """
    given = 0
    for p in range(len(picks)):
        k = picks[p]
        first, last = spans[k, 0], spans[k, 1]
        row, at = _row(b, first, last, hashes[k], salt, marks, rows, ids, places)
        if row == FREE:
            row = fresh[given]
            origins[given] = k
            given += 1
            marks[at], rows[at] = hashes[k], row
            places[row, 0] = used
            for i in range(first, last):
                ids[used + i - first] = b[i]
            used += last - first
            places[row, 1] = used
        found[k] = row
    return given, used


def remove(picks: Any, salt: int, marks: Any, rows: Any, ids: Any, places: Any) -> int:
    """Take the ids of these rows out of the table; how many bytes of ``ids`` nobody uses now.

    Who stands behind a place that becomes free moves up, unless they would stand before where they are looked for
    first: so no search ends too early.
    """
    words = np.zeros(SCRATCH, np.uint64)
    size, freed = len(rows), 0
    for p in range(len(picks)):
        first, last = places[picks[p], 0], places[picks[p], 1]
        _, at = _row(ids, first, last, digest(ids, first, last, words), salt, marks, rows, ids, places)
        behind = (at + 1) & (size - 1)
        while rows[behind] != FREE:
            wanted = _first(marks[behind], salt, size)
            if (behind - wanted) & (size - 1) >= (behind - at) & (size - 1):
                marks[at], rows[at] = marks[behind], rows[behind]
                at = behind
            behind = (behind + 1) & (size - 1)
        rows[at] = FREE
        freed += last - first
        places[picks[p], 0], places[picks[p], 1] = 0, 0
    return freed


def rebuild(marks: Any, rows: Any, salt: int, new_marks: Any, new_rows: Any) -> None:
    """All that is in a table into another one, which is empty."""
    size = len(new_rows)
    for k in range(len(rows)):
        if rows[k] != FREE:
            at = _first(marks[k], salt, size)
            while new_rows[at] != FREE:
                at = (at + 1) & (size - 1)
            new_marks[at], new_rows[at] = marks[k], rows[k]


def gather(ids: Any, places: Any, into: Any) -> int:
    """The ids one behind the other, without what nobody uses any more; how many bytes that is."""
    used = 0
    for row in range(len(places)):
        first, last = places[row, 0], places[row, 1]
        for i in range(first, last):
            into[used + i - first] = ids[i]
        places[row, 0], places[row, 1] = used, used + last - first
        used += last - first
    return used
