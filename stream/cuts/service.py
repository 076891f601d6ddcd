"""The learner of cuts as part of a worker: summaries of all shards in, versions of the cuts out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stream.cluster.control import Published
from stream.cluster.learner import Learner, LearnerSettings, publish
from stream.cuts.merge import learn
from stream.cuts.summary import ShardSummary
from stream.engine.versions import CutsVersion
from stream.kafka.transaction import Row, ShardProducer

log = logging.getLogger(__name__)

#: Key of the record that tells which summaries the newest version was learned from.
USED = b"used"


def key_of(summary: ShardSummary) -> bytes:
    """Key of a summary's record: compaction keeps the latest of each shard."""
    return b"%d" % summary.partition


@dataclass
class Gathered:
    """The latest summary of each shard, and what was learned last.  Pure.

    Parameters
    ----------
    partitions
        How many shards there are.
    lead_ms
        How long after the latest clock of all shards a version takes effect.
    """

    partitions: int
    lead_ms: int
    newest: CutsVersion | None = None
    latest: dict[int, ShardSummary] = field(default_factory=dict)
    #: Shard -> the instant of the summary that it was last learned from.
    used: dict[int, int] = field(default_factory=dict)

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record of the summaries topic; ValueError says what is wrong with it."""
        if key == USED:
            try:
                self.used = msgspec.json.decode(value or b"", type=dict[int, int])
            except msgspec.DecodeError as error:
                raise ValueError(f"broken note of the summaries used: {error}") from error
            return
        summary = ShardSummary.decode(value or b"")
        if 0 <= summary.partition < self.partitions:
            self.latest[summary.partition] = summary

    @property
    def due(self) -> bool:
        """Whether every shard has handed out a summary since the last version."""
        return len(self.latest) == self.partitions and all(
            summary.at > self.used.get(partition, summary.at - 1) for partition, summary in self.latest.items()
        )

    def next_version(self) -> CutsVersion | None:
        """The version that is due; None where it would change nothing, or cannot be told yet (see `learn`)."""
        cuts = learn([self.latest[partition] for partition in sorted(self.latest)])
        if cuts is None:
            return None
        self.used = {partition: summary.at for partition, summary in self.latest.items()}
        if self.newest is not None and self.newest.cuts == cuts.cuts:
            return None
        effective = max(summary.at for summary in self.latest.values()) + self.lead_ms
        number = 1
        if self.newest is not None:
            number, effective = self.newest.version + 1, max(effective, self.newest.effective + 1)
        return cuts.version(number, effective)


class CutsService(Learner):
    """Learns cuts over the topic of summaries.

    Parameters
    ----------
    settings
        Where to read and write.
    partitions
        How many shards there are.
    on_failure
        See `Learner`.
    """

    def __init__(self, settings: LearnerSettings, partitions: int, on_failure: Callable[[BaseException], None]) -> None:
        super().__init__("cuts", settings, on_failure)
        self._gathered = Gathered(partitions, settings.lead_ms)
        #: whether the topic has been read to its end once
        self._caught_up = False

    def resume(self, published: Published) -> int | None:
        """Go on from the newest version; the topic is read whole, which is short, being compacted."""
        self._gathered.newest = published.cuts
        return None

    async def learn(self, records: Sequence[Any], producer: ShardProducer) -> None:
        """Take summaries, and publish where every shard has handed out a new one."""
        self._caught_up = self._caught_up or not records
        for record in records:
            try:
                self._gathered.take(record.key, record.value)
            except ValueError as error:
                log.warning("%s[0]@%d is passed over: %s", self._where.source, record.offset, error)
        if not self._caught_up or not self._gathered.due:
            return
        version = await asyncio.to_thread(self._gathered.next_version)
        if version is None:
            return
        used: Row = (USED, msgspec.json.encode(self._gathered.used), [])
        await publish(producer, self._where.control, version, {self._where.source: [used]})
        self._gathered.newest = version
        log.info("version %d of the cuts published: %d cuts", version.version, len(version.cuts))
