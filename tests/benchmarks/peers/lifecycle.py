"""The rule of W2 for the peers that are written in Python: segments by orders, and absence with its timer.

Where a peer has no timer that a program can set for a customer, it gets this one: a heap in memory for each partition,
moved by event time.  It is faster than one that would survive a restart.
"""

from __future__ import annotations

import heapq
from datetime import datetime
from typing import Any

ABSENCE_MS = 30 * 86_400_000
FREQUENT = 3


def instant(event: dict[str, Any]) -> int:
    """The event's time in milliseconds."""
    return round(datetime.fromisoformat(event["timestamp"]).timestamp() * 1000)


def new_state() -> dict[str, Any]:
    """A customer of whom nothing is known."""
    return {"events": 0, "segment": None, "orders": []}


def move(customer: str, came_from: str | None, goes_to: str, at: int) -> dict[str, Any]:
    """A change as it is written."""
    return {"customer": customer, "from": came_from, "to": goes_to, "at": at}


def apply(state: dict[str, Any], customer: str, event: dict[str, Any], now: int) -> dict[str, Any] | None:
    """Take an event into the state; the change it makes. An absence that is due was applied before."""
    state["events"] += 1
    was = state["segment"]
    target = was or "prospect"
    if event["event"] == "Order Completed":
        orders = [*state["orders"], now][-FREQUENT:]
        state["orders"] = orders
        many = len(orders) == FREQUENT and orders[0] > now - ABSENCE_MS
        target = "frequent" if was == "frequent" or many else "active"
    state["segment"] = target
    return move(customer, was, target, now) if target != was else None


def absent_since(state: dict[str, Any], now: int) -> int | None:
    """When the customer became absent, where that is due and not yet told."""
    if state["segment"] not in ("active", "frequent"):
        return None
    due: int = state["orders"][-1] + ABSENCE_MS
    return due if due <= now else None


class Timers:
    """The timers of one partition: the earliest first, those that an order has moved are dropped when they come up."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._due: dict[str, int] = {}

    def set(self, customer: str, at: int) -> None:
        """The customer's one timer."""
        self._due[customer] = at
        heapq.heappush(self._heap, (at, customer))

    def due(self, now: int) -> list[tuple[int, str]]:
        """Instants and customers whose time has come; each once."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            at, customer = heapq.heappop(self._heap)
            if self._due.get(customer) == at:
                del self._due[customer]
                found.append((at, customer))
        return found
