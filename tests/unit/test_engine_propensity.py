"""Predictions in the stream: who is asked when, what was known then, what came of it; what a version says of whom."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isnan, nan
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.engine.models import IDLE_PREDICTIONS
from stream.features.base import FOREVER
from stream.features.propensity import chance_of, names_of, next_turn
from stream.plan.problems import DefinitionError
from stream.predict.lifetime_model import LifetimeModel
from stream.predict.propensity import PropensityModel
from stream.predict.settling import Asked, of_step
from tests.shards import CONTROL, Driver, Log, Record, definitions, event, logs, plan_of, told

ORDER, VIEW = "Order Completed", "Product Viewed"
WITHIN = 100
UNTIL = 2_000
LIKELY: dict[str, Any] = {
    "dimension": "likely-to-buy",
    "every": "70ms",
    "features": {
        "orders": {"count": ORDER},
        "ago": {"since": VIEW},
        "will_buy": {"predict": ORDER, "within": f"{WITHIN}ms", "from": ["orders", "ago"]},
    },
    "segments": [{"segment": "likely", "when": "will_buy >= 0.5"}, {"segment": "unlikely", "when": "will_buy < 0.5"}],
}
PLAN = plan_of(LIKELY)
(WILL_BUY,) = PLAN.layout.predictions


def history(seed: int, count: int = 150, customers: int = 6) -> list[dict[str, Any]]:
    """Views and orders in the order of time."""
    random = Random(seed)
    found = []
    for t in sorted(random.randrange(1, UNTIL) for _ in range(count)):
        name, who = random.choice([ORDER, VIEW, VIEW]), f"c{random.randrange(customers)}"
        found.append(
            event(who, name, t, **({"order_id": str(t), "total": 1} if name == ORDER else {"product_id": "p"}))
        )
    return found


def model(version: int, effective: int, **more: Any) -> PropensityModel:
    """More orders make it likelier, in steps of whole orders from three on."""
    mean, scale = (3.0, 0.0, 0.0, 0.0), (1.0, 1.0, 0.0, 1.0)
    given = {"name": WILL_BUY.kind, "weights": (2.0, 0.0, 0.0, 0.5), "intercept": 0.1, **more}
    return PropensityModel(version, effective, WITHIN, ("orders", "ago"), (0.0, 5.0), mean, scale, **given)


def with_versions(log: Log, *versions: PropensityModel) -> Log:
    """The log with versions before all else on the control topic."""
    records = [Record(k, version.to_json()) for k, version in enumerate(versions)]
    rest = [Record(len(records) + k, record.value) for k, record in enumerate(log[CONTROL, 0])]
    return {**log, (CONTROL, 0): [*records, *rest]}


def asked(driver: Driver) -> list[Asked]:
    """All questions, by customer and time."""
    found = [one for out in driver.outputs for asked in out.asked for one in of_step(asked)]
    return sorted(found, key=lambda one: (one.customer, one.at))


def plain(found: Iterable[Asked]) -> list[tuple[Any, ...]]:
    """Questions as they can be compared: what is missing is None."""
    return [
        (one.customer, one.at, *(None if isnan(x) else x for x in (*one.vector.tolist(), one.said, one.since)))
        for one in found
    ]


def test_everyone_is_asked_about_once_a_horizon_at_instants_of_their_own() -> None:
    """Whatever they do: else those who do much would be learned from more."""
    found = asked(Driver(PLAN, logs(history(1), UNTIL)).finish())
    instants: dict[int, list[int]] = {}
    for one in found:
        instants.setdefault(one.customer, []).append(one.at)
    assert len(instants) == 6
    for customer, turns in instants.items():
        assert turns == list(range(turns[0], UNTIL + 1, WITHIN))
        assert turns[0] % WITHIN == customer % WITHIN
    assert len({turns[0] % WITHIN for turns in instants.values()}) > 1


@pytest.mark.parametrize("seed", range(3))
def test_a_question_has_what_was_known_right_before_its_instant(seed: int) -> None:
    """An order of that very millisecond belongs to what is predicted."""
    events = history(seed)
    driver = Driver(PLAN, logs(events, UNTIL)).finish()
    who = {int(driver.shard.rows.table.ints[i, 4]): key.decode() for key, i in driver.shard.rows.index.items()}
    at = {one["messageId"]: int(one["messageId"].split("/")[2]) for one in events}
    found = asked(driver)
    assert found
    for one in found:
        mine = [e for e in events if e["userId"] == who[one.customer] and at[e["messageId"]] < one.at]
        orders = [at[e["messageId"]] for e in mine if e["event"] == ORDER]
        views = [at[e["messageId"]] for e in mine if e["event"] == VIEW]
        expected = (float(len(orders)), *(float(one.at - max(x)) if x else None for x in (views,)), None)
        assert plain([one])[0][2:5] == expected
        assert isnan(one.since) if not orders else one.since == one.at - max(orders)


@pytest.mark.parametrize("seed", range(2))
def test_questions_do_not_depend_on_batches_or_restarts(seed: int) -> None:
    """None is lost, none comes twice, also where a shard is opened again long after the customer's last event."""
    log = with_versions(logs(history(seed, 40, 3), 2 * UNTIL), model(1, 300))
    straight = Driver(PLAN, log).finish()
    wandered = Driver(PLAN, log, limit=50).wander(Random(seed), restarts=0.1)
    assert plain(asked(wandered)) == plain(asked(straight))
    assert told(wandered.changes) == told(straight.changes)


