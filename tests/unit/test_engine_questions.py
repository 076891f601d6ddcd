"""What a shard answers about one customer and about a segment's members is what its changes say."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.engine import questions
from stream.engine.shard import Shard
from stream.events.instant import EARLIEST_MS, LATEST_MS, iso
from stream.features.base import NEVER
from tests.shards import Driver, event, logs, plan_of

BUYS = {
    "dimension": "buys",
    "features": {"orders": {"count": "Order Completed"}},
    "segments": [{"segment": "often", "when": "orders >= 3"}, {"segment": "once", "when": "orders >= 1"}],
}
SEEN = {
    "dimension": "seen",
    "features": {"ago": {"since": "Product Viewed"}},
    "segments": [{"segment": "late", "when": "ago >= 5s"}, {"segment": "here", "when": "ago < 5s"}],
    "otherwise": "unseen",
}
NAMES = ["Order Completed", "Product Viewed", "User Deleted"]


def history(random: Random, customers: int, events: int) -> list[dict[str, object]]:
    """Orders, views and, seldom, requests to be forgotten."""
    return [
        event(f"c{random.randrange(customers)}", random.choices(NAMES, (8, 8, 1))[0], 1_000 * t, id=f"m{t}")
        for t in range(events)
    ]


def everybody(shard: Shard, dimension: str, segment: str, most: int) -> list[tuple[str, str | None]]:
    """All pages."""
    found, below = [], 1 << 62
    while below:
        page, below = shard.members(dimension, segment, below, most)
        assert len(page) <= most
        found += page
    return found


@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(1, 9))
def test_members_and_lookups_are_what_the_changes_say(seed: int, most: int, looked: int) -> None:
    """In pages of any size, over any pieces of the table: each member once, since the change that brought them in."""
    random = Random(seed)
    driver = Driver(plan_of(BUYS, SEEN), logs(history(random, 12, 60), until=70_000)).finish()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(questions, "LOOKED_THROUGH", looked)
        places: dict[tuple[str, str], dict[str, str | None]] = {}
        for customer in [key.decode() for key in driver.shard.rows.index]:
            told = driver.shard.placed(customer)
            whole = driver.shard.describe(customer)
            assert told is not None
            assert whole is not None
            assert {d: one["segment"] for d, one in told["segments"].items()} == whole["segments"]
            assert {d: one["since"] for d, one in told["segments"].items()} == whole["since"]
            for dimension, one in told["segments"].items():
                moves = [c for c in driver.changes if (c.subject, c.dimension) == (customer, dimension)]
                if one["segment"] is not None:
                    assert (one["segment"], one["since"]) == (moves[-1].to_segment, iso(moves[-1].at_ms))
                places.setdefault((dimension, str(one["segment"])), {})[customer] = one["since"]
        for dimension, segment in [("buys", "often"), ("buys", "once"), ("seen", "late"), ("seen", "unseen")]:
            found = everybody(driver.shard, dimension, segment, most)
            assert len(found) == len(dict(found))
            assert dict(found) == places.get((dimension, segment), {})


@given(st.integers(0, 10_000))
def test_whoever_stays_a_member_is_told_once_whoever_comes_and_goes_meanwhile(seed: int) -> None:
    """Rows are taken, given up and taken again between two pages."""
    random = Random(seed)
    driver = Driver(plan_of(BUYS), logs(history(random, 20, 120)))
    source = ("purchases", 0)
    for _ in range(60):
        driver.offer(source, 1)
        driver.step()
    members = dict(everybody(driver.shard, "buys", "once", 100))
    staying = set(members)
    found: list[str] = []
    below = 1 << 62
    while below:
        page, below = driver.shard.members("buys", "once", below, 2)
        found += [customer for customer, _ in page]
        for one in list(driver.log):
            driver.offer(one, 3)
        driver.drain()
        staying &= {customer for customer, _ in everybody(driver.shard, "buys", "once", 100)}
        gone = {customer for out in driver.outputs for one in out.forgotten for customer in [one.key.decode()]}
        staying -= gone
    assert staying <= set(found)
    assert len([customer for customer in found if customer in staying]) == len(staying)


def test_nobody_is_asked_for_in_vain() -> None:
    """Unknown customers, segments and dimensions."""
    driver = Driver(plan_of(BUYS), logs([event("a", "Order Completed", 1)])).finish()
    assert driver.shard.placed("b") is None
    assert driver.shard.members("buys", "never", 1 << 62, 10) == ([], 0)
    with pytest.raises(KeyError):
        driver.shard.members("sells", "often", 1 << 62, 10)


@given(st.lists(st.one_of(st.just(NEVER), st.integers(EARLIEST_MS, LATEST_MS))))
def test_instants_are_written_as_everywhere(instants: list[int]) -> None:
    """Many at once, to the character."""
    expected = [None if at == NEVER else iso(at) for at in instants]
    assert questions.told_since(np.array(instants, np.int64)) == expected
