"""Work in slices: a step gives way now and then, so that whoever runs it can do something else in between.

Between two slices every row is as some event, deadline or move has left it, as a whole; what is asked of it then gets
an answer that was true.  A step that is not run to its end must be thrown away with its shard.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

#: Work that gives way between slices, and what comes of it.
Slices = Generator[None, None, T]

#: So many events are applied, rows judged, and rows packed in one slice: about a millisecond.
EVENTS, ROWS, PACKED = 256, 64, 128
#: So many events of a source are brought into one order at a time.
RUN = 1_000


def drained(work: Slices[T]) -> T:
    """Do all of it at once."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            found: T = done.value
            return found
