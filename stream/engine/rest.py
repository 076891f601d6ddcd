"""Rows at rest: what the changelog holds, and how it becomes rows again.

Keys begin with a letter: ``c`` and the customer's id for a row, ``s`` for the shard's own row, ``m`` for its models,
``l`` and a layout's fingerprint for what that layout's columns are called.  A row's value is the fingerprint (8 bytes),
the row's columns, and for each bag that is not empty its column (8), its size (8) and its entries.  Expiries are not
kept.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.engine.rows import Rows
from stream.features import pool
from stream.features.base import FOREVER
from stream.plan.layout import Layout
from stream.plan.plan import Plan

ROW, SHARD, MODELS, LAYOUT = b"c", b"s", b"m", b"l"
_FINGERPRINT = struct.Struct("<q")
_BAG = struct.Struct("<qq")


class Description(msgspec.Struct, frozen=True):
    """A layout by name: its columns in order, its bags' columns, and the segments that its codes stand for."""

    columns: list[tuple[str, bool]]
    bags: list[int]
    segments: dict[str, list[str]]


def describe_layout(plan: Plan) -> Description:
    """What a reader with other definitions needs to map rows of this plan, column by column."""
    return Description(
        [(c.name, c.real) for c in plan.layout.columns],
        list(plan.layout.bags),
        {d.name: list(d.segment_names) for d in plan.definitions.dimensions},
    )


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
    """Takes changelog records in order and fills the rows."""

    rows: Rows
    mark: int
    layouts: dict[int, Description]
    tails: dict[int, bytes]

    @classmethod
    def for_rows(cls, rows: Rows) -> Restorer:
        """An empty restorer."""
        return cls(rows, fingerprint(rows.plan), {}, {})

    def apply(self, keys: list[bytes], values: list[bytes]) -> None:
        """Records of customers' rows (keys without their letter), the later ones winning."""
        width = 8 + self.rows.plan.layout.width * 8
        own = _FINGERPRINT.pack(self.mark)
        latest = dict(zip(keys, values, strict=True))
        mine = [(k, v) for k, v in latest.items() if v[:8] == own]
        if mine:
            picks = self.rows.find([k for k, _ in mine])
            raw = b"".join([v[8:width] for _, v in mine])
            self._fill(picks, np.frombuffer(raw, np.int64).reshape(len(mine), -1), [v[width:] for _, v in mine])
        for key, value in latest.items():
            if value[:8] != own:
                self._apply_foreign(key, value)

    def _fill(self, picks: NDArray[np.int64], ints: NDArray[np.int64], tails: list[bytes]) -> None:
        self.rows.table.ints[picks] = ints
        for i, tail in zip(picks.tolist(), tails, strict=True):
            if tail:
                self.tails[i] = tail
            else:
                self.tails.pop(i, None)

    def _apply_foreign(self, key: bytes, value: bytes) -> None:
        """A row of another layout: columns by name, segments by name, what is new stays empty."""
        (mark,) = _FINGERPRINT.unpack(value[:8])
        if mark not in self.layouts:
            raise ValueError(f"a row of an unknown layout {mark:x}")
        old = self.layouts[mark]
        width = 8 + len(old.columns) * 8
        was = dict(zip(old.columns, np.frombuffer(value[8:width], np.int64).tolist(), strict=True))
        row = self.rows.blank.copy()
        columns = {(c.name, c.real): n for n, c in enumerate(self.rows.plan.layout.columns)}
        for column, n in columns.items():
            if column in was:
                row[n] = was[column]
        for n, dimension in zip(self.rows.plan.layout.segment, self.rows.plan.definitions.dimensions, strict=True):
            names = old.segments.get(dimension.name, [])
            name = names[row[n]] if 0 <= row[n] < len(names) else None
            row[n] = dimension.segment_names.index(name) if name in dimension.segment_names else -1
        tail = b"".join(
            _BAG.pack(columns[old.columns[p]], len(entries)) + entries.tobytes()
            for p, entries in read_bags(value[width:])
            if old.columns[p] in columns
        )
        self._fill(self.rows.find([key]), row.reshape(1, -1), [tail])

    def finish(self) -> None:
        """Bags into the pool; call when the last record was applied."""
        rows = self.rows
        for p in rows.plan.layout.bags:
            rows.table.ints[: len(rows), p + pool.HEAD] = pool.NONE
            rows.table.ints[: len(rows), p + pool.SIZE] = 0
        rows.make_room(sum(len(tail) // (8 * pool.SAVED) for tail in self.tails.values()))
        for i, tail in self.tails.items():
            for p, entries in read_bags(tail):
                rows.plan.kernels.spread(rows.table, rows.bags, i, p, entries)
        rows.table.deadline[: len(rows)] = FOREVER
        self.tails.clear()


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
