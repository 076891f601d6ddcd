"""The quick way from records to a batch: what :mod:`stream.events.scan` is sure of; the decoder reads the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.events import scan as s
from stream.events.batch import Batch
from stream.events.columns import EventNames, MessageIds
from stream.events.properties import Schema
from stream.events.raw import VALUE, VALUE_END, RawRecords
from stream.events.scan_form import PRODUCT_COLUMNS, TEXT, TEXT_OF_PRODUCT, make_form
from stream.events.scan_properties import RECENT

#: No limit to an instant.
NO_LIMIT = 1 << 60
#: Where the texts that were noted begin.
NOTES = 1 + RECENT
#: Room for the id of a customer at first, and room for any record that is not long.
ID_BYTES, SPARE = 24, 1024


class QuickReader:
    """Fills the part of a batch that compiled code can read: ``scan`` is that of the module of this name, compiled; the
    rest is what the decoder was made of."""

    def __init__(
        self,
        scan: Callable[..., int],
        schema: Schema,
        codes: Mapping[str, int],
        product_names: set[str],
        rates: Mapping[str, float],
    ) -> None:
        self.scan = scan
        self.form = make_form(schema, codes, product_names, rates)
        self.names = [*codes, ""]
        named: NDArray[np.bool_] = (self.form.entries[:, TEXT] >= 0) | (self.form.entries[:, TEXT_OF_PRODUCT] >= 0)
        #: How many texts an event, and how many each product of its list, may have that are shown to people.
        self.named = int(named[: self.form.own].sum()), int(named[self.form.own :].sum())

    def read(self, batch: Batch, future_ms: int | None) -> NDArray[np.bool_]:
        """Which of the batch's records are read; for each how many products it names is in ``batch.first[1:]``."""
        n = len(batch)
        buffer, starts, stops = values_of(batch.records)
        into = _Into(n, batch.items.shape[1], self.named)
        form = self.form
        fixed = (
            self._latest(batch, future_ms),
            form.tables,
            form.entries,
            form.own,
            form.events,
            form.rates,
            into.found,
            batch.numbers,
            batch.texts,
        )
        data = np.frombuffer(buffer or b" ", np.uint8)
        at = self.scan(data, starts, stops, 0, *fixed, into.items, into.raw, into.seen, into.who)
        while at < n:
            into.grow(int(stops[at] - starts[at]))
            at = self.scan(data, starts, stops, at, *fixed, into.items, into.raw, into.seen, into.who)
        found, (noted, products, written) = into.found, into.seen[0].tolist()
        sure: NDArray[np.bool_] = found[:, s.SURE] == 1
        self._take(batch, sure, found, buffer)
        batch.customers.data = into.who[:written]
        for text, first, last in into.seen[NOTES : NOTES + noted].tolist():
            batch.named[text] = buffer[first:last].decode()
        if not sure.all():  # what was written before it was not sure
            batch.numbers[~sure], batch.texts[~sure] = np.nan, 0
        batch.first[1:] = np.where(sure, found[:, s.COUNT], 0)
        batch.items = into.items[:products]
        return sure

    @staticmethod
    def _latest(batch: Batch, future_ms: int | None) -> NDArray[np.int64]:
        """The latest instant that each record may have; one without a timestamp of its own is left to the decoder."""
        limit = np.full(len(batch), NO_LIMIT) if future_ms is None else batch.timestamps + future_ms
        if len(batch) and hasattr(batch.records[0], "problem"):  # a line of a file, which may be no event
            limit[[bool(record.problem) for record in batch.records]] = -NO_LIMIT
        return limit

    def _take(self, batch: Batch, sure: NDArray[np.bool_], found: NDArray[np.int64], buffer: bytes) -> None:
        batch.codes[:] = np.where(sure, found[:, s.CODE], batch.codes)
        batch.instants[:] = np.where(sure, found[:, s.INSTANT], batch.instants)
        batch.messages[:] = np.where(sure, found[:, s.MESSAGE_HASH], 0)
        batch.offers[:] = np.where(sure, found[:, s.OFFER], batch.offers)
        batch.ids = MessageIds(buffer, found[:, s.ID_FIRST : s.ID_LAST + 1])
        event = sure & (found[:, s.CODE] >= 0)
        batch.names = EventNames(self.names, np.where(event, found[:, s.NAME], len(self.names) - 1))
        batch.customers.spans[:] = np.where(event[:, np.newaxis], found[:, s.WHO_FIRST : s.WHO_LAST + 1], 0)


class _Into:
    """What the scan writes to: of each record, and with room for about so many products, texts and ids; ``named``: how
    many texts an event and a product may have that are shown to people."""

    def __init__(self, records: int, item_width: int, named: tuple[int, int]) -> None:
        self.found = np.zeros((records, s.FOUND), np.int64)
        products = 2 * records + SPARE
        self.items = np.zeros((products, item_width), np.int64)
        self.raw = np.zeros((products, max(item_width, PRODUCT_COLUMNS)))
        self.seen = np.zeros((NOTES + records * named[0] + products * named[1] + SPARE, 3), np.int64)
        self.who = np.zeros(ID_BYTES * records + SPARE, np.uint8)

    def grow(self, size: int) -> None:
        """Room for a record of so many bytes, and some more."""
        items = 2 * len(self.items) + size // s.LEAST_PRODUCT
        self.items, self.raw = (_longer(array, items) for array in (self.items, self.raw))
        self.seen = _longer(self.seen, 2 * len(self.seen) + size // s.LEAST_TEXT)
        self.who = _longer(self.who, 2 * len(self.who) + size + SPARE)


def _longer(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """A copy with so many rows."""
    made = np.zeros((rows, *array.shape[1:]), array.dtype)
    made[: len(array)] = array
    return made


def values_of(records: Sequence[Any]) -> tuple[bytes, NDArray[np.int64], NDArray[np.int64]]:
    """The values of records in one buffer: where each begins and ends."""
    if isinstance(records, RawRecords):
        starts, stops = np.ascontiguousarray(records.places[:, [VALUE, VALUE_END]].T)
        return records.buffer, starts, stops
    values = [record.value or b"" for record in records]
    ends = np.zeros(len(values) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), out=ends[1:])
    return b"".join(values), ends[:-1], ends[1:]
