"""Learning from what all shards tell: each does so now and then, and learned is from all of them at once."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from stream.kafka.transaction import Row, ShardProducer
from stream.learners.control import Version
from stream.learners.learner import Learner, LearnerSettings, publish

log = logging.getLogger(__name__)

#: Key of the record that tells what the newest version was learned from.
USED = b"used"


class Told(Protocol):
    """What one shard tells of all its customers."""

    @property
    def partition(self) -> int:
        """The shard's."""

    @property
    def at(self) -> int:
        """The instant (event time in ms) as of which it tells."""


T = TypeVar("T", bound=Told)


def key_of(told: Told) -> bytes:
    """Key of the record that carries it: compaction keeps the latest of each shard."""
    return b"%d" % told.partition


@dataclass
class Gathered(Generic[T]):
    """What each shard has told last, and what was learned from last. Pure.

    Parameters
    ----------
    partitions
        How many shards there are.
    decode
        Reads what a record's value tells; ValueError says what is wrong with it.
    """

    partitions: int
    decode: Callable[[bytes], T]
    latest: dict[int, T] = field(default_factory=dict)
    #: Shard -> the instant as of which it told what was last learned from.
    used: dict[int, int] = field(default_factory=dict)

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record of the topic; ValueError says what is wrong with it."""
        if key == USED:
            try:
                self.used = msgspec.json.decode(value or b"", type=dict[int, int])
            except msgspec.DecodeError as error:
                raise ValueError(f"broken note of what was learned from: {error}") from error
            return
        told = self.decode(value or b"")
        if 0 <= told.partition < self.partitions:
            self.latest[told.partition] = told

    def due(self) -> bool:
        """Whether every shard has told anew since it was last learned from."""
        return len(self.latest) == self.partitions and all(
            told.at > self.used.get(partition, told.at - 1) for partition, told in self.latest.items()
        )

    @property
    def told(self) -> list[T]:
        """What all have told, by shard."""
        return [told for _, told in sorted(self.latest.items())]

    @property
    def clock(self) -> int:
        """The latest instant as of which any of them has told."""
        return max(told.at for told in self.latest.values())

    def use(self) -> None:
        """All of it counts as learned from."""
        self.used = {partition: told.at for partition, told in self.latest.items()}

    def note(self) -> Row:
        """The record that says so, to be written with the version: whoever takes over knows it then."""
        return USED, msgspec.json.encode(self.used), []


class GatheringLearner(Learner, Generic[T]):
    """A learner from what all shards tell, on a compacted topic: it is short, and read whole at each start.

    Parameters
    ----------
    name, settings, on_failure
        See `Learner`.
    gathered
        What was told so far: nothing.
    """

    def __init__(
        self,
        name: str,
        settings: LearnerSettings,
        gathered: Gathered[T],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name, settings, on_failure)
        self._gathered = gathered
        #: whether the topic has been read to its end once
        self._caught_up = False

    @abstractmethod
    async def learn_all(self, producer: ShardProducer) -> None:
        """Learn from what is gathered, if it is time to; every shard has told anew."""

    async def learn(self, records: Sequence[Any], producer: ShardProducer) -> None:
        """Take what shards tell, and learn where every shard has told anew."""
        self._caught_up = self._caught_up or not records
        for record in records:
            try:
                self._gathered.take(record.key, record.value)
            except ValueError as error:
                log.warning("%s[0]@%d is passed over: %s", self._where.source, record.offset, error)
        if self._caught_up and self._gathered.due():
            await self.learn_all(producer)

    async def publish(self, version: Version, producer: ShardProducer) -> None:
        """Write a version, and in the same transaction what it was learned from."""
        await publish(producer, self._where.control, version, {self._where.source: [self._gathered.note()]})
