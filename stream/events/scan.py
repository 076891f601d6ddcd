"""Records to columns in compiled code: the common shape of an event, read in place from the bytes that Kafka brought.

:func:`scan` fills what it is sure of and says which records it is not: escapes, numbers as text, lists, unusual times,
anything that is to be rejected.  Those go through :mod:`stream.events.decode`, whose answers are the rule: for every
record that both can read they agree (tested by property).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from stream.events import json_bytes as json
from stream.events.blake import SCRATCH, digest
from stream.events.iso_bytes import NO_TIME, instant
from stream.events.properties import LARGEST_AMOUNT, MICROS
from stream.events.scan_form import (
    ANONYMOUS,
    CURRENCY,
    ENVELOPE,
    EVENT,
    MESSAGE,
    MONEY,
    NUMBER,
    OF_CURRENCIES,
    OF_ENVELOPE,
    OF_EVENTS,
    OF_PRODUCT,
    OF_TYPES,
    OFFER_ENDS,
    PRODUCT_ID,
    PRODUCTS,
    PROPERTIES,
    ROLE,
    TEXT,
    TIMESTAMP,
    TRAITS,
    TYPE,
    UNKNOWN,
    USER,
)
from stream.events.scan_properties import (
    A_NUMBER,
    A_TEXT,
    ABSENT,
    FIRST,
    HASH,
    KIND,
    LAST,
    NULL,
    RECENT,
    lookup,
    put_product,
    read_properties,
)

#: Columns of what is found of a record: whether it is sure, the number of its event name, its code, its instant, the
#: hash of its message id and the bytes of it, those of the customer's id, how many products it names, and when an offer
#: ends.
SURE, NAME, CODE, INSTANT, MESSAGE_HASH, ID_FIRST, ID_LAST, WHO_FIRST, WHO_LAST, COUNT, OFFER = range(11)
FOUND = 11
#: Columns of the first row of ``seen``: how many texts were noted, products found, bytes of customers' ids written.
NOTED, PRODUCT_COUNT, WRITTEN = range(3)
#: A product with an id, and a property with a text, take at least so many bytes.
LEAST_PRODUCT, LEAST_TEXT = 16, 7

NO_INSTANT = -(1 << 60)
#: Longest ids, in bytes: no more characters than the decoder allows, with its prefix.
LONGEST_ID = 980
#: Bytes of the longest prefix that a customer's id must not have by itself.
LONGEST_PREFIX = 10
_COLON = 0x3A
_ANONYMOUS = np.frombuffer(b"anonymous:", np.uint8)
_IDENTIFY = np.frombuffer(b"identify", np.uint8)


@register_jitable
def _envelope(
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
    head: Any,
) -> int:
    """The whole record: where the envelope's texts lie to ``head``; the new count of products, or NOT_SURE."""
    i = json.blank(b, i, end)
    if i >= end or b[i] != json.OPEN_OBJECT:
        return json.NOT_SURE
    i = json.blank(b, i + 1, end)
    done = False
    while not done:
        closing, value = json.key(b, i, end)
        if closing < 0:
            return json.NOT_SURE
        k = lookup(tables, OF_ENVELOPE, b, i + 1, closing)
        if k >= 0 and head[2 * k] >= 0:
            return json.NOT_SURE
        if k < 0:
            i = json.skip(b, value, end)
        elif b[value] == NULL:
            i = json.null(b, value, end)
        elif k >= PROPERTIES:
            if b[value] != json.OPEN_OBJECT:
                return json.NOT_SURE
            head[2 * k], head[2 * k + 1] = value, value
            i, m = read_properties(b, value, end, tables, entries, own, given, values, words, seen, items, raw, m)
        elif b[value] != json.QUOTE:
            return json.NOT_SURE
        else:
            i = json.text(b, value, end)
            head[2 * k], head[2 * k + 1] = value + 1, i
            i += i >= 0
        if i < 0:
            return json.NOT_SURE
        i, done = json.following(b, i, end, json.CLOSE_OBJECT)
        if i < 0:
            return json.NOT_SURE
    return m if json.blank(b, i, end) == end else json.NOT_SURE


@register_jitable
def _micros(x: float, rate: float) -> float:
    """An amount in micros of the currency that is kept; NaN where it cannot be kept exactly."""
    return float(np.rint(x * rate * MICROS)) if abs(x) * rate < LARGEST_AMOUNT else np.nan


