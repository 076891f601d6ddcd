"""What a file of definitions says, checked and typed: a dimension, its features and its segments."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field

from stream.features.base import Accumulator, books
from stream.features.known_zone import keeper, own_zones
from stream.features.own_zone import OwnZone
from stream.features.propensity import Propensity
from stream.plan import tree
from stream.plan.problems import Place


@dataclass(frozen=True)
class Segment:
    """One segment: when it holds, and what becomes of a change into it.

    ``when`` is also the condition to stay, unless ``leave`` says when to go; ``came_from`` restricts who may enter;
    ``topic`` is a further topic for changes into it.  In milliseconds: ``lasts`` ends it that long after it was
    entered, ``stay`` keeps everyone in for so long whatever holds, for ``cooldown`` after leaving it nobody enters
    again, and ``every`` is how often comparisons without a known crossing are looked at.  ``count_returns``: rows
    keep when it was last left, so that the time until customers return is measured.
    """

    name: str
    when: tree.Condition
    leave: tree.Condition | None = None
    came_from: tuple[str, ...] = ()
    lasts: int | None = None
    topic: str | None = None
    note: str = ""
    stay: int | None = None
    cooldown: int | None = None
    every: int | None = None
    #: Decides nothing, so it is no part of the definition's fingerprint.
    count_returns: bool = field(default=False, repr=False)
    #: Where its condition stands.
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Learning:
    """A dimension whose segments are learned: clusters of a vector of features.

    At most ``clusters`` of them, at least ``least``.  ``every`` (ms) is how soon after their latest visit a customer is
    looked at again.  Who is in a cluster leaves it only for one whose centre is nearer by ``margin`` (0 up to 1) of the
    distance to their own.  ``words``: part of the vector -> what a person calls having little of it, and much.
    """

    clusters: int
    vector: MappingOf[str, tree.Number]
    every: int
    margin: float = 0.1
    least: int = 0
    words: MappingOf[str, tuple[str, str]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def places(self) -> int:
        """How many places a customer's row knows: twice the clusters, so that those that come and those that go in one
        version share none."""
        return 2 * self.clusters

    @property
    def range(self) -> tuple[int, int]:
        """The fewest and the most clusters."""
        return self.least or self.clusters, self.clusters


@dataclass(frozen=True)
class Dimension:
    """A way of dividing customers.

    ``among`` says of whom cuts by share are taken (None: of all), ``stay`` is the least stay (ms) in a segment that has
    none of its own, ``minimum_size`` how many customers a segment needs to be worth a campaign (for people only),
    ``zone`` the time zone (IANA) of calendar features, or the trait that names each customer's own.  ``fingerprint`` is
    the hash of its canonical form (design: definition).
    """

    name: str
    description: str
    owner: str
    features: MappingOf[str, Accumulator]
    segments: tuple[Segment, ...]
    otherwise: str | None
    learning: Learning | None
    fingerprint: str
    place: Place
    among: tree.Condition | None = None
    stay: int | None = None
    minimum_size: int | None = None
    zone: str | OwnZone = "UTC"

    @property
    def accumulators(self) -> tuple[Accumulator, ...]:
        """Its features, and what they go by: books of orders, what keeps the customers' own zones, and what
        tells whether something predicted came."""
        features = dict.fromkeys(self.features.values())
        beside: set[Accumulator] = {keeper(own) for accumulator in features for own in own_zones(accumulator)}
        beside |= {book for accumulator in features for book in books(accumulator)}
        beside |= {prediction.since for prediction in self.predictions}
        return (*features, *sorted(beside - {*features}, key=repr))

    @property
    def predictions(self) -> tuple[Propensity, ...]:
        """The features that are learned from others."""
        return tuple(dict.fromkeys(f for f in self.features.values() if isinstance(f, Propensity)))

    @property
    def conditions(self) -> tuple[tree.Condition, ...]:
        """What decides the segment, in the order of the segments."""
        return tuple(c for s in self.segments for c in (s.when, s.leave) if c is not None)

    @property
    def version(self) -> str:
        """``name@hash``, as every change names it."""
        return f"{self.name}@{self.fingerprint}"

    @property
    def segment_names(self) -> tuple[str, ...]:
        """All segments, in the order of their codes in a row; those of a learned dimension are in its versions."""
        names = tuple(segment.name for segment in self.segments)
        return names if self.otherwise is None else (*names, self.otherwise)

    def refers_to(self) -> set[str]:
        """The dimensions whose segments its conditions speak of."""
        return set().union(*(tree.dimensions(c) for c in self.conditions)) if self.conditions else set()

    def asks_before(self) -> set[str]:
        """The dimensions of which it asks in which segment a customer was before."""
        spoken = [*self.conditions, *([self.among] if self.among else [])]
        nodes = (node for condition in spoken for node in tree.walk(condition))
        return {node.dimension for node in nodes if isinstance(node, tree.SegmentRef) and node.before}


@dataclass(frozen=True)
class Once:
    """Which events count once: those of these names that have the same ``by`` (a property) as one of the customer's
    ``last`` latest ones."""

    events: tuple[str, ...] = ("Order Completed",)
    by: str = "order_id"
    last: int = 8


@dataclass(frozen=True)
class Definitions:
    """All dimensions, in the order in which they are evaluated: what others depend on first, then by name."""

    dimensions: tuple[Dimension, ...]
    once: Once = Once()

    def topics(self) -> tuple[str, ...]:
        """The further output topics that segments name, sorted."""
        return tuple(sorted({s.topic for d in self.dimensions for s in d.segments if s.topic}))
