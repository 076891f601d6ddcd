"""What two definitions make of the same history: where everyone ends, and how often they move on the way.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from stream.engine.change import Change
    from stream.engine.shard import Shard
    from stream.plan.definitions import Definitions

#: The word for being in no segment.
NONE = "none"


@dataclass
class Side:
    """One replay: its dimensions by name, how often each customer moved in each, and into which segments."""

    definitions: Definitions
    moves: NDArray[np.int64] = field(init=False)
    entered: dict[str, Counter[str]] = field(init=False)
    keys: list[bytes] = field(default_factory=list)
    index: dict[bytes, int] = field(default_factory=dict)
    segments: dict[str, list[str | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [d.name for d in self.definitions.dimensions]
        self.numbers = {name: j for j, name in enumerate(names)}
        self.moves = np.zeros((1024, max(1, len(names))), np.int64)
        self.entered = {name: Counter() for name in names}

    def take(self, changes: Iterable[Change]) -> None:
        """Count changes."""
        for change in changes:
            self.moves[self._number(change.customer), self.numbers[change.dimension]] += 1
            self.entered[change.dimension][change.to_segment or NONE] += 1

    def _number(self, customer: bytes) -> int:
        """The customer's number here, which they keep also where they are forgotten meanwhile."""
        i = self.index.setdefault(customer, len(self.index))
        if i == len(self.moves):
            self.moves = np.concatenate((self.moves, np.zeros_like(self.moves)))
        return i

    def end(self, shard: Shard) -> None:
        """The history is over: keep who is where."""
        rows = shard.rows
        where = {self._number(customer): i for customer, i in rows.index.items()}
        self.keys = list(self.index)
        there = sorted(where)
        picks = [where[number] for number in there]
        for j, dimension in enumerate(self.definitions.dimensions):
            codes = rows.table.ints[picks, shard.plan.layout.segment[j]].tolist()
            found = self.segments[dimension.name] = [None] * len(self.keys)
            for number, code in zip(there, codes, strict=True):
                found[number] = rows.name(j, code)

    def segment(self, dimension: str, customer: bytes) -> str:
        """Where a customer is in the end."""
        i = self.index.get(customer)
        found = self.segments.get(dimension)
        return NONE if i is None or found is None else found[i] or NONE

    def version(self, dimension: str) -> str | None:
        """The dimension's name and fingerprint; None where these definitions have no such dimension."""
        return next((d.version for d in self.definitions.dimensions if d.name == dimension), None)

    def pace(self, dimension: str) -> Pace:
        """How often customers moved in a dimension."""
        j = self.numbers.get(dimension)
        if j is None or not self.keys:
            return Pace(0.0, 0, 0)
        counts = self.moves[: len(self.keys), j]
        most_have = int(np.quantile(counts, 0.95, method="inverted_cdf"))
        return Pace(float(counts.mean()), most_have, int(counts.max()))


@dataclass(frozen=True)
class Pace:
    """Changes of one customer in a dimension: the mean, what 95% of them do not exceed, and the most."""

    mean: float
    p95: int
    most: int


@dataclass
class Difference:
    """One dimension under old and new definitions (``old``, ``new``: name and fingerprint, None where it is not there).

    ``sizes`` and ``entered`` are segment -> (old, new); ``moved`` is (old segment, new segment) -> customers, of those
    who end elsewhere, ``examples`` some of their ids.
    """

    dimension: str
    old: str | None
    new: str | None
    sizes: dict[str, tuple[int, int]]
    moved: Counter[tuple[str, str]]
    examples: dict[tuple[str, str], list[str]]
    entered: dict[str, tuple[int, int]]
    pace: tuple[Pace, Pace]

    @property
    def same(self) -> bool:
        """Whether everyone ends where they did, by as many changes."""
        return not self.moved and all(a == b for a, b in self.entered.values())

    def as_json(self) -> dict[str, Any]:
        """The shape of ``--json``."""
        return {
            "dimension": self.dimension,
            "old": self.old,
            "new": self.new,
            "sizes": {name: {"old": a, "new": b} for name, (a, b) in self.sizes.items()},
            "moved": [
                {"from": a, "to": b, "customers": n, "examples": self.examples[a, b]}
                for (a, b), n in self.moved.most_common()
            ],
            "changes": {name: {"old": a, "new": b} for name, (a, b) in self.entered.items()},
            "changes_per_customer": {
                side: {"mean": round(pace.mean, 3), "p95": pace.p95, "most": pace.most}
                for side, pace in zip(("old", "new"), self.pace, strict=True)
            },
        }


def compare(old: Side, new: Side, examples: int) -> list[Difference]:
    """Every dimension of either side; at most so many ``examples`` of each move."""
    names = list(dict.fromkeys([*old.numbers, *new.numbers]))
    everyone = list(dict.fromkeys([*old.keys, *new.keys]))
    return [_difference(name, everyone, old, new, examples) for name in names]


def _difference(name: str, everyone: list[bytes], old: Side, new: Side, examples: int) -> Difference:
    sizes: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    moved: Counter[tuple[str, str]] = Counter()
    shown: dict[tuple[str, str], list[str]] = {}
    for customer, a, b in places(name, everyone, old, new):
        sizes[0][a] += 1
        sizes[1][b] += 1
        if a != b:
            moved[a, b] += 1
            some = shown.setdefault((a, b), [])
            if len(some) < examples:
                some.append(customer.decode("utf-8", "replace"))
    entered = (old.entered.get(name, Counter()), new.entered.get(name, Counter()))
    order = _segments(name, old, new)
    return Difference(
        name,
        old.version(name),
        new.version(name),
        {s: (sizes[0][s], sizes[1][s]) for s in order if s != NONE or sizes[0][s] or sizes[1][s]},
        moved,
        shown,
        {s: (entered[0][s], entered[1][s]) for s in order if s != NONE or entered[0][s] or entered[1][s]},
        (old.pace(name), new.pace(name)),
    )


def places(name: str, everyone: Iterable[bytes], old: Side, new: Side) -> Iterator[tuple[bytes, str, str]]:
    """Each customer with where they end under the old and the new definitions."""
    for customer in everyone:
        yield customer, old.segment(name, customer), new.segment(name, customer)


def _segments(name: str, old: Side, new: Side) -> list[str]:
    """The segments of a dimension: the new ones in their order, then those that are no more."""
    found: dict[str, None] = {}
    for side in (new, old):
        for dimension in side.definitions.dimensions:
            if dimension.name == name:
                found |= dict.fromkeys(dimension.segment_names)
    return [*found, NONE]
