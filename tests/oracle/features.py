"""The oracle's features: each value from all that a customer did, every time anew.  See :mod:`tests.oracle`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.oracle import words
from tests.oracle.calendars import Calendar
from tests.oracle.filters import passing, passing_products
from tests.oracle.orders import goes_by, over_orders
from tests.oracle.shares import signed

#: One zone for all, or (``trait``, ``else``) each customer's own.
Zone = str | Mapping[str, Any]
UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATION = re.compile(r"(?<![\w.\"'])(\d+)(ms|[smhd])\b")
PRODUCT_UPDATED = "Product Updated"


@dataclass(frozen=True)
class Happened:
    """One event as the oracle keeps it; ``offer_ends`` is an instant."""

    t: int
    name: str
    customer: str = ""
    message: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def products(self) -> list[tuple[str, float | None]]:
        """The products it names, with their prices."""
        if "products" in self.properties:
            return [(p["product_id"], p.get("price")) for p in self.properties["products"]]
        if "product_id" in self.properties:
            return [(self.properties["product_id"], self.properties.get("price"))]
        return []


def milliseconds(text: str) -> int:
    """The length of a single duration such as 30d."""
    match = DURATION.fullmatch(text)
    assert match, text
    return int(match[1]) * UNITS[match[2]]


def names_in(spec: Any) -> list[str]:
    """One name or a list of them."""
    return [spec] if isinstance(spec, str) else list(spec or ())


#: The keys of a feature that hold names of events.
ROLES = (
    *("count", "less", "of", "since", "since first", "gap", "rate", "add", "remove", "clear", "visit", "after"),
    *("spread", "trend", "sequence"),
)
#: The words that look at several events together.
WORDS = ("count", "distinct", "favourite", "spread", "trend", "sequence", "anniversary", "recurring", "holiday")


def read_by(spec: Mapping[str, Any]) -> list[str]:
    """The event names that a feature reads."""
    found: list[str] = []
    for key in ROLES:
        value = spec.get(key) if key != "after" or "gap" not in spec else None
        for one in list(value.values()) if isinstance(value, Mapping) else [value]:
            nested = one if isinstance(one, list) else [one]
            found += [name for names in nested for name in names_in(names)]
    return found


def goes_by_zone(spec: Mapping[str, Any]) -> bool:
    """Whether local time matters to a feature."""
    told = [spec.get("distinct"), spec.get("favourite"), spec.get("where")]
    return any(word in spec for word in ("this", "year_ago", "anniversary", "recurring", "holiday")) or any(
        "time." in path for path in told if path
    )


# Features: each from all that the customer did, in the order in which it came to be known.


def feature(spec: Mapping[str, Any], past: Sequence[Happened], now: int, view: str, zone: Zone = "UTC") -> Any:
    """A feature's value at ``now``; None where it is missing."""
    calendar = Calendar.of(zone, past)
    if goes_by(spec):
        spec, past = over_orders(spec, past, view)
    if "where" in spec:
        marks = names_in(spec.get("after")) if "gap" not in spec else []
        past = [e for e in past if e.name in marks or passing(spec["where"], e.properties, e.t, calendar.zone(e))]
    if "this" in spec:
        past = words.in_period(spec, past, now, calendar)
    if "year_ago" in spec:
        return words.a_year_ago(spec, past, now, calendar)
    if "bag" in spec:
        return bag_view(bag_of(spec, past), view, now)
    for word in ("sum", "mean", "min", "max"):
        if word in spec and "gap" not in spec:
            return summed(spec, past, view or word, word, now, calendar)
    if "since first" in spec:
        times = times_of(past, spec["since first"])
        return now - min(times) if times else None
    if "since" in spec:
        times = times_of(past, spec["since"])
        return now - max(times) if times else None
    if "gap" in spec:
        return usual_gap(spec, times_of(past, spec["gap"]))
    if "rate" in spec:
        half_life = milliseconds(spec["half_life"])
        return math.fsum(0.5 ** ((now - t) / half_life) for t in times_of(past, spec["rate"]))
    if "latest" in spec:
        return latest(spec, past, now)
    window = milliseconds(spec["within"]) if "within" in spec else math.inf
    match next(word for word in spec if word in WORDS):
        case "distinct":
            return words.distinct(spec, past, now, window, calendar)
        case "favourite":
            return words.favourite(spec, past, now, view, window, calendar)
        case "anniversary":
            return words.anniversary(spec, past, now, calendar)
        case "recurring":
            return words.recurring(spec, past, now, view, calendar)
        case "holiday":
            return words.holiday(spec, past, now, calendar)
        case "spread":
            return words.spread(spec, times_of(past, spec["spread"]), view)
        case "trend":
            return words.trend(times_of(past, spec["trend"]), now, view, int(window))
        case "sequence":
            return words.sequence(spec, past, now, int(window))
    times = times_of(in_span(spec, past, now), spec["count"])
    return len(times) - len(times_of(past, spec.get("less")))


def latest(spec: Mapping[str, Any], past: Sequence[Happened], now: int) -> Any:
    """The property of the latest event that has it: the greatest of those at one instant."""
    named = [e for e in past if e.name in names_in(spec["of"]) and spec["latest"] in e.properties]
    if not named:
        return None
    told = [(e.t, e.properties[spec["latest"]]) for e in named]
    match spec.get("as"):
        case "instant":
            return now - max(told)[1]
        case "number" | "money":
            return max(told)[1]
        case "list":
            return max(told, key=lambda one: (one[0], sorted(map(signed, one[1]))))[1]
    return max(told, key=lambda one: (one[0], signed(one[1])))[1]


