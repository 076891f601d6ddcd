"""The dead-letter topic, read back: what lies there, and sending it again after whatever was wrong is mended.

A letter that was sent again is marked in the same transaction, by a record in the dead-letter topic whose header
``resent`` names it. So each is sent again once, whoever asks and however it was interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aiokafka import AIOKafkaProducer

from stream.events.decode import ORIGIN
from stream.kafka.client import consumer_options, producer_options
from stream.kafka.restore import read_changelog
from stream.settings import Settings

#: Header of a mark: partition and offset, in the dead-letter topic, of the letter that was sent again.
RESENT = "resent"
#: Letters in one transaction.
_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class Letter:
    """One rejected record: where it lies now (``place``), where it came in, why it was rejected, and its bytes.

    ``cut`` says that the value was longer than a dead letter carries: the whole of it is only where it came in.
    """

    place: tuple[int, int]
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    timestamp: int
    key: bytes | None
    value: bytes | None
    cut: bool

    @property
    def origin(self) -> str:
        """Where it came in, as ``topic/partition/offset``."""
        return f"{self.topic}/{self.partition}/{self.offset}"


async def read_letters(settings: Settings, partitions: int, *, resent: bool = False) -> list[Letter]:
    """The committed dead letters, by partition and offset; without ``resent``, those not yet sent again."""
    letters: list[Letter] = []
    marked: set[tuple[int, int]] = set()
    for partition in range(partitions):

        def take(records: Sequence[Any], partition: int = partition) -> None:
            for record in records:
                headers = dict(record.headers)
                if RESENT in headers:
                    marked.add(_place(headers[RESENT]))
                else:
                    letters.append(_letter(partition, record, headers))

        await read_changelog(consumer_options(settings), settings.topics.dead_letters, partition, None, take)
    return letters if resent else [letter for letter in letters if letter.place not in marked]


class Resender:
    """Sends letters again to where they came in, under their own key. Start it before reading what there is to send:
    it fences another one that may still be at work."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topics.dead_letters
        name = f"{settings.app.id}-deadletters"
        options = {"enable_idempotence": True, **producer_options(settings), "transactional_id": name}
        self._producer = AIOKafkaProducer(**options)

    async def start(self) -> None:
        """Connect, and fence."""
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def send(self, letters: Iterable[Letter]) -> int:
        """Send them, some hundred in a transaction together with their marks; how many were sent."""
        remaining, sent = iter(letters), 0
        while some := list(islice(remaining, _TOGETHER)):
            async with self._producer.transaction():
                under_way = [await self._producer.send(**record) for letter in some for record in self._records(letter)]
                for one in under_way:
                    await one
            sent += len(some)
        return sent

    def _records(self, letter: Letter) -> Iterator[dict[str, Any]]:
        """The event itself, by which an event without a messageId keeps the one it had, and the mark."""
        origin = [(ORIGIN, letter.origin.encode())]
        yield {"topic": letter.topic, "key": letter.key, "value": letter.value, "headers": origin}
        partition, offset = letter.place
        mark = [(RESENT, b"%d/%d" % (partition, offset))]
        yield {"topic": self._topic, "partition": partition, "value": b"", "headers": mark}


def _letter(partition: int, record: Any, headers: Mapping[str, bytes]) -> Letter:
    def text(name: str) -> str:
        return headers.get(name, b"").decode("utf-8", "replace")

    return Letter(
        (partition, record.offset),
        text("topic"),
        int(text("partition") or 0),
        int(text("offset") or 0),
        text("reason") or "unknown",
        text("detail"),
        int(text("timestamp") or 0),
        record.key,
        record.value,
        "size" in headers,
    )


def _place(mark: bytes) -> tuple[int, int]:
    partition, _, offset = mark.decode().partition("/")
    return int(partition), int(offset)
