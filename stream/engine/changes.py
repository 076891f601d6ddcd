"""The changes of one step as columns: a flood of deadlines makes a hundred thousand, and few ever need an object each.

What the kernels wrote is kept as it is (:class:`Block`), with what it means at that moment: customers, segments' names,
the events behind it.  A :class:`stream.engine.change.Change` is made of one where somebody asks for it;
:mod:`stream.engine.teller` writes all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from stream.engine.change import Change, shown, shown_text
from stream.engine.records import Column, Records
from stream.engine.run import Run
from stream.features.base import NEVER, Kind
from stream.plan import header

if TYPE_CHECKING:
    from stream.engine.teller import Teller

#: By number; an event's is 0, that of the others what the kernel writes, without its sign.
CAUSES = ("event", "deadline", "definition", "model")

#: Dimension, the segments left and entered (None: in none), and the cause.
Sort = tuple[str, str | None, str | None, str]


class Block:
    """The changes of one call of a kernel.

    ``ints`` int64 (n, EVIDENCE + e) and ``floats``, the same bytes, as :class:`stream.plan.header.Out` says, of changes
    only; ``more``: further evidence by number of the change.
    """

    def __init__(
        self, teller: Teller, ints: NDArray[np.int64], run: Run | None, more: dict[int, dict[str, Any]]
    ) -> None:
        self.teller, self.run, self.more = teller, run, more
        self.ints, self.floats = ints, ints.view(np.float64)
        keys = teller.rows.keys
        self.keys = [keys[row] for row in ints[:, header.ROW].tolist()]
        self.names = [list(names) for names in teller.rows.names]
        self._made: list[Change] | None = None
        self._sorts: tuple[list[tuple[int, str | None, str | None, int]], NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def causes(self) -> NDArray[np.int64]:
        """The number of each change's cause."""
        cause = self.ints[:, header.CAUSE]
        return np.where(cause < 0, -cause, 0)

    def name(self, dimension: int, code: int) -> str | None:
        """The segment that a code stood for; None: in none."""
        names = self.names[dimension]
        return names[code] if 0 <= code < len(names) else None

    def sorts(self) -> tuple[list[tuple[int, str | None, str | None, int]], NDArray[np.int64]]:
        """The sorts of changes that there are: numbers of the dimension and of the cause, with the segments left and
        entered between; and the place of each change among them."""
        if self._sorts is None:
            many = max((len(names) for names in self.names), default=0) + 2  # beside -1: a code that has no name
            left, entered = (np.minimum(self.ints[:, c], many - 2) for c in (header.FROM, header.TO))
            j = self.ints[:, header.DIMENSION]  # there may be more of them than segments in any
            codes = ((j * many + left + 1) * many + entered + 1) * len(CAUSES) + self.causes
            codes, which = np.unique(codes, return_inverse=True)
            found = []
            for code in codes.tolist():
                code, cause = divmod(code, len(CAUSES))
                code, to = divmod(code, many)
                dimension, came_from = divmod(code, many)
                segments = self.name(dimension, came_from - 1), self.name(dimension, to - 1)
                found.append((dimension, *segments, cause))
            self._sorts = found, which
        return self._sorts

    def origins(self) -> dict[int, tuple[Any, int]]:
        """The batch of each event that caused changes, and its number there, by its number in the run."""
        run = self.run
        if run is None:
            return {}
        causes = np.unique(self.ints[:, header.CAUSE])
        causes = causes[causes >= 0]
        found = zip(causes.tolist(), run.piece[causes].tolist(), run.at[causes].tolist(), strict=True)
        return {cause: (run.pieces[piece].batch, i) for cause, piece, i in found}

    def changes(self) -> list[Change]:
        """One object each; made once."""
        if self._made is None:
            origins = self.origins()
            rows = zip(self.ints.tolist(), self.floats.tolist(), strict=True)
            self._made = [self._change(k, row, values, origins) for k, (row, values) in enumerate(rows)]
        return self._made

    def _change(self, k: int, row: list[int], values: list[float], origins: dict[int, tuple[Any, int]]) -> Change:
        j, teller = row[header.DIMENSION], self.teller
        evidence: dict[str, Any] = {}
        for at, (name, kind) in enumerate(teller.evidence[j], start=header.EVIDENCE):
            text = kind is Kind.TEXT
            evidence[name] = shown_text(row[at], teller.rows.texts) if text else shown(values[at], kind)
        caused = None
        if row[header.CAUSE] in origins:
            batch, i = origins[row[header.CAUSE]]
            evidence["event"] = {"name": batch.names[i], "messageId": batch.ids[i]}
            caused = int(batch.timestamps[i])
        evidence |= self.more.get(k, {})
        to, cause = self.name(j, row[header.TO]), row[header.CAUSE]
        return Change(
            self.keys[k],
            teller.dimensions[j].name,
            self.name(j, row[header.FROM]),
            to,
            row[header.AT],
            CAUSES[max(0, -cause)],
            row[header.NUMBER],
            teller.dimensions[j].version,
            evidence,
            teller.topics[j].get(to, ()) if to else (),
            caused,
            None if row[header.SINCE] == NEVER else row[header.AT] - row[header.SINCE],
            None if row[header.AWAY] == NEVER else row[header.AT] - row[header.AWAY],
        )


