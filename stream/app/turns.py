"""Who works next: all shards of a worker share one event loop with what answers questions and keeps connections."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from stream.engine.slices import Slices

T = TypeVar("T")

#: How long work may hold the event loop at a time, in seconds.
SLICE_SECONDS = 0.002


class Turns:
    """Runs work in slices, one turn after the other in the order of asking, and between two turns all else that waits
    in the event loop: however many shards are busy, nobody waits for more than one turn.

    Other threads have their questions answered between two turns (:meth:`look`), so that they see no shard in the
    middle of a slice.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._working = threading.Lock()
        self._asked: deque[_Question] = deque()

    async def run(self, work: Slices[T]) -> T:
        """Do the work to its end.  Where this is cancelled it is left as it is, between two slices."""
        while True:
            async with self._turn:
                with self.between():
                    done = _turn_of(work)
                await asyncio.sleep(0)  # the turn is kept meanwhile: nobody begins one before the loop was round
            if done:
                return done[0]

    @contextmanager
    def between(self) -> Iterator[None]:
        """From any thread: no turn begins, and no question is answered, until this ends.  Let it be short."""
        self._working.acquire()
        try:
            yield
        finally:
            self._answer_and_let_go()

    async def look(self, question: Callable[[], T]) -> T:
        """From any event loop: the answer to a question between two turns; let it be short.  What it raises is raised
        here; that should be mistakes only, as an error keeps the frames it came through until garbage is collected.

        Where no turn is under way it is answered at once, in this thread; otherwise at the end of the turn, with all
        that were asked meanwhile, in the thread that works.  If each asker waited for a time of its own instead, one a
        turn would be answered: fewer than are asked, as long as shards are busy.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._asked.append((question, loop, future))
        if self._working.acquire(blocking=False):
            self._answer_and_let_go()
        return await future

    def _answer_and_let_go(self) -> None:
        while True:
            try:
                _answer(self._asked)
            finally:
                self._working.release()
            # Who asked after the last look and found the lock taken leaves it to us; whoever has it now sees to it.
            if not self._asked or not self._working.acquire(blocking=False):
                return


#: What is asked, and the event loop and future that wait for it.
_Question = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


def _answer(asked: deque[_Question]) -> None:
    """Answer all that was asked; each event loop is told once."""
    told: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any, Exception | None]]] = {}
    while asked:
        question, loop, future = asked.popleft()
        told.setdefault(loop, []).append((future, *_outcome(question)))
    for loop, answers in told.items():
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
            loop.call_soon_threadsafe(_tell, answers)


def _outcome(question: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return question(), None
    except Exception as error:  # noqa: BLE001  it is the asker's
        return None, error


def _tell(answers: list[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
    for future, answer, error in answers:
        if future.done():  # who asked has gone
            continue
        if error is None:
            future.set_result(answer)
        else:
            future.set_exception(error)


def _turn_of(work: Slices[T]) -> tuple[()] | tuple[T]:
    """Work for one turn; at its end with what comes of it."""
    began = time.perf_counter()
    while True:
        try:
            next(work)
        except StopIteration as done:
            # Not the exception itself: it knows this frame and the one that called, which would know it, and all that
            # a step has made would stay until the garbage collector comes by.
            return (done.value,)
        if time.perf_counter() - began >= SLICE_SECONDS:
            return ()
