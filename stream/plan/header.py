"""The columns every row begins with, whatever the definitions are, and the shapes that the kernel works on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.events.batch import FORGET as FORGET
from stream.features.base import NEVER, Column

#: How many of a customer's latest message ids are remembered, to drop retries.
REMEMBERED = 8

#: The customer's latest instant: of an event or a change.  A deadline that changes nothing leaves no trace, nor does a
#: version of what is published, so that what a late event finds does not depend on when conditions were looked at.
LATEST = 0
#: Changes made so far; the sequence of the last one.
SEQUENCE = 1
#: Instant of the latest event.
SEEN = 2
#: The place, in the shard's chain of versions, of the one this customer was last judged by.
VERSION = 3
#: Hash of the customer's id: their place in the random orders that shares of customers are taken from.
CUSTOMER = 4
#: Where the next message id goes in the ring.
RING = 5
#: The ring of message id hashes.
IDS = 6
WIDTH = IDS + REMEMBERED

COLUMNS = (
    Column("latest", NEVER),
    Column("sequence", 0),
    Column("seen", NEVER),
    Column("version", 0),
    Column("customer", 0),
    Column("ring", 0),
    *(Column(f"id-{i}", 0) for i in range(REMEMBERED)),
)

#: Causes of a change, where it is not the index of an event in the batch.
DEADLINE, DEFINITION, MODEL = -1, -2, -3
#: What is no cause: only expiries are worked out.
REARM = -4

#: Status of an event after a batch.
PENDING, APPLIED, DUPLICATE = 0, 1, 2

#: Columns of a change before its evidence; SINCE: when the segment left was entered, and AWAY: when the segment entered
#: was last left, where rows keep that; NEVER where there is no such instant.
ROW, DIMENSION, FROM, TO, AT, CAUSE, NUMBER, SINCE, AWAY = range(9)
EVIDENCE = 9
#: Stands for the dimension in the first line about a customer who is forgotten; in the lines behind it, one for each
#: dimension in which they were in a segment, LEAVES stands for where they go.
FORGOTTEN, LEAVES = -1, -2

#: What the function of a dimension is asked for: the segment and until when, or to write what goes with change n.
JUDGE, TELL = range(2)

#: What the kernel does.
APPLY, FIRE, ARM = range(3)

#: Counters of a table; CURSOR (an entry) and ITEM: where telling a product's holders goes on; LEFT: how many of them
#: may yet be told; LIFETIME: how long (ms) after their latest event a customer is remembered, FOREVER for always;
#: UNMATCHED: refunds whose order was not known; ASKED: questions of predictions.
TOUCHED, SAMPLED, CURSOR, ITEM, LEFT, LIFETIME, UNMATCHED, ASKED = range(8)


#: Deadlines are looked through block by block of so many rows, as a power of two.
BLOCK = 10


class Table(NamedTuple):
    """The rows of a shard.

    ``ints`` int64 (capacity, width) and ``floats`` the same bytes as float64; ``expiry`` int64 (capacity, dimensions);
    ``deadline`` int64 (capacity): the least of a row's expiries; ``coarse`` int64 (one a block): no deadline of the
    block's rows is before it; ``marks`` uint8 (capacity): touched since the last commit; ``touched`` int64 (capacity):
    those rows, ``counters[TOUCHED]`` of them; ``counters`` int64 (8); ``blank`` int64 (width): the row of a customer
    of whom nothing is known; ``kept`` int64: the columns with whose values the first line of who is forgotten ends.
    """

    ints: NDArray[np.int64]
    floats: NDArray[np.float64]
    expiry: NDArray[np.int64]
    deadline: NDArray[np.int64]
    coarse: NDArray[np.int64]
    marks: NDArray[np.uint8]
    touched: NDArray[np.int64]
    counters: NDArray[np.int64]
    blank: NDArray[np.int64]
    kept: NDArray[np.int64]


class Events(NamedTuple):
    """A merged run of n events, in the order in which they apply.

    ``row`` int64: the customer's row, -1 for what happened to a product; ``code`` int64: the plan's number for the
    event name, negative for what is skipped; ``instant`` int64; ``upto`` int64: up to when the deadlines of whom it
    concerns fire before it: its own instant, or what time had come to if it is late; ``message`` int64: hash of the
    message id; ``numbers`` float64 (n, number inputs), NaN where missing; ``texts`` int64 (n, text inputs); ``first``
    int64 (n + 1): where its products begin in ``items`` int64 (m, 4 and more): product, price in micros or -1,
    quantity, in stock or -1; ``offers`` int64 (n): when the offer of a product update ends; ``status`` int8 (n),
    written.
    """

    row: NDArray[np.int64]
    code: NDArray[np.int64]
    instant: NDArray[np.int64]
    upto: NDArray[np.int64]
    message: NDArray[np.int64]
    numbers: NDArray[np.float64]
    texts: NDArray[np.int64]
    first: NDArray[np.int64]
    items: NDArray[np.int64]
    offers: NDArray[np.int64]
    status: NDArray[np.int8]


def no_events() -> Events:
    """Nothing to apply."""
    nothing = np.zeros(0, np.int64)
    return Events(
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        np.zeros((0, 1)),
        np.zeros((0, 1), np.int64),
        np.zeros(1, np.int64),
        np.zeros((1, 3), np.int64),
        nothing,
        np.zeros(0, np.int8),
    )


class Models(NamedTuple):
    """The versions in force (0) and to come (1) of what is published: clusters, cuts by share, definitions.

    ``version`` int64 (2): places in the shard's one chain of versions; ``effective`` int64 (2); ``cause`` int64 (2): of
    the changes that the move to it makes, MODEL or DEFINITION; ``moves`` int64 (2): the dimensions that it concerns,
    bit j for dimension j; ``cuts`` float64 (2, cuts), in the plan's order, NaN while unknown; ``clusters`` int64 (2),
    ``mean`` and ``scale`` float64 (2, d), ``centroids`` float64 (2, places, d) in scaled space: those in the first
    ``clusters`` places, NaN where a place is nobody's; ``numbers`` float64 (2, n): those of all models that features go
    by, where the layout of the plan has them (:attr:`stream.plan.layout.Layout.numbers`), NaN while unknown.
    """

    version: NDArray[np.int64]
    effective: NDArray[np.int64]
    cause: NDArray[np.int64]
    moves: NDArray[np.int64]
    cuts: NDArray[np.float64]
    clusters: NDArray[np.int64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    centroids: NDArray[np.float64]
    numbers: NDArray[np.float64]


class Given(NamedTuple):
    """What the function of a dimension works on: ``rows`` and ``reals`` of a `Table`, the pool of bags, the versions,
    ``ints`` and ``floats`` of an `Out`."""

    rows: NDArray[np.int64]
    reals: NDArray[np.float64]
    bags: Any
    models: Models
    ints: NDArray[np.int64]
    floats: NDArray[np.float64]


class Out(NamedTuple):
    """Where changes go: ``ints`` int64 (capacity, EVIDENCE + e), ``floats`` the same bytes.

    ``vectors`` float64 (capacity, d) and ``sampled`` int64 (capacity, 2): row and instant, for the trainer.
    ``questions`` float64 (capacity, d + 4): what predictions are learned from, and what is told beside
    (:data:`stream.features.propensity.BESIDE`); ``asked`` int64 (capacity, 3): row, instant, and number of the
    prediction.
    """

    ints: NDArray[np.int64]
    floats: NDArray[np.float64]
    vectors: NDArray[np.float64]
    sampled: NDArray[np.int64]
    questions: NDArray[np.float64]
    asked: NDArray[np.int64]
