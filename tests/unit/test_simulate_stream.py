"""The simulated stream: repeatable, in order, valid on the wire, consistent, and true to its personas."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import cache
from itertools import pairwise
from statistics import mean, pstdev
from typing import Any

import jsonschema
import orjson
import pytest

from stream.errors import UserError
from stream.events.instant import parse_iso
from stream.events.names import NAMES_OF_TYPES
from stream.events.routing import topic_of
from stream.history.wire_lines import wire_record
from stream.simulate.event import SimulatedEvent
from stream.simulate.personas import DAY_MS, PERSONAS
from stream.simulate.profile import TIERS
from stream.simulate.simulation import SimulationOptions, personas, simulate

OPTIONS = SimulationOptions(customers=150, days=60, seed=7, products=80)
LONG = SimulationOptions(customers=250, days=400, seed=3, products=60)

PRODUCT = {
    "type": "object",
    "required": ["product_id", "price", "currency", "category", "brand"],
    "properties": {"product_id": {"type": "string"}, "price": {"type": "number", "exclusiveMinimum": 0}},
}
VIDEO = {"required": ["asset_id", "genre", "total_length", "position"]}
PROPERTIES: dict[str, dict[str, Any]] = {
    "Page Viewed": {"required": ["path"]},
    "Products Searched": {"required": ["query"]},
    "Product Viewed": PRODUCT,
    "Product Added": {"allOf": [PRODUCT, {"required": ["quantity"]}]},
    "Product Removed": {"allOf": [PRODUCT, {"required": ["quantity"]}]},
    "Product Added to Wishlist": PRODUCT,
    "Product Removed from Wishlist": {"required": ["product_id"]},
    "Cart Viewed": {"type": "object"},
    "Checkout Started": {"required": ["value", "currency"]},
    "Order Completed": {
        "required": [
            "order_id",
            "total",
            "currency",
            "discount",
            "margin",
            "payment_method",
            "shipping_method",
            "products",
        ],
        "properties": {
            "total": {"type": "number", "exclusiveMinimum": 0},
            "discount": {"type": "number", "minimum": 0},
            "products": {"type": "array", "minItems": 1, "items": PRODUCT},
        },
    },
    "Order Refunded": {"required": ["order_id", "total", "currency", "margin"]},
    "Product Reviewed": {"required": ["product_id", "rating"], "properties": {"rating": {"minimum": 1, "maximum": 5}}},
    "Product Shared": {"required": ["product_id"]},
    "Email Opened": {"required": ["campaign"]},
    "Email Link Clicked": {"required": ["campaign"]},
    "Email Delivered": {"required": ["campaign"]},
    "Unsubscribed": {"required": ["campaign"]},
    "Screen Viewed": {"required": ["path"]},
    "Push Notification Tapped": {"required": ["campaign"]},
    "Social Link Clicked": {"required": ["network"]},
    "Product List Filtered": {"required": ["category"]},
    "Coupon Applied": {"required": ["coupon_id", "order_id"]},
    "Live Chat Conversation Started": {"required": ["conversation_id"]},
    "NPS Survey Answered": {"required": ["score"], "properties": {"score": {"minimum": 0, "maximum": 10}}},
    "Invite Sent": {"required": ["invitee"]},
    "Video Content Started": VIDEO,
    "Video Content Completed": VIDEO,
    "Video Playback Paused": {"required": ["content_asset_id", "position"]},
    "Video Playback Seek Completed": {"required": ["content_asset_id", "seek_position"]},
    "Identify": {
        "anyOf": [
            {"required": ["country", "city_size", "birthday", "createdAt", "plan", "interests"]},
            {"required": ["tier"], "maxProperties": 1},
        ],
        "properties": {
            "birthday": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"},
            "interests": {"type": "array"},
            "city_size": {"type": "integer", "minimum": 0},
            "employees": {"type": "integer", "minimum": 1},
        },
    },
    "Product Updated": {"required": ["product_id", "price", "currency", "offer_ends", "in_stock"]},
}


@cache
def events(options: SimulationOptions = OPTIONS) -> list[tuple[SimulatedEvent, dict[str, Any]]]:
    return [(event, orjson.loads(event.value)) for event in simulate(options)]


def name_of(wire: dict[str, Any]) -> str:
    return str(wire.get("event") or NAMES_OF_TYPES[wire["type"]])


@cache
def by_customer(options: SimulationOptions = OPTIONS) -> dict[str, list[tuple[int, str, dict[str, Any]]]]:
    """What each customer did, in order: instant, event name, properties."""
    found: dict[str, list[tuple[int, str, dict[str, Any]]]] = defaultdict(list)
    for event in simulate(options):
        if event.topic != "products":
            wire = orjson.loads(event.value)
            found[event.key.decode()].append((event.instant_ms, name_of(wire), wire.get("properties", {})))
    return found


def customers_of(persona: str, options: SimulationOptions = LONG) -> list[str]:
    return [customer for customer, name in personas(options) if name == persona]


def order_times(options: SimulationOptions = LONG) -> dict[str, list[int]]:
    return {
        customer: [at for at, name, _ in told if name == "Order Completed"]
        for customer, told in by_customer(options).items()
    }


def test_the_same_options_give_the_same_bytes_and_another_seed_others() -> None:
    again = list(simulate(OPTIONS))
    assert again == [event for event, _ in events()]
    assert list(simulate(SimulationOptions(customers=150, days=60, seed=8, products=80))) != again


def test_fewer_events_are_the_beginning_of_more() -> None:
    few = SimulationOptions(customers=150, days=60, seed=7, products=80, events=500)
    assert list(simulate(few)) == [event for event, _ in events()][:500]


def test_events_come_in_the_order_of_time_and_within_the_span() -> None:
    instants = [event.instant_ms for event, _ in events()]
    assert instants == sorted(instants)
    assert instants[0] == OPTIONS.start_ms
    assert OPTIONS.end_ms - 2 * DAY_MS < instants[-1] < OPTIONS.end_ms


def test_every_event_is_valid_on_the_wire() -> None:
    schemas = {name: jsonschema.Draft202012Validator(schema) for name, schema in PROPERTIES.items()}
    seen = set()
    for event, wire in events():
        name = name_of(wire)
        seen.add(name)
        assert parse_iso(wire["timestamp"]) == event.instant_ms
        assert event.topic == topic_of(name)
        schemas[name].validate(wire["traits"] if name == "Identify" else wire["properties"])
    assert seen == set(PROPERTIES)


def test_key_and_topic_are_those_a_reader_of_the_file_would_find() -> None:
    for event, _ in events():
        record = wire_record("f", 1, event.value)
        assert (record.key, record.topic, record.timestamp_ms) == (event.key, event.topic, event.instant_ms)


def test_message_ids_are_all_different() -> None:
    ids = [wire["messageId"] for _, wire in events()]
    assert len(set(ids)) == len(ids)


def test_no_event_tells_the_persona() -> None:
    names = [persona.name.encode() for persona in PERSONAS]
    assert not any(name in event.value for event, _ in events() for name in names)


def test_the_truth_names_every_customer_once_and_every_customer_seen() -> None:
    truth = [customer for customer, _ in personas(OPTIONS)]
    assert len(truth) == len(set(truth)) == OPTIONS.customers
    assert set(by_customer()) <= set(truth)


def test_the_share_of_anonymous_customers_is_the_one_asked_for() -> None:
    for share in (0.0, 1.0):
        options = SimulationOptions(customers=20, days=5, anonymous_share=share)
        assert {"anonymousId" in wire for event, wire in events(options) if event.topic != "products"} == {share == 1.0}
    assert 0.05 < mean(customer.startswith("a") for customer, _ in personas(LONG)) < 0.15


def test_lists_are_consistent_for_every_customer() -> None:
    """Only what was wished can be unwished, only what lies in the cart can be removed or ordered."""
    for told in by_customer().values():
        wishes: set[str] = set()
        cart: set[str] = set()
        orders: dict[str, float] = {}
        for _, name, properties in told:
            product = properties.get("product_id", "")
            if name == "Product Added to Wishlist":
                assert product not in wishes
                wishes.add(product)
            elif name == "Product Removed from Wishlist":
                wishes.remove(product)
            elif name == "Product Added":
                assert product not in cart
                cart.add(product)
            elif name == "Product Removed":
                cart.remove(product)
            elif name == "Order Completed":
                assert {line["product_id"] for line in properties["products"]} == cart
                assert sum(line["price"] for line in properties["products"]) == pytest.approx(properties["total"])
                cart.clear()
                orders[properties["order_id"]] = properties["total"]
            elif name == "Order Refunded":
                assert orders.pop(properties["order_id"]) == properties["total"]


def test_an_event_tells_the_price_in_force_and_nothing_sold_out_is_added() -> None:
    """Within a visit the price of its beginning may hold on, so a change of the last hour is allowed for."""
    history: dict[str, list[tuple[int, float, bool]]] = defaultdict(list)
    for event, wire in events():
        properties = wire.get("properties", {})
        if event.topic == "products":
            history[properties["product_id"]].append((event.instant_ms, properties["price"], properties["in_stock"]))
        elif name_of(wire) == "Product Added":
            known = history[properties["product_id"]]
            possible = [known[-1]] + [a for a, b in pairwise(known) if b[0] > event.instant_ms - 3_600_000]
            assert any(price == properties["price"] and in_stock for _, price, in_stock in possible)


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


@pytest.mark.parametrize(
    "wrong",
    [
        {"customers": 0},
        {"days": 0},
        {"products": 0},
        {"anonymous_share": 2},
        {"days": 1e9},
        {"events": -1},
        {"drift_day": 90.0},
        {"drift_share": 0},
    ],
)
def test_options_without_sense_are_one_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        SimulationOptions(**wrong)


def test_with_pages_every_product_search_cart_and_checkout_is_a_page_and_nothing_else_is_different() -> None:
    """Whoever takes the pages out has the stream without them, byte by byte but for the numbers of the messages."""

    def told(options: SimulationOptions) -> list[tuple[int, bytes, str, object]]:
        """All but what comes in on a page: that is one where a visit begins, and one of an event."""
        known = [
            (event.instant_ms, event.key, name_of(wire), wire.get("properties")) for event, wire in events(options)
        ]
        return [one for one in known if not (isinstance(one[3], dict) and paged(one[3].get("path", "")))]

    def paged(path: str) -> bool:
        return path in ("/search", "/cart", "/checkout") or path.startswith(("/products/", "/categories/", "/orders/"))

    with_pages = replace(OPTIONS, pages=True)
    assert told(with_pages) == told(OPTIONS)
    names = [(event.key, name_of(wire), wire.get("properties", {})) for event, wire in events(with_pages)]
    viewed = [k for k, (_, name, _) in enumerate(names) if name == "Product Viewed"]
    pages = {(key, properties["path"]) for key, name, properties in names if name in ("Page Viewed", "Screen Viewed")}
    assert viewed
    assert all((names[k][0], f"/products/{names[k][2]['product_id']}") in pages for k in viewed)
    assert sum(paged(properties.get("path", "")) for _, _, properties in names) == sum(
        name in ("Product Viewed", "Products Searched", "Product List Filtered", "Cart Viewed", "Checkout Started")
        or name == "Order Completed"
        for _, name, _ in names
    )


def test_a_pace_stretches_the_gaps_of_all() -> None:
    """At a pace of 4 the same shoppers come less than half as often; who leaves after a while stays longer, too."""

    def visits(options: SimulationOptions) -> int:
        return sum(
            name in ("Page Viewed", "Screen Viewed") for told in by_customer(options).values() for _, name, _ in told
        )

    often, seldom = visits(OPTIONS), visits(replace(OPTIONS, pace=4.0))
    assert 0.2 < seldom / often < 0.45


@pytest.mark.parametrize("pace", [0.0, -1.0, 101.0])
def test_a_pace_that_makes_no_sense_is_refused(pace: float) -> None:
    """With the figure, and what it must be."""
    with pytest.raises(UserError, match=f"the pace is {pace} and must lie between 0 and 100"):
        SimulationOptions(pace=pace)
