"""What one step of a shard produced: everything that belongs into one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stream.engine.change import Change
from stream.engine.changes import Changes
from stream.engine.forgotten import Forgotten
from stream.engine.merge import Source
from stream.engine.records import AtRest, Records
from stream.events.batch import DeadLetter


@dataclass(slots=True)
class Counts:
    """The books: read = applied + duplicate + ignored + rejected + rekeyed."""

    read: int = 0
    applied: int = 0
    duplicate: int = 0
    ignored: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    rekeyed: int = 0
    #: Beside the books: applied events that name a time zone that there is not, where customers go by their own.
    unknown_zones: int = 0

    def balanced(self) -> bool:
        """Whether every record read is accounted for."""
        return self.read == self.applied + self.duplicate + self.ignored + sum(self.rejected.values()) + self.rekeyed

    def by_outcome(self) -> dict[str, int]:
        """How many records each thing became of; their sum is ``read``."""
        rejected = {f"rejected_{reason}": n for reason, n in self.rejected.items()}
        plain = {
            "applied": self.applied,
            "duplicate": self.duplicate,
            "ignored": self.ignored,
            "rekeyed": self.rekeyed,
        }
        return {outcome: n for outcome, n in (plain | rejected).items() if n}

    def add(self, other: Counts) -> None:
        """Take over another count."""
        self.read += other.read
        self.applied += other.applied
        self.duplicate += other.duplicate
        self.ignored += other.ignored
        self.rekeyed += other.rekeyed
        self.unknown_zones += other.unknown_zones
        for reason, n in other.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + n


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """An event that came in under another partitioner's key, or none: it belongs to ``partition`` under ``key``."""

    partition: int
    key: bytes
    value: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions of one prediction, in the order in which they were asked of each customer.

    ``kind`` names it; ``customers`` (n) are hashes of ids, ``instants`` (n) in ms; ``values`` (n, d + 4): what it is
    learned from, and what is told beside (:data:`stream.features.propensity.BESIDE`); ``shard``: whose customers.
    """

    kind: str
    customers: NDArray[np.int64]
    instants: NDArray[np.int64]
    values: NDArray[np.float64]
    shard: int = 0


@dataclass(slots=True)
class Output:
    """``changes`` in the order in which they became true for each customer, and likewise ``forgotten``: who was;
    ``rows`` and ``customers`` as key and value (None deletes); ``offsets``: where each source goes on after this;
    ``vectors`` float64 (n, d) with their customers and instants, for the trainer; ``unmatched``: refunds applied whose
    order was not known."""

    changes: Changes = field(default_factory=Changes)
    rows: AtRest = field(default_factory=AtRest)
    customers: Records = field(default_factory=lambda: Records.of([]))
    dead: list[DeadLetter] = field(default_factory=list)
    rekeyed: list[Rekeyed] = field(default_factory=list)
    offsets: dict[Source, int] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    vectors: NDArray[np.float64] | None = None
    vector_keys: list[bytes] = field(default_factory=list)
    vector_instants: list[int] = field(default_factory=list)
    unmatched: int = 0
    #: Vectors that were kept from the trainer, as a day has only so many.
    beyond: int = 0
    forgotten: list[Forgotten] = field(default_factory=list)
    #: Questions for the trainers of predictions.
    asked: list[Asked] = field(default_factory=list)

    def told(self) -> Iterator[Change | Forgotten]:
        """Changes and receipts of who was forgotten, in the order in which they became true for each customer."""
        at, changes = 0, list(self.changes)
        for one in self.forgotten:
            yield from changes[at : one.after]
            yield one
            at = one.after
        yield from changes[at:]
