"""Between workers and broker: a TCP proxy that knows Kafka's frames, and breaks the very request it is told to break.

A frame is four bytes of length and the message.  A request begins with its API key, version, correlation id and the
client's id; an answer with the correlation id.  Workers are told apart by their client id (`kafka.client.client_id`).
"""

from __future__ import annotations

import asyncio
import enum
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

_SIZE = struct.Struct(">i")
_HEAD = struct.Struct(">hhih")


class Api(enum.IntEnum):
    """The requests that matter here, by their API key."""

    PRODUCE = 0
    FETCH = 1
    OFFSET_FETCH = 9
    JOIN_GROUP = 11
    SYNC_GROUP = 14
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


class Moment(enum.Enum):
    """Before the broker has heard of it, or when the broker has done it and the client does not know yet."""

    REQUEST = "asked"
    ANSWER = "answered"


class Act(enum.Enum):
    """What becomes of the frame, and of the connection that it came on."""

    CLOSE = "closed"  # the frame is dropped and the connection closed
    SILENCE = "silent"  # the frame is dropped, nothing is heard on this connection any more, and it stays open
    HOLD = "late"  # the frame goes on when the rule is released, whatever has become of its client


@dataclass
class Rule:
    """What to do, once, to the next frame that fits.

    ``client``: of this worker only; ``containing``: bytes that the request must hold, such as a topic's name; ``then``:
    called with the client's id, in the proxy's thread, before the frame goes on.
    """

    api: Api
    moment: Moment = Moment.REQUEST
    act: Act = Act.CLOSE
    client: str | None = None
    containing: bytes = b""
    then: Callable[[str], None] | None = None
    #: whose frame it was, once there was one
    met: str | None = None
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def fits(self, request: Request, moment: Moment) -> bool:
        """Whether it is this frame."""
        return (
            self.met is None
            and (self.api, self.moment) == (request.api, moment)
            and self.client in (None, request.client)
            and request.holds(self.containing)
        )


@dataclass(frozen=True)
class Request:
    """What the head of a request says."""

    api: int
    correlation: int
    client: str
    body: bytes

    @classmethod
    def of(cls, frame: bytes) -> Request:
        """Read a frame, without its length."""
        api, _, correlation, length = _HEAD.unpack_from(frame)
        return cls(api, correlation, frame[_HEAD.size : _HEAD.size + max(0, length)].decode(), frame)

    def holds(self, what: bytes) -> bool:
        """Whether these bytes are in it."""
        return what in self.body


class ClosedError(Exception):
    """This connection is over."""


class Proxy:
    """Listens on ``port`` of this machine from `start` on, and passes everything on to ``upstream``."""

    def __init__(self) -> None:
        self.port = 0
        self.upstream = 0
        self.rules: list[Rule] = []
        #: workers whose frames, both ways, wait; and what tells that they need not any more
        self._cut: dict[str, asyncio.Event] = {}
        #: connections; the loop itself would forget one on which nothing happens any more
        self._serving: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def start(self) -> Proxy:
        """Listen."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def stop(self) -> None:
        """End all connections."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def add(self, rule: Rule) -> Rule:
        """Do this to the next frame that fits."""
        self._loop.call_soon_threadsafe(self.rules.append, rule)
        return rule

    def release(self, rule: Rule) -> None:
        """Let the frame go on that a rule holds."""
        self._loop.call_soon_threadsafe(rule.released.set)

    def cut(self, client: str) -> None:
        """From now on nothing goes from a worker to the broker or back; its connections stay open."""
        self._loop.call_soon_threadsafe(self._cut.__setitem__, client, asyncio.Event())

    def mend(self, client: str) -> None:
        """End a cut: what was on its way goes on."""
        self._loop.call_soon_threadsafe(lambda: self._cut.pop(client).set())

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        await asyncio.sleep(0)  # what was accepted already is served a turn of the loop later
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.close()
            return
        connection = _Connection(self)
        pumps = [
            asyncio.create_task(connection.requests(reader, to_writer)),
            asyncio.create_task(connection.answers(to_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if connection.holding:  # its client may be gone: the frame still goes to the broker
                await asyncio.wait(pumps[:1])
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            writer.close()
            to_writer.close()

    async def wait_where_cut(self, client: str) -> None:
        """Return when nothing is between this worker and the broker."""
        while (mended := self._cut.get(client)) is not None:
            await mended.wait()

    def rule_for(self, request: Request, moment: Moment) -> Rule | None:
        """The rule for this frame, which is used up by that."""
        rule = next((rule for rule in self.rules if rule.fits(request, moment)), None)
        if rule is not None:
            if rule.then is not None:
                rule.then(request.client)
            rule.met = request.client
            self.rules.remove(rule)
        return rule


class _Connection:
    """One connection of a worker, and its requests that have no answer yet."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.open: dict[int, Request] = {}
        self.holding = False

    async def requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what the worker asks."""
        while True:
            frame = await _frame(reader)
            request = Request.of(frame)
            await self.proxy.wait_where_cut(request.client)
            self.open[request.correlation] = request
            await self._obey(request, Moment.REQUEST)
            await _pass(writer, frame)

    async def answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what the broker answers."""
        while True:
            frame = await _frame(reader)
            request = self.open.pop(_SIZE.unpack_from(frame)[0])
            await self._obey(request, Moment.ANSWER)
            await self.proxy.wait_where_cut(request.client)
            await _pass(writer, frame)

    async def _obey(self, request: Request, moment: Moment) -> None:
        rule = self.proxy.rule_for(request, moment)
        if rule is None:
            return
        if rule.act is Act.CLOSE:
            raise ClosedError
        if rule.act is Act.SILENCE:
            await asyncio.get_running_loop().create_future()
        self.holding = True
        await rule.released.wait()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    try:
        (size,) = _SIZE.unpack(await reader.readexactly(_SIZE.size))
        return await reader.readexactly(size)
    except (OSError, asyncio.IncompleteReadError) as error:
        raise ClosedError from error


async def _pass(writer: asyncio.StreamWriter, frame: bytes) -> None:
    try:
        writer.write(_SIZE.pack(len(frame)) + frame)
        await writer.drain()
    except OSError as error:
        raise ClosedError from error
