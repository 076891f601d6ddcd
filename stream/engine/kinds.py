"""The kinds of changes that there can be, numbered: whoever counts changes counts numbers, and puts few into words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream.plan import header

#: By number; an event's is 0, that of the others what the kernel writes, without its sign.
CAUSES = ("event", "deadline", "definition", "model")

#: Dimension, the segments left and entered (None: in none), and the cause.
Sort = tuple[str, str | None, str | None, str]
#: A dimension and one of its segments; None: in none.
Place = tuple[str, str | None]


class Kinds:
    """All kinds of changes of some dimensions, as their segments are called at some moment.

    ``names``: of each dimension the segments by their codes, as :class:`stream.engine.rows.Rows` has them.
    Kinds are numbered by dimension, segment left, segment entered and cause; places, which are dimensions and segments,
    by dimension and segment.
    """

    def __init__(self, dimensions: Sequence[str], names: Sequence[Sequence[str]]) -> None:
        self.dimensions, self.names = list(dimensions), [list(one) for one in names]
        self._widths = np.array([len(one) + 1 for one in self.names], np.int64)  # one more: in none
        ends = np.cumsum(self._widths**2 * len(CAUSES))
        self._first = ends - self._widths**2 * len(CAUSES)
        self._first_place = np.cumsum(self._widths) - self._widths
        #: How many kinds there are, and how many places.
        self.count, self.place_count = int(ends[-1]) if len(ends) else 0, int(self._widths.sum())

    def of(self, ints: NDArray[np.int64]) -> NDArray[np.int64]:
        """The kind of each change that a kernel wrote (:class:`stream.plan.header.Out`)."""
        dimensions = ints[:, header.DIMENSION]
        widths = self._widths[dimensions]
        left, entered = (self._known(ints[:, c], widths) for c in (header.FROM, header.TO))
        return self._first[dimensions] + (left * widths + entered) * len(CAUSES) + causes_of(ints)

    @staticmethod
    def _known(codes: NDArray[np.int64], widths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Codes counted from 1; 0 for those that stand for no segment."""
        found: NDArray[np.int64] = (codes + 1) * (codes + 1 < widths)
        return found

    def sort(self, kind: int) -> Sort:
        """What a kind is."""
        j, left, entered, cause = self.parts(kind)
        return self.dimensions[j], left, entered, CAUSES[cause]

    def parts(self, kind: int) -> tuple[int, str | None, str | None, int]:
        """The same with the numbers of dimension and cause."""
        j = int(np.searchsorted(self._first, kind, side="right")) - 1
        pair, cause = divmod(kind - int(self._first[j]), len(CAUSES))
        left, entered = divmod(pair, int(self._widths[j]))
        names = [None, *self.names[j]]
        return j, names[left], names[entered], cause

    def among(self, dimension: int) -> NDArray[np.int64]:
        """The kinds of a dimension: int64 (segments left, segments entered, causes), the first of them in none."""
        width, first = int(self._widths[dimension]), int(self._first[dimension])
        return first + np.arange(width * width * len(CAUSES)).reshape(width, width, len(CAUSES))

    def places(self, kinds: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The numbers of the places that each of some kinds leaves and enters."""
        j = np.searchsorted(self._first, kinds, side="right") - 1
        left, entered = np.divmod((kinds - self._first[j]) // len(CAUSES), self._widths[j])
        return self._first_place[j] + left, self._first_place[j] + entered

    def place(self, number: int) -> Place:
        """What the number of a place stands for."""
        j = int(np.searchsorted(self._first_place, number, side="right")) - 1
        code = number - int(self._first_place[j]) - 1
        return self.dimensions[j], self.names[j][code] if code >= 0 else None


def causes_of(ints: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number in `CAUSES` of each change's cause."""
    return np.maximum(0, -ints[:, header.CAUSE])
