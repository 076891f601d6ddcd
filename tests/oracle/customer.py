"""What the oracle knows of one customer.  See :mod:`tests.oracle`."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.oracle.features import Happened


@dataclass
class Customer:
    """All that is known of one customer."""

    name: str
    segments: dict[str, str | None]
    latest: int
    judged: int
    seen: int
    past: list[Happened] = field(default_factory=list)
    entered: dict[str, int] = field(default_factory=dict)
    before: dict[str, str | None] = field(default_factory=dict)
    #: Dimension and segment -> when it was last left.
    left: dict[tuple[str, str | None], int] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)

    def told(self, happened: Happened) -> bool:
        """Whether this is one of the latest orders, told again."""
        order = happened.properties.get("order_id")
        return happened.name == "Order Completed" and bool(order) and order in self.orders[-8:]

    def remember(self, happened: Happened) -> None:
        """The event counts: what would repeat it is known from now on."""
        self.messages.append(happened.message)
        if happened.name == "Order Completed" and happened.properties.get("order_id"):
            self.orders.append(happened.properties["order_id"])
