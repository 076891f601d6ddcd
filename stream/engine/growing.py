"""Arrays that grow where they are: no row is copied because others come, so no event waits for that.

Address space is reserved for far more rows than there are, and memory is taken as rows are used: what has not been
touched costs nothing.  Where so much cannot be reserved (a limit of the system), arrays are copied to larger ones.

Large pages are quicker to take and to find than small ones, as long as the system has them lying about.  Where memory
is in pieces it moves other pages about to make one, which takes up to ten times as long as small ones would, so they
are asked for as long as they come quickly, and then ever more seldom; the time it takes decides about nothing else.
"""

from __future__ import annotations

import mmap
import time
from contextlib import suppress
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

#: Address space that is reserved for one array, in bytes; more where it already needs a fourth of that.
RESERVED, SPARE = 1 << 35, 4
#: From so many bytes on, the system is asked for large pages, of which fewer have to be found.
LARGE = 1 << 25
#: What a large page has, in bytes: so much is filled at a time, to see how quickly they come.
LARGE_PAGE = 1 << 21
#: Seconds of the processor a byte: large pages that take longer are dear.  On a virtual machine small ones took 0.5 to
#: 0.7 ns, large ones 0.1 ns where they lay about and 5 ns where they did not.
DEAR = 1e-9
#: So many pieces are of small pages after a large one was dear, twice as many after the next, and at most the latter.
FIRST_PAUSE, LAST_PAUSE = 64, 1024
#: Linux has it; the reserved space then does not count as memory promised.
_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)
#: Advice, where the system knows any.
_HUGE, _SMALL = getattr(mmap, "MADV_HUGEPAGE", None), getattr(mmap, "MADV_NOHUGEPAGE", None)


T = TypeVar("T", bound=np.generic)


class Pages:
    """Whether large pages are worth asking for, as far as is known; the arrays of a shard find it out together."""

    def __init__(self) -> None:
        self._wait, self._pause = 0, FIRST_PAUSE

    def ask(self) -> bool:
        """Whether the next piece is to be tried with a large one."""
        self._wait -= 1
        return self._wait < 0

    def took(self, seconds: float, size: int) -> None:
        """How long so many bytes took that were tried."""
        if seconds > DEAR * size:
            self._wait, self._pause = self._pause, min(2 * self._pause, LAST_PAUSE)
        else:
            self._wait, self._pause = 0, FIRST_PAUSE


class Growing(Generic[T]):
    """Room for an array to grow in, row by row (its first axis)."""

    def __init__(self, pages: Pages | None = None) -> None:
        self._pages = pages or Pages()
        self._region: mmap.mmap | None = None
        self._room: NDArray[T] | None = None
        self._given: NDArray[T] | None = None

    def grown(self, array: NDArray[T], rows: int, value: NDArray[T] | int | None = None) -> NDArray[T]:
        """The array with so many rows, of which the later ones are ``value`` each; None: they are yet to be filled.

        It is copied only where it is not what was given out last, or the room does not do; a former array stays valid
        and shares its rows with the new one, unless it was copied.
        """
        room = self._room
        if room is None or array is not self._given or rows > len(room):
            room = self._room = self._reserve(array, rows)
            room[: len(array)] = array
        found: NDArray[T] = room[:rows]
        self._given = found
        if value is not None:
            self._fill(found, len(array), value)
        return found

    def _fill(self, array: NDArray[T], start: int, value: NDArray[T] | int) -> None:
        """Fill the rows from ``start`` on, in large pages where these come quickly."""
        rows, each = len(array), array.strides[0]
        many = max(1, LARGE_PAGE // each)
        large = array.nbytes >= LARGE
        for first in range(start, rows, many):
            last = min(first + many, rows)
            tried = large and self._pages.ask()
            if large:
                self._advise(_HUGE if tried else _SMALL, first * each // LARGE_PAGE, -(-last * each // LARGE_PAGE))
            began = time.thread_time()
            array[first:last] = value
            if tried:
                self._pages.took(time.thread_time() - began, max(LARGE_PAGE, (last - first) * each))

    def _advise(self, pages: int | None, first: int, last: int) -> None:
        """Say of which kind the pages are to be, from and up to a large one; a kernel that knows none takes no harm."""
        if self._region is not None and pages is not None and first < last:
            with suppress(OSError):
                self._region.madvise(pages, first * LARGE_PAGE, (last - first) * LARGE_PAGE)

    def _reserve(self, array: NDArray[T], rows: int) -> NDArray[T]:
        """Room for many more rows of the array's kind, and at least for so many."""
        shape = array.shape[1:]
        each = array.itemsize * int(np.prod(shape, dtype=np.int64))
        count = max(RESERVED, SPARE * rows * each) // each
        try:
            region = mmap.mmap(-1, count * each, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE)
        except OSError:
            self._region = None
            return np.empty((2 * rows, *shape), array.dtype)
        self._region = region
        return np.frombuffer(region, array.dtype).reshape(count, *shape)
