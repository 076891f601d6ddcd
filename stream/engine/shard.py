"""A shard: all that one partition number owns.  Pure: records in, what belongs into one transaction out.

The same shard runs live, in replay and in tests; only who feeds it differs.  After :meth:`Shard.step` memory is ahead
of Kafka until the transaction commits; if it does not, the shard is thrown away and restored from the changelog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import numpy as np
import orjson

from stream.engine import rest
from stream.engine.change import shown, shown_text
from stream.engine.judge import Judge
from stream.engine.merge import GapError, Merge, Source
from stream.engine.models import Model, Versions
from stream.engine.output import Output
from stream.engine.rekey import Home
from stream.engine.rows import Rows
from stream.engine.run import Run
from stream.events.batch import CONTROL, Batch
from stream.features.base import FOREVER, NEVER, Kind, arguments
from stream.plan import header
from stream.plan.plan import Plan

__all__ = ["GapError", "Shard", "Source"]


class OwnRow(msgspec.Struct):
    """What a shard remembers of itself: where each source goes on, how far time has come, and by which definitions."""

    sources: list[tuple[str, int, int, int]] = []
    clock: int = NEVER
    transaction: int = 0
    definitions: dict[str, str] = {}


class Shard:
    """The customers of one partition, their clock and their deadlines.

    ``disorder`` is how far (ms) the clock stays behind; ``read_model`` turns a stored model's JSON into a model;
    ``home`` says which customers belong here (None: all do).
    """

    def __init__(
        self,
        plan: Plan,
        partition: int,
        sources: Iterable[Source],
        *,
        disorder: int = 0,
        read_model: Callable[[bytes], Model] | None = None,
        home: Home | None = None,
    ) -> None:
        self.plan, self.partition, self.disorder = plan, partition, disorder
        self.merge = Merge(list(sources))
        self.rows = Rows(plan)
        self.versions = Versions(plan)
        self.judge = Judge(plan, self.rows, self.versions, partition, home)
        self.read_model = read_model
        self.own = OwnRow()
        self.saved: dict[Source, tuple[int, int]] = {}
        self.restorer = rest.Restorer.for_rows(self.rows)
        self.described = False
        self.models_written: bytes | None = None
        self.to_revise = np.zeros(0, np.int64)
        self.clock_ms: int | None = None

    # From rest

    def restore(self, keys: list[bytes], values: list[bytes | None]) -> None:
        """Changelog records, in their order; a None value deletes (customers are not deleted yet: it is an error)."""
        rows_k: list[bytes] = []
        rows_v: list[bytes] = []
        for key, value in zip(keys, values, strict=True):
            letter = key[:1]
            if value is None:
                raise ValueError(f"an unexpected tombstone in the changelog of partition {self.partition}")
            if letter == rest.ROW:
                rows_k.append(key[1:])
                rows_v.append(value)
            elif letter == rest.SHARD:
                self.own = msgspec.json.decode(value, type=OwnRow)
            elif letter == rest.MODELS:
                self.models_written = value
            elif letter == rest.LAYOUT:
                mark = int.from_bytes(key[1:], "little", signed=True)
                self.restorer.layouts[mark] = msgspec.json.decode(value, type=rest.Description)
        if rows_k:
            self.restorer.apply(rows_k, rows_v)

    def restored(self) -> None:
        """After the last record: bags, models and expiries are worked out; the shard can start."""
        self.restorer.finish()
        self.described = self.restorer.mark in self.restorer.layouts
        self._restore_models()
        self.judge.rearm()
        self.saved = {(topic, partition): (offset, reached) for topic, partition, offset, reached in self.own.sources}
        self.clock_ms = None if self.own.clock == NEVER else self.own.clock
        if self.own.definitions and self.own.definitions != self._definitions():
            self.to_revise = np.arange(len(self.rows))

    def _definitions(self) -> dict[str, str]:
        return {d.name: d.version for d in self.plan.definitions.dimensions}

    def _restore_models(self) -> None:
        if self.models_written is None or self.read_model is None:
            return
        for effective, in_force, model in orjson.loads(self.models_written):
            known = self.read_model(orjson.dumps(model))
            if not self.versions.fits(known):  # the definitions now learn from other features
                self.versions.skipped += 1
                continue
            self.versions.place(effective, known)
            if in_force:
                self.versions.promote()

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
        self.merge.inputs[batch.topic, batch.partition].offer(batch)

    def prove(self, source: Source, position: int, at_ms: int) -> None:
        """The broker answered at wall instant ``at_ms`` that ``position`` is the end of the source."""
        self.merge.prove(source, position, at_ms)

    def waiting(self, source: Source) -> int:
        """Records offered and not yet applied."""
        return self.merge.inputs[source].waiting

    # Work

    def step(self, limit: int, wall_ms: int | None) -> Output | None:
        """Apply up to about ``limit`` records and fire what is due; None where there was nothing to do.

        ``wall_ms`` None: the clock goes by event time alone (replay, compressed time).
        """
        out = Output()
        if len(self.to_revise):  # before all else: whom new definitions move is not moved by an event or a deadline
            self.judge.revise(self.to_revise[:limit], NEVER if self.clock_ms is None else self.clock_ms, out)
            self.to_revise = self.to_revise[limit:]
            return self._written(out)
        taken = 0
        while taken < limit:
            pieces = self.merge.take(limit - taken, self.versions.crowded_at)
            if not pieces:
                if not self._make_way(limit, out):
                    break
                continue
            run = Run(pieces)
            taken += len(run)
            self._control(run)
            self.judge.apply(run, out)
        moved = self._advance(wall_ms is None)
        self._fire(limit, out)
        idle = not taken and not out.changes and not self.rows.table.counters[header.TOUCHED]
        if idle and not moved and not self.more_due():
            return None
        return self._written(out)

    def _control(self, run: Run) -> None:
        """Versions take their place before the events that they may concern."""
        for batch, i in map(run.origin, run.of_code(CONTROL)):
            model = batch.controls[i]
            if model is not None:
                self.versions.add(model, self._events_position(batch.topic))

    def _make_way(self, limit: int, out: Output) -> bool:
        """Where only a further model holds the next record back: bring everyone to the one before it.

        Whether the next record may follow now; else the rest moves in the next step.
        """
        if self.versions.crowded_at == FOREVER or not self.merge.ready():
            return False
        return self._switch(self.versions.coming, limit, out)

    def _switch(self, upto: int, limit: int, out: Output) -> bool:
        """Who is still judged by the former model moves to the next, ``limit`` rows at a time; whether all have."""
        version = self.versions.slots.version[1]
        rows = np.flatnonzero(self.rows.table.ints[: len(self.rows), header.VERSION] != version)
        self.judge.fire(rows[:limit], upto, out)
        if len(rows) > limit:
            return False
        self.versions.promote()
        return True

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
        return self.rows.next_deadline() <= clock

    def _fire(self, limit: int, out: Output) -> None:
        clock = self.clock_ms
        if clock is None:
            return
        if self.versions.coming <= clock:
            self._switch(clock, limit, out)
        due = self.rows.due(clock)
        if len(due):
            self.judge.fire(due[:limit], clock, out)

    def more_due(self) -> bool:
        """Whether deadlines, or moves to a model, up to the clock are left for the next step."""
        return self.clock_ms is not None and min(self.rows.next_deadline(), self.versions.coming) <= self.clock_ms

    # To rest

    def _written(self, out: Output) -> Output:
        picks = self.rows.touched()
        if not self.described:  # before the rows that cannot be read without it
            out.rows.append((rest.layout_key(self.plan), msgspec.json.encode(rest.describe_layout(self.plan))))
            self.described = True
        out.rows += rest.encode_rows(self.rows, picks, self.restorer.mark)
        models = self._models()
        if models != self.models_written:
            out.rows.append((rest.MODELS, models))
            self.models_written = models
        for source, one in self.merge.inputs.items():
            out.offsets[source] = one.applied
        self.own.sources = [(t, p, one.applied, one.reached) for (t, p), one in self.merge.inputs.items()]
        self.own.clock = NEVER if self.clock_ms is None else self.clock_ms
        self.own.transaction += 1
        if not len(self.to_revise):  # until then a restart begins the revision again
            self.own.definitions = self._definitions()
        out.rows.append((rest.SHARD, msgspec.json.encode(self.own)))
        out.customers = self._latest(out)
        return out

    def _models(self) -> bytes | None:
        if not self.versions.known:
            return None if self.models_written is None else b"[]"
        current = self.versions.slots.version[0]
        listed = [(e, bool(m.version == current), orjson.Fragment(m.to_json())) for e, m in self.versions.known]
        return orjson.dumps(listed)

    def _latest(self, out: Output) -> list[tuple[bytes, bytes | None]]:
        """The latest segments of everyone who changed."""
        last = {change.customer: change for change in out.changes}
        found: list[tuple[bytes, bytes | None]] = []
        for customer, change in last.items():
            value = {
                "customer": change.subject,
                "segments": self.segments(self.rows.index[customer]),
                "at": change.at_ms,
                "sequence": change.sequence,
            }
            found.append((customer, orjson.dumps(value)))
        return found

    # Questions

    def segments(self, i: int) -> dict[str, str | None]:
        """The segment of a row in each dimension."""
        row = self.rows.table.ints[i]
        return {
            d.name: names[row[column]]
            for d, names, column in zip(
                self.plan.definitions.dimensions, self.judge.names, self.plan.layout.segment, strict=True
            )
        }

    def features(self, i: int, now: int) -> dict[str, Any]:
        """Every feature of a row at an instant; a name that means two things is told apart by its dimension."""
        found: dict[str, Any] = {}
        meaning: dict[str, Any] = {}
        table, bags = self.rows.table, self.rows.bags
        for dimension in self.plan.definitions.dimensions:
            for name, accumulator in dimension.features.items():
                shown_name = (
                    name if meaning.setdefault(name, accumulator) == accumulator else f"{dimension.name}.{name}"
                )
                rest_of = (bags,) if accumulator.word == "bag" else arguments(accumulator.constants())
                p = self.plan.layout.base[accumulator]
                for view, how in accumulator.views().items():
                    if view == "size":
                        continue
                    x = how.value(table.ints[i], table.floats[i], p, now, *rest_of)
                    value = shown_text(x) if how.kind is Kind.TEXT else shown(x, how.kind)
                    found[f"{shown_name}.{view}" if view else shown_name] = value
        return found

    def describe(self, customer: str) -> dict[str, Any] | None:
        """Segments and features of one customer as of the clock; None where there is no such customer."""
        i = self.rows.index.get(customer.encode("utf-8", "surrogatepass"))
        if i is None:
            return None
        latest = int(self.rows.table.ints[i, header.LATEST])
        now = max(latest, self.clock_ms if self.clock_ms is not None else latest)
        return {"customer": customer, "segments": self.segments(i), "features": self.features(i, now)}

    def sizes(self) -> dict[str, dict[str, int]]:
        """How many customers are in each segment of each dimension (those in none are not counted)."""
        found: dict[str, dict[str, int]] = {}
        for j, dimension in enumerate(self.plan.definitions.dimensions):
            codes = self.rows.table.ints[: len(self.rows), self.plan.layout.segment[j]]
            counts = np.bincount(codes[codes >= 0], minlength=len(dimension.segment_names))
            found[dimension.name] = dict(zip(dimension.segment_names, counts.tolist(), strict=True))
        return found

    def blocked_by(self) -> Source | None:
        """The source that holds back what waits, or None."""
        return self.merge.blocked_by()
