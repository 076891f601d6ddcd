"""Runs the kernels over a shard's rows, and turns what they write into changes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.engine.busiest import Busiest
from stream.engine.changes import Block
from stream.engine.cluster_evidence import ClusterEvidence, evidence_width
from stream.engine.departed import Departed
from stream.engine.forgotten import Forgotten, Requests
from stream.engine.index import Found
from stream.engine.models import Versions
from stream.engine.output import Asked, Output
from stream.engine.rekey import Home
from stream.engine.rows import Rows
from stream.engine.run import Run
from stream.engine.sampling import Bound
from stream.engine.slices import EVENTS, ROWS, Slices
from stream.engine.teller import Teller
from stream.events.batch import CONTROL, IGNORED, REJECTED, REKEYED, REPEATED
from stream.events.columns import CustomerIds
from stream.features import pool
from stream.features.base import NO_TEXT
from stream.features.known_zone import KnownZone, named
from stream.features.propensity import BESIDE
from stream.plan import header
from stream.plan.finding import FREE
from stream.plan.header import Events
from stream.plan.judging import of_population, told_at
from stream.plan.plan import Plan

ROOM = 8192
#: Rows and instants of vectors (n, 2), and the vectors (n, d).
Sampled = tuple[NDArray[np.int64], NDArray[np.float64]]


class Judge:
    """The kernels of a plan over the rows of one shard.

    ``home`` says which customers belong here (None: all).  ``number`` is the shard's: what is read by every shard (the
    products) is counted by the one whose number its partition has, so that the books of all shards add up.
    ``requests``: to be forgotten, those heard of latest; ``bound``: of the vectors for the trainer; ``departed``: what
    stays of who is forgotten for doing nothing.
    """

    def __init__(
        self,
        plan: Plan,
        rows: Rows,
        versions: Versions,
        number: int,
        home: Home | None,
        requests: Requests | None = None,
        busiest: Busiest | None = None,
        bound: Bound | None = None,
        departed: Departed | None = None,
    ) -> None:
        self.plan, self.rows, self.versions, self.number, self.home = plan, rows, versions, number, home
        self.requests = Requests() if requests is None else requests
        self.zones = zones_read(plan)
        self.bound = Bound() if bound is None else bound
        self.departed = Departed() if departed is None else departed
        self.busiest = Busiest() if busiest is None else busiest
        self.teller = Teller(rows)
        self.clusters = ClusterEvidence(plan, versions)
        dimensions = plan.definitions.dimensions
        #: Numbers of the dimensions that go by predictions -> the column that says if they are of the population.
        self.predicting = {j: told_at(d) for j, d in enumerate(dimensions) if of_population(d)}
        width = header.EVIDENCE + max((len(e) for e in plan.evidence), default=0) + evidence_width(plan)
        behind = (at + 1 for at in self.predicting.values())
        width = max(width, header.EVIDENCE + len(rows.table.kept), *behind)
        ints = np.zeros((ROOM + len(plan.definitions.dimensions) + 1, width), np.int64)
        self.ints, self.floats = ints, ints.view(np.float64)
        vectors = ROOM if plan.vector else 1
        taken = np.empty((vectors, max(1, len(plan.vector)))), np.empty((vectors, 2), np.int64)
        predictions = plan.layout.predictions
        widest = max((len(one.inputs) for one in predictions), default=0) + BESIDE
        room = ROOM if predictions else 1
        questions = np.empty((room, widest)), np.empty((room, 3), np.int64)
        self.arrays = header.Out(self.ints, self.floats, *taken, *questions)

    def applying(self, run: Run, floor: int, disorder: int, out: Output, most: int) -> Slices[int]:
        """Apply the run's events; changes, vectors and counts go to ``out``.  How many were applied: where products
        have many holders, ``most`` of them are told, and the event in which that ends is to be applied again.

        A late event finds in force what time had come to: ``floor``, and the greatest event time before it less the
        allowed ``disorder``.  So the batches that events come in do not matter to it.
        """
        upto = np.maximum(run.column("instants"), np.maximum(run.keys - disorder, floor))
        customers = run.customers()
        found = self.rows.index.find(customers)
        sent_on = {} if self.home is None else self.home.sent_on(run, customers, found.rows)
        events = self._events(run, customers, found, upto)
        yield
        n, start, counters = 0, 0, self.rows.table.counters
        counters[header.LEFT] = most
        taken: list[Sampled] = []
        while start < len(run):
            stop = min(start + EVENTS, len(run))
            n, start = self.plan.kernels.apply(
                self.rows.table, self.rows.bags, self.versions.slots, _upto(events, stop), self.arrays, n, start
            )
            if start < stop or stop == len(run):  # room has run out, or holders may be told no more, or it is done
                self._took(n, out, run, taken)
                n = 0
                if counters[header.LEFT] <= 0 and counters[header.CURSOR] != pool.NONE:
                    break
            yield
        self._choose(taken, out)
        out.rekeyed += [sent for k, sent in sent_on.items() if k < start]
        out.unmatched += int(counters[header.UNMATCHED])
        counters[header.UNMATCHED] = 0
        self._count(run, events, start, out)
        self.busiest.count(events.row[:start], self.rows.keys)
        self.requests.heard(run, customers, events.message, events.status == header.APPLIED)
        return start

    def firing(self, rows: NDArray[np.int64], upto: int, out: Output, most: int | None = None) -> Slices[None]:
        """Fire these rows' deadlines up to an instant, and their move to the next model; with ``most``, no more of them
        once there are so many changes."""
        n, start, told = 0, 0, len(out.changes) + len(out.forgotten)
        taken: list[Sampled] = []
        while start < len(rows) and (most is None or told + n < most):
            stop = min(start + ROWS, len(rows))
            n, start = self.plan.kernels.fire(
                self.rows.table, self.rows.bags, self.versions.slots, rows[:stop], upto, self.arrays, n, start
            )
            if start < stop:  # room has run out
                self._took(n, out, None, taken)
                n, told = 0, len(out.changes) + len(out.forgotten)
            yield
        self._took(n, out, None, taken)
        self._choose(taken, out)

    def rearm(self) -> None:
        """Work out all expiries, after rows came from rest."""
        rows = np.arange(len(self.rows))
        self.plan.kernels.rearm(self.rows.table, self.rows.bags, self.versions.slots, rows, self.arrays)

    def warm(self) -> None:
        """Have every kernel compiled, or loaded from the cache, before the first event needs it."""
        nothing = np.zeros(0, np.int64)
        rows, slots, arrays = self.rows, self.versions.slots, self.arrays
        kernels = self.plan.kernels
        kernels.fire(rows.table, rows.bags, slots, nothing, 0, arrays, 0, 0)
        if self.plan.measures:
            kernels.measure(rows.table, rows.bags, slots, nothing, 0, np.zeros((0, len(self.plan.measures))))

    def _took(self, n: int, out: Output, run: Run | None, taken: list[Sampled]) -> None:
        """What the kernel wrote, for it writes over it."""
        self._changes(n, out, run)
        self._vectors(self.arrays, taken)
        self._asked(self.arrays, out)

    def _events(self, run: Run, customers: CustomerIds, found: Found, upto: NDArray[np.int64]) -> Events:
        messages = run.column("messages")
        self.requests.mark_repeated(run, customers, messages)
        codes = run.codes
        self.rows.enrol(customers, found, np.flatnonzero((codes >= 0) & (found.rows == FREE) & customers.given))
        rows = np.where(codes >= 0, found.rows, FREE)
        first, items = run.items()
        self.rows.make_room(int(first[-1]) * len(self.plan.layout.bags))
        return Events(
            rows,
            codes,
            run.column("instants"),
            upto,
            messages,
            run.column("numbers"),
            run.column("texts"),
            first,
            items,
            run.column("offers"),
            np.zeros(len(run), np.int8),
        )

    def _changes(self, n: int, out: Output, run: Run | None) -> None:
        if not n:
            return
        ints = self.ints[:n].copy()
        other = (ints[:, header.DIMENSION] < 0) | (ints[:, header.TO] == header.LEAVES)
        if other.any():
            self._leave(ints, other, out, run)
            ints = ints[~other]
        more = self._clusters(ints)
        for j, at in self.predicting.items():
            for k in np.flatnonzero((ints[:, header.DIMENSION] == j) & (ints[:, at] != 0)).tolist():
                more[k] = more.get(k, {}) | {"population": True}
        out.changes.add(Block(self.teller, ints, run, dict(sorted(more.items()))))

    def _clusters(self, ints: NDArray[np.int64]) -> dict[int, dict[str, Any]]:
        """Further evidence of those of the changes that are in the learned dimension: what is told of clusters."""
        if self.clusters.dimension is None:
            return {}
        picks = np.flatnonzero(ints[:, header.DIMENSION] == self.clusters.dimension)
        told = self.clusters.of(ints[picks], ints.view(np.float64)[picks])
        return {k: {"clusters": one} for k, one in zip(picks.tolist(), told, strict=True)}

    def _leave(self, ints: NDArray[np.int64], other: NDArray[np.bool_], out: Output, run: Run | None) -> None:
        """Customers who are forgotten, and the segments that they leave."""
        after = len(out.changes) + np.cumsum(~other)
        for k in np.flatnonzero(other).tolist():
            row = ints[k].tolist()
            j = row[header.DIMENSION]
            if j == header.FORGOTTEN:
                out.forgotten.append(self._forgotten(row, run, int(after[k])))
            else:
                dimension = self.plan.definitions.dimensions[j].name
                out.forgotten[-1].segments[dimension] = self.rows.name(j, row[header.FROM])

    def _forgotten(self, row: list[int], run: Run | None, after: int) -> Forgotten:
        customer, cause, message = self.rows.keys[row[header.ROW]], row[header.CAUSE], None
        if cause >= 0 and run is not None:
            batch, i = run.origin(cause)
            message = batch.ids[i]
        if cause < 0 and self.plan.lifetime is not None:
            count, first, last = row[header.EVIDENCE : header.EVIDENCE + len(self.rows.table.kept)]
            self.departed.add(self.plan.lifetime.of, count, first, last)
        return Forgotten(customer, row[header.AT], "asked" if cause >= 0 else "dormant", message, after)

    def _vectors(self, arrays: header.Out, taken: list[Sampled]) -> None:
        """Set aside what the kernel took, for it writes over it."""
        counters = self.rows.table.counters
        n = int(counters[header.SAMPLED])
        counters[header.SAMPLED] = 0
        if n:
            taken.append((arrays.sampled[:n].copy(), arrays.vectors[:n].copy()))

    def _asked(self, arrays: header.Out, out: Output) -> None:
        """Questions of predictions, for the kernel writes over them."""
        counters = self.rows.table.counters
        n = int(counters[header.ASKED])
        counters[header.ASKED] = 0
        rows, instants, numbers = arrays.asked[:n].T
        for number in np.unique(numbers).tolist():
            picks = np.flatnonzero(numbers == number)
            prediction = self.plan.layout.predictions[number]
            customers = self.rows.table.ints[rows[picks], header.CUSTOMER]
            values = arrays.questions[picks, : len(prediction.inputs) + BESIDE]
            out.asked.append(Asked(prediction.kind, customers, instants[picks], values, self.number))

    def _choose(self, taken: list[Sampled], out: Output) -> None:
        """All that were taken at once are bounded at once: room of the kernels does not matter."""
        if not taken:
            return
        sampled, vectors = (np.concatenate(parts) for parts in zip(*taken, strict=True))
        rows, instants = sampled.T
        picks = np.flatnonzero(self.bound.pick(self.rows.table.ints[rows, header.CUSTOMER], instants))
        out.beyond += len(rows) - len(picks)
        found = vectors[picks]
        out.vectors = found if out.vectors is None else np.concatenate((out.vectors, found))
        out.vector_keys += [self.rows.keys[i] for i in rows[picks].tolist()]
        out.vector_instants += instants[picks].tolist()

    def _count(self, run: Run, events: Events, applied: int, out: Output) -> None:
        """The books of the first so many records."""
        mine = np.array([p.batch.partition == self.number for p in run.pieces])[run.piece]
        mine[applied:] = False
        codes, counts = run.codes[mine], out.counts
        counts.read += len(codes) - int(np.count_nonzero(codes == CONTROL))
        counts.ignored += int(np.count_nonzero(codes == IGNORED))
        counts.rekeyed += int(np.count_nonzero(codes == REKEYED))
        counts.applied += int(np.count_nonzero(events.status[mine] == header.APPLIED))
        counts.duplicate += int(np.count_nonzero(events.status[mine] == header.DUPLICATE))
        counts.duplicate += int(np.count_nonzero(codes == REPEATED))
        for code, slot in self.zones:
            told = events.texts[mine & (events.code == code) & (events.status == header.APPLIED), slot]
            counts.unknown_zones += int(np.count_nonzero((told != NO_TEXT) & ~np.isin(told, named())))
        for batch, i in [run.origin(k) for k in run.of_code(REJECTED) if k < applied]:
            if batch.partition == self.number:
                reason = batch.dead[i].reason
                counts.rejected[reason] = counts.rejected.get(reason, 0) + 1
                out.dead.append(batch.dead[i])


def zones_read(plan: Plan) -> list[tuple[int, int]]:
    """Code of an event and slot of the text in which customers name their own time zones; none where they do not."""
    kept = [accumulator for accumulator in plan.layout.base if isinstance(accumulator, KnownZone)]
    return [(plan.inputs.codes[name], plan.inputs.texts[one.path]) for one in kept for name in one.of]


def _upto(events: Events, stop: int) -> Events:
    """The events before a number: kernels go as far as there are rows."""
    return events._replace(row=events.row[:stop])
