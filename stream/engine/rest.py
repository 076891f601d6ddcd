"""Rows at rest: what the changelog holds, and how it becomes rows again.

Keys begin with a letter: ``c`` and the customer's id for a row, ``s`` for the shard's own row, ``l`` and a layout's
fingerprint for what that layout's columns are called, ``n`` and a number for the name of a text, ``m`` and ``v`` for
the chain of versions (:mod:`stream.engine.chain_at_rest`).
A row's value is the fingerprint (8 bytes) and the packed row (:mod:`stream.plan.packing`).  Layouts and names come
before the rows that need them, and are written again only where they were damaged; a row that cannot be read waits for
them until all is read.  Expiries are not kept.

Rows of earlier releases are read too: packed otherwise (:mod:`stream.plan.earlier_rows`), or not at all.  Under a
layout that is not described as packed, the fingerprint is followed by the row's columns, and for each bag that is not
empty by its column (8), its size (8) and its entries.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.engine.adopt import adopt_rows
from stream.engine.layouts import FORM, Description, describe_layout, mapping, shape_of
from stream.engine.names import Names
from stream.engine.records import Column, Records
from stream.engine.rows import Rows
from stream.events.columns import CustomerIds
from stream.events.raw import KEY, KEY_END, VALUE, VALUE_END, RawRecords
from stream.features import pool
from stream.features.base import FOREVER
from stream.plan import earlier_rows, header
from stream.plan.finding import FREE
from stream.plan.packed import Shape
from stream.plan.plan import Packing, Plan

Ints = NDArray[np.int64]

ROW, SHARD, LAYOUT, NAME = b"c", b"s", b"l", b"n"
_FINGERPRINT = struct.Struct("<q")
_BAG = struct.Struct("<qq")
#: Fields of an entry of a bag in rows that are not packed.
PLAIN_ENTRY = 8
_NUMBER = struct.Struct(">I")
#: The bytes before a packed row.
MARK_BYTES = _FINGERPRINT.size
#: Lengths of the keys of names and of layouts.
NAME_KEY_BYTES, LAYOUT_KEY_BYTES = 1 + _NUMBER.size, 1 + _FINGERPRINT.size
#: How many rows are read at once: what was read lies near the processor yet when it is put in its place.
CHUNK = 256
#: The same of rows of other layouts, for which is worked out each time what becomes of their columns.
CHUNK_OF_OTHERS = 4096
#: Room for packed rows that is asked for first, in bytes a row; it is doubled where it does not do.
GUESS = 512
#: Room for entries of bags that is made first, for each row; where it does not do, rows are read twice.
ENTRIES = 16


def layout_key(plan: Plan) -> bytes:
    """Key of the description; the fingerprint also covers the segments' names."""
    return LAYOUT + _FINGERPRINT.pack(fingerprint(plan))


