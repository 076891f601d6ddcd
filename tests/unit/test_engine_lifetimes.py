"""Versions of the model of lifetimes in the engine: missing before, exact after, the same after a restart."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest

from stream.engine.change import Change
from stream.engine.explain import explain
from stream.engine.reading import read
from stream.features.history import of_purchases
from stream.features.predicted import Predicted
from stream.predict.lifetime_model import LifetimeModel
from tests.shards import CONTROL, Driver, Log, Record, event, logs, plan_of

DAY = 86_400_000
WEEK = 7 * DAY
ORDER = "Order Completed"
CHURN = {
    "dimension": "churn",
    "features": {
        "alive": {"alive": ORDER, "less": "Order Cancelled"},
        "buys": {"buys": ORDER, "less": "Order Cancelled", "within": "182d"},
        "clv": {"clv": "total", "of": ORDER, "less": "Order Cancelled"},
    },
    "segments": [
        {"segment": "gone", "when": "alive < 0.3"},
        {"segment": "fading", "when": "buys < 0.4"},
        {"segment": "dear", "when": "clv >= 150"},
        {"segment": "there", "when": "known(alive)"},
    ],
    "otherwise": "unknown",
}
PLAN = plan_of(CHURN)
UNTIL = 1_500 * DAY
FIRST = LifetimeModel(1, 100 * DAY, 0.243, 4.414 * WEEK, 0.793, 2.426, 6.25, 3.74, 15.44e6)
SECOND = msgspec.structs.replace(FIRST, version=2, effective=180 * DAY, alpha=9.0 * WEEK, a=0.2)


def order(customer: str, day: float, total: float = 50) -> dict[str, Any]:
    """An order; its id tells the day."""
    return event(customer, ORDER, int(day * DAY), total=total, order_id=f"{customer}-{day}")


def published(events: list[dict[str, Any]], *models: LifetimeModel, until: int = UNTIL) -> Log:
    """Events in order, and what was published before them all."""
    log = logs(sorted(events, key=lambda one: str(one["timestamp"])), until)
    records = [model.to_json() for model in models] + [record.value or b"" for record in log[CONTROL, 0]]
    log[CONTROL, 0] = [Record(k, value) for k, value in enumerate(records)]
    return log


def histories(seed: int) -> list[dict[str, Any]]:
    """Some customers' orders, now and then taken back."""
    random = Random(seed)
    found = []
    for k in range(8):
        for day in sorted(random.uniform(0, 400) for _ in range(random.randint(1, 7))):
            found.append(order(f"c{k}", day, random.choice([5, 50, 400])))
            if random.random() < 0.2:
                at = int((day + random.uniform(0, 30)) * DAY)
                found.append(event(f"c{k}", "Order Cancelled", at, order_id=f"c{k}-{day}"))
    return found


def told(changes: list[Change]) -> list[tuple[Any, ...]]:
    """What matters of changes, in one order."""
    return sorted((c.customer, c.at_ms, c.sequence, c.to_segment, c.cause, str(c.evidence)) for c in changes)


def test_nothing_is_known_before_the_first_version_and_then_it_comes_true_on_time_by_itself() -> None:
    """The move to a version is a change of its own; after it, time alone brings the others, to the millisecond."""
    orders = [order("ann", day) for day in (10, 20, 30, 60, 90)]
    changes = Driver(PLAN, published(orders, FIRST)).finish().changes
    deadlines = [(name, "deadline") for name in ("there", "fading", "gone")]
    assert [(c.to_segment, c.cause) for c in changes] == [("unknown", "event"), ("dear", "model"), *deadlines]
    assert changes[1].at_ms == 100 * DAY
    assert [changes[0].evidence[name] for name in ("alive", "buys", "clv")] == [None, None, None]
    purchases = FIRST.purchases
    for change, found in ((changes[3], purchases.p_buys), (changes[4], purchases.p_alive)):
        k, more = (0.4, (182 * DAY,)) if change.to_segment == "fading" else (0.3, ())
        before, after = (float(found(4, 80 * DAY, change.at_ms + d - 10 * DAY, *more)) for d in (-1, 0))
        assert after < k <= before


def test_what_they_will_spend_falls_below_each_threshold_on_the_millisecond() -> None:
    """However far ahead that is, and however often it is looked at on the way there."""
    limits = {"most": "clv > 150", "more": "clv >= 90", "some": "not clv <= 60", "little": "clv / 2 >= 10"}
    segments = [{"segment": name, "when": condition} for name, condition in limits.items()]
    features = {"clv": {"clv": "total", "of": ORDER, "less": "Order Cancelled"}}
    plan = plan_of({"dimension": "worth", "features": features, "segments": segments})
    driver = Driver(plan, published([order("ann", day) for day in (10, 20, 30, 60, 90)], FIRST)).finish()
    feature = plan.definitions.dimensions[0].features["clv"]

    def clv(now: int) -> float:
        shard = driver.shard
        return float(read(shard.rows, 0, feature, feature.views()[""].value, now, shard.versions.slots)) / 1e6

    left = [c for c in driver.changes if c.cause == "deadline"]
    assert [c.from_segment for c in left] == list(limits)
    for change, limit in zip(left, (150, 90, 60, 20), strict=True):
        assert clv(change.at_ms) <= limit <= clv(change.at_ms - 1)


