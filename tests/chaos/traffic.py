"""What is sent to an application under faults: lines of events, as a file has them, with their blemishes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

#: Every so many lines one comes a second time, one has a name that no definition uses, one cannot be read, and one
#: customer asks to be forgotten, who may come back.
RETRIED, UNKNOWN, BROKEN, FORGOTTEN = 41, 53, 67, 211
#: The product that everybody wishes for.
_PRODUCT = {"product_id": "everybodys", "currency": "EUR"}
#: When carts count as abandoned and as stale, and customers as at risk and as lapsed, who did everything on 1 March.
_ROUNDS = (
    "2025-03-01T14:00:00.000Z",
    "2025-03-05T00:00:00.000Z",
    "2025-05-31T00:00:00.000Z",
    "2025-08-29T00:00:00.000Z",
)


def blemished(lines: Sequence[bytes]) -> list[bytes]:
    """The same events; between them retries, unknown names, lines that are no events, and wishes to be forgotten."""
    found: list[bytes] = []
    for number, line in enumerate(lines, start=1):
        found.append(line)
        if number % RETRIED == 0:
            found.append(line)
        if number % UNKNOWN == 0:
            found.append(_line(json.loads(line) | {"event": "Nobody Asked", "messageId": f"u{number}"}))
        if number % FORGOTTEN == 0 and "userId" in (event := json.loads(line)):
            found.append(_line(_head(event["userId"], f"d{number}", event["timestamp"]) | {"event": "User Deleted"}))
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
    prices = (_price(f"g{k}", f"{year}-06-01T00:0{k + 1}:00.000Z", 8 - k) for k in range(3))
    return [_line(event) for event in (*wishes, *prices)]


def floods(customers: int, rounds: int) -> list[list[bytes]]:
    """Two parts in which so many customers wish for one product, order something and leave something in the cart, all
    at the same instants; then a part for each round, in which time comes to where all their deadlines fall due at once,
    and the product gets cheaper than they wished for it, or dearer again."""
    names = [f"w{k:06d}" for k in range(customers)]
    cart = {"product_id": "other", "price": 5, "currency": "EUR"}
    told: list[tuple[str, str, dict[str, Any]]] = [
        ("2025-03-01T12:00:00.000Z", "Product Added to Wishlist", {**_PRODUCT, "price": 9}),
        ("2025-03-01T12:01:00.000Z", "Order Completed", {"order_id": "o", "total": 20, "currency": "EUR"}),
        ("2025-03-01T12:02:00.000Z", "Product Added", cart),
    ]
    begun = [
        _line(_head(who, f"{event}/{who}", at) | {"event": event, "properties": properties})
        for at, event, properties in told
        for who in names
    ]
    parts = cut(begun, 2)
    for k in range(rounds):
        at = _ROUNDS[k] if k < len(_ROUNDS) else f"20{26 + k}-01-01T00:00:00.000Z"
        page = {"event": "Page Viewed", "properties": {}}
        views = [_line(_head(who, f"v{k}/{who}", at) | page) for who in names[:40]]
        parts.append([*views, _line(_price(f"g{k}", at, 8 if k % 2 == 0 else 12))])
    return parts


def cut(lines: Sequence[bytes], parts: int) -> list[list[bytes]]:
    """So many parts of about one length."""
    size = -(-len(lines) // parts)
    return [list(lines[number * size : (number + 1) * size]) for number in range(parts)]


def _head(who: str, message: str, at: str) -> dict[str, Any]:
    return {"type": "track", "userId": who, "messageId": message, "timestamp": at}


def _wish(who: str, message: str, at: str) -> dict[str, Any]:
    return _head(who, message, at) | {"event": "Product Added to Wishlist", "properties": {**_PRODUCT, "price": 9}}


def _price(message: str, at: str, price: int) -> dict[str, Any]:
    properties = {**_PRODUCT, "price": price, "offer_ends": None, "in_stock": True}
    return {
        "type": "track",
        "messageId": message,
        "timestamp": at,
        "event": "Product Updated",
        "properties": properties,
    }


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode() + b"\n"