def fingerprint(plan: Plan) -> int:
    """Of all that a description says."""
    digest = blake2b(msgspec.json.encode(describe_layout(plan), order="sorted"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


class Read(NamedTuple):
    """Rows that were read: their columns, and what lies in their bags, one after the other, of the rows that are sound;
    of others neither is worth anything."""

    ints: Ints
    entries: Ints
    sound: NDArray[np.bool_]


class Applied(NamedTuple):
    """Of some records by their numbers: those that are no rows, whose customers have none until a later record brings
    one, and those that wait until all is read."""

    bad: list[int]
    waiting: Ints


class Own(NamedTuple):
    """Numbers of records with rows of the layout, and which row each is."""

    numbers: Ints
    rows: Ints


class Sorted(NamedTuple):
    """The latest record of each customer, by its number: rows of the layout, of other ones, and those of customers who
    have no row any more; ``bad``: the ones among these that are no tombstones."""

    own: Own
    foreign: Ints
    gone: Ints
    bad: list[int]


def encode_names(names: Names) -> list[tuple[bytes, bytes]]:
    """Key and value of each name that is not at rest yet; they count as at rest from now on."""
    return [(NAME + _NUMBER.pack(number), text.encode("utf-8", "surrogatepass")) for number, text in names.new()]


def number_of(key: bytes) -> int:
    """The number in the key of a name."""
    return int(_NUMBER.unpack(key[1:])[0])


def mark_of(key: bytes) -> int:
    """The fingerprint in the key of a layout."""
    return int(_FINGERPRINT.unpack(key[1:])[0])


def decode_name(key: bytes, value: bytes) -> tuple[int, str]:
    """Number and text (the key with its letter)."""
    return number_of(key), value.decode("utf-8", "surrogatepass")


def encode_rows(rows: Rows, picks: Ints, mark: int, shape: Shape | None = None) -> Records:
    """Key and value of each of these rows; the names they refer to must go before them.  ``shape``: their own, where it
    is known already."""
    data, ends = pack(rows, picks, shape)
    keys = Column.of([rows.keys[i] for i in picks.tolist()])
    values = Column(data, np.concatenate((np.zeros(1, np.int64), ends)))
    return Records(keys, values, np.zeros(len(picks), np.uint8), before=(ROW, _FINGERPRINT.pack(mark)))


def pack(rows: Rows, picks: Ints, shape: Shape | None = None) -> tuple[NDArray[np.uint8], Ints]:
    """These rows packed (in their own shape, unless one is given), one behind the other, and where each ends."""
    table = rows.table
    ends = np.zeros(len(picks), np.int64)
    out = np.empty((1 << 16) + GUESS * len(picks), np.uint8)
    done, shape = 0, shape or shape_of(rows.plan.layout)
    while True:
        done = rows.plan.kernels.packing.pack(
            table.ints, table.floats, rows.bags.entries, picks, shape, rows.texts.table, out, ends, done
        )
        if done == len(picks):
            return out[: ends[-1] if len(ends) else 0], ends
        out = np.concatenate((out, np.empty_like(out)))


class Restorer:
    """Takes changelog records in order and fills the rows.

    Rows of other layouts wait until all is read: only then is it known under which definitions the shard goes on.  So
    do rows of the layout that cannot be read yet: the name of a text may come behind them.
    """

    def __init__(self, rows: Rows, layouts: dict[int, Description] | None = None) -> None:
        self.rows = rows
        self.mark = fingerprint(rows.plan)
        self.shape = shape_of(rows.plan.layout)
        self.layouts = {} if layouts is None else layouts
        #: Customer -> a row that waits.
        self.waiting: dict[bytes, bytes] = {}
        #: Column -> the version since which it is there again: what older rows have in it was dropped before.
        self.anew: dict[str, int] = {}

    def apply(self, records: RawRecords) -> Applied:
        """Records of customers' rows, the later ones winning; one without a value deletes."""
        own, foreign, gone, bad = self._sorted(records)
        starts, stops = records.places[:, VALUE], records.places[:, VALUE_END]
        unread: list[int] = []
        for start in range(0, len(own.numbers), CHUNK):
            numbers, picks = own.numbers[start : start + CHUNK], own.rows[start : start + CHUNK]
            spans = starts[numbers], stops[numbers]
            read = unpack_within(self._packing.unpack, records.data, spans, self.shape, self.rows.texts)
            unread += numbers[~read.sound].tolist()
            self._place(picks, read)
        if self.waiting:
            for customer in customers_of(records, own.numbers):
                self.waiting.pop(customer, None)
        self._give_up(customers_of(records, np.array([*gone.tolist(), *unread], np.int64)))
        waiting = np.array([*foreign.tolist(), *unread], np.int64)
        for customer, number in zip(customers_of(records, waiting), waiting.tolist(), strict=True):
            self.waiting[customer] = records.buffer[starts[number] : stops[number]]
        return Applied(bad, waiting)

    def _sorted(self, records: RawRecords) -> Sorted:
        """The latest record of each customer; who is new and has a row of the layout gets a row."""
        rows, places = self.rows, records.places
        data = records.data.copy()  # the index is compiled for arrays that may be written to
        ids = CustomerIds(data, places[:, KEY : KEY_END + 1] + (len(ROW), 0))
        some = ids.given & (places[:, VALUE_END] - places[:, VALUE] > MARK_BYTES)
        mine = some.copy()
        mine[some] = data[places[some, VALUE, np.newaxis] + np.arange(MARK_BYTES)].view("<i8").ravel() == self.mark
        found = rows.index.find(ids)
        rows.enrol(ids, found, np.flatnonzero((found.rows == FREE) & mine))
        unknown = np.flatnonzero(found.rows == FREE)
        if len(unknown):  # who was given a row just now has one
            found.rows[unknown] = rows.index.find(CustomerIds(data, ids.spans[unknown])).rows
        numbers = np.arange(len(records))
        newest = np.empty(len(rows) + 1, np.int64)
        newest[found.rows] = numbers  # the last one stays; nobody is at the end
        latest = (newest[found.rows] == numbers) & (found.rows != FREE)
        own = np.flatnonzero(latest & mine)
        others = np.concatenate((np.flatnonzero(latest & ~mine), _latest(records, np.flatnonzero(found.rows == FREE))))
        gone = others[~some[others]]
        bad = gone[places[gone, VALUE] >= 0].tolist()
        return Sorted(Own(own, found.rows[own]), others[some[others]], gone, bad)

    @property
    def _packing(self) -> Packing:
        return self.rows.plan.kernels.packing

    def _place(self, picks: Ints, read: Read) -> None:
        """Put what is sound of what was read in the rows with these numbers."""
        ints, entries, sound = read
        if not sound.all():
            ints, picks = ints[sound], picks[sound]
        rows = self.rows
        rows.make_room(len(entries))
        self._packing.place(rows.table.ints, rows.bags, picks, self.shape, ints, entries)

    def _give_up(self, customers: list[bytes]) -> None:
        """Whoever had a row has none."""
        for customer in customers:
            self.waiting.pop(customer, None)
        self.rows.drop(customers)

    def under(self, plan: Plan) -> Restorer:
        """What was read so far, under another plan."""
        found = Restorer(adopt_rows(self.rows, plan), self.layouts)
        found.waiting = self.waiting
        return found

    def finish(self) -> dict[bytes, bytes]:
        """Rows that wait; call when the last record was applied.  Expiries are to be worked out then.  Returns
        customers whose record is no row, with its value."""
        bad: list[bytes] = []
        groups: dict[int, list[bytes]] = {}
        for key, value in self.waiting.items():
            groups.setdefault(_FINGERPRINT.unpack(value[: _FINGERPRINT.size])[0], []).append(key)
        for mark, keys in groups.items():
            for start in range(0, len(keys), CHUNK_OF_OTHERS):
                bad += self._apply_waiting(mark, keys[start : start + CHUNK_OF_OTHERS])
        values = {customer: self.waiting[customer] for customer in bad}
        self._give_up(bad)
        self.waiting.clear()
        self._empty()
        self.rows.table.deadline[: len(self.rows)] = FOREVER
        return values

    def _apply_waiting(self, mark: int, keys: list[bytes]) -> list[bytes]:
        """Rows of one layout: columns by name, segments by name, what is new stays empty."""
        if mark not in self.layouts:
            return keys
        old, rows = self.layouts[mark], self.rows
        ints, entries, sound = read_rows([self.waiting[key] for key in keys], old, rows.texts, self._packing)
        how = mapping(old, rows)
        into = np.empty((len(keys), rows.plan.layout.width), np.int64)
        ints[~sound] = old.blank or 0
        how.apply(ints, rows.blank, into)
        moved = _moved(ints[sound], entries, old, {new: was for was, new in how.bags.items()}, self.shape)
        known = [key for key, good in zip(keys, sound, strict=True) if good]
        self._place(self.rows.find(known), Read(into[sound], moved, sound[sound]))
        return [key for key, good in zip(keys, sound, strict=True) if not good]

    def _empty(self) -> None:
        """Columns that were dropped and came back begin empty, as they did in memory."""
        rows, layout = self.rows, self.rows.plan.layout
        table = rows.table.ints[: len(rows)]
        for k, column in enumerate(layout.columns):
            if column.name not in self.anew:
                continue
            older = np.flatnonzero(table[:, header.VERSION] < self.anew[column.name])
            if k in layout.bags:
                for i in older.tolist():
                    while table[i, k + pool.HEAD] != pool.NONE:
                        pool.unlink(rows.bags, table[i], k, int(table[i, k + pool.HEAD]))
            table[older, k] = rows.blank[k]


def customers_of(records: RawRecords, numbers: Ints) -> list[bytes]:
    """Whose rows these records are."""
    buffer = records.buffer
    return [buffer[first + len(ROW) : last] for first, last in records.places[numbers, KEY : KEY_END + 1].tolist()]


def _latest(records: RawRecords, numbers: Ints) -> Ints:
    """The latest of each customer among some records."""
    found = dict(zip(customers_of(records, numbers), numbers.tolist(), strict=True))
    return np.array(list(found.values()), np.int64)


def _moved(ints: Ints, entries: Ints, old: Description, bags: dict[int, int], shape: Shape) -> Ints:
    """What lay in the bags of rows of an old layout, in the order of the new one; ``bags``: new column -> old one."""
    if not len(entries) or not bags:
        return entries[:0]
    sizes = ints[:, np.array(old.bags) + pool.SIZE]
    first = (np.cumsum(sizes.ravel()) - sizes.ravel()).reshape(sizes.shape)
    picks = np.array([old.bags.index(bags[p]) for p in shape.bags.tolist() if p in bags])
    kept = sizes[:, picks].ravel()
    shift = first[:, picks].ravel() - (np.cumsum(kept) - kept)
    found: Ints = entries[np.repeat(shift, kept) + np.arange(kept.sum())]
    return found


def read_rows(values: list[bytes], layout: Description, names: Names, packing: Packing) -> Read:
    """Rows of a described layout, packed or not."""
    if not layout.kinds:
        return read_plain(values, layout)
    shape = Shape(np.array(layout.kinds, np.int8), np.array(layout.blank), np.array(layout.bags, np.int64))
    return unpack(packing, values, shape, names, earlier=layout.form != FORM)


def unpack(packing: Packing, values: list[bytes], shape: Shape, names: Names, *, earlier: bool = False) -> Read:
    """Packed rows; ``earlier``: as they were packed before."""
    data = np.frombuffer(b"".join((*values, bytes(earlier_rows.PADDING))), np.uint8)
    stops = np.cumsum(np.fromiter(map(len, values), np.int64, len(values)))
    starts = np.concatenate((np.zeros(1, np.int64), stops))[: len(values)]
    return unpack_within(packing.earlier if earlier else packing.unpack, data, (starts, stops), shape, names)


def unpack_within(
    kernel: Callable[..., int], data: NDArray[np.uint8], spans: tuple[Ints, Ints], shape: Shape, names: Names
) -> Read:
    """Packed rows, each with its mark before it, from where up to where in ``data``."""
    starts, stops = spans[0] + MARK_BYTES, spans[1]
    ints = np.empty((len(starts), len(shape.kinds)), np.int64)
    entries = np.empty((ENTRIES * len(starts), pool.SAVED), np.int64)
    sound = np.empty(len(starts), np.uint8)
    while True:
        held = kernel(data, starts, stops, shape, names.hashes, ints, entries, sound)
        if held <= len(entries):
            return Read(ints, entries[:held], sound.astype(np.bool_))
        entries = np.empty((held, pool.SAVED), np.int64)


def read_plain(values: list[bytes], layout: Description) -> Read:
    """Rows that are not packed."""
    width = _FINGERPRINT.size + len(layout.columns) * 8
    bags = [_read_bags(value[width:]) if len(value) >= width else None for value in values]
    sound = np.array([found is not None for found in bags], np.bool_)
    empty = bytes(width)
    raw = b"".join([(v if ok else empty)[_FINGERPRINT.size : width] for v, ok in zip(values, sound, strict=True)])
    ints = np.frombuffer(raw, np.int64).reshape(len(values), -1).copy()
    parts: list[bytes] = []
    for k, found in enumerate(bags):
        held = [0 if found is None else len(found.get(p, b"")) // (8 * PLAIN_ENTRY) for p in layout.bags]
        if found is None or held != [int(ints[k, p + pool.SIZE]) for p in layout.bags]:
            sound[k] = False
            continue
        parts += [found[p] for p in layout.bags if p in found]
    plain = np.frombuffer(b"".join(parts), np.int64).reshape(-1, PLAIN_ENTRY)
    entries = np.zeros((len(plain), pool.SAVED), np.int64)
    entries[:, :PLAIN_ENTRY] = plain
    entries[:, pool.STOCK_AT] = entries[:, pool.ADDED]
    return Read(ints, entries, sound)


def _read_bags(tail: bytes) -> dict[int, bytes] | None:
    """What lies in the bags of a row that is not packed, by their columns; None where the bytes say no such thing."""
    found, at = {}, 0
    while at < len(tail):
        if at + _BAG.size > len(tail):
            return None
        p, size = _BAG.unpack_from(tail, at)
        at += _BAG.size
        length = size * PLAIN_ENTRY * 8
        if size < 0 or at + length > len(tail):
            return None
        found[p] = tail[at : at + length]
        at += length
    return found


def warm(rows: Rows) -> None:
    """Have the packing compiled, or loaded from the cache, before it is needed."""
    nothing = np.zeros(0, np.int64)
    pack(rows, nothing)
    packing, shape = rows.plan.kernels.packing, shape_of(rows.plan.layout)
    read = unpack(packing, [], shape, rows.texts)
    packing.place(rows.table.ints, rows.bags, nothing, shape, read.ints, read.entries)