def test_questions_tell_what_the_model_of_lifetimes_says() -> None:
    """P(alive), and P(buys) within the horizon, where some feature keeps those purchases and a model is in force."""
    staying = {
        "dimension": "staying",
        "every": "70ms",
        "features": {
            "alive": {"alive": ORDER, "merge": "1ms"},
            "buys": {"buys": ORDER, "within": f"{WITHIN}ms", "merge": "1ms"},
        },
        "segments": [{"segment": "stays", "when": "alive >= 0.5 or buys > 0.5"}],
    }
    plan = plan_of(LIKELY, staying)
    lifetimes = LifetimeModel(1, 700, 0.7, 200.0, 0.8, 2.4)
    log = logs(history(1), UNTIL)
    log[CONTROL, 0] = [Record(0, lifetimes.to_json()), *(Record(k, r.value) for k, r in enumerate(log[CONTROL, 0], 1))]
    found = asked(Driver(plan, log).finish())
    assert {isnan(one.buys) for one in found if one.at < 700} == {True}
    known = [one for one in found if one.at >= 700 and one.vector[0] > 1]
    assert known
    for one in known:
        assert one.baselines == (-one.since, one.alive, one.buys)
        assert 0 < one.buys < one.alive < 1
    assert {isnan(one.alive) for one in asked(Driver(PLAN, log).finish())} == {True}
    longest, shortest = max(known, key=lambda one: one.since), min(known, key=lambda one: one.since)
    assert longest.alive < shortest.alive


def test_who_is_forgotten_is_asked_no_more() -> None:
    """Nothing is known of them; and who comes back begins anew."""
    events = [event("a", VIEW, 50, product_id="p"), event("b", VIEW, 60, product_id="p"), event("a", ORDER, 1500)]
    found = asked(Driver(PLAN, logs(events, UNTIL), dormant_after=400).finish())
    assert max(one.at for one in found if one.at < 1500) <= 460
    assert {one.vector[0] for one in found if one.at > 1500} == {1.0}


def chances(model: PropensityModel, orders: float, ago: float) -> float:
    return float(model.probability(np.array([[orders, ago]]))[0])


def test_conditions_go_by_the_version_in_force() -> None:
    """At an event, at the next look, and at a version's instant; before the first one there is no chance at all."""
    events = [event("a", ORDER, t, order_id=str(t)) for t in (10, 20, 30)]
    log = with_versions(logs(events, 1000), model(1, 25), model(2, 500, intercept=-1.0))
    driver = Driver(PLAN, log).finish()
    moves = [(c.at_ms, c.to_segment, c.cause) for c in driver.changes]
    assert moves == [(25, "unlikely", "model"), (30, "likely", "event"), (500, "unlikely", "model")]
    chance = pytest.approx(chances(model(1, 25), 2, nan), abs=1e-3)
    assert driver.changes[0].evidence == {"orders": 2, "ago": None, "will_buy": chance}
    assert chances(model(1, 25), 3, nan) >= 0.5


@given(
    st.lists(st.one_of(st.floats(-1e12, 1e12), st.sampled_from([nan, inf, 0.0])), min_size=1, max_size=4),
    st.integers(0, 5),
    st.integers(0, 1 << 30),
)
@settings(deadline=None, max_examples=60)
def test_a_row_is_told_what_the_published_model_says(values: list[float], knots: int, seed: int) -> None:
    """Shards answer by the numbers of a version as its own formula does over arrays."""
    d, random = len(values), Random(seed)
    at = sorted(random.uniform(-5, 5) for _ in range(knots))
    made = PropensityModel(
        1,
        1,
        WITHIN,
        tuple("abcd"[:d]),
        tuple(random.choice([0.0, 10 ** random.uniform(-3, 9)]) for _ in range(d)),
        tuple(random.uniform(-3, 3) for _ in range(2 * d)),
        tuple(random.choice([0.0, random.uniform(0.1, 1e6)]) for _ in range(2 * d)),
        tuple(random.uniform(-3, 3) for _ in range(2 * d)),
        random.uniform(-2, 2),
        knots=tuple(at),
        chances=tuple(sorted(random.random() for _ in at)),
    )
    numbers = made.numbers(names_of(d))
    assert numbers is not None
    said = chance_of(values, np.array(numbers))
    assert said == pytest.approx(float(made.probability(np.array([values]))[0]), rel=1e-9, abs=1e-12)


