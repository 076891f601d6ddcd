"""From the web server's event loop to the worker's, where the shards live, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiohttp import web

T = TypeVar("T")


class Home:
    """The event loop in which shards, clients of Kafka and connections to other workers live: the one that this is made
    in."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it there, and give its outcome here; where this is cancelled, that is, too."""
        return await _run_in(self._loop, work)


async def where_asked(request: web.Request, work: Coroutine[Any, Any, T]) -> T:
    """Run in the event loop that has the connection what reads from it or writes to it."""
    return await _run_in(request.task.get_loop(), work)


async def _run_in(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    if loop is asyncio.get_running_loop():
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))