class Changes(Sequence[Change]):
    """The changes of a step in the order in which they became true for each customer: a sequence of `Change`, whose
    objects are made when they are asked for, and columns for whoever handles all of them at once."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._count = 0

    def add(self, block: Block) -> None:
        """Those that came after."""
        if len(block):
            self.blocks.append(block)
            self._count += len(block)

    # As objects

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Change]:
        for block in self.blocks:
            yield from block.changes()

    @overload
    def __getitem__(self, at: int) -> Change: ...
    @overload
    def __getitem__(self, at: slice) -> list[Change]: ...
    def __getitem__(self, at: int | slice) -> Change | list[Change]:
        return list(self)[at]

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, (Changes, list)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Changes({list(self)!r})"

    # As columns

    @property
    def at_ms(self) -> NDArray[np.int64]:
        """When each became true."""
        return self._column([block.ints[:, header.AT] for block in self.blocks])

    @property
    def causes(self) -> NDArray[np.int64]:
        """The number in `CAUSES` of each cause."""
        return self._column([block.causes for block in self.blocks])

    @property
    def stayed_ms(self) -> NDArray[np.int64]:
        """How long each was in the segment that they left, as `Change.stayed_ms`; -1 where they were in none."""
        return self._column([passed(block.ints[:, header.SINCE], block.ints[:, header.AT]) for block in self.blocks])

    @property
    def away_ms(self) -> NDArray[np.int64]:
        """How long ago each left the segment that they enter, as `Change.away_ms`; -1 where that is not known."""
        return self._column([passed(block.ints[:, header.AWAY], block.ints[:, header.AT]) for block in self.blocks])

    @staticmethod
    def _column(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.int64), *parts])

    def records(self) -> Records:
        """Key, value and headers of each, as `Change` has them."""
        told = [block.teller.records(block) for block in self.blocks]
        keys, values, headers = (Column.joined([getattr(one, part) for one in told]) for part in _PARTS)
        return Records(keys, values, np.zeros(len(self), np.uint8), headers)

    def topics(self) -> dict[str, NDArray[np.int64]]:
        """For each further topic that the definitions name, the numbers of the changes into its segments."""
        found: dict[str, list[NDArray[np.int64]]] = {}
        start = 0
        for block in self.blocks:
            dimensions, entered = block.ints[:, header.DIMENSION], block.ints[:, header.TO]
            for j, by_segment in enumerate(block.teller.topics):
                for segment, topics in by_segment.items():
                    codes = [code for code, name in enumerate(block.names[j]) if name == segment]
                    picks = np.flatnonzero((dimensions == j) & np.isin(entered, codes))
                    for topic in topics if len(picks) else ():
                        found.setdefault(topic, []).append(start + picks)
            start += len(block)
        return {topic: np.sort(self._column(parts)) for topic, parts in found.items()}

    def sorts(self) -> Iterator[tuple[Sort, NDArray[np.int64]]]:
        """Every sort of change, and the numbers of the changes that are of it; one may come up more than once."""
        start = 0
        for block in self.blocks:
            sorts, which = block.sorts()
            order = np.argsort(which, kind="stable")
            stops = np.cumsum(np.bincount(which, minlength=len(sorts))).tolist()
            for (j, left, entered, cause), begun, stop in zip(sorts, [0, *stops[:-1]], stops, strict=True):
                yield (block.teller.dimensions[j].name, left, entered, CAUSES[cause]), start + order[begun:stop]
            start += len(block)

    def caused(self) -> list[int]:
        """For each customer whom an event moved, in however many dimensions, when it came (ms)."""
        found: set[tuple[bytes, int]] = set()
        for block in self.blocks:
            origins = {cause: int(batch.timestamps[i]) for cause, (batch, i) in block.origins().items()}
            causes = block.ints[:, header.CAUSE].tolist() if origins else ()
            found |= {(key, origins[c]) for key, c in zip(block.keys, causes, strict=bool(origins)) if c in origins}
        return [came for _, came in found]

    def last(self) -> dict[bytes, tuple[int, int]]:
        """For each customer the instant and the sequence of their last one, in the order of their first."""
        found: dict[bytes, tuple[int, int]] = {}
        for block in self.blocks:
            columns = (block.ints[:, header.AT].tolist(), block.ints[:, header.NUMBER].tolist())
            found |= dict(zip(block.keys, zip(*columns, strict=True), strict=True))
        return found


def passed(since: NDArray[np.int64], now: NDArray[np.int64]) -> NDArray[np.int64]:
    """Milliseconds from one instant to another; -1 where the first never was."""
    return np.where(since == NEVER, -1, now - since)


_PARTS = ("keys", "values", "headers")
