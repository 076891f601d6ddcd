"""What dimensions ask of a row and of the events: features, columns, names."""

from __future__ import annotations

from dataclasses import dataclass

from stream.features.base import Accumulator
from stream.features.known_zone import KnownZone
from stream.plan.definitions import Definitions, Dimension
from stream.plan.layout import Layout

#: Bytes of one column.
COLUMN = 8
#: What stands for the name of a feature where a customer's own time zone is kept.
ZONE = "(zone)"


@dataclass(frozen=True)
class FeatureRoom:
    """A feature: the word that selects it, its bytes in a row, the events that feed it, and which other dimensions
    have the same one, so that the bytes are there once."""

    name: str
    word: str
    row_bytes: int
    events: tuple[str, ...]
    shared_with: tuple[str, ...]


@dataclass(frozen=True)
class DimensionRoom:
    """A dimension: its features, what its segments take in a row, and the dimensions its conditions speak of.

    ``row_bytes`` is all it needs of a row, ``own_bytes`` what no other dimension needs: what leaving it out would save,
    before rows are packed at rest.
    """

    dimension: Dimension
    features: tuple[FeatureRoom, ...]
    row_bytes: int
    own_bytes: int

    @property
    def events(self) -> tuple[str, ...]:
        """The event names that feed its features."""
        return tuple(sorted({name for feature in self.features for name in feature.events}))


def rooms(definitions: Definitions, layout: Layout) -> list[DimensionRoom]:
    """Every dimension, in the order of evaluation."""
    users: dict[Accumulator, list[str]] = {}
    for dimension in definitions.dimensions:
        for accumulator in dimension.accumulators:
            users.setdefault(accumulator, []).append(dimension.name)
    return [_room(j, dimension, layout, users) for j, dimension in enumerate(definitions.dimensions)]


def _room(j: int, dimension: Dimension, layout: Layout, users: dict[Accumulator, list[str]]) -> DimensionRoom:
    zones = [(ZONE, a) for a in dimension.accumulators if isinstance(a, KnownZone)]
    features = tuple(
        FeatureRoom(
            name,
            accumulator.word,
            len(accumulator.columns()) * COLUMN,
            tuple(sorted(accumulator.reactions())),
            tuple(sorted(user for user in users[accumulator] if user != dimension.name)),
        )
        for name, accumulator in (*dimension.features.items(), *zones)
    )
    once = {a: len(a.columns()) * COLUMN for a in dimension.accumulators}
    state = COLUMN * (2 + (j in layout.before) + sum(1 for k, _ in layout.left if k == j))
    alone = sum(size for a, size in once.items() if len(users[a]) == 1)
    return DimensionRoom(dimension, features, state + sum(once.values()), state + alone)
