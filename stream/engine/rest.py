"""Rows at rest: what the changelog holds, and how it becomes rows again.

Keys begin with a letter: ``c`` and the customer's id for a row, ``s`` for the shard's own row, ``m`` for its models,
``l`` and a layout's fingerprint for what that layout's columns are called.  A row's value is the fingerprint (8 bytes),
the row's columns, and for each bag that is not empty its column (8), its size (8) and its entries.  Expiries are not
kept.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.engine.adopt import adopt_rows
from stream.engine.layouts import Description, describe_layout, mapping
from stream.engine.rows import Rows
from stream.features import pool
from stream.features.base import FOREVER
from stream.plan import header
from stream.plan.layout import Layout
from stream.plan.plan import Plan

ROW, SHARD, MODELS, LAYOUT = b"c", b"s", b"m", b"l"
_FINGERPRINT = struct.Struct("<q")
_BAG = struct.Struct("<qq")


def layout_key(plan: Plan) -> bytes:
    """Key of the description; the fingerprint also covers the segments' names."""
    return LAYOUT + _FINGERPRINT.pack(fingerprint(plan))


def fingerprint(plan: Plan) -> int:
    """Of the columns and of the segments that the codes in them stand for."""
    names = msgspec.json.encode({d.name: d.segment_names for d in plan.definitions.dimensions}, order="sorted")
    digest = blake2b(names + _FINGERPRINT.pack(plan.layout.fingerprint), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def encode_rows(rows: Rows, picks: NDArray[np.int64], mark: int) -> list[tuple[bytes, bytes]]:
    """Key and value of each of these rows."""
    layout = rows.plan.layout
    packed = rows.table.ints[picks]
    width = packed.shape[1] * 8
    raw = packed.tobytes()
    tails = _encode_bags(rows, picks, layout)
    head = _FINGERPRINT.pack(mark)
    keys = rows.keys
    return [
        (ROW + keys[i], b"".join((head, raw[k * width : (k + 1) * width], tails.get(i, b""))))
        for k, i in enumerate(picks.tolist())
    ]


def _encode_bags(rows: Rows, picks: NDArray[np.int64], layout: Layout) -> dict[int, bytes]:
    tails: dict[int, bytes] = {}
    for p in layout.bags:
        sizes = rows.table.ints[picks, p + pool.SIZE]
        holders = picks[sizes > 0]
        if not len(holders):
            continue
        sizes = sizes[sizes > 0]
        into = np.empty((int(sizes.sum()), pool.SAVED), np.int64)
        rows.plan.kernels.collect(rows.table, rows.bags, holders, p, into)
        raw, at = into.tobytes(), 0
        for i, size in zip(holders.tolist(), sizes.tolist(), strict=True):
            length = size * pool.SAVED * 8
            tails[i] = tails.get(i, b"") + _BAG.pack(p, size) + raw[at : at + length]
            at += length
    return tails


@dataclass
class Restorer:
    """Takes changelog records in order and fills the rows.

    Rows of other layouts wait until all is read: only then is it known under which definitions the shard goes on.
    """

    rows: Rows
    mark: int
    layouts: dict[int, Description] = field(default_factory=dict)
    #: Row -> the bags behind its columns.
    tails: dict[int, bytes] = field(default_factory=dict)
    #: Customer -> a row of another layout.
    foreign: dict[bytes, bytes] = field(default_factory=dict)
    #: Column -> the version since which it is there again: what older rows have in it is from before it was dropped.
    anew: dict[str, int] = field(default_factory=dict)

    @classmethod
    def for_rows(cls, rows: Rows) -> Restorer:
        """An empty restorer."""
        return cls(rows, fingerprint(rows.plan))

    def apply(self, keys: list[bytes], values: list[bytes]) -> None:
        """Records of customers' rows (keys without their letter), the later ones winning."""
        width = 8 + self.rows.plan.layout.width * 8
        own = _FINGERPRINT.pack(self.mark)
        latest = dict(zip(keys, values, strict=True))
        mine = [(k, v) for k, v in latest.items() if v[:8] == own]
        if mine:
            picks = self.rows.find([k for k, _ in mine], from_rest=True)
            raw = b"".join([v[8:width] for _, v in mine])
            self._fill(picks, np.frombuffer(raw, np.int64).reshape(len(mine), -1), [v[width:] for _, v in mine])
        for key, value in latest.items():
            if value[:8] == own:
                self.foreign.pop(key, None)
            else:
                self.foreign[key] = value
                self.tails.pop(self.rows.index.get(key, -1), None)

    def _fill(self, picks: NDArray[np.int64], ints: NDArray[np.int64], tails: list[bytes]) -> None:
        table = self.rows.table.ints
        table[picks] = ints
        for p in self.rows.plan.layout.bags:
            table[picks, p + pool.HEAD], table[picks, p + pool.SIZE] = pool.NONE, 0
        for i, tail in zip(picks.tolist(), tails, strict=True):
            if tail:
                self.tails[i] = tail
            else:
                self.tails.pop(i, None)

    def under(self, plan: Plan) -> Restorer:
        """What was read so far, under another plan."""
        rows = adopt_rows(self.rows, plan)
        bags = mapping(describe_layout(self.rows.plan), rows).bags
        tails = {i: _moved(tail, bags) for i, tail in self.tails.items()}
        return Restorer(rows, fingerprint(plan), self.layouts, tails, self.foreign)

    def finish(self) -> None:
        """Rows of other layouts, and bags into the pool; call when the last record was applied."""
        groups: dict[int, list[bytes]] = {}
        for key, value in self.foreign.items():
            groups.setdefault(_FINGERPRINT.unpack(value[:8])[0], []).append(key)
        for mark, keys in groups.items():
            self._apply_foreign(mark, keys)
        self.foreign.clear()
        self._empty()
        rows = self.rows
        rows.make_room(sum(len(tail) // (8 * pool.SAVED) for tail in self.tails.values()))
        for i, tail in self.tails.items():
            for p, entries in read_bags(tail):
                rows.plan.kernels.spread(rows.table, rows.bags, i, p, entries)
        rows.table.deadline[: len(rows)] = FOREVER
        self.tails.clear()

    def _empty(self) -> None:
        """Columns that were dropped and came back begin empty, as they did in memory."""
        rows, layout = self.rows, self.rows.plan.layout
        table = rows.table.ints[: len(rows)]
        for k, column in enumerate(layout.columns):
            if column.name not in self.anew:
                continue
            older = np.flatnonzero(table[:, header.VERSION] < self.anew[column.name])
            table[older, k] = rows.blank[k]
            if k in layout.bags:
                keep = {p: p for p in layout.bags if p != k}
                for i in older.tolist():
                    if i in self.tails:
                        self.tails[i] = _moved(self.tails[i], keep)

    def _apply_foreign(self, mark: int, keys: list[bytes]) -> None:
        """Rows of one other layout: columns by name, segments by name, what is new stays empty."""
        if mark not in self.layouts:
            raise ValueError(f"a row of an unknown layout {mark:x}")
        old, rows = self.layouts[mark], self.rows
        width = 8 + len(old.columns) * 8
        values = [self.foreign[key] for key in keys]
        ints = np.frombuffer(b"".join([v[8:width] for v in values]), np.int64).reshape(len(values), -1)
        how = mapping(old, rows)
        into = np.empty((len(values), rows.plan.layout.width), np.int64)
        how.apply(ints, rows.blank, into)
        picks = rows.find(keys, from_rest=True)
        self._fill(picks, into, [_moved(value[width:], how.bags) for value in values])
        if how.source[header.CUSTOMER] < 0:
            rows.identify(picks)


def _moved(tail: bytes, bags: dict[int, int]) -> bytes:
    """A row's bags under their new columns, those that are no more left out."""
    return b"".join(_BAG.pack(bags[p], len(entries)) + entries.tobytes() for p, entries in read_bags(tail) if p in bags)


def read_bags(tail: bytes) -> list[tuple[int, NDArray[np.int64]]]:
    """The bags behind a row's columns: (column, entries (n, SAVED))."""
    found, at = [], 0
    while at < len(tail):
        p, size = _BAG.unpack_from(tail, at)
        at += _BAG.size
        length = size * pool.SAVED * 8
        found.append((p, np.frombuffer(tail[at : at + length], np.int64).reshape(size, pool.SAVED)))
        at += length
    return found
