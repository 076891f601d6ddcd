"""Simulated streams for tests, made once: whole, and by customer."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

import orjson

from stream.events.names import NAMES_OF_TYPES
from stream.simulate.event import SimulatedEvent
from stream.simulate.simulation import SimulationOptions, personas, simulate

OPTIONS = SimulationOptions(customers=150, days=60, seed=7, products=80)
LONG = SimulationOptions(customers=250, days=400, seed=3, products=60)


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
