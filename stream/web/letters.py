"""What was rejected lately, by reason, with samples."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import msgspec
from aiohttp import web
from aiokafka import TopicPartition

from stream.events.instant import EARLIEST_MS, LATEST_MS, iso
from stream.kafka.dead_letters import RESENT
from stream.kafka.letter import Assembler, Letter
from stream.kafka.reader import Pieces, ReaderThread
from stream.web.endpoint import Endpoint, asked, json
from stream.web.refusal import UNREADABLE, unread
from stream.web.told import Instant

#: How many offsets at the end of each partition are looked through.
LOOKED = 2_000
#: Longest key or value that is shown, in characters.
LONGEST = 2_000


class LettersQuery(msgspec.Struct, forbid_unknown_fields=True):
    """How many samples, and whether with what was in them."""

    limit: Annotated[int, msgspec.Meta(ge=0, le=50, description="Samples of each reason at most, the latest.")] = 3
    payload: Annotated[bool, msgspec.Meta(description="1: with keys and values, cut to 2,000 characters.")] = False


class Sample(msgspec.Struct, omit_defaults=True):
    """A rejected record: where and when it came in, and what is wrong with it.  ``key`` and ``value`` only where they
    are asked for; bytes that are no UTF-8 are shown as U+FFFD."""

    topic: str
    partition: int
    offset: int
    time: Instant
    detail: str
    key: str | None = None
    value: str | None = None


class Reason(msgspec.Struct):
    """Rejected for one reason: how many of those looked through, and the latest."""

    reason: str
    count: int
    samples: list[Sample]


class LettersAnswer(msgspec.Struct):
    """Dead letters by reason, the most frequent first.  ``complete``: whether all that Kafka has were looked through,
    else only the latest of each partition."""

    complete: bool
    reasons: list[Reason]


class Letters:
    """Reads the end of the topic of dead letters."""

    def __init__(self, topic: str, reader: ReaderThread) -> None:
        self._topic, self._reader = topic, reader

    def endpoints(self) -> list[Endpoint]:
        """What can be asked."""
        return [
            Endpoint(
                "/deadletters",
                "What was rejected lately, by reason, with samples. `segstream deadletters` has all of them.",
                self.letters,
                LettersAnswer,
                LettersQuery,
                refusals={503: "Kafka does not answer"},
                cost=50,
            )
        ]

    async def letters(self, request: web.Request) -> web.Response:
        """Counts and samples."""
        query = asked(request, LettersQuery)
        try:
            complete, letters = await self._reader.pieces(self._read)
        except UNREADABLE as error:
            raise unread(error) from error
        by_reason: dict[str, list[Letter]] = {}
        for letter in sorted(letters, key=lambda one: -one.timestamp):
            by_reason.setdefault(letter.reason, []).append(letter)
        reasons = [
            Reason(reason, len(found), [_sample(letter, query.payload) for letter in found[: query.limit]])
            for reason, found in sorted(by_reason.items(), key=lambda item: -len(item[1]))
        ]
        return json(LettersAnswer(complete, reasons))

    async def _read(self, pieces: Pieces) -> tuple[bool, list[Letter]]:
        complete, found = True, []
        for partition in await pieces.partitions(self._topic):
            tp, assembler = TopicPartition(self._topic, partition), Assembler(partition)
            first, end = await pieces.bounds(tp)
            start = max(first, end - LOOKED)
            complete = complete and start == first
            async for record in pieces.read(tp, start, end):
                if any(name == RESENT for name, _ in record.headers):
                    continue
                letter = assembler.take(record)
                if letter is not None:  # no more of it than can be shown: all of them may be as large as Kafka takes
                    found.append(replace(letter, key=_cut(letter.key), value=_cut(letter.value)))
        return complete, found


def _sample(letter: Letter, payload: bool) -> Sample:
    # A record's own timestamp may be anything.
    time = iso(min(max(letter.timestamp, EARLIEST_MS), LATEST_MS))
    sample = Sample(letter.topic, letter.partition, letter.offset, time, letter.detail)
    if payload:
        sample.key, sample.value = _text(letter.key), _text(letter.value)
    return sample


def _cut(data: bytes | None) -> bytes | None:
    return None if data is None else data[: 4 * LONGEST]


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "replace")[:LONGEST]
