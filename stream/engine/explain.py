"""Why a customer is where they are: each dimension's conditions with the values put in, what keeps them from entering
or leaving, and what comes next if nothing comes.  For people and, as JSON, for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from stream.durations import format_duration
from stream.engine.change import Change, shown
from stream.engine.foresee import HORIZON_MS, Scratch
from stream.engine.interpret import Part, Reading
from stream.engine.models import kind_of
from stream.events.instant import LATEST_MS, iso
from stream.features.base import NEVER, Kind
from stream.plan import header, runtime
from stream.plan.definitions import Dimension, Segment
from stream.plan.shares import Shares, find_shares
from stream.plan.tree import cuts
from stream.plan.words import show

if TYPE_CHECKING:
    from stream.engine.shard import Shard

#: The most coming changes of a dimension that are told.
AHEAD = 3


class Hindrance(msgspec.Struct):
    """What keeps a customer from entering a segment, or in it, or ends their stay, whatever its condition says.

    ``kind`` is the word of the definition (``from``, ``leave``, ``for``, ``stay``, ``cooldown``), ``text`` says it in
    words, ``until`` when it ends by itself (ISO 8601).
    """

    kind: str
    text: str
    until: str | None = None


class SegmentReading(msgspec.Struct):
    """One segment of a dimension, for one customer.

    ``holds``: they may be in it now, all told; the first segment that holds is theirs, and has ``here`` set.  ``leave``
    is the condition to leave, where there is one; for who is inside it decides instead of ``when``.
    """

    segment: str
    holds: bool
    when: Part
    leave: Part | None = None
    here: bool = False
    hindrances: list[Hindrance] = []
    note: str = ""


class Upcoming(msgspec.Struct):
    """A change that comes if nothing else does."""

    at: str
    from_segment: str | None = msgspec.field(name="from")
    to_segment: str | None = msgspec.field(name="to")
    cause: str = "deadline"
    evidence: dict[str, Any] = {}


class CutReading(msgspec.Struct):
    """A cut by share: at least ``share`` of the customers have a value of ``of`` up to ``value`` (None: not learned
    yet); ``version`` is that of the cuts in force."""

    of: str
    share: float
    value: Any
    version: int | None


class ClusterReading(msgspec.Struct):
    """A learned segment, and what people call it: how far the customer is from its centre, in scaled space.  The least
    distance wins, but who is in one leaves it only for one that is nearer by the margin."""

    segment: str
    distance: float
    name: str = ""


class DimensionReading(msgspec.Struct):
    """One dimension, for one customer.

    ``since`` is when they entered their segment; ``depends`` the segments in other dimensions that the conditions speak
    of; ``warming`` the features that began with later definitions than the customers did, and since when; ``next`` the
    changes to come if nothing comes, soonest first, empty where there are none within the horizon.
    """

    dimension: str
    definition: str
    description: str
    segment: str | None
    since: str | None
    segments: list[SegmentReading]
    otherwise: str | None = None
    features: dict[str, Any] = {}
    depends: dict[str, str | None] = {}
    warming: dict[str, str] = {}
    cuts: list[CutReading] = []
    clusters: list[ClusterReading] = []
    model: int | None = None
    margin: float | None = None
    next: list[Upcoming] = []


class Explanation(msgspec.Struct):
    """A customer as of an instant (ISO 8601); what comes next was looked for up to ``foreseen``.  ``forgotten``: when
    they will be, if they do nothing until then and that is not farther off."""

    customer: str
    at: str
    foreseen: str
    dimensions: list[DimensionReading]
    forgotten: str | None = None


def explain(shard: Shard, customer: str, horizon: int = HORIZON_MS) -> Explanation | None:
    """The customer as of the shard's clock; None where there is none of that name.

    What comes next if nothing comes is looked for within ``horizon`` ms.
    """
    return next((found for found in explaining(shard, customer, horizon) if found is not None), None)


def explaining(shard: Shard, customer: str, horizon: int = HORIZON_MS) -> Iterator[Explanation | None]:
    """The same in small parts, for a shard that has other work as well: None after each, the explanation at the end.

    Between two parts the shard may go on: the explanation is that of the instant at which it was asked for, but where
    a version came into force meanwhile, it begins anew.  Nothing comes where there is no such customer.
    """
    while True:
        plan, revision = shard.plan, shard.versions.revision
        for found in _explained(shard, customer, horizon):
            yield found
            if found is not None:
                return
            if shard.plan is not plan or shard.versions.revision != revision:
                break
        else:
            return


def _explained(shard: Shard, customer: str, horizon: int) -> Iterator[Explanation | None]:
    i = shard.rows.index.get(customer.encode("utf-8", "surrogatepass"))
    if i is None or shard.rows.table.ints[i, header.LATEST] == NEVER:
        return
    latest = int(shard.rows.table.ints[i, header.LATEST])
    now = latest if shard.clock_ms is None else max(latest, shard.clock_ms)
    scratch = Scratch(shard.plan, shard.rows, shard.versions, i)
    scratch.pass_time(now)
    if scratch.forgotten is not None:
        return
    definitions = shard.plan.definitions
    explainer = Explainer(shard, scratch, now, find_shares(definitions))
    found = []
    for j, dimension in enumerate(definitions.dimensions):
        found.append(explainer.dimension(j, dimension))
        yield None
    for ahead in scratch.ahead(now, min(horizon, LATEST_MS - now), AHEAD):  # later ones cannot be written
        if ahead is None:
            yield None
            continue
        for one in found:
            one.next = [upcoming(change) for change in ahead.changes[one.dimension]]
        forgotten = None if scratch.forgotten is None else iso(scratch.forgotten)
        yield Explanation(customer, iso(now), iso(ahead.upto), found, forgotten)


def upcoming(change: Change) -> Upcoming:
    """A change as it is told ahead."""
    return Upcoming(iso(change.at_ms), change.from_segment, change.to_segment, change.cause, change.evidence)


@dataclass(frozen=True)
class Explainer:
    """Explains the one row of a scratch copy at the instant ``now``, up to which its deadlines have fired."""

    shard: Shard
    scratch: Scratch
    now: int
    shares: Shares

    def dimension(self, j: int, dimension: Dimension) -> DimensionReading:
        """All there is to say of one dimension but what comes next."""
        plan, row = self.shard.plan, self.scratch.rows.table.ints[0]
        warming = {name: iso(since) for name, since in self.shard.warming(dimension, self.now).items()}
        reading = Reading(self.scratch.rows, dimension, self.models, self.now, self.shares, warming=warming)
        current = reading.segment(dimension.name)
        entered = int(row[plan.layout.entered[j]])
        found = DimensionReading(
            dimension.name,
            dimension.version,
            dimension.description,
            current,
            None if entered == NEVER else iso(entered),
            [self.segment(reading, s, current, entered) for s in dimension.segments],
            dimension.otherwise,
            {f"{ref.feature}.{ref.view}" if ref.view else ref.feature: reading.shown(ref) for ref in plan.evidence[j]},
            {name: reading.segment(name) for name in sorted(dimension.refers_to())},
        )
        self.mark_here(found)
        found.warming = warming
        found.cuts = self.cuts(reading)
        if dimension.learning is not None:
            self.clusters(reading, found)
        return found

    @property
    def models(self) -> header.Models:
        """The versions in force and to come."""
        return self.shard.versions.slots

    @staticmethod
    def mark_here(found: DimensionReading) -> None:
        """The first segment that holds is where the customer belongs."""
        for one in found.segments:
            if one.holds:
                one.here = True
                return

    def cuts(self, reading: Reading) -> list[CutReading]:
        """The cuts that the conditions compare with, as this customer is judged by them."""
        nodes = {(show(cut.of), cut.share): cut for c in reading.dimension.conditions for cut in cuts(c)}
        version = self.version_of("cuts", reading.slot)
        found = []
        for (of, share), cut in sorted(nodes.items(), key=lambda item: item[0]):
            value = shown(reading.number(cut), cut.kind)
            found.append(CutReading(of, share, value, version if value is not None else None))
        return found

    def segment(self, reading: Reading, segment: Segment, current: str | None, entered: int) -> SegmentReading:
        """One segment: its conditions, and what else decides."""
        reading = replace(reading, every=segment.every)
        when = reading.part(segment.when)
        leave = None if segment.leave is None else reading.part(segment.leave)
        bound = self.bound(reading.dimension, current, entered)
        if segment.name == current:
            over = segment.lasts is not None and self.now >= entered + segment.lasts
            holds = bound is not None or ((not leave.holds if leave else when.holds) and not over)
            hindrances = self.staying(segment, entered, bound)
        else:
            hindrances = self.entering(segment, current, leave, self.left_at(reading, segment))
            if bound is not None:
                text = f"nobody leaves {current} so soon after entering it"
                hindrances.insert(0, Hindrance("stay", text, iso(bound)))
            holds = when.holds and not hindrances
        return SegmentReading(segment.name, holds, when, leave, False, hindrances, segment.note)

    def bound(self, dimension: Dimension, current: str | None, entered: int) -> int | None:
        """Until when the least stay keeps the customer in their segment, whatever holds; None: it does not."""
        if current is None:
            return None
        stay = next((s.stay for s in dimension.segments if s.name == current), dimension.stay)
        return entered + stay if stay is not None and self.now < entered + stay else None

    def left_at(self, reading: Reading, segment: Segment) -> int:
        """When the segment was last left, where it has a cool-down."""
        column = self.shard.plan.layout.left.get(self.place(reading.dimension, segment.name))
        return NEVER if column is None else int(reading.row[column])

    def place(self, dimension: Dimension, segment: str) -> tuple[int, int]:
        """The numbers of a dimension and of one of its segments."""
        names = [d.name for d in self.shard.plan.definitions.dimensions]
        return names.index(dimension.name), dimension.segment_names.index(segment)

    def staying(self, segment: Segment, entered: int, bound: int | None) -> list[Hindrance]:
        """What bears on who is inside, beside the conditions."""
        found = []
        if bound is not None:
            found.append(Hindrance("stay", "nobody leaves it so soon after entering it", iso(bound)))
        if segment.lasts is not None:
            text = f"ends {format_duration(segment.lasts)} after it was entered"
            found.append(Hindrance("for", text, iso(entered + segment.lasts)))
        return found

    def entering(self, segment: Segment, current: str | None, leave: Part | None, left: int) -> list[Hindrance]:
        """What keeps out who is not inside, beside ``when``."""
        found = []
        if segment.cooldown is not None and self.now < left + segment.cooldown:
            text = f"nobody enters again before {format_duration(segment.cooldown)} have passed since leaving it"
            found.append(Hindrance("cooldown", text, iso(left + segment.cooldown)))
        if segment.came_from and current not in segment.came_from:
            allowed = " or ".join(segment.came_from)
            found.append(Hindrance("from", f"only out of {allowed}; the customer is in {current or 'none'}"))
        if leave is not None and leave.holds:
            found.append(Hindrance("leave", "nobody enters while the condition to leave holds"))
        return found

    def clusters(self, reading: Reading, found: DimensionReading) -> None:
        """A learned dimension: the distances to the centres of the model that the customer is judged by."""
        learning = reading.dimension.learning
        if learning is None:
            return
        models = self.models
        m = reading.slot
        values = [reading.number(number) for number in learning.vector.values()]
        found.features |= {name: shown(x, Kind.NUMBER) for name, x in zip(learning.vector, values, strict=True)}
        scaled = [runtime.standard(x, models.mean[m, i], models.scale[m, i]) for i, x in enumerate(values)]
        model = self.shard.versions.model(m)
        if model is None:
            return
        for place, segment, name in zip(model.places, model.segments, model.names, strict=True):
            squares = [(x - models.centroids[m, place, i]) ** 2 for i, x in enumerate(scaled)]
            found.clusters.append(ClusterReading(segment, float(sum(squares)) ** 0.5, name))
        found.model, found.margin = model.version, learning.margin

    def version_of(self, kind: str, slot: int) -> int | None:
        """The number of the version of a kind that the customer is judged by; None where there is none yet."""
        versions = self.shard.versions
        to_come = [entry.version.version for entry in versions.chain[slot:] if kind_of(entry.version) == kind]
        number = min(to_come) - 1 if to_come else versions.newest.get(kind, (0, 0))[0]
        return number or None
