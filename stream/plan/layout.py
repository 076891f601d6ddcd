"""Where everything lies in a row: it follows from the definitions alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.features.bag import Bag
from stream.features.base import NEVER, Accumulator, Column, ModelNumbers, Purchases, arguments
from stream.features.known_zone import keeper, table_of
from stream.features.own_zone import OwnZone
from stream.features.predicted import without_learning
from stream.features.propensity import Propensity
from stream.features.told import Told
from stream.plan import header
from stream.plan.definitions import Definitions, Once


@dataclass(frozen=True)
class Layout:
    """Columns of a row, by what owns them.

    ``base`` is the first column of each accumulator, ``segment`` and ``entered`` the columns of each dimension, by its
    number, one behind the other.  Equal features of different dimensions share their columns.  Only where definitions
    ask for it: ``before``, by the dimension's number, the segment before the present one, and ``left``, by the numbers
    of dimension and segment, when it was last left.
    """

    columns: tuple[Column, ...]
    base: dict[Accumulator, int]
    segment: tuple[int, ...]
    entered: tuple[int, ...]
    before: dict[int, int]
    left: dict[tuple[int, int], int]
    bags: tuple[int, ...]
    fingerprint: int
    #: When the learned dimension's vector of the customer was last taken; -1 where nothing is learned.
    sampled: int = -1
    #: Where in ``Models.numbers`` those begin that features take, behind one another.
    numbers: dict[ModelNumbers, int] = field(default_factory=dict)
    #: What the model of lifetimes is learned from, by columns of the row; None where no feature goes by it.
    lifetime: Purchases | None = None

    @property
    def predictions(self) -> tuple[Propensity, ...]:
        """The features that are learned from others, in the order of their numbers."""
        return tuple(one for one in self.base if isinstance(one, Propensity))

    @property
    def width(self) -> int:
        """8-byte columns in a row."""
        return len(self.columns)

    @property
    def numbers_width(self) -> int:
        """How many numbers of models there are."""
        return sum(len(numbers.names) for numbers in self.numbers)

    def arguments(
        self, accumulator: Accumulator, row: NDArray[np.int64], models: header.Models | None = None
    ) -> tuple[Any, ...]:
        """What ``value`` and ``until`` of a feature without a bag take after the fixed arguments, for this row: the
        first column of its book, where it goes by one, and its constants; ``models``: the versions (None: there are
        none)."""

        def numbers(wanted: ModelNumbers) -> NDArray[np.float64]:
            if models is None:
                return np.full(len(wanted.names), np.nan)
            slot, at = 0 if row[header.VERSION] == models.version[0] else 1, self.numbers[wanted]
            found: NDArray[np.float64] = models.numbers[slot, at : at + len(wanted.names)]
            return found

        def zone(own: OwnZone) -> NDArray[np.int64]:
            return table_of(own, int(row[self.base[keeper(own)]]))

        book = accumulator.book()
        rest = arguments(accumulator.constants(), zone, numbers)
        return rest if book is None else (self.base[book], *rest)

    def blank(self) -> NDArray[np.int64]:
        """The row of a customer who has done nothing yet."""
        ints = np.zeros(self.width, dtype=np.int64)
        floats = ints.view(np.float64)
        for i, column in enumerate(self.columns):
            if column.real:
                floats[i] = column.initial
            else:
                ints[i] = int(column.initial)
        return ints


def told_of(features: set[Accumulator], once: Once) -> set[Accumulator]:
    """What remembers the ids of events that count once, of those that these features hear of."""
    heard = {name for a in features for name in a.reactions()}
    return {Told(name, once.by, once.last) for name in once.events if name in heard}


def judges_of(features: set[Accumulator]) -> set[Accumulator]:
    """What predictions are judged beside, which keeps nothing itself."""
    predictions = [one for one in features if isinstance(one, Propensity)]
    return {judge for one in predictions for judge in without_learning(one.of, one.within, features)}


def make_layout(definitions: Definitions) -> Layout:
    """The layout of a row under these definitions; the order of dimensions and features does not matter to it."""
    columns = list(header.COLUMNS)
    segment, entered, before, left = {}, {}, {}, {}
    sampled = -1
    asked = {name for d in definitions.dimensions for name in d.asks_before()}
    for j, dimension in sorted(enumerate(definitions.dimensions), key=lambda pair: pair[1].name):
        segment[dimension.name] = len(columns)
        columns.append(Column(f"segment of {dimension.name}", -1))
        entered[dimension.name] = len(columns)
        columns.append(Column(f"entered {dimension.name}", NEVER))
        if dimension.learning is not None:
            sampled = len(columns)
            columns.append(Column(f"sampled of {dimension.name}", NEVER))
        if dimension.name in asked:
            before[j] = len(columns)
            columns.append(Column(f"previous of {dimension.name}", -1))
        for code, one in sorted(enumerate(dimension.segments), key=lambda pair: pair[1].name):
            if one.cooldown is not None or one.count_returns:
                left[j, code] = len(columns)
                columns.append(Column(f"left {one.name} of {dimension.name}", NEVER))
    base: dict[Accumulator, int] = {}
    features = {a for d in definitions.dimensions for a in d.accumulators}
    features |= told_of(features, definitions.once)
    features |= judges_of(features)
    taken: set[str] = set()
    for accumulator in sorted(features, key=repr):
        base[accumulator] = len(columns)
        own = accumulator.columns()
        # Not by counting them: a feature must be called the same when another of its kind comes or goes.
        width = next(w for w in range(len(own), 1 << 20, 1000) if f"{accumulator.identity()}#{w}" not in taken)
        name = f"{accumulator.identity()}#{width}"
        taken.add(name)
        columns += [replace(c, name=f"{name} {c.name}") for c in own]
    names = "\n".join(f"{c.name} {c.real}" for c in columns)
    return Layout(
        tuple(columns),
        base,
        tuple(segment[d.name] for d in definitions.dimensions),
        tuple(entered[d.name] for d in definitions.dimensions),
        before,
        left,
        tuple(p for a, p in base.items() if isinstance(a, Bag)),
        int.from_bytes(hashlib.blake2b(names.encode(), digest_size=8).digest(), "little", signed=True),
        sampled,
        _numbers(base),
        _lifetime(base),
    )


def numbers_of(accumulator: Accumulator) -> set[ModelNumbers]:
    """The numbers of models that a feature goes by."""
    return {constant for constant in accumulator.constants() if isinstance(constant, ModelNumbers)}


def _numbers(accumulators: Iterable[Accumulator]) -> dict[ModelNumbers, int]:
    """Where the numbers of models begin, by kind and names."""
    found, at = {}, 0
    for numbers in sorted({one for a in accumulators for one in numbers_of(a)}, key=lambda n: (n.kind, n.of, n.names)):
        found[numbers] = at
        at += len(numbers.names)
    return found


def populations(accumulators: Iterable[Accumulator]) -> list[str]:
    """Of which purchases lifetimes are to be learned: there can be one model of them, of one population."""
    return sorted({kept.of for a in accumulators if (kept := a.purchases()) is not None})


def _lifetime(base: dict[Accumulator, int]) -> Purchases | None:
    """Where a row has its purchases; of several features that keep the same ones, the one that knows their worth."""
    kept = [(one, at) for a, at in base.items() if (one := a.purchases()) is not None]
    if not kept:
        return None
    one, at = next(((one, at) for one, at in kept if one.worth is not None), kept[0])
    worth = None if one.worth is None else at + one.worth
    return Purchases(one.of, at + one.count, at + one.first, at + one.last, worth)
