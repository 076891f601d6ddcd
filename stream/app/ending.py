"""How a worker ends: SIGTERM and SIGINT are heard at once, whatever the main thread is doing, and it takes seconds.

Python runs its own signal handlers between two instructions of the main thread. One that compiles, or waits for a
broker in a library, gets to the next instruction late. The kernel's signal is therefore passed on to a thread, through
the file descriptor that Python writes to in the very instant of the signal.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

log = logging.getLogger(__name__)

#: Seconds after which a worker that was asked to end is gone, whatever it waits for.
LIMIT_SECONDS = 4.2
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Ending:
    """Within this context both signals end the process: at once, as long as there is nothing to leave in good order.

    Use it in the main thread.  A second signal is the wish to end now.
    """

    def __init__(self) -> None:
        self._politely: Callable[[], None] | None = None
        self._code: Callable[[], int] = lambda: 0
        self._begun = threading.Event()
        self._heard, self._told = socket.socketpair()
        self._told.setblocking(False)
        self._former: list[tuple[signal.Signals, object]] = []
        self._former_fd = -1

    def __enter__(self) -> Self:
        self._former = [(number, signal.signal(number, _nothing)) for number in _SIGNALS]
        self._former_fd = signal.set_wakeup_fd(self._told.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._listen, name="signals", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._former_fd)
        for number, handler in self._former:
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself gave
        self._told.close()

    def through(self, politely: Callable[[], None], code: Callable[[], int]) -> None:
        """From now on a signal calls ``politely``, in a thread of its own, and begins the time limit.

        ``code`` is the exit code where the limit is reached; it may say why.
        """
        self._politely, self._code = politely, code

    def begin(self) -> None:
        """Begin the time limit: the process ends by itself."""
        if not self._begun.is_set():
            self._begun.set()
            limit = threading.Timer(LIMIT_SECONDS, self._give_up)
            limit.daemon = True
            limit.start()

    def _listen(self) -> None:
        while numbers := self._hear():
            for number in numbers:
                if number in _SIGNALS:
                    self._signalled()

    def _hear(self) -> bytes:
        try:
            return self._heard.recv(64)
        except OSError:
            return b""

    def _signalled(self) -> None:
        if self._politely is None:
            log.info("stopped before it had begun")
            _leave(0)
        elif self._begun.is_set():
            log.warning("asked twice to end: leaving at once; Kafka aborts what is still open")
            _leave(self._code())
        else:
            self.begin()
            self._politely()

    def _give_up(self) -> None:
        log.warning(
            "not everything has ended within %.1f s, as where Kafka does not answer: leaving without a goodbye to the "
            "group; Kafka aborts what is still open",
            LIMIT_SECONDS,
        )
        _leave(self._code())


def _nothing(number: int, frame: FrameType | None) -> None:
    """Python's part of a signal: nothing is left to do."""


def _leave(code: int) -> None:
    logging.shutdown()
    os._exit(code)
