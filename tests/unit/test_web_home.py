"""Two event loops: the web server's, and the worker's, where the shards live."""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web
from aiohttp.test_utils import unused_port

from stream.web.endpoint import Endpoint, json
from stream.web.home import Home, where_asked
from stream.web.site import fill


def endpoints(worker: asyncio.AbstractEventLoop) -> list[Endpoint]:
    """One that answers at once but for one name, and one that streams; their handlers run in the worker's loop only."""

    async def here(request: web.Request) -> web.Response | None:
        assert asyncio.get_running_loop() is not worker
        return json("at once") if request.match_info["name"] != "far" else None

    async def handler(request: web.Request) -> web.Response:
        assert asyncio.get_running_loop() is worker
        return json("from the worker's loop")

    async def streamed(request: web.Request) -> web.StreamResponse:
        assert asyncio.get_running_loop() is worker
        answer = web.StreamResponse()
        await where_asked(request, answer.prepare(request))
        for part in (b"one ", b"two"):
            await where_asked(request, answer.write(part))
        return answer

    return [
        Endpoint("/at/{name}", "", handler, str, parts={"name": ""}, here=here),
        Endpoint("/streamed", "", streamed, "text/plain"),
    ]


@contextmanager
def serving() -> Iterator[str]:
    """A web server in a thread of its own, as the worker has it; its address. Enter it in the worker's loop."""
    loop, port, home = asyncio.new_event_loop(), unused_port(), Home()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    site = web.Application()
    fill(site, endpoints(asyncio.get_running_loop()), None, 1e6, home=home)
    runner = web.AppRunner(site)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()

    asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def get(url: str) -> bytes:
    """What is answered."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
        body: bytes = answer.read()
        return body


def test_what_can_be_told_at_once_does_not_wait_for_the_workers_loop() -> None:
    """A step of a shard holds the worker's loop; who asks for segments has the answer meanwhile."""

    async def run() -> None:
        with serving() as base:
            found: list[bytes] = []
            asking = threading.Thread(target=lambda: found.append(get(f"{base}/at/here")))
            asking.start()
            asking.join(10)  # the worker's loop stands still
            assert found == [b'"at once"']

    asyncio.run(run())


def test_all_else_is_answered_by_the_workers_loop() -> None:
    """Also what cannot be told at once; answers that come in parts go out by the loop that has the connection."""

    async def run() -> None:
        with serving() as base:
            assert await asyncio.to_thread(get, f"{base}/at/far") == b'"from the worker\'s loop"'
            assert await asyncio.to_thread(get, f"{base}/streamed") == b"one two"

    asyncio.run(run())