def in_span(spec: Mapping[str, Any], past: Sequence[Happened], now: int) -> list[Happened]:
    """Those in the feature's window, or since the other event."""
    if "within" in spec:
        return [e for e in past if now - milliseconds(spec["within"]) < e.t <= now]
    if "after" in spec:
        since = max(times_of(past, spec["after"]), default=-math.inf)
        return [e for e in past if e.t > since]
    return list(past)


def times_of(past: Sequence[Happened], spec: Any) -> list[int]:
    """When these events were."""
    return [e.t for e in past if e.name in names_in(spec)]


def usual_gap(spec: Mapping[str, Any], times: list[int]) -> float:
    """The mean gap between the first and the last, within bounds; the default until there are enough."""
    if len(times) < spec.get("after", 3):
        return milliseconds(spec["default"])
    gap = (max(times) - min(times)) / (len(times) - 1)
    least = milliseconds(spec["min"]) if "min" in spec else 0
    most = milliseconds(spec["max"]) if "max" in spec else math.inf
    return min(max(gap, least), most)


def summed(
    spec: Mapping[str, Any], past: Sequence[Happened], view: str, word: str, now: int, calendar: Calendar
) -> float | None:
    """Sum, mean, least or greatest of a property, what was taken back subtracted."""
    signs = dict.fromkeys(names_in(spec["of"]), 1) | dict.fromkeys(names_in(spec.get("less")), -1)
    known = sorted(
        (e.t, x, signs[e.name]) for e in past if e.name in signs for x in numbers_of(spec, word, e, calendar)
    )
    if "within" in spec or "after" in spec:
        marks = times_of(past, spec.get("after"))
        since = max(marks, default=-math.inf) if "after" in spec else now - milliseconds(spec["within"])
        known = [one for one in known[-spec.get("last", 16) :] if one[0] > since]
    parts = [(sign, x) for _, x, sign in known]
    total, count = sum(sign * x for sign, x in parts), sum(sign for sign, _ in parts)
    if view == "mean":
        return total / count if count > 0 else None
    if view in ("min", "max"):
        choose = min if view == "min" else max
        return choose((x for _, x in parts), default=None)
    return float(total)


def numbers_of(spec: Mapping[str, Any], word: str, event: Happened, calendar: Calendar) -> list[float]:
    """The numbers that an event has under a path: none, one, or one for each product that passes."""
    path = spec[word]
    if not path.startswith("products."):
        return [event.properties[path]] if path in event.properties else []
    products = passing_products(spec.get("where"), event.properties, event.t, calendar.zone(event))
    return [product[path[9:]] for product in products if path[9:] in product]


@dataclass
class Kept:
    """One product in a bag."""

    product: str
    added: int
    price_added: float | None
    price_last: float | None
    price_at: int
    offer_ends: int | None = None
    visits: int = 0
    #: (instant, order of arrival, in stock): what was said of it since it was put in.
    stock: list[tuple[int, int, bool]] = field(default_factory=list)

    def hear(self, t: int, in_stock: bool | None) -> None:
        """Something was said about its stock."""
        if in_stock is not None and t >= self.added:
            self.stock.append((t, len(self.stock), in_stock))

    @property
    def back(self) -> bool:
        """Whether it was sold out and is there again."""
        return any(not there for _, _, there in self.stock) and max(self.stock)[2]

    def see(self, t: int, price: float | None) -> None:
        """A price was seen."""
        if price is None or t < self.price_at:
            return
        if self.price_added is None:
            self.price_added = price
        self.price_last, self.price_at = price, t


def bag_of(spec: Mapping[str, Any], past: Sequence[Happened]) -> dict[str, Kept]:
    """What is in the bag after all that is known."""
    bag: dict[str, Kept] = {}
    cleared = -math.inf
    for e in past:
        if e.name in names_in(spec.get("add")) and e.t >= cleared:
            for product, price in e.products:
                if product in bag:
                    continue
                if len(bag) >= spec.get("limit", 100):
                    del bag[min(bag.values(), key=lambda kept: kept.added).product]
                bag[product] = Kept(product, e.t, price, price, e.t)
                bag[product].hear(e.t, e.properties.get("in_stock"))
        elif e.name in names_in(spec.get("remove")):
            for product, _ in e.products:
                if product in bag and bag[product].added <= e.t:
                    del bag[product]
        elif e.name in names_in(spec.get("clear")):
            cleared = max(cleared, e.t)
            bag = {product: kept for product, kept in bag.items() if kept.added > e.t}
        elif e.name in names_in(spec.get("visit")):
            for product, price in e.products:
                if product in bag and bag[product].added <= e.t:
                    bag[product].visits += 1
                    bag[product].see(e.t, price)
                    bag[product].hear(e.t, e.properties.get("in_stock"))
        elif e.name == PRODUCT_UPDATED:
            for product, price in e.products:
                if product in bag:
                    bag[product].see(e.t, price)
                    bag[product].hear(e.t, e.properties.get("in_stock"))
                    bag[product].offer_ends = e.properties.get("offer_ends")
    return bag


def bag_view(bag: Mapping[str, Kept], view: str, now: int) -> int:
    """What conditions can ask of a bag."""
    if view == "cheaper":
        return sum(
            k.price_last is not None and k.price_added is not None and k.price_last < k.price_added
            for k in bag.values()
        )
    if view == "back":
        return sum(k.back for k in bag.values())
    if view == "visits":
        return max((k.visits for k in bag.values()), default=0)
    if view == "on_offer":
        return sum(k.offer_ends is not None and k.offer_ends > now for k in bag.values())
    return len(bag)
