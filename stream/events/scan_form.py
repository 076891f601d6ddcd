"""What :mod:`stream.events.scan` reads by: tables made once for a plan.

Everything lies in a few flat arrays, because compiled functions pay for each array that is handed on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.events.names import MONEY_PROPERTIES, NAMES_OF_TYPES
from stream.events.properties import Schema, readings

#: Keys of the envelope, in the order of their numbers.
ENVELOPE = ("type", "event", "messageId", "userId", "anonymousId", "timestamp", "properties", "traits")
TYPE, EVENT, MESSAGE, USER, ANONYMOUS, TIMESTAMP, PROPERTIES, TRAITS = range(8)

#: The tables of texts.
OF_ENVELOPE, OF_PROPERTIES, OF_PRODUCTS, OF_EVENTS, OF_TYPES, OF_CURRENCIES = range(6)
TABLES = 6
UNKNOWN = -1

#: Columns of a property's entry: the slot of its number or -1, whether that is money, the slot of its text or -1, what
#: the decoder itself does with it, its places in a product's row or -1, whether only the decoder can read it, and
#: whether its text is a key, of which no name is kept.
NUMBER, MONEY, TEXT, ROLE, OF_PRODUCT, TEXT_OF_PRODUCT, SLOW, KEY = range(8)
PLAIN, PRODUCT_ID, PRICE, QUANTITY, IN_STOCK, CURRENCY, PRODUCTS, OFFER_ENDS = range(8)

#: Columns of a product before those that the plan asks for.
PRODUCT_COLUMNS = 4


class Form(NamedTuple):
    """``tables`` int64: for each table its first word and its mask, then the tables, pairs of a hash and a number;
    ``entries`` int64 (n + m, 8): of the properties, then of the products' properties; ``own``: n; ``events``
    int64 (e + 1, 2): code of an event name and whether it happens to products, last the one of unknown names;
    ``rates`` float64: of the currencies."""

    tables: NDArray[np.int64]
    entries: NDArray[np.int64]
    own: int
    events: NDArray[np.int64]
    rates: NDArray[np.float64]


def key_hash(text: bytes) -> int:
    """FNV-1a in 64 bits, as the scan works it out; signed.

    Two keys of one hash would be taken for one another: among the few that a plan knows none are, and whoever can
    send a key that was made to collide can send the one that it collides with.
    """
    h = 0xCBF29CE484222325
    for byte in text:
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h - (1 << 64) if h >> 63 else h


def _table(numbers: Mapping[str, int]) -> NDArray[np.int64]:
    """Pairs of hash and number by open addressing; UNKNOWN where a place is free."""
    size = 1 << (2 * len(numbers) + 1).bit_length()
    pairs = np.full((size, 2), UNKNOWN, np.int64)
    for text, number in numbers.items():
        mark = key_hash(text.encode("utf-8", "surrogatepass"))
        at = mark & (size - 1)
        while pairs[at, 1] != UNKNOWN:
            at = (at + 1) & (size - 1)
        pairs[at] = mark, number
    return pairs


_ROLES = {
    "product_id": PRODUCT_ID,
    "price": PRICE,
    "quantity": QUANTITY,
    "in_stock": IN_STOCK,
    "currency": CURRENCY,
    "products": PRODUCTS,
    "offer_ends": OFFER_ENDS,
}
#: The roles of a property that may also be read as a text, and as a number.
_TEXT_ROLES, _NUMBER_ROLES = (PLAIN, PRODUCT_ID, CURRENCY), (PLAIN, PRICE, QUANTITY)


def _entry(name: str, kinds: set[str], schema: Schema, *, of_product: bool) -> list[int]:
    """What is done with a property; that of a product has no slots of the event."""
    role = _ROLES.get(name, PLAIN)
    if of_product and role > IN_STOCK:
        role = PLAIN
    number = UNKNOWN if of_product else schema.numbers.get(name, UNKNOWN)
    text = UNKNOWN if of_product else schema.texts.get(name, schema.keys.get(name, UNKNOWN))
    at, text_at = UNKNOWN, UNKNOWN
    if name in schema.product_numbers:
        at = PRODUCT_COLUMNS + list(schema.product_numbers).index(name)
    if name in schema.product_texts:
        text_at = PRODUCT_COLUMNS + len(schema.product_numbers) + list(schema.product_texts).index(name)
    is_number, is_text = number >= 0 or at >= 0, text >= 0 or text_at >= 0
    slow = (is_number and is_text) or bool(kinds - {"number", "text"})
    slow = slow or (is_number and role not in _NUMBER_ROLES) or (is_text and role not in _TEXT_ROLES)
    key = text >= 0 and name not in schema.texts
    return [number, int(name in MONEY_PROPERTIES), text, role, at, text_at, int(slow), int(key)]


def make_form(
    schema: Schema, codes: Mapping[str, int], product_names: Iterable[str], rates: Mapping[str, float]
) -> Form:
    """The tables of a plan; ``codes`` by every name that an event may have on the wire, aliases too."""
    event, product = readings(schema)
    keys = sorted({*event, *_ROLES})
    product_keys = sorted({*product, "product_id", "price", "quantity", "in_stock"})
    numbers = {name: k for k, name in enumerate(codes)}
    of_products = set(product_names)
    entries = [_entry(key, event.get(key, set()), schema, of_product=False) for key in keys]
    entries += [_entry(key, product.get(key, set()), schema, of_product=True) for key in product_keys]
    tables = [
        _table({name: k for k, name in enumerate(ENVELOPE)}),
        _table({name: k for k, name in enumerate(keys)}),
        _table({name: len(keys) + k for k, name in enumerate(product_keys)}),
        _table(numbers),
        _table({kind: numbers.get(name, len(codes)) for kind, name in NAMES_OF_TYPES.items()}),
        _table({name: k for k, name in enumerate(rates)}),
    ]
    heads: list[int] = []
    first = 2 * TABLES
    for table in tables:
        heads += [first, len(table) - 1]
        first += table.size
    return Form(
        np.concatenate((np.array(heads, np.int64), *(table.ravel() for table in tables))),
        np.array(entries, np.int64),
        len(keys),
        np.array([*((code, name in of_products) for name, code in codes.items()), (UNKNOWN, 0)], np.int64),
        np.array(list(rates.values())),
    )
