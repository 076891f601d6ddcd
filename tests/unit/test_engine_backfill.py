"""Features filled at the switch are those of a shard that had the new definitions from the first event on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from stream.app.rebuild import Stop
from stream.engine.backfill import Backfill
from stream.engine.shard import Shard
from stream.engine.versions import DefinitionsVersion
from stream.events.decode import Decoder
from stream.plan.plan import Plan
from tests.shards import Driver, event, logs, plan_of
from tests.shop import LIFE, WISH, history

#: Dimensions whose segments do not depend on former ones, so that they tell of features alone.
LOOKS: dict[str, Any] = {
    "dimension": "looks",
    "features": {
        "views": {"count": "Product Viewed"},
        "spend": {"sum": "total", "of": "Order Completed"},
        "rate": {"rate": "Product Viewed", "half_life": "10ms"},
        "near": {"count": ["Product Viewed", "Order Completed"], "within": "40ms"},
    },
    "segments": [
        {"segment": "many", "when": "views >= 6 and near >= 1"},
        {"segment": "rich", "when": "spend >= 25"},
        {"segment": "hot", "when": "rate > 0.5"},
    ],
    "otherwise": "few",
}
OLD, NEW = plan_of(LIFE), plan_of(LIFE, LOOKS, WISH)
OF_LIFE = {"orders", "ago", "gap", "spend", "spend.mean"}
AT = 150
VERSION = DefinitionsVersion(1, AT, {"a.yaml": "x"}, backfilled=True)


class Ready:
    """Plans of a shard whose backfill is there, or not yet."""

    def __init__(self, backfill: Backfill | None) -> None:
        self.backfill = backfill

    def plan_of(self, version: DefinitionsVersion) -> Plan | None:
        return NEW

    def backfill_of(self, version: DefinitionsVersion, partition: int) -> Backfill | None:
        return self.backfill

    def decoder_of(self, plan: Plan) -> Decoder:
        return Decoder(plan.inputs)


def as_far_as_it_goes(driver: Driver) -> Driver:
    """Everything offered and proven; the shard may wait at the switch."""
    for source, records in driver.log.items():
        driver.offer(source, len(records))
    for source in driver.log:
        driver.prove(source)
    while driver.step():
        pass
    return driver


def rebuilt(events: Iterable[dict[str, Any]]) -> Shard:
    """A shard under the new plan that has read everything before the switch, and nothing after."""
    driver = Driver(NEW, logs(events, 400))
    driver.shard.plans = Stop(driver.decoder)
    driver.shard.versions.add(VERSION, -1)
    shard = as_far_as_it_goes(driver).shard
    assert shard.compiling == VERSION
    return shard


def switched(events: list[dict[str, Any]], backfill: Backfill | None, limit: int = 1000) -> Driver:
    """A shard under the old plan that switches on the way."""
    driver = Driver(OLD, logs(events, 400), limit=limit)
    driver.shard.plans = Ready(backfill)
    driver.shard.versions.add(VERSION, -1)
    return as_far_as_it_goes(driver)


def described(shard: Shard) -> list[Any]:
    """What the new dimensions know of every customer.  (What the old one kept it has by its own: of retries it knew
    fewer events, so it could remember them longer.)"""
    found = []
    for key in sorted(shard.rows.keys):
        of = shard.describe(key.decode())
        assert of is not None
        features = {name: value for name, value in of["features"].items() if name not in OF_LIFE}
        assert len(features) >= 8
        segments = {name: segment for name, segment in of["segments"].items() if name != "life"}
        found.append((key, orjson.dumps(features, option=orjson.OPT_SORT_KEYS), segments))
    return found


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("limit", [7, 1000])
def test_filled_features_are_those_of_the_whole_history(seed: int, limit: int) -> None:
    """Scalars, windows, rates and what lies on wishlists; also after the events that follow the switch."""
    events = history(seed, length=80)
    from_the_start = Driver(NEW, logs(events, 400)).finish()
    filled = switched(events, Backfill(rebuilt(events).rows), limit)
    assert described(filled.shard) == described(from_the_start.shard)
    assert filled.shard.memory.own.started == {}
    empty = switched(events, Backfill(rebuilt([]).rows), limit)
    assert described(empty.shard) != described(from_the_start.shard), "without rows the features are others"


def test_what_was_filled_is_at_rest() -> None:
    """A restart after the switch reads it back, also of customers whom nothing has touched since."""
    events = history(3, length=80)
    driver = switched(events, Backfill(rebuilt(events).rows))
    before = described(driver.shard)
    driver.plan = NEW
    driver.open()
    driver.finish()
    assert described(driver.shard) == before


def test_the_shard_waits_for_rows_that_are_not_there_and_says_so() -> None:
    events = history(4, length=80)
    driver = switched(events, None)
    shard = driver.shard
    assert (shard.compiling, shard.plan) == (VERSION, OLD)
    assert shard.position < AT
    shard.plans = Ready(Backfill(rebuilt(events).rows))
    driver.drain()
    assert (shard.compiling, shard.plan) == (None, NEW)
    assert described(shard) == described(Driver(NEW, logs(events, 400)).finish().shard)


def test_features_say_since_when_they_know_where_topics_had_lost_something() -> None:
    """Warming counts from the first event there was, not from the switch."""
    events = history(5, length=80)
    shard = switched(events, Backfill(rebuilt(events).rows, since=40)).shard
    assert set(shard.memory.own.started.values()) == {40}
    assert len(shard.memory.own.started) > 3


def test_customers_whom_the_topics_no_longer_know_begin_empty() -> None:
    events = [event("old", "Order Completed", 10, total=50, id="m1"), event("new", "Product Viewed", 100, id="m2")]
    shard = switched(events, Backfill(rebuilt(events[1:]).rows)).shard
    known = [shard.describe(customer) for customer in ("old", "new")]
    assert [None if one is None else one["features"]["views"] for one in known] == [0, 1]
    assert [None if one is None else one["features"]["looks.spend"] for one in known] == [0, 0]


def test_customers_of_whom_only_new_features_know_are_placed_at_the_switch() -> None:
    """Under the old definitions nobody had heard of them; in every dimension they are somewhere now."""
    events = [event("new", "Product Viewed", 100, id="m2"), event("other", "Order Completed", 390, total=1, id="m3")]
    driver = switched(events, Backfill(rebuilt(events).rows))
    placed = [(c.subject, c.dimension, c.to_segment, c.at_ms, c.cause) for c in driver.changes if c.subject == "new"]
    assert [p for p in placed if p[3] == AT] == [
        ("new", "life", "looks", AT, "definition"),
        ("new", "looks", "few", AT, "definition"),
        ("new", "wish", "nothing", AT, "definition"),
    ]
