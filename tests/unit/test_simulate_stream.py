"""The simulated stream: repeatable, in order, valid on the wire, consistent."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from statistics import mean
from typing import Any

import jsonschema
import pytest

from stream.errors import UserError
from stream.events.instant import parse_iso
from stream.events.routing import topic_of
from stream.history.wire_lines import wire_record
from stream.simulate.personas import DAY_MS, PERSONAS
from stream.simulate.simulation import SimulationOptions, personas, simulate
from tests.simulated import LONG, OPTIONS, by_customer, events, name_of

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


@pytest.mark.parametrize("pace", [0.0, -1.0, 101.0])
def test_a_pace_that_makes_no_sense_is_refused(pace: float) -> None:
    """With the figure, and what it must be."""
    with pytest.raises(UserError, match=f"the pace is {pace} and must lie between 0 and 100"):
        SimulationOptions(pace=pace)
