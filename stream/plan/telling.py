"""Segment changes and latest segments written as what goes to Kafka, many at once.

The texts that changes have in common (:class:`Templates`) are put together by :mod:`stream.engine.teller`; the kernels
copy them, and write the numbers between.  :class:`stream.engine.change.Change` says the same of one change at a time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from stream.events.blake import RESULT, SCRATCH, hashed
from stream.features.base import NO_TEXT
from stream.features.pool import slot
from stream.plan.digits import (
    LEAST_MICROS,
    LONGEST,
    MOST_MICROS,
    put_amount,
    put_bytes,
    put_duration,
    put_instant,
    put_length,
    put_whole,
)
from stream.plan.header import AT, DIMENSION, EVIDENCE, NUMBER
from stream.plan.packed import EXACT

#: What a feature's value is written as; in no place of a dimension that uses fewer.
NOTHING, WHOLE, DURATION, AMOUNT, TEXT = range(5)
#: Numbers of the first fragments: what stands before the sequence; before a change's id, between that and the customer,
#: between that and the instant; and behind it, one for each cause.
SEQUENCE, BEFORE_ID, BEFORE_SUBJECT, BEFORE_TIME, BEHIND = range(5)
#: The same of latest segments: before the customer, the segments, the instant, the sequence.
CUSTOMER, SEGMENTS, AT_MS, NUMBERED = range(4)
#: In the place of a text's number, less that of a fragment.
GIVEN = -2
#: Bytes of a change's id, and of an instant.
ID_BYTES, INSTANT_BYTES = 16, 24


class Templates(NamedTuple):
    """What changes have in common: fragments, one behind the other in ``blob``, from ``ends[k]`` to ``ends[k + 1]``.

    For each dimension: ``kinds`` int64 (d, w) of the values of its evidence and ``labels`` int64 (d, w), the fragments
    before them; ``counts`` int64 (d), how many; ``tails`` int64 (d), the fragment behind the sequence; ``names`` int64
    (d), the one with the dimension's name, between zeros.
    """

    blob: NDArray[np.uint8]
    ends: NDArray[np.int64]
    kinds: NDArray[np.int64]
    labels: NDArray[np.int64]
    counts: NDArray[np.int64]
    tails: NDArray[np.int64]
    names: NDArray[np.int64]


class Told(NamedTuple):
    """What n changes have of their own.

    ``heads`` int64: the fragment up to the evidence; ``causes`` int64; ``given`` int64 (n, w): the number of a text of
    their own for a value, -1 where the kernel writes it, and below that GIVEN less the number of a fragment.
    ``events`` int64: the fragment up to the id of the event, -1 where there is none; ``ids`` and ``more`` int64: the
    number of a text of their own with that id, and with further evidence, or -1; those texts are in ``blob`` by
    ``ends``, as above.  ``keys`` with ``key_ends``: the customers.
    """

    heads: NDArray[np.int64]
    causes: NDArray[np.int64]
    given: NDArray[np.int64]
    events: NDArray[np.int64]
    ids: NDArray[np.int64]
    more: NDArray[np.int64]
    blob: NDArray[np.uint8]
    ends: NDArray[np.int64]
    keys: NDArray[np.uint8]
    key_ends: NDArray[np.int64]


@register_jitable
def put_fragment(out: Any, at: int, blob: Any, ends: Any, k: int) -> int:
    """One of the texts."""
    return put_bytes(out, at, blob, ends[k], ends[k + 1])


@register_jitable
def put_value(out: Any, at: int, kind: int, x: float) -> int:
    """A feature's value of the kinds that are written here; null where there is none, and for a text."""
    if x != x or kind == TEXT:
        out[at] = 110
        out[at + 1] = 117
        out[at + 2] = 108
        out[at + 3] = 108
        return at + 4
    whole = int(np.rint(x))
    if kind == DURATION:
        return put_duration(out, at, whole)
    if kind == AMOUNT:
        return put_amount(out, at, whole)
    return put_whole(out, at, whole)


@register_jitable
def put_hex(out: Any, at: int, words: Any, count: int) -> int:
    """So many bytes of 64-bit words, the lowest byte of a word first, two digits each."""
    for k in range(2 * count):
        byte = int(np.int64(words[k >> 4] >> np.uint64(8 * ((k >> 1) & 7))) & 255)
        half = byte & 15 if k & 1 else byte >> 4
        out[at + k] = 48 + half if half < 10 else 87 + half
    return at + 2 * count


@register_jitable
def put_id(out: Any, at: int, i: int, ints: Any, templates: Any, told: Any, what: Any, words: Any) -> int:
    """The id of change i, as `Change.id`; ``what`` and ``words`` are room to work in."""
    n = put_bytes(what, 0, told.keys, told.key_ends[i], told.key_ends[i + 1])
    n = put_fragment(what, n, templates.blob, templates.ends, templates.names[ints[i, DIMENSION]])
    n = put_whole(what, n, ints[i, NUMBER])
    what[n] = 0
    n = put_whole(what, n + 1, ints[i, AT])
    hashed(what, 0, n, ID_BYTES, words)
    return put_hex(out, at, words[RESULT:], ID_BYTES)


