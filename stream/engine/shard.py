"""A shard: all that one partition number owns.  Pure: records in, what belongs into one transaction out.

The same shard runs live, in replay and in tests; only who feeds it differs.  After :meth:`Shard.step` memory is ahead
of Kafka until the transaction commits; if it does not, the shard is thrown away and restored from the changelog.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from stream.engine.backfill import Backfill
from stream.engine.busiest import Busiest
from stream.engine.chain_at_rest import ReadModel
from stream.engine.explain import explaining
from stream.engine.forgotten import Requests
from stream.engine.judge import Judge
from stream.engine.memory import Memory
from stream.engine.merge import GapError, Merge, Source
from stream.engine.models import Model, Versions
from stream.engine.output import Output
from stream.engine.plans import Plans, decoded_again, definitions_of, differing
from stream.engine.poison import Poison
from stream.engine.questions import described, features_of, members, placed, segments_of, sizes_of, warm_since
from stream.engine.rekey import Home
from stream.engine.rows import Rows
from stream.engine.run import Run
from stream.engine.sampling import Bound
from stream.engine.slices import RUN, Slices, drained
from stream.engine.switching import Switching
from stream.engine.typical import typical_of
from stream.engine.versions import DefinitionsVersion
from stream.events.batch import CONTROL, Batch
from stream.events.raw import RawRecords
from stream.features.base import FOREVER, NEVER
from stream.plan import header
from stream.plan.definitions import Dimension
from stream.plan.plan import Plan

__all__ = ["GapError", "Shard", "Source"]

#: Deadlines fire in one step until there are so many changes, about 50 ms of work for which events wait: a customer who
#: swaps by time alone may make thousands.
MOST_CHANGES = 12_000


class Shard:
    """The customers of one partition, their clock and their deadlines.

    ``disorder`` is how far (ms) the clock stays behind; ``read_model`` turns the JSON of stored clusters, or of a model
    that predicts, into a version; ``home`` says which customers belong here (None: all do); ``plans`` knows the plans
    of published definitions (None: published definitions are skipped); ``dormant_after``: who has done nothing for so
    long (ms) is forgotten (None: never); ``changelog`` is the name of the topic that it comes from, for reports;
    ``most_vectors``: so many for the trainer a day (None: all that are taken).
    """

    def __init__(
        self,
        plan: Plan,
        partition: int,
        sources: Iterable[Source],
        *,
        disorder: int = 0,
        read_model: ReadModel | None = None,
        home: Home | None = None,
        plans: Plans | None = None,
        dormant_after: int | None = None,
        changelog: str = "changelog",
        most_vectors: int | None = None,
    ) -> None:
        self.partition, self.disorder, self.home, self.plans = partition, disorder, home, plans
        self.merge = Merge(list(sources))
        self.versions = Versions(plan)
        self.memory = Memory(partition, Rows(plan, lifetime=dormant_after), read_model, changelog)
        self.requests = Requests()
        self.bound = Bound(most_vectors)
        #: Which customers most events are about, since it was asked last.
        self.busiest = Busiest()
        self.saved: dict[Source, tuple[int, int]] = {}
        self.clock_ms: int | None = None
        self.switching = Switching(self)
        self._use(plan, self.memory.rows)

    def _use(self, plan: Plan, rows: Rows) -> None:
        self.plan, self.rows = plan, rows
        self.versions.called = rows.call_places
        self.versions.call()
        self.judge = Judge(
            plan,
            rows,
            self.versions,
            self.partition,
            self.home,
            self.requests,
            self.busiest,
            self.bound,
            self.memory.departed,
        )

    def go_by(self, plan: Plan, rows: Rows) -> None:
        """Go on under this plan, with these rows; what waits is read as the plan reads it."""
        self._use(plan, rows)
        self.merge.replace(self._fitting)

    # From rest

    def restore(
        self, keys: Sequence[bytes | None], values: Sequence[bytes | None], places: Sequence[tuple[int, int]] = ()
    ) -> None:
        """Changelog records, in their order; a None value deletes.  ``places``: offset and timestamp (ms) of each."""
        self.read_back(RawRecords.of(keys, values, places))

    def read_back(self, records: RawRecords) -> None:
        """The same as they came from Kafka."""
        self.memory.read(records)

    @property
    def poison(self) -> Sequence[Poison]:
        """The records of the changelog that could not be read when the shard was restored, and were set aside."""
        return self.memory.set_aside.told

    def planned(self) -> bool:
        """After the last record: whether the published definitions that it goes by are compiled; if not, call again."""
        plan = self._plan_at_rest()
        if plan is None:
            return False
        if plan is not self.plan:
            self.memory.go_under(plan)
            self._use(plan, self.memory.rows)
        return True

    def restored(self) -> bool:
        """After the last record: bags, versions and expiries are worked out; the shard can start.

        False where it is not :meth:`planned` yet: call again.
        """
        if not self.planned():
            return False
        memory = self.memory
        memory.finish(self.versions)
        own = memory.own
        self.requests.hashes = own.requests
        self.bound.state = own.sampling
        self.saved = {(topic, partition): (offset, reached) for topic, partition, offset, reached in own.sources}
        self.clock_ms = None if own.clock == NEVER else own.clock
        if own.definitions and own.definitions != definitions_of(self.plan):
            latest = max([own.clock, *(reached for _, reached in self.saved.values())])
            self.switching.redefined(differing(self.plan, own.definitions), latest)
        self.judge.rearm()
        return True

    def _plan_at_rest(self) -> Plan | None:
        """The plan of the definitions that the shard went by last; None while it is being compiled."""
        self.memory.read_versions(self.versions)
        self.versions.call()
        published = self.versions.definitions
        if published is None or self.plans is None:
            return self.plan
        return self.plans.plan_of(published)

    # Input

    def next_offset(self, source: Source) -> int | None:
        """Where the shard's own row says that the source goes on; None where it was never read."""
        return self.saved[source][0] if source in self.saved else None

    def start(self, source: Source, offset: int) -> None:
        """The source begins at this offset."""
        one = self.merge.inputs[source]
        one.expected = one.applied = offset
        one.reached = one.progress = self.saved.get(source, (0, NEVER))[1]

    def expected(self, source: Source) -> int:
        """The fetch position up to which batches were offered."""
        return self.merge.inputs[source].expected

    def offer(self, batch: Batch) -> None:
        """A decoded batch; raises :class:`GapError` where records between are missing."""
        fitting = self._fitting(batch)
        self.rows.texts.learn(fitting.named)
        self.merge.inputs[batch.topic, batch.partition].offer(fitting)

    def _fitting(self, batch: Batch) -> Batch:
        """The batch as the plan in force reads it."""
        if self.plans is None or batch.schema is None or batch.schema == self.plan.inputs:
            return batch
        return decoded_again(batch, self.plans.decoder_of(self.plan))

    def prove(self, source: Source, position: int, at_ms: int, answer: tuple[int, int] = (0, 0)) -> None:
        """The broker, looking at wall instant ``at_ms`` or later, found that ``position`` is the end of the source;
        ``answer`` as in a batch."""
        self.merge.prove(source, position, at_ms, answer)

    def waiting(self, source: Source) -> int:
        """Records offered and not yet applied."""
        return self.merge.inputs[source].waiting

    # Work

    def step(self, limit: int, wall_ms: int | None) -> Output | None:
        """Apply up to about ``limit`` records, or tell that many holders of products, and fire what is due; None where
        there was nothing to do.

        ``wall_ms`` None: the clock goes by event time alone (replay, compressed time).
        """
        return drained(self.stepping(limit, wall_ms))

    def stepping(self, limit: int, wall_ms: int | None) -> Slices[Output | None]:
        """The same in slices.  What is offered and proven meanwhile is as good as before or after; a step that is begun
        is finished before the next, or its shard thrown away."""
        out = Output()
        taken, midway = 0, False
        while taken < limit and (yield from self.switching.caught_up(limit, out)):
            if not (yield from self.switching.met_version(limit, out)):
                midway = self.compiling is None
                break
            pieces = self.merge.take(min(limit - taken, RUN), self.versions.crowded_at)
            if not pieces:
                if self.versions.crowded_at == FOREVER or not self.merge.ready():
                    break
                if not (yield from self.switching.make_way(limit, out)):
                    midway = self.compiling is None
                    break
                continue
            run = Run(pieces)
            self._control(run)
            applied = yield from self.judge.applying(run, self.switching.floor(), self.disorder, out, limit)
            taken += applied
            if applied < len(run):  # a product with many holders: the others are told by the next steps
                self.merge.break_off(pieces, run.counts(applied), pieces[int(run.piece[applied])])
                midway = True
                break
        moved = self._advance(wall_ms is None)
        yield from self._fire(limit, out)
        idle = not taken and not out.changes and not self.rows.table.counters[header.TOUCHED]
        if idle and not moved and not midway and not self.more_due() and not self.memory.differs(self.versions):
            return None
        return (yield from self._written(out))

    def _control(self, run: Run) -> None:
        """Versions take their place before the events that they may concern."""
        for batch, i in map(run.origin, run.of_code(CONTROL)):
            version = batch.controls[i]
            if version is not None:
                self.versions.add(version, self._events_position(batch.topic), self.switching.moved_until())

    def _events_position(self, control: str) -> int:
        """The greatest event time applied, clock records apart: they say how late it is, not what has happened."""
        return max(one.reached for one in self.merge.inputs.values() if one.source[0] != control)

    @property
    def position(self) -> int:
        """The greatest event time applied."""
        return max(one.reached for one in self.merge.inputs.values())

    def _advance(self, by_events: bool) -> bool:
        """Move the clock: the least progress of the sources, those proven read to their end counting as the instant of
        that proof; or, by event time alone, what was applied.  It never goes back.  Whether a deadline may be due."""
        if by_events:
            clock = self.position
        else:
            heads = [(one, one.head) for one in self.merge.inputs.values()]
            known = [h if h is not None else one.proven_at or one.reached for one, h in heads]
            clock = min(known)
        clock -= self.disorder
        if clock <= NEVER or (self.clock_ms is not None and clock <= self.clock_ms):
            return False
        self.clock_ms = clock
        return self.rows.is_due(clock)

    def _fire(self, limit: int, out: Output) -> Slices[None]:
        clock = self.clock_ms
        if clock is None:
            return
        yield from self.switching.caught_up(limit, out)
        upto = min(clock, self.versions.crowded_at - 1)
        if self.plan.vector and len(due := self.rows.due(upto)):
            upto = self.bound.upto(upto, int(self.rows.table.deadline[due].min()))
        if self.versions.coming <= upto:
            yield from self.switching.switch(upto, limit, out)
        due = self.rows.due(upto)
        if len(due):
            yield from self.judge.firing(due[:limit], upto, out, MOST_CHANGES)

    def more_due(self) -> bool:
        """Whether deadlines, or moves to a version, up to the clock are left for the next step."""
        if self.clock_ms is None:
            return False
        crowded = self.versions.crowded_at
        upto = min(self.clock_ms, crowded - 1)
        if self.versions.coming <= upto or self.rows.is_due(upto):
            return True
        return crowded <= self.clock_ms and self.compiling is None

    @property
    def compiling(self) -> DefinitionsVersion | None:
        """Published definitions that are in force by now, but not compiled or filled yet: the shard waits for them."""
        return self.switching.compiling

    def adopt(self, plan: Plan, backfill: Backfill | None = None) -> None:
        """Go over to the plan of definitions that are next, or that hold from now on
        (:meth:`stream.engine.switching.Switching.adopt`)."""
        self.switching.adopt(plan, backfill)

    # To rest

    def _written(self, out: Output) -> Slices[Output]:
        for source, one in self.merge.inputs.items():
            out.offsets[source] = one.applied
        own = self.memory.own
        own.sources = [(t, p, one.applied, one.reached) for (t, p), one in self.merge.inputs.items()]
        own.clock = NEVER if self.clock_ms is None else self.clock_ms
        own.requests = self.requests.hashes
        own.sampling = self.bound.state
        yield from self.memory.write(self.versions, out)
        return out

    # Questions

    @property
    def definitions_version(self) -> int:
        """The number of the published definitions that it goes by; 0: it goes by its own."""
        return 0 if self.versions.definitions is None else self.versions.definitions.version

    @property
    def customers(self) -> int:
        """How many customers it knows."""
        return len(self.rows.index)

    @property
    def clusters(self) -> Model | None:
        """The version of the clusters in force; None where there is none."""
        return self.versions.clusters

    @property
    def books(self) -> dict[str, int]:
        """What became of the records since the shard's first, ``read`` being all of them; kept in its own row."""
        return dict(self.memory.own.books)

    def segments(self, i: int) -> dict[str, str | None]:
        """The segment of a row in each dimension."""
        return segments_of(self.rows, i)

    def features(self, i: int, now: int) -> dict[str, Any]:
        """Every feature of a row at an instant; a name that means two things is told apart by its dimension."""
        return features_of(self.rows, i, now, self.versions.slots)

    def warming(self, dimension: Dimension, now: int) -> dict[str, int]:
        """The features of a dimension that know nothing from before new definitions, and since when they count (event
        time, ms)."""
        started = self.memory.own.started
        named = ((name, warm_since(one, started, now)) for name, one in dimension.features.items())
        return {name: since for name, since in named if since is not None}

    def describe(self, customer: str) -> dict[str, Any] | None:
        """Segments and features of one customer as of the clock; None where there is no such customer.

        ``warming`` names the features that began with later definitions, and ``since`` when they count.
        """
        return described(self.rows, customer, self.clock_ms, self.memory.own.started, self.versions.slots)

    def placed(self, customer: str) -> dict[str, Any] | None:
        """Only the segments of one customer, each with since when (:func:`stream.engine.questions.placed`)."""
        return placed(self.rows, customer, self.clock_ms)

    def members(self, dimension: str, segment: str, below: int, most: int) -> tuple[list[tuple[str, str | None]], int]:
        """Some customers of a segment, and where to go on (:func:`stream.engine.questions.members`)."""
        return members(self.rows, dimension, segment, below, most)

    def explain(self, customer: str, horizon: int) -> Any:
        """Why a customer is where they are (:mod:`stream.engine.explain`), as JSON has it; None where there is none."""
        return next((found for found in self.explaining(customer, horizon) if found is not None), None)

    def explaining(self, customer: str, horizon: int) -> Iterator[Any]:
        """The same in small parts: None after each of them, what was found at the end, if anything was."""
        for found in explaining(self, customer, horizon):
            yield None if found is None else msgspec.to_builtins(found)

    def typical(self, segment: str, most: int) -> Iterator[list[dict[str, Any]] | None]:
        """The members of a cluster that are nearest to its centre, in small parts (:mod:`stream.engine.typical`)."""
        return typical_of(self, segment, most)

    def sizes(self) -> dict[str, dict[str, int]]:
        """How many customers are in each segment of each dimension (those in none are not counted)."""
        return sizes_of(self.rows)

    def blocked_by(self) -> Source | None:
        """The source that holds back what waits, or None; ``("compiling", version)`` where definitions do."""
        if self.compiling is not None:
            return ("compiling", self.compiling.version)
        return self.merge.blocked_by()
