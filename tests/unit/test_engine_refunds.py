"""Refunds and cancellations: what they take back, against the oracle and case by case; orders that are told twice."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from stream.plan.definitions import Once, parse_definitions
from stream.plan.plan import Plan, twin_plan
from tests.oracle import Happened, Move, Oracle, feature
from tests.oracle.features import milliseconds
from tests.shards import Driver, event, files_of, logs, plan_of, run, told

START = 1_700_000_000_000
LENGTH = 60
UNTIL = START + 3 * LENGTH
ORDER, REFUND, CANCEL = "Order Completed", "Order Refunded", "Order Cancelled"
LESS = {"less": [REFUND, CANCEL], "last": 64}
FEATURES: dict[str, dict[str, Any]] = {
    "orders": {"count": ORDER, **LESS},
    "cards": {"count": ORDER, **LESS, "where": 'method == "card"'},
    "acme": {"count": ORDER, **LESS, "where": 'products.brand == "Acme"'},
    "spend": {"sum": "total", "of": ORDER, **LESS},
    "by_card": {"sum": "total", "of": ORDER, **LESS, "where": 'method == "card"'},
    "margin": {"sum": "margin", "of": ORDER, **LESS},
    "things": {"sum": "products.quantity", "of": ORDER, **LESS},
    "mean": {"mean": "total", "of": ORDER, **LESS},
    "least": {"min": "total", "of": ORDER, **LESS},
    "most": {"max": "total", "of": ORDER, **LESS},
    "near": {"count": ORDER, "within": "20ms", **LESS},
    "near_cards": {"count": ORDER, "within": "20ms", **LESS, "where": 'method == "card"'},
    "near_sum": {"sum": "total", "of": ORDER, "within": "20ms", **LESS},
    "near_mean": {"mean": "total", "of": ORDER, "within": "20ms", **LESS},
    "near_max": {"max": "total", "of": ORDER, "within": "20ms", **LESS},
    "since_view": {"count": ORDER, "after": "Product Viewed", **LESS},
    "sum_since": {"sum": "total", "of": ORDER, "after": "Product Viewed", **LESS},
    "today": {"sum": "total", "of": ORDER, "this": "day", **LESS},
    "ago": {"since": ORDER, **LESS},
    "card_ago": {"since": ORDER, **LESS, "where": 'method == "card"'},
    "born": {"since first": ORDER, **LESS},
    "gap": {"gap": ORDER, "default": "9ms", "after": 2, "min": "3ms", **LESS},
}


@st.composite
def histories(draw: st.DrawFn) -> list[Happened]:
    """Orders, refunds and cancellations of two customers, also out of order, told twice, and of orders unheard of."""
    found = []
    for k in range(draw(st.integers(0, 14))):
        name = draw(st.sampled_from([ORDER, ORDER, ORDER, REFUND, REFUND, CANCEL, "Product Viewed"]))
        properties: dict[str, Any] = {}
        if name != "Product Viewed":
            properties = {"order_id": draw(st.sampled_from(["o1", "o2", "o3", "o4", None]))}
            properties["total"] = draw(st.sampled_from([None, 0.0, 5.0, 12.5, 20.0]))
            properties["margin"] = draw(st.sampled_from([None, None, 2.0, 3.0]))
            properties["products"] = draw(st.sampled_from([None, PRODUCTS[:1], PRODUCTS[1:], PRODUCTS]))
            properties["method"] = draw(st.sampled_from([None, "card", "bank"])) if name == ORDER else None
        properties = {key: value for key, value in properties.items() if value is not None}
        at, who = START + draw(st.integers(0, LENGTH)), draw(st.sampled_from(["ann", "bo"]))
        found.append(Happened(at, name, who, f"m{k}", properties))
    return found if draw(st.booleans()) else sorted(found, key=lambda e: e.t)


PRODUCTS = [
    {"product_id": "p", "price": 5.0, "quantity": 2, "brand": "Acme"},
    {"product_id": "q", "quantity": 1, "brand": "Other"},
]


def by_topic(history: list[Happened]) -> dict[str, list[Happened]]:
    """The logs of the topics."""
    found: dict[str, list[Happened]] = {}
    for one in history:
        found.setdefault("purchases" if one.name.startswith("Order") else "clickstream", []).append(one)
    return found


def on_wire(one: Happened) -> dict[str, Any]:
    """The event as JSON."""
    return event(one.customer, one.name, one.t, id=one.message, **one.properties)


def shown(value: Any) -> Any:
    """A value as features are shown, as a number: durations in milliseconds."""
    return float(milliseconds(value)) if isinstance(value, str) else value


VALUES: dict[str, Any] = {
    "dimension": "values",
    "features": FEATURES,
    "segments": [{"segment": "any", "when": " or ".join(f"known({name})" for name in FEATURES)}],
}


PLAN = plan_of(VALUES)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_every_value_is_what_the_oracle_says(history: list[Happened]) -> None:
    """Of every kind of feature that refunds reach, whatever came late, twice, or for an order nobody knows."""
    driver = Driver(PLAN, logs(map(on_wire, history), UNTIL)).finish()
    oracle = Oracle([VALUES], lambda expression, share: None)
    oracle.run(by_topic(history), UNTIL)
    for name, customer in oracle.customers.items():
        i = driver.shard.rows.index[name.encode()]
        for now in (max(e.t for e in customer.past), UNTIL):
            found = driver.shard.features(i, now)
            for key, spec in FEATURES.items():
                expected = feature(spec, customer.past, now, "")
                assert shown(found[key]) == pytest.approx(expected, abs=0.5 if key == "gap" else None), (
                    key,
                    now - START,
                )
            assert found["spend.mean"] == pytest.approx(feature(FEATURES["spend"], customer.past, now, "mean"))


@st.composite
def conditions(draw: st.DrawFn) -> str:
    """One or two comparisons of features that refunds reach."""
    op, k = draw(st.sampled_from([">=", ">", "<=", "<", "==", "!="])), draw(st.sampled_from(["0", "1", "2", "12.5"]))
    counted = draw(st.sampled_from(["orders", "near", "near_cards", "since_view", "cards", "acme", "things"]))
    money = draw(st.sampled_from(["spend", "near_sum", "near_mean", "near_max", "most", "sum_since", "today"]))
    choices = [
        f"{counted} {op} {k}",
        f"{money} {op} {k}",
        f"ago {op} {draw(st.integers(1, 40))}ms",
        f"ago {op} 2 * gap",
        f"card_ago {op} near * 5ms",
        f"near_sum {op} spend / 2",
        f"known({draw(st.sampled_from(['ago', 'near_mean', 'near_max', 'born']))})",
    ]
    first, second = draw(st.sampled_from(choices)), draw(st.sampled_from(choices))
    both = draw(st.sampled_from(["", "and", "or"]))
    return f"{first} {both} {second}" if both else first


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(conditions(), min_size=1, max_size=3), histories())
def test_segments_follow_at_the_instant_that_the_oracle_names(whens: list[str], history: list[Happened]) -> None:
    """A refund moves at its own instant; what leaves a window afterwards does so to the millisecond."""
    rules = [{"segment": f"s{k}", "when": when} for k, when in enumerate(whens)]
    made = {"dimension": "d", "features": FEATURES, "segments": rules, "otherwise": "none of them"}
    note(str(whens))
    oracle = Oracle([made], lambda expression, share: None)
    oracle.run(by_topic(history), UNTIL)
    changes = run(plan_of(made), map(on_wire, history), UNTIL)
    moves = [Move(c.subject, c.dimension, c.from_segment, c.to_segment, c.at_ms, c.cause) for c in changes]
    for name in oracle.customers:
        assert [m for m in moves if m.customer == name] == [m for m in oracle.moves if m.customer == name]


def simple(**features: dict[str, Any]) -> Plan:
    """A dimension with these features, all of which are told."""
    when = " or ".join(f"known({name})" for name in features)
    return plan_of({"dimension": "d", "features": features, "segments": [{"segment": "any", "when": when}]})


def after(plan: Plan, *events: dict[str, Any]) -> tuple[Driver, dict[str, Any]]:
    """What a shard knows of ann after these events, 100 ms on."""
    driver = Driver(plan, logs(events)).finish()
    row = driver.shard.rows.index[b"ann"]
    return driver, driver.shard.features(row, START + 100)


def order(k: int, t: int = 0, **properties: Any) -> dict[str, Any]:
    """The k-th order, of 10."""
    return event("ann", ORDER, START + (t or k), **{"order_id": f"o{k}", "total": 10, "id": f"m{k}", **properties})


def refund(k: int, t: int, name: str = REFUND, **properties: Any) -> dict[str, Any]:
    """A refund of the k-th order."""
    return event("ann", name, START + t, order_id=f"o{k}", id=f"r{k}-{t}", **properties)


BOTH = {"less": [REFUND, CANCEL]}


def test_a_window_forgets_what_was_cancelled_and_nothing_leaves_it_later() -> None:
    """Two orders within 30 ms, one cancelled: out of the segment at once, and no deadline is left for it."""
    plan = plan_of(
        {
            "dimension": "d",
            "features": {"near": {"count": ORDER, "within": "30ms", **BOTH}},
            "segments": [{"segment": "busy", "when": "near >= 2"}],
            "otherwise": "quiet",
        }
    )
    kept = run(plan, [order(1), order(5)], START + 200)
    assert [(c.to_segment, c.at_ms - START) for c in kept] == [("quiet", 1), ("busy", 5), ("quiet", 31)]
    cancelled = run(plan, [order(1), order(5), refund(1, 9, CANCEL)], START + 200)
    assert [(c.to_segment, c.at_ms - START) for c in cancelled] == [("quiet", 1), ("busy", 5), ("quiet", 9)]


def test_partial_refunds_lower_the_sum_until_nothing_is_left() -> None:
    """An order of 10: 4 off leaves one order of 6; another 6, and there was none."""
    plan = simple(n={"count": ORDER, **BOTH}, spend={"sum": "total", "of": ORDER, **BOTH}, ago={"since": ORDER, **BOTH})
    _, once = after(plan, order(1), refund(1, 2, total=4))
    assert (once["n"], once["spend"], once["ago"]) == (1, 6, "99ms")
    _, twice = after(plan, order(1), refund(1, 2, total=4), refund(1, 3, total=6))
    assert (twice["n"], twice["spend"], twice["ago"]) == (0, 0, None)


def test_products_that_come_back_are_worth_what_the_refund_says_of_them() -> None:
    """Without a total, a refund takes off what its products cost; where one tells no price, nothing is known to be
    taken off; a refund that names nothing takes the whole order."""
    spend = {
        "spend": {"sum": "total", "of": ORDER, **BOTH},
        "things": {"sum": "products.quantity", "of": ORDER, **BOTH},
    }
    bought = [{"product_id": "p", "price": 2, "quantity": 3}, {"product_id": "q", "price": 4}]
    for sent_back, left in (
        ([{"product_id": "p", "price": 2, "quantity": 2}], (6, 2)),
        ([{"product_id": "q"}], (10, 3)),
    ):
        _, found = after(simple(**spend), order(1, products=bought), refund(1, 2, products=sent_back))
        assert (found["spend"], found["things"]) == left
    _, found = after(simple(**spend), order(1, products=bought), refund(1, 2))
    assert (found["spend"], found["things"]) == (0, 0)


def test_what_is_older_than_the_book_lowers_sums_and_is_counted() -> None:
    """With ``last: 2``, the third order pushes the first out: its refund no longer finds it."""
    two = {**BOTH, "last": 2}
    features = {
        "n": {"count": ORDER, **two},
        "spend": {"sum": "total", "of": ORDER, **two},
        "ago": {"since": ORDER, **two},
    }
    driver, found = after(simple(**features), order(1), order(2), order(3), refund(1, 4, total=10))
    assert (found["n"], found["spend"], found["ago"]) == (3, 20, "97ms")
    assert sum(out.unmatched for out in driver.outputs) == 1
    driver, found = after(simple(**features), order(1), order(2), order(3), refund(2, 4), refund(3, 5))
    assert (found["n"], found["spend"], found["ago"]) == (1, 10, "99ms")
    assert sum(out.unmatched for out in driver.outputs) == 0


def test_orders_beyond_the_book_still_count() -> None:
    """Thirty orders, of which the book keeps two, one of these cancelled; a late one older than all of them counts."""
    features: dict[str, Any] = {
        "n": {"count": ORDER, **BOTH, "last": 2},
        "first": {"since first": ORDER, **BOTH, "last": 2},
    }
    features["most"] = {"max": "total", "of": ORDER, **BOTH, "last": 2}
    orders = [order(k, total=k) for k in range(2, 32)]
    _, found = after(simple(**features), *orders, refund(31, 40, CANCEL))
    assert (found["n"], found["first"], found["most"]) == (29, "98ms", 30)
    _, found = after(simple(**features), *orders, order(99, t=1, total=50))
    assert (found["n"], found["first"], found["most"]) == (31, "99ms", 50)


def test_a_refund_that_comes_before_its_order_finds_it() -> None:
    """Until then it lowers the sum alone; then it is as if they had come in turn."""
    plan = simple(n={"count": ORDER, **BOTH}, spend={"sum": "total", "of": ORDER, **BOTH}, ago={"since": ORDER, **BOTH})
    early = refund(1, 5, total=4)
    _, found = after(plan, early)
    assert (found["n"], found["spend"], found["spend.mean"], found["ago"]) == (0, -4, None, None)
    _, found = after(plan, early, order(1))
    assert (found["n"], found["spend"], found["spend.mean"], found["ago"]) == (1, 6, 6, "99ms")
    _, found = after(plan, early, refund(1, 6, CANCEL), order(1))
    assert (found["n"], found["spend"], found["ago"]) == (0, 0, None)


def test_events_that_are_no_orders_go_by_what_the_definition_names() -> None:
    """``by`` says what tells them apart; without it, ``less`` just subtracts."""
    plain = {"count": "Device Added", "less": "Device Removed"}
    plan = simple(plain=plain, matched={**plain, "by": "device"})
    added = [event("ann", "Device Added", START + k, device=f"d{k}") for k in (1, 2)]
    removed = [event("ann", "Device Removed", START + 5 + k, device=f"d{k}") for k in (2, 7)]
    _, found = after(plan, *added, *removed)
    assert (found["plain"], found["matched"]) == (0, 1)


def test_an_order_told_twice_under_two_message_ids_counts_once() -> None:
    """Among the customer's last eight orders; an order without an id is always one of its own."""
    plan = simple(n={"count": ORDER})
    driver, found = after(plan, order(1), order(1, id="again"), order(1, t=9, id="and again"))
    assert (found["n"], driver.counts.duplicate, driver.counts.applied) == (1, 2, 1)
    assert driver.counts.balanced()
    others = [order(k) for k in range(2, 10)]
    driver, found = after(plan, order(1), *others[:7], order(1, t=50, id="again"))
    assert (found["n"], driver.counts.duplicate) == (8, 1)
    driver, found = after(plan, order(1), *others, order(1, t=50, id="again"))
    assert (found["n"], driver.counts.duplicate) == (10, 0)
    nameless = [event("ann", ORDER, START + k, total=1, id=f"x{k}") for k in (1, 2)]
    assert after(plan, *nameless)[1]["n"] == 2


