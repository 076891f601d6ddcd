"""One line of an event file, as a reader hands it on."""

from __future__ import annotations

import msgspec

from stream.events.routing import Topic


class FileRecord(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A line with all that a Kafka record has, so that the engine's decoder takes either.

    ``value`` is the event as wire JSON, or the raw line where ``problem`` says why it is none: a short word for
    counting (``bad-time``), with ``detail`` as the sentence for people. ``topic`` is the role of the topic that a live
    producer would choose. ``key`` and ``timestamp_ms`` (the event's own time) are None where the line does not tell.
    """

    file: str
    line: int
    topic: Topic
    key: bytes | None
    value: bytes
    timestamp_ms: int | None
    problem: str = ""
    detail: str = ""

    @property
    def offset(self) -> int:
        """The line number, counted from 1."""
        return self.line

    @property
    def timestamp(self) -> int | None:
        """The event's own time; a file has no time of arrival."""
        return self.timestamp_ms

    @property
    def headers(self) -> tuple[tuple[str, bytes], ...]:
        """None: files have no headers."""
        return ()

    @property
    def message_id(self) -> str:
        """The id of an event that brings none: the file's name and the line."""
        return f"{self.file}:{self.line}"
