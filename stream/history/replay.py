"""Replay: history through the same engine, without a broker.

One shard takes all topics.  Lines are routed to topics by event name, as a live producer would, and merge as they do
live: by event time where the file is in order, ties by topic and line.  In a file that is not, each line counts from
the greatest instant so far, so that late lines are late here as they would be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import msgspec
import numpy as np

from stream.cluster.model import ClusterModel
from stream.cluster.trainer import Trainer
from stream.engine.merge import Source
from stream.engine.output import Output
from stream.engine.shard import Shard
from stream.events.batch import CONTROL, Batch
from stream.events.decode import Decoder
from stream.features.base import NEVER
from stream.history.record import FileRecord

TOPICS = ("clickstream", "products", "profiles", "purchases")
CONTROL_TOPIC = "control"
#: Lines that are decoded at once.
CHUNK = 8192

SOURCES: list[Source] = [(topic, 0) for topic in (*TOPICS, CONTROL_TOPIC)]


class Replay:
    """Feeds a shard from records; ``trainer`` learns models as it goes, ``lead`` ms ahead of their effect."""

    def __init__(self, shard: Shard, decoder: Decoder, *, trainer: Trainer | None = None, lead: int = 0) -> None:
        self.shard, self.decoder, self.trainer, self.lead = shard, decoder, trainer, lead
        self.latest = NEVER
        #: The versions that the trainer published.
        self.learned: list[ClusterModel] = []
        for source in SOURCES:
            shard.start(source, 0)

    def versions(self, models: Iterable[ClusterModel]) -> None:
        """Models that are known from the beginning."""
        for model in models:
            self._control(NEVER, model)

    def run(self, records: Iterable[FileRecord], until: int | None) -> Iterator[Output]:
        """All steps: the records, then the clock moved to ``until`` (None: the last event's instant)."""
        remaining = iter(records)
        while chunk := list(islice(remaining, CHUNK)):
            self._offer(chunk if until is None else [_within(record, until) for record in chunk])
            self.shard.merge.known_until(self.latest)
            yield from self._steps()
        end = until if until is not None else self.latest
        if end != NEVER:
            self._control(end, None)
        for source in SOURCES:
            self.shard.prove(source, self.shard.expected(source), 0)
        yield from self._steps()

    def _offer(self, chunk: list[FileRecord]) -> None:
        topics = np.array([TOPICS.index(record.topic) for record in chunk])
        instants = np.full(len(chunk), NEVER, np.int64)
        batches: list[tuple[Batch, Any]] = []
        for t, topic in enumerate(TOPICS):
            picks = np.flatnonzero(topics == t)
            if len(picks):
                lo = self.shard.expected((topic, 0))
                batch = self.decoder.decode(topic, 0, [chunk[i] for i in picks], lo, lo + len(picks))
                batch.offsets = np.arange(lo, lo + len(picks))
                instants[picks] = batch.instants
                batches.append((batch, picks))
        progress = np.maximum(np.maximum.accumulate(instants), self.latest)
        self.latest = int(progress[-1])
        for batch, picks in batches:
            batch.keys = progress[picks]
            self.shard.offer(batch)

    def _steps(self) -> Iterator[Output]:
        while (out := self.shard.step(CHUNK, None)) is not None:
            self._learn(out)
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
                    self.learned.append(model)
                    self._control(NEVER, model)

    def _control(self, instant: int, model: ClusterModel | None) -> None:
        source = (CONTROL_TOPIC, 0)
        lo = self.shard.expected(source)
        batch = self.decoder.decode(CONTROL_TOPIC, 0, [], lo, lo + 1)
        self.shard.offer(_control_batch(batch, lo, instant, model))


def _within(record: FileRecord, until: int) -> FileRecord:
    """The record, or where it is later than the end of the replay, one that is rejected for that."""
    late = record.timestamp_ms is not None and record.timestamp_ms > until
    return msgspec.structs.replace(record, problem="after-until", detail="later than --until") if late else record


def _control_batch(empty: Batch, lo: int, instant: int, model: ClusterModel | None) -> Batch:
    """A batch of one control record."""
    return replace(
        empty,
        offsets=np.array([lo]),
        codes=np.array([CONTROL]),
        instants=np.array([instant]),
        messages=np.zeros(1, np.int64),
        customers=[None],
        names=[""],
        ids=[""],
        numbers=np.full((1, empty.numbers.shape[1]), np.nan),
        texts=np.zeros((1, empty.texts.shape[1]), np.int64),
        first=np.zeros(2, np.int64),
        offers=np.full(1, NEVER),
        timestamps=np.zeros(1, np.int64),
        keys=None,
        controls={0: model},
    )
