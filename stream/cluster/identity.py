"""Which of the new clusters is which of the old ones: ids follow the customers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from stream.cluster.model import Happening

Matrix = NDArray[np.float64]
Labels = NDArray[np.intp]

#: The least that an old and a new cluster must have in common (of the customers in either) to be one.
ALIKE = 0.2
#: A cluster came out of another, or went into it, where it shares more than this of its customers.
MOSTLY = 0.5
#: Versions that pass before a place is given to another cluster.
REST = 2


@dataclass(frozen=True)
class Identity:
    """Ids and places of the new clusters, row by row, and what happened to the old ones."""

    ids: tuple[int, ...]
    slots: tuple[int, ...]
    story: tuple[Happening, ...]
    next_id: int
    #: Place -> the version in which it was left.
    resting: Mapping[int, int]

    def ordered(self, rows: Sequence[int]) -> Identity:
        """The same with the clusters in another order: first the one of the first of these rows."""
        return replace(self, ids=tuple(self.ids[row] for row in rows), slots=tuple(self.slots[row] for row in rows))


@dataclass(frozen=True, eq=False)
class Drawn:
    """Clusters on a sample: the row of each customer's, and the centroids, in a space shared by both sides."""

    labels: Labels
    centroids: Matrix


def match(old: Drawn, new: Drawn) -> list[int]:
    """For each new cluster the row of the old one that it is, or -1.

    The pairs have the most in common in total; where that leaves a choice, the nearest centroids do.
    """
    common = _common(old, new)
    sizes = common.sum(axis=1, keepdims=True) + common.sum(axis=0, keepdims=True) - common
    alike = np.divide(common, sizes, out=np.zeros_like(common), where=sizes > 0)
    distances = cdist(old.centroids, new.centroids)
    rows, columns = linear_sum_assignment(1e-6 * distances / max(float(distances.max()), 1e-300) - alike)
    found = [-1] * len(new.centroids)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if alike[row, column] >= ALIKE:
            found[column] = row
    return found


def carry_on(
    ids: Sequence[int],
    slots: Sequence[int],
    old: Drawn,
    new: Drawn,
    *,
    version: int,
    next_id: int,
    resting: Mapping[int, int],
    places: int,
    held: bool = True,
) -> Identity | None:
    """The identity of new clusters after old ones with these ``ids`` and ``slots``.

    None where so many places rest that there is none for each new cluster: the old ones then stay for a version more.
    ``places`` is how many there are in a row; ``held``: whether rows may still be in those of the old ones.
    """
    matched = match(old, new)
    gone = [row for row in range(len(ids)) if row not in matched]
    resting = {place: since for place, since in resting.items() if version - since < REST and place < places}
    resting |= {slots[row]: version for row in gone if held and slots[row] < places}
    staying = {slots[row] for row in matched if row >= 0}
    free = (place for place in range(places) if place not in resting and place not in staying)
    found_ids, found_slots = [], []
    for row in matched:
        stays = row >= 0
        found_ids.append(ids[row] if stays else next_id)
        next_id += not stays
        place = slots[row] if stays and slots[row] < places else next(free, None)
        if place is None:
            return None
        found_slots.append(place)
    story = _story(ids, tuple(found_ids), matched, gone, _common(old, new))
    return Identity(tuple(found_ids), tuple(found_slots), tuple(story), next_id, resting)


def begin(count: int, *, next_id: int, version: int, resting: Mapping[int, int], places: int) -> Identity:
    """The identity of the first clusters, or of the first from other features: ids never given before."""
    busy = [place for place in resting if version - resting[place] < REST]
    free = [place for place in range(places) if place not in busy]
    # Of clusters from other features no row is left that could be mistaken for another's.
    slots = tuple((free if len(free) >= count else list(range(places)))[:count])
    ids = tuple(range(next_id, next_id + count))
    return Identity(ids, slots, tuple(Happening("born", number) for number in ids), next_id + count, dict(resting))


def _common(old: Drawn, new: Drawn) -> Matrix:
    """How many customers each old cluster shares with each new one."""
    common = np.zeros((len(old.centroids), len(new.centroids)))
    np.add.at(common, (old.labels, new.labels), 1.0)
    return common


def _story(
    ids: Sequence[int], new_ids: Sequence[int], matched: Sequence[int], gone: Sequence[int], common: Matrix
) -> Iterable[Happening]:
    for column, row in enumerate(matched):
        if row < 0:
            source = int(common[:, column].argmax())
            if source in matched and common[source, column] > MOSTLY * common[:, column].sum():
                yield Happening("split", new_ids[column], (ids[source],))
            else:
                yield Happening("born", new_ids[column])
    for row in gone:
        heir = int(common[row].argmax())
        if common[row, heir] > MOSTLY * common[row].sum():
            yield Happening("merged", ids[row], (new_ids[heir],))
        else:
            yield Happening("died", ids[row])
