"""The changes of one step as columns: a flood of deadlines makes a hundred thousand, and few ever need an object each.

What the kernels wrote is kept as it is (:class:`Block`), with what it means at that moment: customers, segments' names,
the events behind it.  A :class:`stream.engine.change.Change` is made of one where somebody asks for it;
:mod:`stream.engine.teller` writes all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from stream.engine.change import Change, shown, shown_text
from stream.engine.kinds import CAUSES, Kinds, Sort, causes_of
from stream.engine.latest import Last
from stream.engine.records import Column, Records
from stream.engine.run import Run
from stream.features.base import NEVER, Kind
from stream.plan import header

if TYPE_CHECKING:
    from stream.engine.teller import Teller


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
        #: What the segments are called at this moment, and the kind of each change.
        self.kinds = teller.kinds()
        self.numbers = self.kinds.of(ints)
        self._made: list[Change] | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def causes(self) -> NDArray[np.int64]:
        """The number of each change's cause."""
        return causes_of(self.ints)

    def name(self, dimension: int, code: int) -> str | None:
        """The segment that a code stood for; None: in none."""
        names = self.kinds.names[dimension]
        return names[code] if 0 <= code < len(names) else None

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
            topics, of_kind = block.teller.topics_of(block.kinds)
            numbers = of_kind[block.numbers]
            picks = np.flatnonzero(numbers >= 0)
            for number in np.flatnonzero(np.bincount(numbers[picks])).tolist():
                found.setdefault(topics[number], []).append(start + picks[numbers[picks] == number])
            start += len(block)
        return {topic: self._column(parts) for topic, parts in found.items()}

    def numbered(self) -> Iterator[tuple[Kinds, NDArray[np.int64]]]:
        """The kinds of all changes in their order, by numbers, which mean something else where segments were named
        anew in between."""
        for kinds, blocks in groupby(self.blocks, key=lambda block: block.kinds):
            yield kinds, self._column([block.numbers for block in blocks])

    def sorts(self) -> Iterator[tuple[Sort, NDArray[np.int64]]]:
        """Every sort of change, and the numbers of the changes that are of it; one may come up more than once."""
        start = 0
        for kinds, numbers in self.numbered():
            order = np.argsort(numbers, kind="stable")
            found, first = np.unique(numbers[order], return_index=True)
            for kind, picks in zip(found.tolist(), np.split(order, first[1:]), strict=True):
                yield kinds.sort(kind), start + picks
            start += len(numbers)

    def caused(self) -> NDArray[np.int64]:
        """For each customer and event that moved them, in however many dimensions, when the event came (ms)."""
        found: list[NDArray[np.int64]] = []
        for block in self.blocks:
            if block.run is None:
                continue
            causes, rows = block.ints[:, header.CAUSE], block.ints[:, header.ROW]
            there = causes >= 0
            width = len(block.teller.rows)
            found.append(block.run.column("timestamps")[np.unique(causes[there] * width + rows[there]) // width])
        return self._column(found)

    def last(self) -> Last:
        """Each customer's last one, in the order of their first."""
        found: dict[bytes, int] = {}
        start = 0
        for block in self.blocks:
            found |= dict(zip(block.keys, range(start, start + len(block)), strict=True))
            start += len(block)
        picks = np.fromiter(found.values(), np.int64, len(found))
        sequences = self._column([block.ints[:, header.NUMBER] for block in self.blocks])
        return Last(list(found), self.at_ms[picks], sequences[picks])


def passed(since: NDArray[np.int64], now: NDArray[np.int64]) -> NDArray[np.int64]:
    """Milliseconds from one instant to another; -1 where the first never was."""
    return np.where(since == NEVER, -1, now - since)


_PARTS = ("keys", "values", "headers")
