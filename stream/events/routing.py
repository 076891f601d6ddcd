"""Which topic an event belongs to: by its name, the same for a live producer, the simulator, `load` and `replay`."""

from __future__ import annotations

from typing import Literal

Topic = Literal["clickstream", "purchases", "profiles", "products"]

#: What each event name says about its topic, where the name's first word does not decide.
_BY_NAME: dict[str, Topic] = {"Identify": "profiles", "Product Updated": "products"}


def topic_of(event_name: str) -> Topic:
    """The topic, by its role in the settings, of an event with that name; names nobody knows are clickstream.

    >>> topic_of("Order Completed"), topic_of("Product Viewed")
    ('purchases', 'clickstream')
    """
    if event_name.startswith("Order "):
        return "purchases"
    return _BY_NAME.get(event_name, "clickstream")
