"""What is sent to an application under faults: lines of events, as a file has them, with their blemishes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

#: Every so many lines one comes a second time, one has a name that no definition uses, and one cannot be read.
RETRIED, UNKNOWN, BROKEN = 41, 53, 67


def blemished(lines: Sequence[bytes]) -> list[bytes]:
    """The same events with retries, unknown names and lines that are no events between them."""
    found: list[bytes] = []
    for number, line in enumerate(lines, start=1):
        found.append(line)
        if number % RETRIED == 0:
            found.append(line)
        if number % UNKNOWN == 0:
            found.append(_line(json.loads(line) | {"event": "Nobody Asked", "messageId": f"u{number}"}))
        if number % BROKEN == 0:
            found.append(_line(json.loads(line) | {"timestamp": "tomorrow", "messageId": f"b{number}"}))
    return found


def closing_flood(lines: Sequence[bytes]) -> list[bytes]:
    """After a long silence, in which everybody's deadlines fall due: everyone wishes for one product, and it gets
    cheaper."""
    last = json.loads(lines[-1])["timestamp"]
    customers = sorted({json.loads(line).get("userId") or "" for line in lines} - {""})
    year = int(last[:4]) + 2
    wishes = (_wish(who, f"f{k}", f"{year}-06-01T00:00:00.000Z") for k, who in enumerate(customers))
    return [_line(event) for event in (*wishes, *_prices(f"{year}-06-01", 3))]


def wishers(count: int) -> list[bytes]:
    """So many customers who all wish for one product and leave something in the cart, in the same minute; hours later,
    when all their deadlines have fallen due at the same instants, its price falls and falls again."""
    names = [f"w{k:06d}" for k in range(count)]
    events: list[dict[str, Any]] = [_wish(who, f"w{who}", "2025-03-01T12:00:00.000Z") for who in names]
    cart = {"product_id": "other", "price": 5, "currency": "EUR", "cart_id": "c"}
    events += [
        _head(who, f"c{who}", "2025-03-01T12:01:00.000Z") | {"event": "Product Added", "properties": cart}
        for who in names
    ]
    page = {"event": "Page Viewed", "properties": {}}
    events += [_head(who, f"p{who}", "2025-03-20T00:00:00.000Z") | page for who in names[: count // 10]]
    events += _prices("2025-03-21", 3)
    events += [_head(who, f"q{who}", "2025-03-22T00:00:00.000Z") | page for who in names[: count // 10]]
    return [_line(event) for event in events]


def _head(who: str, message: str, at: str) -> dict[str, Any]:
    return {"type": "track", "userId": who, "messageId": message, "timestamp": at}


def _wish(who: str, message: str, at: str) -> dict[str, Any]:
    properties = {"product_id": "everybodys", "currency": "EUR", "price": 9}
    return _head(who, message, at) | {"event": "Product Added to Wishlist", "properties": properties}


def _prices(day: str, times: int) -> Iterator[dict[str, Any]]:
    """One product gets cheaper, minute by minute."""
    for k in range(times):
        properties = {
            "product_id": "everybodys",
            "currency": "EUR",
            "price": 8 - k,
            "offer_ends": None,
            "in_stock": True,
        }
        head = {"type": "track", "messageId": f"g{day}{k}", "timestamp": f"{day}T00:0{k + 1}:00.000Z"}
        yield head | {"event": "Product Updated", "properties": properties}


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode() + b"\n"