def test_who_bought_once_is_judged_by_the_population_and_the_change_says_so() -> None:
    """Also of who bought twice in one day; of who came back it says nothing."""
    orders = [order("once", 10), order("evening", 10.1), order("evening", 10.2), order("twice", 10), order("twice", 30)]
    changes = [c for c in Driver(PLAN, published(orders, FIRST)).finish().changes if c.cause != "event"]
    assert {c.subject: c.evidence.get("population") for c in changes} == {"once": True, "evening": True, "twice": None}


def test_an_order_that_is_taken_back_never_was() -> None:
    """Later changes are those of a customer who had never ordered it."""
    plain = [order("ann", day) for day in (10, 40, 150)]
    cancelled = [*plain, order("ann", 80, 900), event("ann", "Order Cancelled", 90 * DAY, order_id="ann-80")]
    one, other = (Driver(PLAN, published(orders, FIRST)).finish().changes for orders in (plain, cancelled))
    assert [(c.at_ms, c.to_segment, c.evidence["clv"]) for c in one if c.cause != "event"] == [
        (c.at_ms, c.to_segment, c.evidence["clv"]) for c in other if c.cause != "event"
    ]


@pytest.mark.parametrize("seed", range(4))
def test_steps_and_restarts_change_nothing(seed: int) -> None:
    """Shards that take one record at a time, or are restored in between, tell what one does that takes all at once."""
    log = published(histories(seed), FIRST, SECOND)
    whole = Driver(PLAN, log).finish()
    assert {"model", "deadline", "event"} <= {c.cause for c in whole.changes}
    small = Driver(PLAN, log, limit=1).finish()
    assert told(small.changes) == told(whole.changes)
    restarted = Driver(PLAN, log, limit=3)
    for source in log:
        restarted.offer(source, 1_000)
        restarted.prove(source)
    while restarted.step():
        restarted.open()
        for source in log:
            restarted.offer(source, 1_000)
            restarted.prove(source)
    assert told(restarted.changes) == told(whole.changes)
    assert restarted.shard.versions.predictions["lifetime"] == SECOND


def test_a_version_of_the_same_numbers_moves_nobody_and_needs_no_other_plan() -> None:
    """What is compiled knows the places of the numbers and not the numbers."""
    again = msgspec.structs.replace(FIRST, version=2, effective=200 * DAY)
    driver = Driver(PLAN, published(histories(1), FIRST, again)).finish()
    assert not [c for c in driver.changes if c.cause == "model" and c.at_ms == 200 * DAY]
    assert driver.shard.versions.predictions["lifetime"] == again
    assert str(FIRST.r) not in PLAN.source


def test_a_model_of_other_purchases_is_not_gone_by() -> None:
    """Its numbers say nothing of these; without spend, the value alone is missing."""
    feature = PLAN.definitions.dimensions[0].features["alive"]
    assert isinstance(feature, Predicted)
    orders = [order("ann", day) for day in (10, 20, 30)]

    def described(**fields: Any) -> dict[str, Any]:
        model = msgspec.structs.replace(FIRST, **fields)
        found = Driver(PLAN, published(orders, model, until=101 * DAY)).finish().shard.describe("ann")
        assert found is not None
        return {name: value is not None for name, value in found["features"].items()}

    assert described(learned_from="others") == {"alive": False, "buys": False, "clv": False}
    assert described(learned_from=of_purchases(feature.history)) == {"alive": True, "buys": True, "clv": True}
    assert described(p=None, q=None, gamma=None) == {"alive": True, "buys": True, "clv": False}


def test_it_is_explained_with_the_value_now_and_what_comes_next() -> None:
    """The same functions read the same numbers."""
    orders = [order("ann", day) for day in (10, 20, 30, 60, 90)]
    driver = Driver(PLAN, published(orders, FIRST, until=120 * DAY)).finish()
    found = explain(driver.shard, "ann", 400 * DAY)
    assert found is not None
    dimension = found.dimensions[0]
    assert (dimension.segment, [one.to_segment for one in dimension.next]) == ("dear", ["there", "fading", "gone"])
    alive = FIRST.purchases.p_alive(4, 80 * DAY, 110 * DAY)
    assert dimension.features["alive"] == pytest.approx(float(alive))
