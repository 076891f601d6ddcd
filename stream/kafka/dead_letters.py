"""The dead-letter topic, read back: what lies there, and sending it again after whatever was wrong is mended.

A letter that was sent again is marked in the same transaction, by a record in the dead-letter topic whose header
``resent`` names it. So each is sent again once, whoever asks and however it was interrupted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream.errors import UserError
from stream.events.decode import ORIGIN
from stream.kafka.client import consumer_options, producer_options
from stream.kafka.letter import Assembler, Letter
from stream.kafka.restore import read_changelog
from stream.settings import Settings

__all__ = ["Letter", "Resender", "read_letters"]

#: Header of a mark: partition and offset, in the dead-letter topic, of the letter that was sent again.
RESENT = "resent"
#: A transaction holds at most so many letters, and not much more than so many bytes of them.
_TOGETHER, _TOGETHER_BYTES = 500, 4 << 20
#: Largest record that is sent again, before compression: what came in may have been compressed well.
_LARGEST = 256 << 20
#: Topics, by their role, whose records can be sent again: what comes in.
_SOURCES = ("clickstream", "purchases", "profiles", "products", "control", "rekeyed")


async def read_letters(
    settings: Settings, partitions: int, take: Callable[[Letter], Awaitable[None] | None], *, resent: bool = False
) -> None:
    """Give ``take`` each committed dead letter, by partition and offset, as it is read; without ``resent``, those not
    yet sent again.  What is written meanwhile is left for the next time."""
    marks: set[bytes] = set()

    def mark(records: Sequence[Any]) -> None:
        marks.update(value for record in records for name, value in record.headers if name == RESENT and value)

    ends = [await _read(settings, partition, mark) for partition in range(partitions)]
    for partition, end in enumerate(ends):
        reader = Assembler(partition)

        async def give(records: Sequence[Any], reader: Assembler = reader, end: int = end) -> None:
            for record in records:
                if record.offset >= end or any(name == RESENT for name, _ in record.headers):
                    continue
                letter = reader.take(record)
                done = take(letter) if letter is not None and (resent or _mark(letter) not in marks) else None
                if done is not None:
                    await done

        await _read(settings, partition, give)


async def _read(settings: Settings, partition: int, apply: Callable[[Sequence[Any]], Awaitable[None] | None]) -> int:
    return await read_changelog(consumer_options(settings), settings.topics.dead_letters, partition, None, apply)


class Resender:
    """Sends letters again to where they came in, under their own key. Start it before reading what there is to send:
    it fences another one that may still be at work.

    ``sent`` counts letters; ``left`` are those that cannot be sent, each with the reason.
    """

    def __init__(self, settings: Settings) -> None:
        self.sent = 0
        self.left: list[tuple[str, str]] = []
        self._topic = settings.topics.dead_letters
        self._sources = {getattr(settings.topics, role) for role in _SOURCES}
        self._waiting: list[Letter] = []
        self._bytes = 0
        options = {"compression_type": "zstd", "max_request_size": _LARGEST, **producer_options(settings)}
        name = f"{settings.app.id}-deadletters"
        self._producer = AIOKafkaProducer(**{"enable_idempotence": True, **options, "transactional_id": name})

    async def start(self) -> None:
        """Connect, and fence."""
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def take(self, letter: Letter) -> None:
        """Send a letter, as soon as enough are gathered for a transaction."""
        if letter.cut:
            self.left.append((letter.origin, "a part of it is gone from the dead letters' topic"))
        elif letter.topic not in self._sources:
            self.left.append((letter.origin, "it is no event, but a record of our own"))
        else:
            self._waiting.append(letter)
            self._bytes += len(letter.key or b"") + len(letter.value or b"")
            if len(self._waiting) >= _TOGETHER or self._bytes >= _TOGETHER_BYTES:
                await self.flush()

    async def flush(self) -> None:
        """Send what is gathered in one transaction, together with its marks.  UserError where Kafka refuses it."""
        letters, self._waiting, self._bytes = self._waiting, [], 0
        if not letters:
            return
        try:
            async with self._producer.transaction():
                under_way = [sent for letter in letters for sent in await self._send(letter)]
                for one in under_way:
                    await one
        except KafkaError as error:
            raise UserError(
                f"Kafka refused to take {letters[0].origin} and {len(letters) - 1} more again: {error}; "
                "look at the limits of its topic (max.message.bytes)",
                exit_code=1,
            ) from error
        self.sent += len(letters)

    async def _send(self, letter: Letter) -> list[Awaitable[Any]]:
        """The event itself, by which an event without a messageId keeps the one it had, and the mark."""
        producer, headers = self._producer, [(ORIGIN, letter.origin.encode())]
        if letter.key is None and letter.value is None:  # which `send` does not take
            batch = producer.create_batch()
            batch.append(timestamp=None, key=None, value=None, headers=headers)
            event = await producer.send_batch(batch, letter.topic, partition=letter.partition)
        else:
            event = await producer.send(letter.topic, letter.value, letter.key, headers=headers)
        mark = [(RESENT, _mark(letter))]
        return [event, await producer.send(self._topic, b"", partition=letter.place[0], headers=mark)]


def _mark(letter: Letter) -> bytes:
    """What the mark of a letter says."""
    return b"%d/%d" % letter.place
