"""The properties of an event and of its products, read in place from the bytes of a record by compiled code.

What is given goes to ``given`` (a row for each property that the plan knows) and ``values`` (its number); products go
to ``items``, their amounts to ``raw`` until the currency is known.  Everything answers where it goes on, or NOT_SURE.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from stream.events import json_bytes as json
from stream.events.blake import digest
from stream.events.properties import NO_NUMBER
from stream.events.scan_form import (
    IN_STOCK,
    KEY,
    NUMBER,
    OF_PRODUCT,
    OF_PRODUCTS,
    OF_PROPERTIES,
    PRICE,
    PRODUCT_ID,
    PRODUCTS,
    QUANTITY,
    ROLE,
    SLOW,
    TEXT,
    TEXT_OF_PRODUCT,
    UNKNOWN,
)

#: Columns of what was given for a property: how, the hash of a text, its first and last byte.
KIND, HASH, FIRST, LAST = range(4)
ABSENT, A_NUMBER, A_TEXT, A_LIST = range(4)

#: The byte that ``null`` begins with.
NULL = 0x6E
_TRUE, _FALSE = 0x74, 0x66
_MOST = 1e9
#: Places of ``seen`` for the texts that were noted a moment ago, so that few are noted again (a power of two).
RECENT = 4096
_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


@register_jitable
def lookup(tables: Any, table: int, b: Any, start: int, stop: int) -> int:
    """The number of a text in one of the tables, or UNKNOWN."""
    h = _BASIS
    for i in range(start, stop):
        h = (h ^ np.uint64(b[i])) * _PRIME
    mark = np.int64(h)
    first, mask = tables[2 * table], tables[2 * table + 1]
    at = mark & mask
    while tables[first + 2 * at + 1] != UNKNOWN and tables[first + 2 * at] != mark:
        at = (at + 1) & mask
    found: int = tables[first + 2 * at + 1]
    return found


@register_jitable
def _note(text: int, first: int, last: int, seen: Any) -> None:
    """Remember where a text lies.

    Row 0 of ``seen`` counts them first; the next RECENT rows have the hashes of texts seen a moment ago, each in its
    place; what follows are the texts: hash, first and last byte.  There is room for all.
    """
    place = 1 + (text & (RECENT - 1))
    if seen[place, 0] != text:
        seen[place, 0] = text
        n = 1 + RECENT + seen[0, 0]
        seen[n, 0], seen[n, 1], seen[n, 2] = text, first, last
        seen[0, 0] += 1


@register_jitable
def _value(b: Any, i: int, end: int, k: int, entries: Any, given: Any, values: Any, words: Any, seen: Any) -> int:
    """Read the value of property k at ``i``; past it, or NOT_SURE."""
    if b[i] == NULL and given[k, KIND] == ABSENT:
        return json.null(b, i, end)
    if given[k, KIND] != ABSENT or entries[k, SLOW]:
        return json.NOT_SURE
    role = entries[k, ROLE]
    is_number = entries[k, NUMBER] >= 0 or entries[k, OF_PRODUCT] >= 0 or role in (PRICE, QUANTITY, IN_STOCK)
    if b[i] == json.QUOTE and not is_number:
        closing = json.text(b, i, end)
        if closing < 0:
            return json.NOT_SURE
        named = entries[k, TEXT] >= 0 or entries[k, TEXT_OF_PRODUCT] >= 0
        given[k, KIND], given[k, FIRST], given[k, LAST], given[k, HASH] = A_TEXT, i + 1, closing, 0
        if closing > i + 1 and (named or role == PRODUCT_ID):
            given[k, HASH] = digest(b, i + 1, closing, words)
            if named and not (entries[k, KEY] and entries[k, TEXT_OF_PRODUCT] < 0):
                _note(given[k, HASH], i + 1, closing, seen)
        return closing + 1
    if is_number and (b[i] == 0x2D or 0x30 <= b[i] <= 0x39):
        given[k, KIND] = A_NUMBER
        at, values[k] = json.number(b, i, end)
        return at
    if role == IN_STOCK and (b[i] == _TRUE or b[i] == _FALSE):
        given[k, KIND] = A_NUMBER
        values[k] = 1.0 if b[i] == _TRUE else 0.0
        return json.skip(b, i, end)
    return json.NOT_SURE


@register_jitable
def put_product(own: int, stop: int, entries: Any, given: Any, values: Any, items: Any, raw: Any, m: int) -> None:
    """Product m from what was given for the properties ``own`` to ``stop``; its amounts wait in ``raw``."""
    items[m, 0], items[m, 1], items[m, 2], items[m, 3] = 0, -1, 1, -1
    for c in range(raw.shape[1]):
        raw[m, c] = np.nan
    for k in range(own, stop):
        role, at, text_at, kind = entries[k, ROLE], entries[k, OF_PRODUCT], entries[k, TEXT_OF_PRODUCT], given[k, KIND]
        if at >= 0:
            items[m, at] = NO_NUMBER
        if text_at >= 0:
            items[m, text_at] = given[k, HASH] if kind == A_TEXT else 0
        if kind == ABSENT:
            continue
        if role == PRODUCT_ID:
            items[m, 0] = given[k, HASH]
        elif role == PRICE:
            raw[m, 1] = values[k]
        elif role == QUANTITY and 0.0 <= values[k] < _MOST:
            items[m, 2] = int(values[k])
        elif role == IN_STOCK:
            items[m, 3] = 1 if values[k] > 0.0 else 0
        if at >= 0:
            raw[m, at] = values[k]


@register_jitable
def _product(
    b: Any, i: int, end: int, tables: Any, entries: Any, own: int, given: Any, values: Any, words: Any, seen: Any
) -> int:
    """One product of a list; past it, or NOT_SURE."""
    for k in range(own, len(given)):
        given[k, KIND] = ABSENT
    if i >= end or b[i] != json.OPEN_OBJECT:
        return json.NOT_SURE
    i = json.blank(b, i + 1, end)
    if i < end and b[i] == json.CLOSE_OBJECT:
        return i + 1
    done = False
    while not done:
        closing, value = json.key(b, i, end)
        if closing < 0:
            return json.NOT_SURE
        k = lookup(tables, OF_PRODUCTS, b, i + 1, closing)
        i = json.skip(b, value, end) if k < 0 else _value(b, value, end, k, entries, given, values, words, seen)
        if i < 0:
            return json.NOT_SURE
        i, done = json.following(b, i, end, json.CLOSE_OBJECT)
        if i < 0:
            return json.NOT_SURE
    return i


@register_jitable
def _products(
    b: Any,
    i: int,
    end: int,
    tables: Any,
    entries: Any,
    own: int,
    given: Any,
    values: Any,
    words: Any,
    seen: Any,
    items: Any,
    raw: Any,
    m: int,
) -> tuple[int, int]:
    """The list of products at ``i``: past it and the new count of rows; NOT_SURE too where there is no room."""
    if b[i] != json.OPEN_LIST:
        return json.NOT_SURE, m
    i = json.blank(b, i + 1, end)
    if i < end and b[i] == json.CLOSE_LIST:
        return i + 1, m
    done = False
    while not done:
        i = _product(b, i, end, tables, entries, own, given, values, words, seen)
        if i < 0 or m >= len(items):
            return json.NOT_SURE, m
        put_product(own, len(given), entries, given, values, items, raw, m)
        m += 1
        i, done = json.following(b, i, end, json.CLOSE_LIST)
        if i < 0:
            return json.NOT_SURE, m
    return i, m


@register_jitable
def read_properties(
    b: Any,
    i: int,
    end: int,
    tables: Any,
    entries: Any,
    own: int,
    given: Any,
    values: Any,
    words: Any,
    seen: Any,
    items: Any,
    raw: Any,
    m: int,
) -> tuple[int, int]:
    """The object of properties at ``i``: past it and the new count of products."""
    i = json.blank(b, i + 1, end)
    if i < end and b[i] == json.CLOSE_OBJECT:
        return i + 1, m
    done = False
    while not done:
        closing, value = json.key(b, i, end)
        if closing < 0:
            return json.NOT_SURE, m
        k = lookup(tables, OF_PROPERTIES, b, i + 1, closing)
        if k < 0:
            i = json.skip(b, value, end)
        elif entries[k, ROLE] == PRODUCTS and b[value] != NULL:
            if given[k, KIND] != ABSENT or entries[k, SLOW]:
                return json.NOT_SURE, m
            given[k, KIND] = A_LIST
            i, m = _products(b, value, end, tables, entries, own, given, values, words, seen, items, raw, m)
        else:
            i = _value(b, value, end, k, entries, given, values, words, seen)
        if i < 0:
            return json.NOT_SURE, m
        i, done = json.following(b, i, end, json.CLOSE_OBJECT)
        if i < 0:
            return json.NOT_SURE, m
    return i, m