@register_jitable(_nrt=False)  # nobody counts who refers to the arrays, which would cost more than all the writing
def put_value_of(i: int, ints: Any, floats: Any, templates: Any, told: Any, values: Any, at: int) -> int:
    """Write the value of change i."""
    blob, ends = templates.blob, templates.ends
    j = ints[i, DIMENSION]
    at = put_fragment(values, at, blob, ends, told.heads[i])
    count = templates.counts[j]
    for k in range(count):
        at = put_fragment(values, at, blob, ends, templates.labels[j, k])
        given = told.given[i, k]
        if given >= 0:
            at = put_fragment(values, at, told.blob, told.ends, given)
        elif given <= GIVEN:
            at = put_fragment(values, at, blob, ends, GIVEN - given)
        else:
            at = put_value(values, at, templates.kinds[j, k], floats[i, EVIDENCE + k])
    if told.events[i] >= 0:
        if count:
            values[at] = 44
            at += 1
        at = put_fragment(values, at, blob, ends, told.events[i])
        at = put_fragment(values, at, told.blob, told.ends, told.ids[i])
        values[at] = 125
        at += 1
    if told.more[i] >= 0:
        if count or told.events[i] >= 0:
            values[at] = 44
            at += 1
        at = put_fragment(values, at, told.blob, told.ends, told.more[i])
    at = put_fragment(values, at, blob, ends, SEQUENCE)
    at = put_whole(values, at, ints[i, NUMBER])
    return put_fragment(values, at, blob, ends, templates.tails[j])


@register_jitable(_nrt=False)
def put_headers_of(i: int, ints: Any, templates: Any, told: Any, headers: Any, to: int, what: Any, words: Any) -> int:
    """Write the headers of change i."""
    blob, ends = templates.blob, templates.ends
    start, stop = told.key_ends[i], told.key_ends[i + 1]
    to = put_fragment(headers, to, blob, ends, BEFORE_ID)
    to = put_id(headers, to, i, ints, templates, told, what, words)
    to = put_fragment(headers, to, blob, ends, BEFORE_SUBJECT)
    to = put_length(headers, to, stop - start)
    to = put_bytes(headers, to, told.keys, start, stop)
    to = put_fragment(headers, to, blob, ends, BEFORE_TIME)
    to = put_instant(headers, to, ints[i, AT])
    return put_fragment(headers, to, blob, ends, BEHIND + told.causes[i])


@register_jitable(_nrt=False)
def is_plain(kind: int, x: float) -> bool:
    """Whether `put_value` writes a value as Python does."""
    if x != x:
        return True
    size = abs(x)
    if kind == DURATION:
        return size < EXACT
    if x != np.floor(x) or size >= EXACT:
        return False
    if kind == AMOUNT:
        return (LEAST_MICROS <= size < MOST_MICROS) or (x == 0 and not np.signbit(x))
    return True


def assign(ints: Any, floats: Any, kinds: Any, counts: Any, names: Any, fragments: Any, given: Any, odd: Any) -> int:
    """Say of every value of the evidence who writes it: ``given`` as :class:`Told` has it.

    ``names`` int64 (power of two, 2): a hash table as :func:`stream.features.pool.slot` reads it, from a text's hash to
    its number + 1; ``fragments`` int64: of each number the fragment with the text, or -1.  The numbers of the change
    and of its value go to ``odd`` int64 (n * w, 2) where neither the kernel writes it nor a fragment is known; returns
    how many these are.
    """
    found = 0
    for i in range(len(ints)):
        j = ints[i, DIMENSION]
        for k in range(counts[j]):
            plain = True
            if kinds[j, k] == TEXT:
                code = ints[i, EVIDENCE + k]
                if code != NO_TEXT:
                    number = names[slot(names, code), 1] - 1
                    plain = 0 <= number < len(fragments) and fragments[number] >= 0
                    if plain:
                        given[i, k] = GIVEN - fragments[number]
            else:
                plain = is_plain(kinds[j, k], floats[i, EVIDENCE + k])
            if not plain:
                odd[found, 0], odd[found, 1] = i, k
                found += 1
    return found


def tell(
    ints: Any, floats: Any, templates: Any, told: Any, values: Any, value_ends: Any, headers: Any, header_ends: Any
) -> None:
    """Write value and headers of every change; where each ends goes to ``..._ends[i + 1]``."""
    longest = 0
    for i in range(len(ints)):
        longest = max(longest, told.key_ends[i + 1] - told.key_ends[i])
    name = 0
    for k in templates.names:
        name = max(name, templates.ends[k + 1] - templates.ends[k])
    what, words = np.zeros(longest + name + 2 * LONGEST, np.uint8), np.zeros(SCRATCH, np.uint64)
    at = 0
    to = 0
    for i in range(len(ints)):
        at = put_value_of(i, ints, floats, templates, told, values, at)
        value_ends[i + 1] = at
        to = put_headers_of(i, ints, templates, told, headers, to, what, words)
        header_ends[i + 1] = to


def latest(
    blob: Any,
    ends: Any,
    first: Any,
    subjects: Any,
    subject_ends: Any,
    table: Any,
    picks: Any,
    columns: Any,
    at_ms: Any,
    sequences: Any,
    values: Any,
    value_ends: Any,
) -> None:
    """Write the latest segments of the customers in some rows of a table: ``subjects`` are their ids as JSON has them.

    ``columns`` int64 (d): where a dimension's segment is; ``first`` int64 (d + 1): of each dimension the number of the
    fragment with its first segment, and behind those of the others the one for none.
    """
    at = 0
    for i in range(len(picks)):
        row = picks[i]
        at = put_fragment(values, at, blob, ends, CUSTOMER)
        at = put_bytes(values, at, subjects, subject_ends[i], subject_ends[i + 1])
        at = put_fragment(values, at, blob, ends, SEGMENTS)
        for k in range(len(columns)):
            if k:
                values[at] = 44
                at += 1
            code = table[row, columns[k]]
            at = put_fragment(values, at, blob, ends, first[k] + code if code >= 0 else first[k + 1] - 1)
        at = put_fragment(values, at, blob, ends, AT_MS)
        at = put_whole(values, at, at_ms[i])
        at = put_fragment(values, at, blob, ends, NUMBERED)
        at = put_whole(values, at, sequences[i])
        values[at] = 125
        at += 1
        value_ends[i + 1] = at
