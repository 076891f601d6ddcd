"""Names on the wire that mean something to every definition."""

from __future__ import annotations

#: Properties that hold an amount of money; inside they are int64 micros of the configured currency.
MONEY_PROPERTIES = frozenset({"price", "total", "revenue", "value", "subtotal", "discount", "tax", "shipping"})

#: What the types of the Segment specification that carry no event name are called.
NAMES_OF_TYPES = {"page": "Page Viewed", "screen": "Screen Viewed", "identify": "Identify"}

#: Something that happened to a product, not to a customer.
PRODUCT_UPDATED = "Product Updated"
