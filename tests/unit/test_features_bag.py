"""Bags, kept in the pool: whole after whatever happens, and their order that of the log, but for what comes late."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.features import pool
from stream.features.bag import Bag
from stream.features.base import FOREVER, NEVER
from tests.plain_features import START


class BagRow:
    """One customer's bag in a pool of its own."""

    def __init__(self, limit: int = 3) -> None:
        self.bag = Bag(("Add",), ("Remove",), ("Clear",), ("Visit",), limit)
        self.ints = np.array([pool.NONE, 0, NEVER], np.int64)
        self.pool = pool.new_pool(256)

    def fold(self, name: str, t: int, product: int, price: int = -1, in_stock: int = -1) -> None:
        """One event with one product."""
        reaction = self.bag.reactions()[name]
        items = np.array([[product, price, 1, in_stock]], np.int64)
        reaction.fold(self.ints, self.ints, 0, t, self.pool, 0, items, 0, 1, *reaction.constants)

    def view(self, name: str, now: int = START) -> float:
        """A view's value."""
        return float(self.bag.views()[name].value(self.ints, self.ints, 0, now, self.pool))

    def products(self) -> dict[int, tuple[int, ...]]:
        """What is in it: product -> its saved columns."""
        found, e = {}, int(self.ints[pool.HEAD])
        while e != pool.NONE:
            found[int(self.pool.entries[e, pool.PRODUCT])] = tuple(self.pool.entries[e, : pool.SAVED].tolist())
            e = int(self.pool.entries[e, pool.NEXT])
        return found


bag_events = st.lists(
    st.tuples(
        st.sampled_from(["Add", "Add", "Remove", "Clear", "Visit"]),
        st.integers(0, 20),
        st.integers(1, 5),
        st.sampled_from([-1, 10, 20]),
    ),
    max_size=25,
)


@settings(max_examples=100, deadline=None)
@given(bag_events)
def test_a_bag_stays_whole(happened: list[tuple[str, int, int, int]]) -> None:
    """Its size is the length of its list, never above the limit, and each product's list finds it: in any order."""
    row = BagRow()
    for event in happened:
        row.fold(*event)
        products = row.products()
        assert row.view("size") == row.view("") == len(products) <= 3
        for product in range(1, 6):
            e = int(row.pool.table[pool.slot(row.pool.table, product), 1]) if row.pool.meta[pool.KEYS] else pool.NONE
            known = row.pool.table[pool.slot(row.pool.table, product), 0] == product
            assert (product in products) == (known and e != pool.NONE)
    assert row.pool.meta[pool.USED] <= 4


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["Add", "Clear"]), st.integers(1, 5)), max_size=8, unique_by=lambda e: e[1]),
    st.data(),
)
def test_a_late_clearing_and_a_late_addition_agree(happened: list[tuple[str, int]], data: st.DataObject) -> None:
    """Different products, below the limit, at different instants: what is left does not depend on the order."""
    timed = [(name, 10 * k, product, 5) for k, (name, product) in enumerate(happened)]
    one, other = BagRow(limit=9), BagRow(limit=9)
    for event in timed:
        one.fold(*event)
    for event in data.draw(st.permutations(timed)):
        other.fold(*event)
    assert one.products() == other.products()


def test_what_a_bag_tells() -> None:
    """Cheaper than when it was added, visits since, and offers that have not ended."""
    row = BagRow()
    row.fold("Visit", 1, 1, 99)
    row.fold("Add", 2, 1, 20)
    row.fold("Add", 3, 2)
    assert (row.view("cheaper"), row.view("visits")) == (0, 0)
    row.fold("Visit", 4, 1, 10)
    row.fold("Visit", 5, 2, 30)
    row.fold("Visit", 6, 2, 40)
    assert (row.view("cheaper"), row.view("visits")) == (1, 2)
    row.fold("Visit", 3, 1, 50)  # late: the price seen at 4 stands
    assert row.view("cheaper") == 1
    row.pool.entries[pool.find(row.pool, row.ints, 0, 1), pool.OFFER_ENDS] = START + 10
    until = row.bag.views()["on_offer"].until
    assert until is not None
    assert [row.view("on_offer", START + t) for t in (0, 9, 10)] == [1, 1, 0]
    assert until(row.ints, row.ints, 0, START, math.nan, row.pool) == START + 10
    assert until(row.ints, row.ints, 0, START + 10, math.nan, row.pool) == FOREVER


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), max_size=6), st.data())
def test_what_is_back_does_not_depend_on_the_order_of_what_was_said(said: list[bool], data: st.DataObject) -> None:
    """Back: the last word is that it is there, and an earlier one since it was put in that it was not."""
    words = [(10 * k, int(there)) for k, there in enumerate(said, 1)]
    row = BagRow()
    row.fold("Add", 5, 1)
    entry = pool.find(row.pool, row.ints, 0, 1)
    for t, in_stock in data.draw(st.permutations([*words, (1, 0), (2, -1), (90, -1)])):
        pool.see_stock(row.pool.entries, entry, t, in_stock)
    assert row.view("back") == (bool(said) and said[-1] and not all(said))


def test_what_was_sold_out_when_it_was_wished_for_can_come_back() -> None:
    """The wish itself may say that it cannot be had; a visit may tell that it is there."""
    row = BagRow()
    row.fold("Add", 5, 1, in_stock=0)
    assert row.view("back") == 0
    row.fold("Visit", 6, 1, in_stock=1)
    assert row.view("back") == 1
    row.fold("Visit", 7, 1, in_stock=0)
    assert row.view("back") == 0
