"""The pool of bag entries: what a customer holds that is not fixed-width (wishes, things in a cart).

One shard has one pool.  An entry is a row of ``entries`` and lies on two linked lists: that of its bag (from the head
column in the customer's row) and that of its product (from ``table``, an open-addressing hash table), so that both
"what does this customer wish for" and "who wishes for this product" are walks, and a price change costs what it moves.

The functions are plain Python, marked so that numba compiles them where compiled code calls them.  They never allocate:
the engine makes room before a batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.events.leaf import leaf

#: Columns of an entry.  The first SAVED ones are what is kept at rest; the others are links, made anew on recovery.
PRODUCT, ADDED, PRICE_ADDED, PRICE_LAST, PRICE_AT, OFFER_ENDS, OFFER_AT, VISITS, STOCK, STOCK_AT = range(10)
SAVED = 10
NEXT, ROW, BAG, LATER, EARLIER = range(10, 15)
WIDTH = 15

#: What is known of the stock of an entry's product: nothing bad, sold out, there again after it was sold out.
IN_STOCK, SOLD_OUT, BACK = range(3)

#: No entry; also an unknown price.
NONE = -1
#: Columns that a bag owns in the customer's row.
HEAD, SIZE, CLEARED = range(3)

#: ``meta``: first free entry, entries ever used, keys in the table, entries dropped at a bag's limit.
FREE, USED, KEYS, DROPPED = range(4)


class Bags(NamedTuple):
    """``entries`` (capacity, WIDTH); ``table`` (power of two, 2): product, first entry; ``meta`` (4); all int64."""

    entries: NDArray[np.int64]
    table: NDArray[np.int64]
    meta: NDArray[np.int64]


@leaf
def slot(table: Any, product: int) -> int:
    """Where the product is in the table, or the empty place where it belongs."""
    mask = table.shape[0] - 1
    i = (product ^ (product >> 29)) & mask
    while table[i, 0] != product and table[i, 0] != 0:
        i = (i + 1) & mask
    return int(i)


@leaf
def find(bags: Any, r: Any, p: int, product: int) -> int:
    """The customer's entry for the product, or NONE."""
    e = r[p + HEAD]
    while e != NONE and bags.entries[e, PRODUCT] != product:
        e = bags.entries[e, NEXT]
    return int(e)


@leaf
def take(bags: Any) -> int:
    """A free entry."""
    e = bags.meta[FREE]
    if e != NONE:
        bags.meta[FREE] = bags.entries[e, NEXT]
        return int(e)
    e = bags.meta[USED]
    bags.meta[USED] += 1
    return int(e)


@leaf
def link(bags: Any, r: Any, p: int, row: int, e: int) -> None:
    """Put an entry whose saved columns are set into its bag and onto its product's list."""
    entries, table = bags.entries, bags.table
    entries[e, NEXT] = r[p + HEAD]
    r[p + HEAD] = e
    r[p + SIZE] += 1
    entries[e, ROW] = row
    entries[e, BAG] = p
    i = slot(table, entries[e, PRODUCT])
    if table[i, 0] == 0:
        table[i, 0] = entries[e, PRODUCT]
        table[i, 1] = NONE
        bags.meta[KEYS] += 1
    first = table[i, 1]
    entries[e, LATER] = first
    entries[e, EARLIER] = NONE
    if first != NONE:
        entries[first, EARLIER] = e
    table[i, 1] = e


@leaf
def unlink(bags: Any, r: Any, p: int, e: int) -> None:
    """Take an entry out of its bag and off its product's list, and free it."""
    entries, table = bags.entries, bags.table
    if r[p + HEAD] == e:
        r[p + HEAD] = entries[e, NEXT]
    else:
        before = r[p + HEAD]
        while entries[before, NEXT] != e:
            before = entries[before, NEXT]
        entries[before, NEXT] = entries[e, NEXT]
    r[p + SIZE] -= 1
    later, earlier = entries[e, LATER], entries[e, EARLIER]
    if later != NONE:
        entries[later, EARLIER] = earlier
    if earlier != NONE:
        entries[earlier, LATER] = later
    else:
        table[slot(table, entries[e, PRODUCT]), 1] = later
    entries[e, NEXT] = bags.meta[FREE]
    entries[e, ROW] = NONE
    bags.meta[FREE] = e


@leaf
def oldest(bags: Any, r: Any, p: int) -> int:
    """The entry that was added first (ties: the lower product), which gives way at the limit."""
    entries = bags.entries
    best = r[p + HEAD]
    e = entries[best, NEXT]
    while e != NONE:
        if entries[e, ADDED] < entries[best, ADDED] or (
            entries[e, ADDED] == entries[best, ADDED] and entries[e, PRODUCT] < entries[best, PRODUCT]
        ):
            best = e
        e = entries[e, NEXT]
    return int(best)


@leaf
def see_price(entries: Any, e: int, t: int, price: int) -> None:
    """A price was seen at t: the last one seen counts, and the first one where none came with the addition."""
    if price < 0 or t < entries[e, PRICE_AT]:
        return
    if entries[e, PRICE_ADDED] < 0:
        entries[e, PRICE_ADDED] = price
    entries[e, PRICE_LAST] = price
    entries[e, PRICE_AT] = t


@leaf
def see_offer(entries: Any, e: int, t: int, ends: int) -> None:
    """At t the product was on an offer until ``ends``, or (NEVER) on none; the latest word counts."""
    if t >= entries[e, OFFER_AT]:
        entries[e, OFFER_ENDS] = ends
        entries[e, OFFER_AT] = t


@leaf
def see_stock(entries: Any, e: int, t: int, in_stock: int) -> None:
    """At t the product was to be had (1) or sold out (0), or (-1) nothing was said; the latest word counts, and that it
    was sold out at any time since it was put in."""
    if in_stock < 0:
        return
    if t >= entries[e, STOCK_AT]:
        entries[e, STOCK_AT] = t
        if in_stock == 0:
            entries[e, STOCK] = SOLD_OUT
        elif entries[e, STOCK] == SOLD_OUT:
            entries[e, STOCK] = BACK
    elif in_stock == 0 and t >= entries[e, ADDED] and entries[e, STOCK] == IN_STOCK:
        entries[e, STOCK] = BACK


@leaf
def tell(entries: Any, e: int, t: int, price: int, in_stock: int, ends: int) -> bool:
    """At t the product had this price, stock and offer, as far as each is known; whether the entry is another now."""
    before = entries[e, PRICE_LAST], entries[e, PRICE_AT], entries[e, STOCK], entries[e, STOCK_AT]
    offer = entries[e, OFFER_ENDS], entries[e, OFFER_AT]
    see_price(entries, e, t, price)
    see_stock(entries, e, t, in_stock)
    see_offer(entries, e, t, ends)
    after = entries[e, PRICE_LAST], entries[e, PRICE_AT], entries[e, STOCK], entries[e, STOCK_AT]
    return bool(before != after or offer != (entries[e, OFFER_ENDS], entries[e, OFFER_AT]))


def new_pool(capacity: int = 1024) -> Bags:
    """An empty pool with room for ``capacity`` entries (a power of two)."""
    meta = np.zeros(4, dtype=np.int64)
    meta[FREE] = NONE
    return Bags(
        np.zeros((capacity, WIDTH), dtype=np.int64),
        np.zeros((2 * capacity, 2), dtype=np.int64),
        meta,
    )
