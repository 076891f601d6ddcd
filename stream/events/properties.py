"""What a plan reads of an event's properties (for identify: traits) and products, as the numbers of a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Protocol

from stream.events.batch import Batch
from stream.events.instant import EARLIEST_MS, LATEST_MS
from stream.events.names import MONEY_PROPERTIES
from stream.events.text import text_hash
from stream.events.wire import instant_of

MICROS = 1_000_000
#: From here on, micros made of an amount as JSON has it (a double) may be off by one: two roundings reach a half.
LARGEST_AMOUNT = float(1 << 32)
#: Most texts of a list that are kept, and what stands for a list that is empty.
LONGEST_LIST = 8
EMPTY_LIST = 1
#: Stands for a number that a product does not have.
NO_NUMBER = -(1 << 60)
#: The day number of 1970-01-01 in Python's calendar.
EPOCH_DAY = date(1970, 1, 1).toordinal()

#: One product: hash of its id, price in micros or -1, how many, in stock (1, 0, or -1); then what the plan asks for.
ItemRow = tuple[int, ...]


class RejectionError(Exception):
    """Why one record cannot be applied: a word to count by and a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class Schema(Protocol):
    """What a plan reads of an event (:class:`stream.plan.inputs.Inputs`)."""

    @property
    def codes(self) -> Mapping[str, int]: ...
    @property
    def numbers(self) -> Mapping[str, int]: ...
    @property
    def texts(self) -> Mapping[str, int]: ...
    @property
    def instants(self) -> Mapping[str, int]: ...
    @property
    def dates(self) -> Mapping[str, int]: ...
    @property
    def lists(self) -> Mapping[str, int]: ...
    @property
    def product_numbers(self) -> Mapping[str, int]: ...
    @property
    def product_texts(self) -> Mapping[str, int]: ...
    @property
    def keys(self) -> Mapping[str, int]: ...


def readings(schema: Schema) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """For each property of an event, and for each of a product, what it is read as."""
    event: dict[str, set[str]] = {}
    product: dict[str, set[str]] = {}
    of_product = {"number": schema.product_numbers, "text": schema.product_texts}
    of_event = {"number": schema.numbers, "text": schema.texts, "list": schema.lists}
    of_event |= {"instant": schema.instants, "date": schema.dates}
    for name in schema.keys:
        event.setdefault(name, set()).add("text")
    for kind, names in of_product.items():
        for name in names:
            product.setdefault(name, set()).add(kind)
            event.setdefault(name, set()).add(kind)  # an event about one product carries its properties itself
    for kind, names in of_event.items():
        for name in names:
            event.setdefault(name, set()).add(kind)
    return event, product


class PropertyReader:
    """Fills one event's part of a batch.  ``rates``: what one unit of each currency is worth in the one kept."""

    def __init__(self, schema: Schema, rates: Mapping[str, float]) -> None:
        self.rates = rates
        self.numbers = [(name, slot, name in MONEY_PROPERTIES) for name, slot in schema.numbers.items()]
        self.times: list[tuple[str, int, Callable[[Any], float]]] = [
            *((name, slot, instant) for name, slot in schema.instants.items()),
            *((name, slot, day) for name, slot in schema.dates.items()),
        ]
        self.texts = list(schema.texts.items())
        self.lists = list(schema.lists.items())
        self.keys = [(name, slot) for name, slot in schema.keys.items() if name not in schema.texts]
        self.of_product = [(name, name in MONEY_PROPERTIES) for name in schema.product_numbers]
        self.texts_of_product = list(schema.product_texts)
        #: Columns of a batch's ``numbers``, ``texts`` and ``items``.
        self.number_width = max(1, len(self.numbers) + len(self.times))
        self.text_width = max(1, len(self.texts) + LONGEST_LIST * len(self.lists) + len(self.keys))
        self.item_width = 4 + len(self.of_product) + len(self.texts_of_product)

    def read(self, batch: Batch, i: int, properties: Any, items: list[ItemRow]) -> None:
        """The properties of the i-th event; its products are appended to ``items``.  Raises RejectionError."""
        rate = 1.0
        if properties.currency is not None and properties.currency not in self.rates:
            raise RejectionError("currency", f"no rate is configured for {properties.currency[:8]!r}")
        if properties.currency is not None:
            rate = self.rates[properties.currency]
        for name, slot, money in self.numbers:
            x = getattr(properties, name)
            if x is not None and x != "":
                batch.numbers[i, slot] = micros(x, rate, name) if money else finite(x, name)
        for name, slot in self.texts:
            text = getattr(properties, name)
            if text is not None and text != "":
                batch.texts[i, slot] = named_hash(text if isinstance(text, str) else text_of(text, name), batch.named)
        for name, slot in self.keys:
            key = getattr(properties, name)
            if key is not None and key != "":
                batch.texts[i, slot] = text_hash(text_of(key, name))
        for name, slot, read in self.times:
            x = getattr(properties, name)
            if x is not None and x != "":
                batch.numbers[i, slot] = time(x, name, read)
        for name, slot in self.lists:
            x = getattr(properties, name)
            if x is not None and x != "":
                hashes = hashes_of(x, name, batch.named)
                batch.texts[i, slot : slot + len(hashes)] = hashes
        if properties.offer_ends is not None:
            batch.offers[i] = within_reach(properties.offer_ends)
        if properties.products is not None:
            items += [self.item(product, rate, batch.named) for product in properties.products]
        elif properties.product_id is not None:
            items.append(self.item(properties, rate, batch.named))

    def item(self, product: Any, rate: float, named: dict[int, str]) -> ItemRow:
        """One product; its texts are entered in ``named``."""
        given, price, quantity = product.product_id, product.price, product.quantity
        known = price is not None and price >= 0
        row = (
            text_hash(str(given)) if given is not None and given != "" else 0,
            int(micros(price, rate, "price")) if known else -1,
            int(quantity) if quantity is not None and 0 <= quantity < 1e9 else 1,
            stock_of(product.in_stock),
        )
        if not self.of_product and not self.texts_of_product:
            return row
        numbers = (getattr(product, name) for name, _ in self.of_product)
        texts = (getattr(product, name) for name in self.texts_of_product)
        return (
            *row,
            *(
                int(micros(x, rate if money else 1.0, name)) if x is not None and x != "" else NO_NUMBER
                for x, (name, money) in zip(numbers, self.of_product, strict=True)
            ),
            *(
                named_hash(text_of(x, name), named) if x is not None and x != "" else 0
                for x, name in zip(texts, self.texts_of_product, strict=True)
            ),
        )


