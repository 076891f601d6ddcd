"""The web server's thread: it begins and ends with the worker, and nothing is left in it."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import urllib.error
import urllib.request

import faust
import pytest
from aiohttp.test_utils import unused_port

from stream.app.web import Web


def test_what_still_runs_in_the_thread_when_it_ends_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    """No task is left to be destroyed while it waits, which asyncio would complain of."""
    port, ended = unused_port(), threading.Event()

    async def begin_and_end() -> None:
        app = faust.App("web-thread", web_bind="127.0.0.1", web_port=port, canonical_url=f"http://127.0.0.1:{port}")
        web = Web(app)
        await web.start_server()
        (thread,) = (one for one in threading.enumerate() if one.name == "web")
        assert web._own is not None

        async def waits_forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        waiting = asyncio.run_coroutine_threadsafe(waits_forever(), web._own[0])
        with pytest.raises(urllib.error.HTTPError, match="404"):
            await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/nothing")
        with caplog.at_level(logging.ERROR):
            await web.stop_server()
            gc.collect()
        assert waiting.cancelled()
        assert not thread.is_alive()

    asyncio.run(begin_and_end())
    assert ended.is_set()
    assert not caplog.records
