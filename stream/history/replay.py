"""Replay: history through the same engine, without a broker.

One shard takes all topics.  Lines are routed to topics by event name, as a live producer would, and merge as they do
live: by event time where the file is in order, ties by topic and line.  In a file that is not, each line counts from
the greatest instant so far, so that late lines are late here as they would be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from stream.cluster.trainer import Trainer
from stream.cuts.measuring import measure
from stream.cuts.merge import learn
from stream.cuts.summary import summarize_shard
from stream.engine.merge import Source
from stream.engine.output import Output
from stream.engine.plans import Decoder as AnyDecoder
from stream.engine.shard import Shard
from stream.engine.versions import CutsVersion
from stream.events.batch import CONTROL, Batch
from stream.events.columns import CustomerIds
from stream.events.decode import Decoder
from stream.features.base import NEVER
from stream.history.record import FileRecord
from stream.learners.control import Version
from stream.predict.settling import of_step

if TYPE_CHECKING:  # with it comes river
    from stream.predict.learning import PropensityLearner

TOPICS = ("clickstream", "products", "profiles", "purchases")
CONTROL_TOPIC = "control"
#: Lines that are decoded at once.
CHUNK = 8192

SOURCES: list[Source] = [(topic, 0) for topic in (*TOPICS, CONTROL_TOPIC)]


@dataclass(frozen=True)
class CutsPace:
    """When a replay learns cuts by share: at each multiple of ``every`` ms that time passes, in force ``lead`` ms
    later; ``every`` None: once, on the whole file, in force at its end."""

    every: int | None = None
    lead: int = 0


class Replay:
    """Feeds a shard from records.

    Parameters
    ----------
    shard, decoder
        Of all customers, and for its plan.
    trainer, lead
        What learns clusters as it goes; its versions take effect ``lead`` ms after what they are learned from.
    cuts
        When cuts by share are learned; None: never.
    predictions
        What learns predictions as it goes.
    """

    def __init__(
        self,
        shard: Shard,
        decoder: Decoder,
        *,
        trainer: Trainer | None = None,
        lead: int = 0,
        cuts: CutsPace | None = None,
        predictions: Sequence[PropensityLearner] = (),
    ) -> None:
        self.shard, self.decoder, self.trainer, self.lead, self.cuts = shard, decoder, trainer, lead, cuts
        self.predictions = {one.settings.name: one for one in predictions}
        self._questions = 0
        self.latest = NEVER
        #: The versions that were learned, in the order in which they were published.
        self.learned: list[Version] = []
        self.newest_cuts: CutsVersion | None = None
        for source in SOURCES:
            shard.start(source, 0)

    def versions(self, versions: Iterable[Version]) -> None:
        """Versions that are known from the beginning."""
        for version in versions:
            self._control(NEVER, version)

    def run(self, records: Iterable[FileRecord], until: int | None) -> Iterator[Output]:
        """All steps: the records, then the clock moved to ``until`` (None: the last event's instant)."""
        remaining = iter(records)
        while chunk := list(islice(remaining, CHUNK)):
            for part, boundary in self._parts(chunk if until is None else [_within(record, until) for record in chunk]):
                if boundary is not None:
                    yield from self._cut(boundary, boundary + (self.cuts.lead if self.cuts else 0))
                self._offer(part)
                self.shard.merge.known_until(self.latest)
                yield from self._steps()
        end = until if until is not None else self.latest
        if end != NEVER:
            if self.cuts is not None and self.cuts.every is None:
                end = max(end, self.latest + 1)  # a version takes effect later than all that was known before it
                yield from self._cut(end - 1, end)
            self._control(end, None)
        for source in SOURCES:
            self.shard.prove(source, self.shard.expected(source), 0)
        yield from self._steps()

    def _parts(self, chunk: list[FileRecord]) -> Iterator[tuple[list[FileRecord], int | None]]:
        """The chunk, cut where time passes a multiple of the pace; each part with the last multiple before it."""
        every = self.cuts.every if self.cuts is not None and self.shard.plan.cuts else None
        if every is None:
            yield chunk, None
            return
        instants = [NEVER if record.timestamp_ms is None else record.timestamp_ms for record in chunk]
        progress = np.maximum.accumulate(np.maximum(instants, self.latest))
        # What lies on a multiple belongs before it: cuts are taken of all that happened until then.
        passed = (progress - 1) // every
        before = (self.latest - 1) // every if self.latest != NEVER else passed[0]
        starts = np.flatnonzero(np.diff(passed, prepend=before) > 0).tolist()
        for start, stop in pairwise([0, *starts, len(chunk)]):
            if start < stop:
                yield chunk[start:stop], int(passed[start]) * every if start in starts else None

    def _cut(self, at: int, effective: int) -> Iterator[Output]:
        """Learn cuts of what all customers are at ``at``, in force from ``effective`` on."""
        if not self.shard.plan.cuts:
            return
        self.latest = max(self.latest, at)
        self._control(at, None)
        self.shard.merge.known_until(at + 1)
        yield from self._steps()
        plan = self.shard.plan
        found = learn([summarize_shard(0, at, plan.measures, plan.cuts, measure(self.shard, effective))])
        version = None if found is None else found.after(self.newest_cuts, effective)
        if version is not None:
            self.newest_cuts = version
            self.publish(version)

    def publish(self, version: Version) -> None:
        """A version that was learned on the way."""
        self.learned.append(version)
        self._control(NEVER, version)

    def _offer(self, chunk: list[FileRecord]) -> None:
        topics = np.array([TOPICS.index(record.topic) for record in chunk])
        instants = np.full(len(chunk), NEVER, np.int64)
        batches: list[tuple[Batch, Any]] = []
        for t, topic in enumerate(TOPICS):
            picks = np.flatnonzero(topics == t)
            if len(picks):
                lo = self.shard.expected((topic, 0))
                batch = self._decoding().decode(topic, 0, [chunk[i] for i in picks], lo, lo + len(picks))
                batch.offsets = np.arange(lo, lo + len(picks))
                instants[picks] = batch.instants
                batches.append((batch, picks))
        progress = np.maximum(np.maximum.accumulate(instants), self.latest)
        self.latest = int(progress[-1])
        for batch, picks in batches:
            batch.keys = progress[picks]
            self.shard.offer(batch)

    def _decoding(self) -> AnyDecoder:
        """What decodes for the definitions in force now."""
        shard = self.shard
        return self.decoder if shard.plans is None else shard.plans.decoder_of(shard.plan)

    def _steps(self) -> Iterator[Output]:
        while (out := self.shard.step(CHUNK, None)) is not None:
            self._learn(out)
            self._settle(out)
            yield out

    def _learn(self, out: Output) -> None:
        if self.trainer is None or out.vectors is None:
            return
        at = 0
        while at < len(out.vectors):
            share = max(1, self.trainer.until_due())
            self.trainer.learn(out.vectors[at : at + share])
            at = min(at + share, len(out.vectors))
            if self.trainer.until_due() == 0:
                effective = max(out.vector_instants[:at]) + self.lead
                model = self.trainer.snapshot(effective, {0: self.trainer.learned})
                if model is not None:
                    self.publish(model)

    def _settle(self, out: Output) -> None:
        """Predictions learn what was asked and answered; each publishes where it is due."""
        for asked in out.asked:
            learner = self.predictions.get(asked.kind)
            if learner is None:
                continue
            for question in of_step(asked):
                learner.take(question, self._questions)
                self._questions += 1
                if learner.due and (model := learner.version()) is not None:
                    self.publish(model)

    def _control(self, instant: int, version: Version | None) -> None:
        source = (CONTROL_TOPIC, 0)
        lo = self.shard.expected(source)
        batch = self.decoder.decode(CONTROL_TOPIC, 0, [], lo, lo + 1)
        self.shard.offer(_control_batch(batch, lo, instant, version))


def _within(record: FileRecord, until: int) -> FileRecord:
    """The record, or where it is later than the end of the replay, one that is rejected for that."""
    late = record.timestamp_ms is not None and record.timestamp_ms > until
    return msgspec.structs.replace(record, problem="after-until", detail="later than --until") if late else record


def _control_batch(empty: Batch, lo: int, instant: int, version: Version | None) -> Batch:
    """A batch of one control record."""
    return replace(
        empty,
        offsets=np.array([lo]),
        codes=np.array([CONTROL]),
        instants=np.array([instant]),
        messages=np.zeros(1, np.int64),
        customers=CustomerIds.none(1),
        names=[""],
        ids=[""],
        numbers=np.full((1, empty.numbers.shape[1]), np.nan),
        texts=np.zeros((1, empty.texts.shape[1]), np.int64),
        first=np.zeros(2, np.int64),
        offers=np.full(1, NEVER),
        timestamps=np.zeros(1, np.int64),
        keys=None,
        controls={0: version},
    )
