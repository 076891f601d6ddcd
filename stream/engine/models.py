"""The chain of versions of what is published, as one shard goes through them: clusters, cuts by share, definitions, and
models that predict.

A version holds from its effective instant on.  The kernel sees two at a time: slot 0, in force for every row, and slot
1, which is slot 0 with one thing replaced; a row moves to it at its effective instant (``settle``).  When all have
moved, slot 1 becomes slot 0, and the next may come.  Definitions can only be next to a plan of their own: the shard
adopts it first (:meth:`stream.engine.switching.Switching.adopt`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from stream.engine.versions import CutsVersion, DefinitionsVersion, PredictionVersion
from stream.features.base import FOREVER, NEVER
from stream.plan import header
from stream.plan.layout import numbers_of
from stream.plan.plan import Plan
from stream.plan.shares import measure_text
from stream.plan.tree import cuts


class Model(Protocol):
    """A version of the clusters; :class:`stream.cluster.model.ClusterModel` is one."""

    @property
    def dimension(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def effective(self) -> int: ...
    @property
    def features(self) -> Sequence[str]: ...
    @property
    def mean(self) -> Sequence[float]: ...
    @property
    def scale(self) -> Sequence[float]: ...
    @property
    def centroids(self) -> Sequence[Sequence[float]]: ...
    @property
    def numbers(self) -> Sequence[int]: ...
    @property
    def places(self) -> Sequence[int]: ...
    @property
    def segments(self) -> Sequence[str]: ...
    @property
    def names(self) -> Sequence[str]: ...
    def to_json(self) -> bytes: ...


Version = Model | CutsVersion | DefinitionsVersion | PredictionVersion

#: Of how many models that no feature goes by the version in force is kept: former definitions may return.
IDLE_PREDICTIONS = 8


@dataclass(slots=True)
class Entry:
    """A version in the chain: since when it holds here, its place (0: not yet in slot 1), which dimensions new
    definitions concern, and its order among those of one instant."""

    effective: int
    version: Version
    ordinal: int = 0
    concerns: tuple[str, ...] = ()
    order: int = 0

    @property
    def defines(self) -> bool:
        """Whether it brings definitions."""
        return isinstance(self.version, DefinitionsVersion)


@dataclass
class Versions:
    """What is in force, and what is to come."""

    plan: Plan
    chain: list[Entry] = field(default_factory=list)
    #: Kind -> number and effective instant of the newest version heard of.
    newest: dict[str, tuple[int, int]] = field(default_factory=dict)
    cuts: dict[tuple[str, float], float] = field(default_factory=dict)
    clusters: Model | None = None
    #: Kind of model -> its version in force; of those that no feature goes by, `IDLE_PREDICTIONS` of the latest.
    predictions: dict[str, PredictionVersion] = field(default_factory=dict)
    #: The definitions that the plan was made of, where they were published.
    definitions: DefinitionsVersion | None = None
    skipped: int = 0
    late: int = 0
    #: Grows with every change to what is at rest.
    revision: int = 0
    #: Is told the segments of a dimension's clusters by their places in rows, whenever they may be others.
    called: Callable[[str, Mapping[int, str]], None] = field(default=lambda dimension, places: None)

    def __post_init__(self) -> None:
        self.slots = _slots(self.plan)

    # What is published

    def add(self, version: Version, position: int, clock: int = NEVER) -> None:
        """Take a version that was published.  One that is late for this shard, at ``position`` in the events, takes
        effect at once, and is counted; so is one that is none of ours, or not newer than what was heard of before."""
        kind = kind_of(version)
        number, since = self.newest.get(kind, (0, NEVER))
        if version.version <= number or not self._welcome(version):
            self.skipped += 1
            return
        effective = version.effective
        if effective <= position:
            self.late += 1
            effective = position + 1
        entry = Entry(max(effective, since + 1, int(self.slots.effective[0])), version)
        self._insert(entry, max(position, clock))
        self.newest[kind] = (version.version, entry.effective)

    def _insert(self, entry: Entry, now: int) -> None:
        """Put an entry in its place: behind those that hold before it, and behind slot 1 if rows may have moved to it
        by ``now``."""
        first = 0
        if self.coming < FOREVER:
            if self.chain[0].defines or self.coming <= now:
                first, entry.effective = 1, max(entry.effective, self.coming)
            elif entry.effective < self.coming:  # nobody has moved to it yet
                self.slots.effective[1] = FOREVER
                self.chain[0].ordinal = 0
        entry.order = 1 + max((other.order for other in self.chain), default=0)
        after = (k for k in range(first, len(self.chain)) if self.chain[k].effective > entry.effective)
        self.chain.insert(next(after, len(self.chain)), entry)
        self.revision += 1
        self._load()

    def _welcome(self, version: Version) -> bool:
        model = _clusters_of(version)
        return model is None or self.fits(model) or any(entry.defines for entry in self.chain)

    def fits(self, model: Model) -> bool:
        """Whether clusters were learned for the plan's dimension, from its features, and are no more than it has."""
        if self.plan.learned is None:
            return False
        dimension = self.plan.definitions.dimensions[self.plan.learned]
        learning = dimension.learning
        return (
            learning is not None
            and model.dimension == dimension.name
            and tuple(model.features) == self.plan.vector
            and 1 <= len(model.centroids) <= learning.clusters
            and max(model.places) < learning.places
        )

    def follows(self, model: Model) -> bool:
        """Whether clusters fit, and none has the place of another one that is in force."""
        if not self.fits(model):
            return False
        there = {} if self.clusters is None or not self.fits(self.clusters) else _by_place(self.clusters)
        return all(there.get(place, segment) == segment for place, segment in _by_place(model).items())

    def model(self, slot: int) -> Model | None:
        """The clusters that rows in a slot are judged by; None: there are none."""
        coming = _clusters_of(self.chain[0].version if slot and self.coming < FOREVER else None)
        if coming is not None:
            return coming
        return self.clusters if self.clusters is not None and self.fits(self.clusters) else None

    def call(self) -> None:
        """Tell what the places in rows stand for: in the clusters in force, whether they fit or not, and those to come
        that rows may have moved to."""
        head = self.chain[0].version if self.chain and self.chain[0].ordinal else None
        known = [self.clusters, _clusters_of(head)]
        for name in {model.dimension for model in known if model is not None}:
            own = [model for model in known if model is not None and model.dimension == name]
            self.called(name, {place: segment for model in own for place, segment in _by_place(model).items()})

    # The two slots

    @property
    def coming(self) -> int:
        """When slot 1 takes effect; FOREVER where it is empty."""
        return int(self.slots.effective[1])

    @property
    def crowded_at(self) -> int:
        """The instant of the version behind slot 1, or of definitions without a plan: what happens from there on waits
        until slot 1 is in force everywhere, or the plan adopted."""
        behind = 1 if self.coming < FOREVER else 0
        return self.chain[behind].effective if len(self.chain) > behind else FOREVER

    @property
    def awaited(self) -> Entry | None:
        """Definitions that are next, and whose plan the shard has yet to adopt."""
        return self.chain[0] if self.chain and self.coming == FOREVER else None

    def _load(self) -> None:
        """Fill slot 1 from the head of the chain, unless that needs another plan."""
        while self.chain and self.coming == FOREVER:
            entry = self.chain[0]
            version = entry.version
            if isinstance(version, DefinitionsVersion) and not entry.ordinal:
                return
            model = _clusters_of(version)
            if model is not None and not self.follows(model):
                self.skipped += 1  # by now the definitions in force learn from other features, or it comes out of order
                self.revision += 1
                self.chain.pop(0)
                continue
            entry.ordinal = entry.ordinal or int(self.slots.version[0]) + 1
            for array in self.slots:
                array[1] = array[0]
            self.slots.version[1] = entry.ordinal
            self.slots.effective[1] = entry.effective
            self.slots.cause[1] = header.DEFINITION if entry.defines else header.MODEL
            self.slots.moves[1] = self._replace(version, entry.concerns)
        self.call()

    def _replace(self, version: Version, concerns: Sequence[str]) -> int:
        """Put what is new into slot 1; the dimensions that it concerns, as bits."""
        dimensions = self.plan.definitions.dimensions
        if isinstance(version, DefinitionsVersion):
            return sum(1 << j for j, d in enumerate(dimensions) if d.name in concerns)
        if isinstance(version, CutsVersion):
            self._fill_cuts(1, self.cuts | {(measure, share): value for measure, share, value in version.cuts})
            return self._with_other_cuts()
        if isinstance(version, PredictionVersion):
            self._fill_numbers(1, version)
            return self._with_other_numbers()
        self._fill_clusters(1, version)
        same = self.clusters is not None and self.fits(self.clusters) and _by_place(self.clusters) == _by_place(version)
        if self.plan.learned is None or (same and self._unmoved()):
            return 0
        return 1 << self.plan.learned

    def _unmoved(self) -> bool:
        """Whether slot 1 has all centres where slot 0 has them."""
        arrays = (self.slots.clusters, self.slots.mean, self.slots.scale, self.slots.centroids)
        return all(np.array_equal(array[0], array[1], equal_nan=array.dtype.kind == "f") for array in arrays)

    def _with_other_cuts(self) -> int:
        """The dimensions that compare with a cut which slot 1 has otherwise than slot 0, as bits."""
        before, after = self.slots.cuts
        other = ~((before == after) | (np.isnan(before) & np.isnan(after)))
        moved = {
            (self.plan.measures[m], share)
            for (m, share), differs in zip(self.plan.cuts, other, strict=False)
            if differs
        }
        found = 0
        for j, dimension in enumerate(self.plan.definitions.dimensions):
            own = [cut for condition in dimension.conditions for cut in cuts(condition)]
            found |= any((measure_text(dimension, cut.of), cut.share) in moved for cut in own) << j
        return found

    def _with_other_numbers(self) -> int:
        """The dimensions with a feature that goes by numbers which slot 1 has otherwise than slot 0, as bits."""
        before, after = self.slots.numbers
        layout, found = self.plan.layout, 0
        moved = {
            numbers
            for numbers, at in layout.numbers.items()
            if not np.array_equal(before[at:][: len(numbers.names)], after[at:][: len(numbers.names)], equal_nan=True)
        }
        for j, dimension in enumerate(self.plan.definitions.dimensions):
            used = (dimension.features[ref.feature] for ref in self.plan.evidence[j])
            found |= any(numbers_of(feature) & moved for feature in used) << j
        return found

    def _fill_numbers(self, slot: int, version: PredictionVersion) -> None:
        for wanted, at in self.plan.layout.numbers.items():
            if wanted.kind == version.kind:
                numbers = version.numbers(wanted.names) if version.of in ("", wanted.of) else None
                self.slots.numbers[slot, at : at + len(wanted.names)] = np.nan if numbers is None else numbers

    def _fill_cuts(self, slot: int, known: dict[tuple[str, float], float]) -> None:
        for k, (measure, share) in enumerate(self.plan.cuts):
            self.slots.cuts[slot, k] = known.get((self.plan.measures[measure], share), np.nan)

    def _fill_clusters(self, slot: int, model: Model) -> None:
        places = list(model.places)
        self.slots.clusters[slot] = max(places) + 1
        self.slots.mean[slot] = model.mean
        self.slots.scale[slot] = model.scale
        self.slots.centroids[slot] = np.nan
        self.slots.centroids[slot, places] = model.centroids

    def promote(self) -> None:
        """Every row is judged by slot 1: it becomes slot 0, and the next version may come."""
        version = self.chain.pop(0).version
        if isinstance(version, CutsVersion):
            self.cuts |= {(measure, share): value for measure, share, value in version.cuts}
        elif isinstance(version, PredictionVersion):
            self.predictions[version.kind] = version
            self._let_go()
        elif not isinstance(version, DefinitionsVersion):
            self.clusters = version
        for array in self.slots:
            array[0] = array[1]
        self.slots.effective[1] = FOREVER
        self.revision += 1
        self._load()

    def refuse(self) -> None:
        """The definitions that are next have no plan: go on without them, and count them."""
        self.chain.pop(0)
        self.skipped += 1
        self.revision += 1
        self._load()

    def adopt(self, plan: Plan, concerns: Sequence[str]) -> None:
        """The head of the chain brings definitions, and this is their plan: rows may move to it."""
        entry = self.chain[0]
        if isinstance(entry.version, DefinitionsVersion):
            self.definitions = entry.version if entry.version.version else None
        entry.concerns = tuple(concerns)
        entry.ordinal = int(self.slots.version[0]) + 1
        self._use(plan)
        self.revision += 1

    def _use(self, plan: Plan) -> None:
        """Slots of another plan's shape, with what is in force."""
        old, self.plan, self.slots = self.slots, plan, _slots(plan)
        self.slots.version[0], self.slots.effective[0] = old.version[0], old.effective[0]
        self._fill_cuts(0, self.cuts)
        for prediction in self.predictions.values():
            self._fill_numbers(0, prediction)
        self._let_go()
        if self.clusters is not None and self.fits(self.clusters):
            self._fill_clusters(0, self.clusters)
        self._load()

    def _let_go(self) -> None:
        """Forget the models that have been of no use for longest: each change of what a prediction means makes one."""
        used = {wanted.kind for wanted in self.plan.layout.numbers}
        idle = sorted(self.predictions.keys() - used, key=lambda kind: (self.predictions[kind].effective, kind))
        for kind in idle[: max(0, len(idle) - IDLE_PREDICTIONS)]:
            del self.predictions[kind]
            if not any(kind_of(entry.version) == kind for entry in self.chain):
                self.newest.pop(kind, None)

    def redefined(self, plan: Plan, concerns: Sequence[str], now: int) -> None:
        """The plan was made of definitions that changed while the shard was closed, and were not published: they are in
        force from ``now`` on.  Who had yet to move to what was to come by then is judged by them anyway."""
        while self.coming <= now:
            self.promote()
            concerns = [d.name for d in plan.definitions.dimensions]
        if self.coming < FOREVER:
            self.slots.effective[1] = FOREVER
            self.chain[0].ordinal = 0
        now = max(now, int(self.slots.effective[0]))
        first = min((entry.order for entry in self.chain), default=1) - 1
        self.chain.insert(0, Entry(now, DefinitionsVersion(0, now, {}), order=first))
        for entry in self.chain:
            entry.effective = max(entry.effective, now)
        self.adopt(plan, concerns)

    # At rest

    def planned(self, plan: Plan) -> None:
        """The plan of the definitions in force, after they came from rest."""
        self._use(plan)


