"""The simulated shoppers: true to their personas, alone and together."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from statistics import mean, pstdev

import pytest

from stream.simulate.personas import DAY_MS, PERSONAS
from stream.simulate.profile import TIERS
from stream.simulate.simulation import SimulationOptions, personas
from tests.simulated import LONG, OPTIONS, by_customer, customers_of, order_times


@pytest.mark.parametrize("name", ["loyal-regular", "heavy-user"])
def test_the_gaps_between_orders_are_the_declared_ones(name: str) -> None:
    """Mean and spread over many customers, whose own paces differ a little (spread 0.15)."""
    [persona] = [persona for persona in PERSONAS if persona.name == name]
    assert persona.orders is not None
    orders = order_times()
    gaps = [(b - a) / DAY_MS for customer in customers_of(name) for a, b in pairwise(orders.get(customer, []))]
    assert len(gaps) > 300
    assert mean(gaps) == pytest.approx(persona.orders.mean_days, rel=0.1)
    assert pstdev(gaps) / mean(gaps) == pytest.approx(persona.orders.spread, abs=0.1)


def test_one_time_buyers_buy_once_at_most_and_then_are_gone() -> None:
    told = by_customer(LONG)
    later = LONG.start_ms + 200 * DAY_MS
    for customer in customers_of("one-time-buyer"):
        assert len([name for _, name, _ in told[customer] if name == "Order Completed"]) <= 1
        visits = [at for at, name, _ in told[customer] if name == "Page Viewed"]
        assert not visits or max(visits) < later


def test_some_churners_come_back_after_a_long_absence_and_some_never_do() -> None:
    told = by_customer(LONG)
    returned, gone = 0, 0
    for customer in customers_of("churner"):
        visits = [at for at, name, _ in told[customer] if name == "Page Viewed"]
        returned += any(b - a > 40 * DAY_MS for a, b in pairwise(visits))
        gone += bool(visits) and visits[-1] < LONG.end_ms - 120 * DAY_MS
    assert returned >= 5
    assert gone >= 5


def test_seasonal_bingers_order_in_bursts_with_long_quiet_between() -> None:
    orders = order_times()
    gaps = [(b - a) / DAY_MS for customer in customers_of("seasonal-binger") for a, b in pairwise(orders[customer])]
    assert sum(gap < 12 for gap in gaps) > sum(gap > 40 for gap in gaps) > 20
    assert sum(12 <= gap <= 40 for gap in gaps) < 0.1 * len(gaps)


def test_newcomers_come_at_any_time() -> None:
    told = by_customer(LONG)
    first = [min(told[c])[0] for c in customers_of("newcomer") if told[c]]
    assert sum(at > LONG.start_ms + 100 * DAY_MS for at in first) > len(first) / 2


def test_a_bargain_hunter_buys_only_wished_products_that_became_cheaper() -> None:
    told = by_customer(LONG)
    orders = [p for c in customers_of("bargain-hunter") for _, name, p in told[c] if name == "Order Completed"]
    assert len(orders) > 50
    assert all(order["discount"] > 0 for order in orders)


def test_window_shoppers_look_much_and_buy_little() -> None:
    told = by_customer(LONG)

    def ratio(persona: str) -> float:
        names = [name for customer in customers_of(persona) for _, name, _ in told[customer]]
        return names.count("Order Completed") / names.count("Product Viewed")

    assert ratio("window-shopper") < ratio("loyal-regular") / 10


def test_the_habitual_come_mostly_at_an_hour_and_on_a_day_of_their_own() -> None:
    """Of a loyal regular's visits most fall into one hour, and into one weekday; a window shopper's do not."""
    told = by_customer(LONG)

    def share(persona: str, unit_ms: int, units: int) -> float:
        shares = []
        for customer in customers_of(persona):
            visits = [
                at // unit_ms % units for at, name, _ in told[customer] if name in ("Page Viewed", "Screen Viewed")
            ]
            if len(visits) >= 20:
                shares.append(max(visits.count(unit) for unit in set(visits)) / len(visits))
        return mean(shares)

    hour, day = (DAY_MS // 24, 24), (DAY_MS, 7)
    assert share("loyal-regular", *hour) > 0.5 > 0.4 > share("window-shopper", *hour)
    assert share("loyal-regular", *day) > 0.5 > 0.35 > share("window-shopper", *day)


def test_the_newsletter_goes_to_those_who_are_known_until_they_unsubscribe() -> None:
    """Also to those who left long ago: they are the ones who sleep on it."""
    after_all = False
    for customer, told in by_customer(LONG).items():
        stopped = [at for at, name, _ in told if name == "Unsubscribed"]
        mails = [at for at, name, _ in told if name == "Email Delivered"]
        introduced = [at for at, name, _ in told if name == "Identify"]
        assert not (mails and customer.startswith("a"))
        assert all(at >= introduced[0] for at in mails)
        assert len(stopped) <= 1
        assert not stopped or max(mails) <= stopped[0]
        visits = [at for at, name, _ in told if name in ("Page Viewed", "Screen Viewed")]
        after_all |= bool(mails and visits) and mails[-1] > visits[-1] + 90 * DAY_MS
    assert after_all


def test_orders_tell_what_they_earn_and_bring_tiers() -> None:
    """The margin lies below the total; each tier comes once, with the order that earns it."""
    for customer, told in by_customer(LONG).items():
        orders = [p for _, name, p in told if name == "Order Completed"]
        assert all(order["margin"] < order["total"] for order in orders)
        identified = [at for at, name, _ in told if name == "Identify"]
        if customer.startswith("c") and identified:
            assert len(identified) == 1 + sum(k in TIERS for k in range(1, len(orders) + 1))


def test_a_drift_brings_newcomers_of_a_new_persona_and_nobody_of_it_before() -> None:
    """About the share asked for, from that day on; who the others are does not change."""
    drifting = replace(OPTIONS, customers=400, drift_day=30, drift_share=0.3)
    before = dict(personas(replace(OPTIONS, customers=400)))
    truth = dict(personas(drifting))
    new = [customer for customer, persona in truth.items() if persona == "reorderer"]
    assert 0.2 < len(new) / 400 < 0.4
    assert "reorderer" not in before.values()
    assert {c: p for c, p in truth.items() if c not in new} == {c: p for c, p in before.items() if c not in new}
    told = by_customer(drifting)
    assert min(told[customer][0][0] for customer in new if told[customer]) >= drifting.drift_ms
    orders = [sum(name == "Order Completed" for _, name, _ in told[customer]) for customer in new]
    assert mean(orders) > 10, "they order every other day"


def test_shares_of_personas_make_a_whole_and_names_differ() -> None:
    assert sum(persona.share for persona in PERSONAS) == pytest.approx(1)
    assert len({persona.name for persona in PERSONAS}) == len(PERSONAS) >= 8


def test_a_pace_stretches_the_gaps_of_all() -> None:
    """At a pace of 4 the same shoppers come less than half as often; who leaves after a while stays longer, too."""

    def visits(options: SimulationOptions) -> int:
        return sum(
            name in ("Page Viewed", "Screen Viewed") for told in by_customer(options).values() for _, name, _ in told
        )

    often, seldom = visits(OPTIONS), visits(replace(OPTIONS, pace=4.0))
    assert 0.2 < seldom / often < 0.45
