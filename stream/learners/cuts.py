"""The learner of cuts as part of a worker: summaries of all shards in, versions of the cuts out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from stream.cuts.merge import learn
from stream.cuts.summary import ShardSummary
from stream.engine.versions import CutsVersion
from stream.kafka.transaction import ShardProducer
from stream.learners.control import Published
from stream.learners.gathering import Gathered, GatheringLearner
from stream.learners.learner import LearnerSettings

log = logging.getLogger(__name__)


def next_version(gathered: Gathered[ShardSummary], newest: CutsVersion | None, lead_ms: int) -> CutsVersion | None:
    """The version that is due, in force ``lead_ms`` after the latest clock of all shards; None where it would change
    nothing, or cannot be told yet (see `learn`): then what is gathered does not count as used. Pure."""
    cuts = learn(gathered.told)
    if cuts is None:
        return None
    gathered.use()
    return cuts.after(newest, gathered.clock + lead_ms)


class CutsService(GatheringLearner[ShardSummary]):
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
        super().__init__("cuts", settings, Gathered(partitions, ShardSummary.decode), on_failure)
        self._newest: CutsVersion | None = None

    def resume(self, published: Published) -> int | None:
        """Go on from the newest version; the topic is read whole."""
        self._newest = published.cuts
        return None

    async def learn_all(self, producer: ShardProducer) -> None:
        """Publish where any cut is another."""
        version = await asyncio.to_thread(next_version, self._gathered, self._newest, self._where.lead_ms)
        if version is None:
            return
        await self.publish(version, producer)
        self._newest = version
        log.info("version %d of the cuts published: %d cuts", version.version, len(version.cuts))