def kind_of(version: Version) -> str:
    """What a version is one of; numbers and instants rise within a kind."""
    if isinstance(version, DefinitionsVersion):
        return "definitions"
    if isinstance(version, PredictionVersion):
        return version.kind
    return "cuts" if isinstance(version, CutsVersion) else f"clusters of {version.dimension}"


def _slots(plan: Plan) -> header.Models:
    d = max(1, len(plan.vector))
    learning = next((x.learning for x in plan.definitions.dimensions if x.learning), None)
    return header.Models(
        np.zeros(2, np.int64),
        np.array([NEVER, FOREVER], np.int64),
        np.full(2, header.MODEL, np.int64),
        np.zeros(2, np.int64),
        np.full((2, max(1, len(plan.cuts))), np.nan),
        np.zeros(2, np.int64),
        np.zeros((2, d)),
        np.ones((2, d)),
        np.full((2, learning.places if learning else 1, d), np.nan),
        np.full((2, max(1, plan.layout.numbers_width)), np.nan),
    )


def _clusters_of(version: Version | None) -> Model | None:
    """The version where it is one of clusters."""
    if version is None or isinstance(version, CutsVersion | DefinitionsVersion | PredictionVersion):
        return None
    return version


def _by_place(model: Model) -> dict[int, str]:
    """What each place in a row stands for."""
    return dict(zip(model.places, model.segments, strict=True))
