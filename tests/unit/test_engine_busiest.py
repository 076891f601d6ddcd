"""One customer with half of all traffic: found, told, bounded, and no trouble to anybody else."""

from __future__ import annotations

import logging
from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.app.hot import EVERY, LEAST_EVENTS, Hot
from stream.engine import rest
from stream.engine.busiest import COUNTERS, Busiest
from tests.depth import examples
from tests.hostile import plan
from tests.shards import Driver, event, logs, plan_of, told
from tests.shop import BUSY, LIFE, WISH

MINUTE = 60_000
START = 1_700_000_000_000


@examples(50)
@given(st.lists(st.lists(st.integers(-1, 400), max_size=300), max_size=8), st.integers(0, 400), st.integers(0, 900))
def test_whoever_has_a_large_share_is_found(runs: list[list[int]], bot: int, extra: int) -> None:
    """Counts are too low by at most a share of one COUNTERS-th, never too high, and take a bounded room."""
    keys = [b"c%d" % k for k in range(401)]
    busiest, truth = Busiest(), Counter[bytes]()
    for rows in [*runs, [bot] * extra]:
        busiest.count(np.array(rows, np.int64), keys)
        truth.update(keys[i] for i in rows if i >= 0)
        assert len(busiest._counts) <= COUNTERS
    found = busiest.take()
    assert found.events == truth.total()
    counted = dict(found.customers)
    for key, n in truth.items():
        assert n - found.events / COUNTERS <= counted.get(key, 0) <= n
    assert busiest.take().events == 0


def crowd(bot_events: int) -> list[dict[str, object]]:
    """Traffic of an hour, half of it a bot's, with ever new products."""
    random = Random(5)
    names = ["Product Viewed", "Product Added to Wishlist", "Product Added", "Order Completed", "Product Reviewed"]
    events = []
    for k in range(2 * bot_events):
        who = "bot" if k % 2 else f"c{random.randrange(40)}"
        products = [{"product_id": f"p{k}", "price": k % 50}]
        t = START + k * 60 * MINUTE // bot_events
        events.append(
            event(who, random.choice(names), t, product_id=f"p{k}", total=k % 9, products=products, id=f"m{k}")
        )
    return events


def test_a_bot_takes_no_more_room_than_anybody() -> None:
    """The row of half of all events, all of the catalogue, is bounded by the definitions: twice the events take no more
    bytes, beyond those of longer numbers."""
    sizes = []
    for events in (700, 1400):
        driver = Driver(plan(), logs(crowd(events))).finish()
        assert driver.counts.balanced()
        i = driver.shard.rows.index[b"bot"]
        ((_, value),) = rest.encode_rows(driver.shard.rows, np.array([i]), rest.fingerprint(plan()))
        sizes.append(len(value or b""))
        assert driver.shard.busiest.take().customers[0][0] == b"bot"
    assert sizes[1] < 1.1 * sizes[0] < 40_000


def test_a_bot_changes_nothing_for_others() -> None:
    """Whatever it does, and in whatever batches it comes."""
    three = plan_of(LIFE, BUSY, WISH)
    events = crowd(300)
    with_bot = Driver(three, logs(events)).wander(Random(3), most=50)
    end = max(START + k * 60 * MINUTE // 300 for k in range(600))
    without = Driver(three, logs([e for e in events if e["userId"] != "bot"], until=end)).finish()
    assert [row for row in told(with_bot.changes) if row[0] != "bot"] == told(without.changes)


def test_it_is_told_once_a_minute_and_only_where_it_is_much(caplog: pytest.LogCaptureFixture) -> None:
    """One line with the share; neither it nor the metric names anybody, who asks is told; few events say nothing."""
    now = [0.0]
    driver = Driver(plan_of(LIFE, BUSY, WISH), logs(crowd(LEAST_EVENTS)))
    hot = Hot(7, 0.2, lambda: now[0])
    caplog.set_level(logging.WARNING)
    driver.finish()
    hot.look(driver.shard)
    assert (caplog.messages, hot.share) == ([], 0.0)
    now[0] += EVERY
    hot.look(driver.shard)
    hot.look(driver.shard)
    (line,) = caplog.messages
    assert "shard 7" in line
    assert "about one customer (50 %)" in line
    assert "bot" not in line.replace("a bot?", "")
    assert hot.customer == "bot"
    assert hot.share == pytest.approx(0.5, abs=1 / COUNTERS)
    now[0] += EVERY
    hot.look(driver.shard)
    assert len(caplog.messages) == 1
    assert [hot.share, hot.customer] == [0.0, None]
    few = Driver(plan_of(LIFE, BUSY, WISH), logs(crowd(50))).finish()
    now[0] += EVERY
    hot.look(few.shard)
    assert len(caplog.messages) == 1
