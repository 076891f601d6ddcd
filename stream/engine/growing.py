"""Arrays that grow where they are: no row is copied because others come, so no event waits for that.

Address space is reserved for far more rows than there are, and memory is taken as rows are used: what has not been
touched costs nothing.  Where so much cannot be reserved (a limit of the system), arrays are copied to larger ones.
"""

from __future__ import annotations

import mmap
from contextlib import suppress
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

#: Address space that is reserved for one array, in bytes; more where it already needs a fourth of that.
RESERVED, SPARE = 1 << 35, 4
#: From so many bytes on, the system is asked for large pages, of which fewer have to be found.
LARGE = 1 << 25
#: Linux has it; the reserved space then does not count as memory promised.
_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)


T = TypeVar("T", bound=np.generic)


class Growing(Generic[T]):
    """Room for an array to grow in, row by row (its first axis)."""

    def __init__(self) -> None:
        self._region: mmap.mmap | None = None
        self._room: NDArray[T] | None = None
        self._given: NDArray[T] | None = None

    def grown(self, array: NDArray[T], rows: int) -> NDArray[T]:
        """The array with so many rows, of which the later ones are yet to be filled.

        It is copied only where it is not what was given out last, or the room does not do; a former array stays valid
        and shares its rows with the new one, unless it was copied.
        """
        room = self._room
        if room is None or array is not self._given or rows > len(room):
            room = self._room = self._reserve(array, rows)
            room[: len(array)] = array
        found: NDArray[T] = room[:rows]
        self._given = found
        if self._region is not None and found.nbytes >= LARGE and hasattr(mmap, "MADV_HUGEPAGE"):
            with suppress(OSError):  # a kernel without them: small ones do, too
                self._region.madvise(mmap.MADV_HUGEPAGE, 0, -(-found.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE)
        return found

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