@register_jitable
def _rate(b: Any, tables: Any, entries: Any, own: int, given: Any, rates: Any) -> float:
    """What one unit of the event's currency is worth; 0 where that is not known."""
    for k in range(own):
        if entries[k, ROLE] == CURRENCY and given[k, KIND] != ABSENT:
            found = lookup(tables, OF_CURRENCIES, b, given[k, FIRST], given[k, LAST])
            return float(rates[found]) if found >= 0 else 0.0
    return 1.0


@register_jitable
def _fill(
    b: Any, r: int, rate: float, entries: Any, own: int, given: Any, values: Any, numbers: Any, texts: Any, found: Any
) -> bool:
    """Numbers, texts and the end of an offer from what was given; False where one cannot be kept."""
    for k in range(own):
        if given[k, KIND] == A_NUMBER and entries[k, NUMBER] >= 0:
            x = _micros(values[k], rate) if entries[k, MONEY] else values[k]
            if x != x:
                return False
            numbers[r, entries[k, NUMBER]] = x
        elif given[k, KIND] == A_TEXT:
            if entries[k, TEXT] >= 0:
                texts[r, entries[k, TEXT]] = given[k, HASH]
            if entries[k, ROLE] == OFFER_ENDS:
                found[r, OFFER] = instant(b, given[k, FIRST], given[k, LAST])
                if found[r, OFFER] == NO_TIME:
                    return False
    return True


@register_jitable
def _priced(rate: float, entries: Any, own: int, items: Any, raw: Any, first: int, m: int) -> bool:
    """The amounts of the event's products, now that their currency is known; False where one cannot be kept."""
    for j in range(first, m):
        if raw[j, 1] >= 0.0:
            x = _micros(raw[j, 1], rate)
            if x != x:
                return False
            items[j, 1] = int(x)
        for k in range(own, len(entries)):
            at = entries[k, OF_PRODUCT]
            if at >= 0 and raw[j, at] == raw[j, at]:
                x = _micros(raw[j, at], rate if entries[k, MONEY] else 1.0)
                if x != x:
                    return False
                items[j, at] = int(x)
    return True


@register_jitable
def _one_product(entries: Any, own: int, given: Any) -> bool:
    """Whether the event is about one product: it has the id of one and no list."""
    one = False
    for k in range(own):
        if given[k, KIND] != ABSENT:
            if entries[k, ROLE] == PRODUCTS:
                return False
            one = one or entries[k, ROLE] == PRODUCT_ID
    return one


@register_jitable
def _given(head: Any, k: int) -> bool:
    """Whether the envelope has that key, and it is not empty."""
    return bool(head[2 * k] >= 0 and head[2 * k + 1] > head[2 * k])


@register_jitable
def _name(b: Any, tables: Any, head: Any, unknown: int) -> int:
    """The number of the event's name; that of unknown ones; UNKNOWN where it has none."""
    if _given(head, EVENT):
        found = lookup(tables, OF_EVENTS, b, head[2 * EVENT], head[2 * EVENT + 1])
        return found if found >= 0 else unknown
    return lookup(tables, OF_TYPES, b, head[2 * TYPE], head[2 * TYPE + 1]) if _given(head, TYPE) else UNKNOWN


@register_jitable
def _identifies(b: Any, head: Any) -> bool:
    """Whether the event's type is identify."""
    start = head[2 * TYPE]
    if start < 0 or head[2 * TYPE + 1] - start != len(_IDENTIFY):
        return False
    same = True
    for i in range(len(_IDENTIFY)):
        same = same and b[start + i] == _IDENTIFY[i]
    return same


@register_jitable
def _who(b: Any, r: int, head: Any, found: Any, who: Any, seen: Any) -> bool:
    """Write the customer's id; False where it is for the decoder to judge."""
    anonymous = not _given(head, USER)
    k = ANONYMOUS if anonymous else USER
    first, last = head[2 * k], head[2 * k + 1]
    if first < 0 or first == last or last - first > LONGEST_ID:
        return False
    for i in range(first, min(last, first + LONGEST_PREFIX)):
        if b[i] == _COLON and not anonymous:
            return False
    at = seen[0, WRITTEN]
    found[r, WHO_FIRST] = at
    if anonymous:
        for i in range(len(_ANONYMOUS)):
            who[at + i] = _ANONYMOUS[i]
        at += len(_ANONYMOUS)
    for i in range(first, last):
        who[at + i - first] = b[i]
    found[r, WHO_LAST] = seen[0, WRITTEN] = at + last - first
    return True