def stock_of(x: bool | float | str | None) -> int:
    """Whether a product is in stock: 1 or 0, or -1 where nothing that can be read is said; a number counts pieces.

    >>> stock_of(True), stock_of("false"), stock_of(3.0), stock_of(None)
    (1, 0, 1, -1)
    """
    if isinstance(x, str):
        return {"true": 1, "false": 0}.get(x.lower(), -1)
    return -1 if x is None else int(x > 0)


def finite(x: Any, name: str) -> float:
    """A number, which may have come as text."""
    number = x if isinstance(x, float) else number_of(x, name)
    if math.isfinite(number):
        return number
    raise RejectionError("mistyped", f"{name!r} is not a finite number")


def number_of(x: Any, name: str) -> float:
    """A number from what JSON has for it."""
    try:
        return float(x)
    except (TypeError, ValueError, OverflowError) as error:
        raise RejectionError("mistyped", f"{name!r} is not a number") from error


def micros(x: Any, rate: float, name: str) -> float:
    """An amount of money in micros of the currency that is kept."""
    number = x if isinstance(x, float) else number_of(x, name)
    if abs(number) * rate < LARGEST_AMOUNT:
        return float(round(number * rate * MICROS))
    raise RejectionError("mistyped", f"{name!r} is not an amount of money that can be kept exactly")


def text_of(x: Any, name: str) -> str:
    """A text from what JSON has for it: yes and no as true and false, whole numbers without a decimal point.

    >>> text_of(True, "gift"), text_of(5.0, "plan"), text_of(2.5, "size")
    ('true', '5', '2.5')
    """
    if isinstance(x, str):
        return x
    if isinstance(x, bool):
        return "true" if x else "false"
    if isinstance(x, int | float):
        return str(int(x)) if isinstance(x, int) or x.is_integer() else str(x)
    raise RejectionError("mistyped", f"{name!r} is not a text")


def named_hash(text: str, named: dict[int, str]) -> int:
    """The hash of a text, which is entered in ``named``."""
    code = text_hash(text)
    named[code] = text
    return code


def hashes_of(x: Any, name: str, named: dict[int, str]) -> list[int]:
    """The hashes of a list of texts, ascending: the first LONGEST_LIST that differ; of a single text, just that one."""
    members = x if isinstance(x, list) else [x]
    texts = dict.fromkeys(text_of(member, name) for member in members if member is not None and member != "")
    return sorted(named_hash(text, named) for text in list(texts)[:LONGEST_LIST]) or [EMPTY_LIST]


def time(x: Any, name: str, read: Callable[[Any], float]) -> float:
    """A time or a date in the form that ``read`` gives it."""
    try:
        return read(x)
    except (TypeError, ValueError, OverflowError) as error:
        raise RejectionError("mistyped", f"{name!r} is not a time or a date: write 2026-01-31") from error


def _moment(x: Any) -> datetime | float:
    """A time as JSON has it: ISO 8601, or a number of seconds or milliseconds."""
    if isinstance(x, str):
        return datetime.fromisoformat(x) if "-" in x[1:] else float(x)
    if isinstance(x, bool) or not isinstance(x, datetime | float | int):
        raise TypeError
    return x


def instant(x: Any) -> float:
    """Milliseconds since the epoch; a date alone is its midnight in UTC."""
    return float(within_reach(_moment(x)))


def day(x: Any) -> float:
    """A calendar date as it is written, whatever the zone, in days since 1970-01-01; a number means a time in UTC."""
    moment = _moment(x)
    if not isinstance(moment, datetime):
        moment = datetime.fromtimestamp(within_reach(moment) / 1000, UTC)
    return float(moment.toordinal() - EPOCH_DAY)


def within_reach(moment: datetime | float) -> int:
    """The instant; one that could not be written is refused."""
    try:
        found = instant_of(moment)
    except (ValueError, OverflowError) as error:
        raise RejectionError("bad-time", str(error)[:200]) from error
    if not EARLIEST_MS <= found <= LATEST_MS:
        raise RejectionError("bad-time", "a time outside the years 1 to 9999")
    return found
