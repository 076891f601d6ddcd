"""Writes what happened as events on the wire, numbered so that every message id is different."""

from __future__ import annotations

from typing import Any

import orjson

from stream.events.instant import iso
from stream.events.names import PRODUCT_UPDATED
from stream.events.routing import Topic, topic_of
from stream.simulate.catalogue import Product
from stream.simulate.event import SimulatedEvent
from stream.simulate.shopper import Shopper


class Teller:
    """Appends events to ``out``, which whoever runs the simulation empties."""

    def __init__(self, id_prefix: str) -> None:
        self.out: list[SimulatedEvent] = []
        self._id_prefix = id_prefix
        self._count = 0
        self._topics: dict[str, Topic] = {}

    def tell(self, at: int, shopper: Shopper, event: str, properties: dict[str, Any]) -> None:
        """One track event of a shopper."""
        topic = self._topics.get(event) or self._topics.setdefault(event, topic_of(event))
        wire = {
            "messageId": self._next_id(),
            "type": "track",
            shopper.id_field: shopper.id,
            "event": event,
            "timestamp": iso(at),
            "properties": properties,
        }
        self.out.append(SimulatedEvent(at, topic, shopper.key, orjson.dumps(wire)))

    def tell_page(self, at: int, shopper: Shopper, path: str) -> None:
        """A page of the web shop, or the same place in the app."""
        wire = {
            "messageId": self._next_id(),
            "type": "screen" if shopper.in_app else "page",
            shopper.id_field: shopper.id,
            "timestamp": iso(at),
            "properties": {"path": path},
        }
        self.out.append(SimulatedEvent(at, "clickstream", shopper.key, orjson.dumps(wire)))

    def tell_traits(self, at: int, shopper: Shopper, traits: dict[str, Any]) -> None:
        """Identify: what the shopper, or the loyalty programme, says of the shopper."""
        wire = {
            "messageId": self._next_id(),
            "type": "identify",
            shopper.id_field: shopper.id,
            "timestamp": iso(at),
            "traits": traits,
        }
        self.out.append(SimulatedEvent(at, "profiles", shopper.key, orjson.dumps(wire)))

    def tell_product(self, at: int, product: Product) -> None:
        """Product Updated: the price, offer and stock of a product as they are now."""
        wire = {
            "messageId": self._next_id(),
            "type": "track",
            "event": PRODUCT_UPDATED,
            "timestamp": iso(at),
            "properties": product.update(),
        }
        self.out.append(SimulatedEvent(at, "products", product.id.encode(), orjson.dumps(wire)))

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._id_prefix}{self._count}"
