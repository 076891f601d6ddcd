"""The keys of a feature in YAML, each read in one way whatever the feature is."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from stream.events.names import MONEY_PROPERTIES, PRODUCT_UPDATED
from stream.features.base import Kind
from stream.features.calendar import Local, Zone
from stream.features.filter import Filter
from stream.features.orders import Orders
from stream.features.own_zone import OwnZone
from stream.features.year_ago import KEPT
from stream.plan.document import Mapping, Value
from stream.plan.expressions import ExpressionError
from stream.plan.filters import GIVEN_OF_PRODUCTS, parse_filter
from stream.plan.inputs import EVENT, GIVEN, OF_PRODUCTS, OF_TIME
from stream.plan.problems import Place, suggest

#: Most events or values that one feature keeps.
MOST_KEPT = 64
#: Most instants that one feature keeps to count them in a window.
MOST_COUNTED = 1000
#: What of an event holds something else than a number, and something else than a text.
NO_NUMBER = ("products", "offer_ends", "product_id", "currency")
NO_TEXT = ("products", "offer_ends")
NO_LIST = ("products", "offer_ends", "currency", "product_id", "price", "quantity")
NO_INSTANT = ("products", "currency", "product_id", "price", "quantity")
NO_DATE = (*NO_INSTANT, "offer_ends")
#: Stands for the label under which an event's name is listed.
LABEL = "label"
#: How names of events that are about orders begin, and the property that tells about which.
ORDERS, ORDER_ID = "Order ", "order_id"
#: The keys that bound a feature in time.
SPANS = ("within", "this", "year_ago", "after")
PERIODS = ("day", "week", "month", "quarter", "year")


@dataclass(frozen=True)
class Span:
    """What bounds a feature in time: a sliding window, a calendar period, that of a year ago, or another event."""

    kind: Literal["always", "within", "this", "year_ago", "after"]
    window: int = 0
    period: str = ""
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Keys:
    """One feature's mapping and the zone of its dimension."""

    mapping: Mapping
    zone: str | OwnZone

    def local(self) -> Local:
        """The zone that the feature goes by."""
        return Zone(self.zone) if isinstance(self.zone, str) else self.zone

    def local_of(self, paths: Iterable[tuple[str, str]]) -> Local:
        """The same of what reads texts under these paths: the customer's own zone only where one is a local time."""
        if isinstance(self.zone, OwnZone) and not any(path.startswith(OF_TIME) for _, path in paths):
            return Zone(self.zone.other)
        return self.local()

    def has(self, key: str) -> bool:
        """Whether the key is given."""
        return key in self.mapping.entries

    def wrong(self, key: str, message: str) -> None:
        """Note a mistake at a key's value."""
        self.mapping.entries[key].wrong(message)

    def names(self, key: str) -> tuple[str, ...]:
        """Names of events: one, or a list; none where the key is absent."""
        found = self.mapping.get(key)
        return event_names(found) if found else ()

    def duration(self, key: str, default: int) -> int:
        """A duration."""
        found = self.mapping.get(key)
        return found.duration() if found else default

    def longer(self, key: str, default: int) -> int:
        """A duration of more than nothing."""
        return self.positive(key, self.duration(key, default))

    def whole(self, key: str, default: int) -> int:
        """A whole number."""
        found = self.mapping.get(key)
        return found.whole() if found else default

    def positive(self, key: str, what: int) -> int:
        """What was read, which must be more than nothing."""
        if what <= 0:
            self.wrong(key, f"{key!r} must be more than 0")
            return 1
        return what

    def last(self, default: int, least: int = 1) -> int:
        """``last``: how many of the latest events are kept."""
        found = self.whole("last", default)
        if least <= found <= MOST_KEPT:
            return found
        self.wrong("last", f"'last' is a number from {least} to {MOST_KEPT}: so many events are kept of every customer")
        return default

    def up_to(self, most: int = MOST_COUNTED) -> int | None:
        """``up_to``: how far a feature counts; None where the conditions tell."""
        if not self.has("up_to"):
            return None
        found = self.positive("up_to", self.whole("up_to", 1))
        if found > most:
            self.wrong("up_to", f"'up_to' is at most {most}: so many events are kept of every customer")
            return most
        return found

    def span(self, *refused: str) -> Span:
        """``within``, ``this``, ``year_ago`` or ``after``, at most one of them."""
        found = [key for key in SPANS if self.has(key)]
        if len(found) > 1:
            self.wrong(found[1], f"{found[0]!r} and {found[1]!r} both bound the feature in time; keep one")
        for key in found:
            if key in refused:
                self.wrong(key, f"{key!r} does not go with this feature")
        match found[:1]:
            case ["within"]:
                return Span("within", window=self.longer("within", 1))
            case ["this"]:
                return Span("this", period=self.choice("this", PERIODS))
            case ["year_ago"]:
                return Span("year_ago", period=self.choice("year_ago", tuple(KEPT)))
            case ["after"]:
                return Span("after", after=self.names("after"))
        return Span("always")

    def orders(self, *keys: str) -> Orders | None:
        """The book that a feature of the events under these keys goes by, where ``less`` says what takes one back.

        Where ``by`` is absent, events that are orders go by their ``order_id``; of others there is none.
        """
        if not self.has("less"):
            if self.has("by"):
                self.wrong("by", "'by' goes with 'less': it tells which event is taken back")
            return None
        of, less = tuple(name for key in keys for name in self.names(key)), self.names("less")
        for key in keys:
            self.apart(key, "less")
        orders = all(name.startswith(ORDERS) for name in (*of, *less))
        if not orders and not self.has("by"):
            return None
        return Orders(of, less, self.text("by") if self.has("by") else ORDER_ID, self.last(12))

    def matched(self, *keys: str) -> Orders | None:
        """The same, for a feature that can take nothing back unless it is known which."""
        found = self.orders(*keys)
        if found is None and self.has("less"):
            self.wrong("less", "say which one is taken back: 'by' and the property that tells it, such as order_id")
        return found

    def choice(self, key: str, known: Sequence[str], default: str | None = None) -> str:
        """One word of several."""
        found = self.mapping.get(key)
        text = found.text() if found else (default or known[0])
        if text not in known:
            self.wrong(key, f"{text!r} is none of {', '.join(known)}{suggest(text, known)}")
            return known[0]
        return text

    def apart(self, key: str, *others: str) -> None:
        """The names under one key must not stand under the others too."""
        for other in others:
            for name in set(self.names(key)) & set(self.names(other)):
                self.wrong(key, f"{name!r} stands under {other!r} too; it can do one thing to a feature")

    def number(self, key: str) -> str:
        """The name of a property that is read as a number: of the event, or ``products.NAME``."""
        return self.property(key, NO_NUMBER, "number")

    def text(self, key: str, *, computed: bool = False) -> str:
        """The name of a property that is read as a text; with ``computed`` also ``time.weekday`` and the like."""
        path = self.mapping.entries[key].text()
        if computed and path in (EVENT, *(f"{OF_TIME}{part}" for part in ("hour", "weekday", "month", "day"))):
            return path
        return self.property(key, NO_TEXT, "text")

    def date(self, key: str) -> str:
        """The name of a property that is read as a date."""
        return self.property(key, NO_DATE, "date")

    def property(self, key: str, others: Sequence[str], reading: str) -> str:
        """The name of a property; ``others`` are those that hold something else than what is read here."""
        path = self.mapping.entries[key].text()
        if path == EVENT:
            self.wrong(key, "'event' is the event's name, not a property that can be read here")
            return "unknown"
        name = path.removeprefix(OF_PRODUCTS)
        wrong = GIVEN_OF_PRODUCTS.get(name, reading) != reading if name != path else path in others
        if not name.isidentifier() or keyword.iskeyword(name) or wrong:
            self.wrong(key, f"{path!r} is not a property that can be read as a {reading}: use letters, digits and _")
            return "unknown"
        return path

    def paths(self, key: str, refused: Sequence[str] = ()) -> tuple[tuple[str, str], ...]:
        """Event name -> what is read of it: the property under the key, or (``label``) the label it stands under."""
        value, of = self.mapping.entries[key], self.mapping.require("of")
        if of is None:
            return ()
        if value.text() == LABEL:
            return tuple(
                (name, f"{GIVEN}{label}")
                for label, names in of.mapping().entries.items()
                for name in event_names(names)
            )
        path = self.text(key, computed=True)
        if path in refused:
            self.wrong(key, f"{path!r} does not go with this feature")
        return tuple((name, path) for name in event_names(of))

    def kind(self, path: str) -> Kind:
        """What a number of that property is."""
        return Kind.MONEY if path.removeprefix(OF_PRODUCTS) in MONEY_PROPERTIES else Kind.NUMBER


def event_names(value: Value) -> tuple[str, ...]:
    """One name of an event or a list of them."""
    names = value.texts()
    if not names or not all(names):
        value.wrong("the name of an event is missing here, such as Order Completed")
    if PRODUCT_UPDATED in names:
        value.wrong(f"{PRODUCT_UPDATED!r} happens to products, not to customers; a bag hears of it by itself")
    if not all(name.isprintable() for name in names):
        value.wrong("the name of an event is of one line")
    return names


def read_filter(value: Value, zone: str | OwnZone) -> Filter | None:
    """The filter under ``where``; a mistake in it is noted where it stands."""
    try:
        return parse_filter(value.text(), zone)
    except ExpressionError as error:
        place, mark = value.place, value.node
        plain = mark.start_mark.line == mark.end_mark.line
        quoted = 1 if plain and getattr(mark, "style", None) in ("'", '"') else 0
        column = place.column + quoted + error.column if plain else place.column
        value.problems.add(Place(place.file, place.line, column), error.message)
        return None