def test_without_a_version_nothing_is_said() -> None:
    """Missing is no probability, and makes every comparison false."""
    assert isnan(chance_of([1.0, 2.0], np.full(len(names_of(2)), nan)))
    assert Driver(PLAN, logs(history(1), UNTIL)).finish().changes == []


def test_a_version_of_another_meaning_says_nothing() -> None:
    """The same name over other features is another prediction."""
    other = plan_of({**LIKELY, "features": {**LIKELY["features"], "ago": {"since": ORDER}}})
    assert other.layout.predictions[0].kind != WILL_BUY.kind
    assert Driver(other, with_versions(logs(history(1), UNTIL), model(1, 25))).finish().changes == []


def test_of_former_predictions_only_the_latest_are_kept() -> None:
    """Whoever edits what a prediction goes by makes another one each time: a shard's row must not grow with that; and
    what is in use stays, however old it is."""
    former = [model(1, 30 + k, name=f"{WILL_BUY.kind}-{k}") for k in range(IDLE_PREDICTIONS + 4)]
    driver = Driver(PLAN, with_versions(logs(history(1), UNTIL), model(1, 25), *former)).finish()
    kept = {WILL_BUY.kind, *(one.kind for one in former[4:])}
    assert driver.shard.versions.predictions.keys() == kept
    assert {kind for kind in driver.shard.versions.newest if kind.startswith(WILL_BUY.kind)} == kept
    driver.open()
    assert driver.shard.versions.predictions.keys() == kept


def test_a_customer_can_be_asked_about_by_people_too() -> None:
    """`describe` and `explain` have the same chance as the kernel had."""
    driver = Driver(PLAN, with_versions(logs(history(3), UNTIL), model(1, 25))).finish()
    described = driver.shard.describe("c1")
    assert described is not None
    features = described["features"]
    explained = driver.shard.explain("c1", 1_000)
    said = chances(model(1, 25), features["orders"], nan if features["ago"] is None else 0.0)
    assert features["will_buy"] == pytest.approx(said, abs=1e-3)
    assert explained["dimensions"][0]["features"]["will_buy"] == features["will_buy"]
    assert explained["dimensions"][0]["segments"][0]["when"]["note"] == "looked at every 70ms"


def test_a_model_that_two_dimensions_name_is_asked_for_once() -> None:
    """They mean the same, and learn as one."""
    twice = plan_of(LIKELY, {**LIKELY, "dimension": "again"})
    assert [one.kind for one in twice.layout.predictions] == [WILL_BUY.kind]


@pytest.mark.parametrize(
    ("feature", "sentence"),
    [
        ({"predict": ORDER, "from": ["orders"]}, "'within' is missing here"),
        ({"predict": ORDER, "within": "5d"}, "'from' is missing here"),
        (
            {"predict": ORDER, "within": "5d", "from": ["order"]},
            "there is no feature 'order' here; did you mean 'orders'?",
        ),
        ({"predict": ORDER, "within": "5d", "from": ["will_buy"]}, "learned from numbers, durations and amounts"),
        ({"predict": ORDER, "within": "5d", "from": ["orders", "orders"]}, "a feature stands here twice; keep one"),
        ({"predict": ORDER, "within": "5d", "from": []}, "learned from 1 to 32 features"),
        ({"predict": ORDER, "within": "5d", "from": ["orders"], "where": "total > 5"}, "a prediction takes no filter"),
    ],
)
def test_mistakes_are_told(feature: dict[str, Any], sentence: str) -> None:
    """Each with what to do."""
    wrong = {**LIKELY, "features": {**LIKELY["features"], "will_buy": feature}}
    with pytest.raises(DefinitionError) as error:
        definitions(wrong)
    assert sentence in str(error.value)


def test_how_often_to_look_must_be_said() -> None:
    """When a chance crosses a threshold by itself cannot be worked out."""
    with pytest.raises(DefinitionError) as error:
        definitions({key: value for key, value in LIKELY.items() if key != "every"})
    assert "say with 'every: 1h' how often to look" in str(error.value)


@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-(10**12), 10**13), st.integers(1, 10**9))
def test_turns_come_a_horizon_apart(customer: int, now: int, within: int) -> None:
    """The next one is within a horizon, and never one that was."""
    turn = next_turn(customer, now, -FOREVER, within)
    assert now < turn <= now + within
    assert turn % within == customer % within
    assert next_turn(customer, now, turn, within) == turn + within
