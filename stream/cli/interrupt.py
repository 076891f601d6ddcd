"""Ctrl-C as a flag that a loop looks at, so that it can end in good order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

#: What shells use for "ended by Ctrl-C".
INTERRUPTED_EXIT_CODE = 130


@contextmanager
def stop_on_signal() -> Iterator[asyncio.Event]:
    """An event that SIGINT or SIGTERM sets; a second signal ends the process at once. Needs a running loop."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def first() -> None:
        stop.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, first)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
