"""The quick way from records to a batch: what :mod:`stream.events.scan` is sure of; the decoder reads the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from stream.events import scan as s
from stream.events.batch import Batch
from stream.events.customer import ANONYMOUS
from stream.events.properties import Schema
from stream.events.scan_form import PRODUCT_COLUMNS, TEXT, TEXT_OF_PRODUCT, make_form
from stream.events.scan_properties import RECENT

#: No limit to an instant.
NO_LIMIT = 1 << 60
_ANONYMOUS = ANONYMOUS.encode()


class Ids:
    """The message ids of a batch, made into text only for the few that are asked for."""

    def __init__(self, buffer: bytes, spans: NDArray[np.int64]) -> None:
        self._buffer, self._spans = buffer, spans
        self._given: dict[int, str] = {}

    def __getitem__(self, i: int, /) -> str:
        first, last = self._spans[i].tolist()
        return self._given.get(i) or self._buffer[first:last].decode()

    def __setitem__(self, i: int, text: str, /) -> None:
        self._given[i] = text


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
        values = [record.value or b"" for record in batch.records]
        buffer = b"".join(values)
        starts = np.zeros(n + 1, np.int64)
        np.cumsum(np.fromiter(map(len, values), np.int64, n), out=starts[1:])
        room = buffer.count(b'"product_id"')
        texts = 1 + RECENT + n * self.named[0] + buffer.count(b"{") * self.named[1]
        found, seen = np.zeros((n, s.FOUND), np.int64), np.zeros((texts, 3), np.int64)
        items, raw = np.zeros((room, batch.items.shape[1]), np.int64), np.zeros((room, PRODUCT_COLUMNS))
        if batch.items.shape[1] > PRODUCT_COLUMNS:
            raw = np.zeros(items.shape)
        form = self.form
        m = self.scan(
            np.frombuffer(buffer or b" ", np.uint8),
            starts[:-1],
            starts[1:],
            self._latest(batch, future_ms),
            form.tables,
            form.entries,
            form.own,
            form.events,
            form.rates,
            found,
            batch.numbers,
            batch.texts,
            items,
            raw,
            seen,
        )
        sure: NDArray[np.bool_] = found[:, s.SURE] == 1
        self._take(batch, sure, found, buffer)
        noted = 1 + RECENT
        for text, first, last in seen[noted : noted + int(seen[0, 0])].tolist():
            batch.named[text] = buffer[first:last].decode()
        batch.numbers[~sure], batch.texts[~sure] = np.nan, 0  # what was written before it was not sure
        batch.first[1:] = np.where(sure, found[:, s.COUNT], 0)
        batch.items = items[:m]
        return sure

    @staticmethod
    def _latest(batch: Batch, future_ms: int | None) -> NDArray[np.int64]:
        """The latest instant that each record may have; one without a timestamp of its own is left to the decoder."""
        limit = np.full(len(batch), NO_LIMIT) if future_ms is None else batch.timestamps + future_ms
        if len(batch) and hasattr(batch.records[0], "problem"):  # a line of a file, which may be no event
            limit[[bool(record.problem) for record in batch.records]] = -NO_LIMIT
        return limit

    def _take(self, batch: Batch, sure: NDArray[np.bool_], found: NDArray[np.int64], buffer: bytes) -> None:
        batch.codes[sure] = found[sure, s.CODE]
        batch.instants[sure] = found[sure, s.INSTANT]
        batch.messages[sure] = found[sure, s.MESSAGE_HASH]
        batch.offers[sure] = found[sure, s.OFFER]
        batch.ids = Ids(buffer, found[:, s.ID_FIRST : s.ID_LAST + 1])
        first, last, anonymous = (found[:, c].tolist() for c in (s.WHO_FIRST, s.WHO_LAST, s.WHO_ANONYMOUS))
        names, customers = self.names, batch.customers
        numbers = found[:, s.NAME].tolist()
        for i in np.flatnonzero(sure & (found[:, s.CODE] >= 0)).tolist():
            batch.names[i] = names[numbers[i]]
            if last[i]:
                who = buffer[first[i] : last[i]]
                customers[i] = _ANONYMOUS + who if anonymous[i] else who
