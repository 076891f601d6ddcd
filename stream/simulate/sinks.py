"""Where simulated events go: a file, or Kafka."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from stream.errors import UserError
from stream.kafka.clock import clock_record
from stream.kafka.send import Sender
from stream.simulate.event import SimulatedEvent


class Sink(Protocol):
    """Takes events in order."""

    def put(self, event: SimulatedEvent) -> bool:
        """Takes one event; whether `drain` has to be awaited before the next."""

    async def drain(self) -> None:
        """Makes room."""

    async def flush(self) -> None:
        """Everything put so far has arrived."""

    async def clock(self, instant_ms: int) -> None:
        """Tells that time has come so far, after everything put before."""


class FileSink:
    """JSONL, one event a line; a file has no clock records, since its reader knows where it ends."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def put(self, event: SimulatedEvent) -> bool:
        """Writes a line."""
        self._stream.write(event.value + b"\n")
        return False

    async def drain(self) -> None:
        """A file always has room."""

    async def flush(self) -> None:
        """Hands what is buffered to the system, so that who follows the file sees it."""
        self._stream.flush()

    async def clock(self, instant_ms: int) -> None:
        """Nothing."""


class KafkaSink:
    """Records on the topics of the events' names."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def put(self, event: SimulatedEvent) -> bool:
        """Adds a record."""
        return self._sender.add(event.topic, event.key, event.value)

    async def drain(self) -> None:
        """Sends full batches."""
        await self._sender.ship()

    async def flush(self) -> None:
        """Waits until the broker has everything."""
        await self._sender.ship()

    async def clock(self, instant_ms: int) -> None:
        """A clock record, sent when the broker has everything before it, so that no shard hears of it too early."""
        await self._sender.ship()
        self._sender.add_to_all("control", clock_record(instant_ms))
        await self._sender.ship()


@contextmanager
def event_file(path: Path) -> Iterator[BinaryIO]:
    """A file for events (``-`` is stdout), packed where its name ends in .gz: the same events give the same bytes."""
    if str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with ExitStack() as stack:
            raw = stack.enter_context(path.open("wb", buffering=1 << 20))
            if path.suffix != ".gz":
                yield raw
                return
            # No name and no time in the header: they would differ from run to run.
            packed = gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0)
            yield cast(BinaryIO, stack.enter_context(io.BufferedWriter(cast(io.RawIOBase, packed), 1 << 20)))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from None


@asynccontextmanager
async def file_sink(path: Path) -> AsyncIterator[Sink]:
    """A sink into a file."""
    with event_file(path) as stream:
        yield FileSink(stream)


@asynccontextmanager
async def kafka_sink(sending: AbstractAsyncContextManager[Sender]) -> AsyncIterator[Sink]:
    """A sink into Kafka, by a sender that is opened here."""
    async with sending as sender:
        yield KafkaSink(sender)