def test_which_events_count_once_is_set() -> None:
    """Other names, another property, how many; or none at all."""
    made = files_of(
        {"dimension": "d", "features": {"n": {"count": "Paid"}}, "segments": [{"segment": "a", "when": "n > 0"}]}
    )
    paid = [event("ann", "Paid", START + k, invoice=x, id=f"m{k}") for k, x in enumerate(["a", "b", "a"])]
    for once, count in ((Once(("Paid",), "invoice", 2), 2), (Once(("Paid",), "invoice", 1), 3), (Once(()), 3)):
        plan = twin_plan(parse_definitions(made, once=once))
        assert after(plan, *paid)[1]["n"] == count


def test_no_name_is_kept_of_an_order() -> None:
    """Ids of orders are compared, never shown: the memory of names stays for texts that people read."""
    driver, _ = after(simple(n={"count": ORDER, **BOTH}, c={"latest": "city", "of": ORDER}), order(1, city="Berlin"))
    assert sorted(driver.shard.rows.texts.texts.values()) == ["Berlin"]


@pytest.mark.parametrize("seed", range(3))
def test_batches_and_restarts_do_not_matter(seed: int) -> None:
    """The book and what features keep beside it go to rest and come back."""
    random = Random(seed)
    events = []
    for k in range(60):
        name = random.choice([ORDER, ORDER, REFUND, CANCEL])
        total = {"total": random.choice([3, 5, 8])} if random.random() < 0.7 else {}
        properties = {"order_id": f"o{random.randrange(20)}", **total, "method": random.choice(["card", "bank"])}
        events.append(event(random.choice(["ann", "bo"]), name, START + 2 * k, id=f"m{k}", **properties))
    rules = [{"segment": f"s{k}", "when": w} for k, w in enumerate(["near_sum > 9", "spend > 20", "orders > cards"])]
    small = {name: {**spec, "last": 5} for name, spec in FEATURES.items()}
    plan = plan_of({"dimension": "d", "features": small, "segments": rules, "otherwise": "other"})
    log = logs(events, UNTIL)
    plain, wandered = Driver(plan, log).finish(), Driver(plan, log).wander(random, restarts=0.2)
    assert told(wandered.changes) == told(plain.changes)
    assert plain.counts == wandered.counts
    assert plain.counts.balanced()
