"""Ids follow the customers, places rest before they are another's, and what came and went is told."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.cluster.identity import REST, Drawn, Identity, begin, carry_on
from stream.cluster.model import Happening

#: Where customers live, so that centroids can be told from labels alone.
OLD = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]


def drawn(labels: list[int]) -> Drawn:
    points = np.arange(len(labels), dtype=np.float64)[:, np.newaxis]
    rows = np.array(labels, np.intp)
    return Drawn(rows, np.array([points[rows == row].mean(axis=0) for row in range(max(labels) + 1)]))


def carried(
    new: list[int], resting: dict[int, int] | None = None, version: int = 9, places: int = 6
) -> Identity | None:
    return carry_on(
        (10, 11, 12),
        (0, 1, 2),
        drawn(OLD),
        drawn(new),
        version=9,
        next_id=20,
        resting=resting or {},
        places=places,
    )


def test_ids_follow_the_customers_in_whatever_order_clusters_are_found() -> None:
    found = carried([2, 2, 2, 0, 0, 0, 0, 0, 1, 1, 1, 1])
    assert found is not None
    assert (found.ids, found.slots, found.story) == ((11, 12, 10), (1, 2, 0), ())


def test_what_comes_out_of_a_cluster_that_lives_on_is_split_from_it() -> None:
    found = carried([0, 0, 0, 3, 1, 1, 1, 1, 2, 2, 2, 2])
    assert found is not None
    assert (found.ids, found.slots, found.next_id) == ((10, 11, 12, 20), (0, 1, 2, 3), 21)
    assert found.story == (Happening("split", 20, (10,)),)


def test_what_goes_into_another_cluster_is_merged_with_it_and_its_place_rests() -> None:
    found = carried([0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0])
    assert found is not None
    assert found.ids == (10, 11)
    assert found.story == (Happening("merged", 12, (11,)),)
    assert found.resting == {2: 9}


def test_what_has_customers_of_everywhere_is_born_and_what_went_everywhere_has_died() -> None:
    born = carried([0, 0, 0, 3, 1, 1, 1, 3, 2, 2, 2, 3])
    died = carried([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1])
    assert born is not None
    assert died is not None
    assert born.story == (Happening("born", 20),)
    assert died.story == (Happening("died", 12),)


def test_a_place_is_another_clusters_only_after_it_has_rested() -> None:
    split = [0, 0, 0, 3, 1, 1, 1, 1, 2, 2, 2, 2]
    for left, slot in ((9, 4), (8, 4), (9 - REST, 3)):
        found = carried(split, {3: left})
        assert found is not None
        assert found.slots[3] == slot


def test_without_a_free_place_the_clusters_stay_as_they_are() -> None:
    assert carried([0, 0, 0, 3, 1, 1, 1, 1, 2, 2, 2, 2], {3: 8}, places=4) is None


def test_the_first_clusters_are_born() -> None:
    found = begin(2, next_id=7, version=3, resting={0: 2}, places=4)
    assert (found.ids, found.slots) == ((7, 8), (1, 2))
    assert [each.kind for each in found.story] == ["born", "born"]


@given(st.lists(st.lists(st.integers(0, 3), min_size=12, max_size=12), min_size=1, max_size=12))
def test_over_any_history_no_id_and_no_place_is_ever_mistaken_for_anothers(history: list[list[int]]) -> None:
    """An id is never given again after its cluster went, nor does a place pass from one to the next in a version."""
    ids: tuple[int, ...] = (0, 1, 2)
    resting: dict[int, int] = {}
    old, slots, next_id = drawn(OLD), ids, 3
    gone: set[int] = set()
    for version, labels in enumerate(history, 2):
        new = drawn(np.unique(labels, return_inverse=True)[1].tolist())
        found = carry_on(ids, slots, old, new, version=version, next_id=next_id, resting=resting, places=8)
        if found is None:
            continue
        before, after = dict(zip(slots, ids, strict=True)), dict(zip(found.slots, found.ids, strict=True))
        assert len(after) == len(set(found.ids)) == len(new.centroids)
        assert not gone & set(found.ids)
        assert all(before[slot] == number for slot, number in after.items() if slot in before)
        gone |= set(ids) - set(found.ids)
        old, ids, slots, next_id, resting = new, found.ids, found.slots, found.next_id, dict(found.resting)
