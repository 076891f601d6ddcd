"""Faust's web server in a thread of its own: what it can answer by itself waits for no work of the shards."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from faust.web.drivers import aiohttp as faust_web


class Web(faust_web.Web):
    """Faust's web server without any page of Faust's own, in a thread with an event loop of its own.

    The worker's loop is busy for milliseconds at a time, and a request takes some rounds of a loop from its first byte
    to its answer.  What is to be answered by the worker's loop is brought there by :class:`stream.web.home.Home`.
    """

    default_blueprints = debug_blueprints = optional_blueprints = production_blueprints = ()
    _own: tuple[asyncio.AbstractEventLoop, threading.Thread] | None = None

    async def start_server(self) -> None:
        """Listen; raises what keeps it from that."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="web", daemon=True)
        thread.start()
        self._own = loop, thread
        try:
            await _in(loop, super().start_server())
        except BaseException:
            await self._end()
            raise

    async def stop_server(self) -> None:
        """Answer what is being answered, and end the thread."""
        if self._own is not None:
            await _in(self._own[0], super().stop_server())
            await self._end()

    async def _end(self) -> None:
        if self._own is None:
            return
        (loop, thread), self._own = self._own, None
        await _in(loop, _cancelled())
        await _in(loop, loop.shutdown_default_executor())
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join)
        loop.close()


async def _cancelled() -> None:
    """End what still runs in this loop: an answer that nobody waits for any more."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)


async def _in(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))
