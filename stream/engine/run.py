"""What a shard applies in one go: pieces of several batches as one sequence of columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.engine.merge import Piece
from stream.events.columns import CustomerIds


class Run:
    """The records of some pieces in the order in which they apply."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces
        keys = np.concatenate([p.keys[p.start : p.stop] for p in pieces])
        self.order = np.argsort(keys, kind="stable")
        self.keys: NDArray[np.int64] = keys[self.order]
        lengths = [p.stop - p.start for p in pieces]
        self.piece = np.repeat(np.arange(len(pieces)), lengths)[self.order]
        self.at = np.concatenate([np.arange(p.start, p.stop) for p in pieces])[self.order]
        self.codes = self.column("codes")

    def __len__(self) -> int:
        return len(self.order)

    def counts(self, upto: int) -> list[int]:
        """How many of the first ``upto`` records are of each piece."""
        counts: list[int] = np.bincount(self.piece[:upto], minlength=len(self.pieces)).tolist()
        return counts

    def column(self, name: str) -> NDArray[Any]:
        """A column of the batches, in order."""
        parts = [getattr(p.batch, name)[p.start : p.stop] for p in self.pieces]
        found: NDArray[Any] = (parts[0] if len(parts) == 1 else np.concatenate(parts))[self.order]
        return found

    def customers(self) -> CustomerIds:
        """The customers of the records, in order."""
        whole = CustomerIds.joined([p.batch.customers for p in self.pieces])
        starts = np.cumsum([0, *(len(p.batch) for p in self.pieces)])
        return CustomerIds(whole.data, whole.spans[starts[self.piece] + self.at])

    def origin(self, k: int) -> tuple[Any, int]:
        """The batch of the k-th record and its index there."""
        return self.pieces[int(self.piece[k])].batch, int(self.at[k])

    def of_code(self, code: int) -> list[int]:
        """Which records have this code."""
        return np.flatnonzero(self.codes == code).tolist()

    def items(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """``first`` and ``items`` of the run: the products of its events, in order."""
        firsts = self.column_of(lambda batch, s: batch.first[s.start : s.stop])
        lasts = self.column_of(lambda batch, s: batch.first[s.start + 1 : s.stop + 1])
        counts = lasts - firsts
        first = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        if not first[-1]:
            return first, np.zeros((1, 3), np.int64)
        offsets = np.concatenate(([0], np.cumsum([len(p.batch.items) for p in self.pieces])))
        pool = np.concatenate([p.batch.items for p in self.pieces])
        starts = np.repeat(firsts + offsets[self.piece], counts)
        within = np.arange(first[-1]) - np.repeat(first[:-1], counts)
        return first, pool[starts + within]

    def column_of(self, read: Callable[[Any, Piece], NDArray[np.int64]]) -> NDArray[np.int64]:
        """What ``read`` gives for each piece, in order."""
        return np.concatenate([read(p.batch, p) for p in self.pieces])[self.order]