@register_jitable
def _accept(
    b: Any, r: int, t: int, name: int, of_product: int, head: Any, found: Any, words: Any, who: Any, seen: Any
) -> bool:
    """What the envelope says to ``found``; False where it is for the decoder to judge."""
    if not of_product and not _who(b, r, head, found, who, seen):
        return False
    first, last = head[2 * MESSAGE], head[2 * MESSAGE + 1]
    if first < 0 or first == last or last - first > LONGEST_ID:
        return False
    found[r, NAME] = name
    found[r, INSTANT] = t
    found[r, ID_FIRST], found[r, ID_LAST] = first, last
    found[r, MESSAGE_HASH] = digest(b, first, last, words)
    return True


@register_jitable(_nrt=False)  # nobody counts who refers to the arrays, which would take half of the time
def _read(
    b: Any,
    r: int,
    start: int,
    stop: int,
    latest: int,
    tables: Any,
    entries: Any,
    own: int,
    events: Any,
    rates: Any,
    given: Any,
    values: Any,
    words: Any,
    head: Any,
    found: Any,
    numbers: Any,
    texts: Any,
    items: Any,
    raw: Any,
    seen: Any,
    who: Any,
    m: int,
) -> int:
    """Record r, ``b[start:stop]``; the new count of products."""
    head[:] = -1
    for k in range(own):
        given[k, KIND] = ABSENT
    found[r, OFFER] = NO_INSTANT
    after = _envelope(b, start, stop, tables, entries, own, given, values, words, seen, items, raw, m, head)
    if after < 0 or not _given(head, TIMESTAMP):
        return m
    name = _name(b, tables, head, len(events) - 1)
    t = instant(b, head[2 * TIMESTAMP], head[2 * TIMESTAMP + 1])
    other = PROPERTIES if _identifies(b, head) else TRAITS
    if name == UNKNOWN or t == NO_TIME or t > latest or head[2 * other] >= 0:
        return m
    found[r, CODE] = events[name, 0]
    if events[name, 0] < 0:
        found[r, INSTANT] = t
        found[r, SURE] = 1
        return m
    if _one_product(entries, own, given):
        if after >= len(items):
            return m
        put_product(0, own, entries, given, values, items, raw, after)
        after += 1
    rate = _rate(b, tables, entries, own, given, rates)
    sure = rate > 0.0 and _fill(b, r, rate, entries, own, given, values, numbers, texts, found)
    sure = sure and _priced(rate, entries, own, items, raw, m, after)
    sure = sure and _accept(b, r, t, name, events[name, 1], head, found, words, who, seen)
    if sure and events[name, 1]:
        sure = False
        for j in range(m, after):
            sure = sure or items[j, 0] != 0
    if not sure:
        return m
    found[r, SURE] = 1
    found[r, COUNT] = after - m
    return after


@register_jitable
def scan(
    b: Any,
    starts: Any,
    stops: Any,
    begin: int,
    latest: Any,
    tables: Any,
    entries: Any,
    own: int,
    events: Any,
    rates: Any,
    found: Any,
    numbers: Any,
    texts: Any,
    items: Any,
    raw: Any,
    seen: Any,
    who: Any,
) -> int:
    """Read the records ``b[starts[r]:stops[r]]`` (uint8) from number ``begin`` on; the number of the first that there
    was no room for.

    ``latest`` int64 (n): the latest instant that each may have; ``found`` int64 (n, FOUND), zeros, ``numbers``,
    ``texts`` and ``items`` (capacity, w) as in a batch are written, ``raw`` float64 like ``items`` is working memory;
    ``seen``: see :mod:`stream.events.scan_properties`; ``who`` uint8: the ids of customers, one behind the other.  How
    much of the last four is taken is in the first row of ``seen``; with more room it goes on from there.  Of a record
    that is not sure, SURE is 0 and what was written means nothing.
    """
    given = np.zeros((len(entries), 4), np.int64)
    values = np.zeros(len(entries))
    words = np.zeros(SCRATCH, np.uint64)
    head = np.zeros(2 * len(ENVELOPE), np.int64)
    for r in range(begin, len(starts)):
        size, m = stops[r] - starts[r], seen[0, PRODUCT_COUNT]
        if len(items) - m <= size // LEAST_PRODUCT or len(who) - seen[0, WRITTEN] < size + len(_ANONYMOUS):
            return r
        if len(seen) - 1 - RECENT - seen[0, NOTED] <= size // LEAST_TEXT:
            return r
        seen[0, PRODUCT_COUNT] = _read(
            b, r, starts[r], stops[r], latest[r], tables, entries, own, events, rates, given, values, words, head,
            found, numbers, texts, items, raw, seen, who, m,
        )  # fmt: skip
    return len(starts)
