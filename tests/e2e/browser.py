"""A live application with a page, and a real browser that looks at it."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.conftest import REPOSITORY
from tests.e2e.live import Live, send, wait_for

TOKEN = "open-sesame-to-the-page"  # noqa: S105
#: The dimensions of the live application: enough for every view, and compiled in seconds.
DIMENSIONS = ("lifecycle", "cart", "cluster")
#: Milliseconds within which the page must show what is expected: patience with a slow machine.
PATIENCE_MS = 30_000
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@dataclass
class Site:
    """A worker with a token, and customers who were there."""

    live: Live
    url: str
    sender: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def ask(self, path: str) -> Any:
        """What the worker answers; None while it does not."""
        request = urllib.request.Request(f"{self.url}/{path}", headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            return None if refused.code >= 500 else json.load(refused)
        except OSError:
            return None

    def send(self, role: str, values: list[bytes]) -> None:
        """Write records to partition 0 of a topic; in a thread, as the browser has the event loop of this one."""
        self.sender.submit(send, self.live.broker, self.live.topic(role), values).result(60)


@contextmanager
def live_site(broker: str, name: str, folder: Path) -> Iterator[Site]:
    """A worker that knows 150 customers of sixty days."""
    config = folder / "config"
    (config / "segments").mkdir(parents=True)
    for dimension in DIMENSIONS:
        shutil.copy(REPOSITORY / "config" / "segments" / f"{dimension}.yaml", config / "segments")
    shutil.copy(REPOSITORY / "config" / "stream.yaml", config)
    shutil.copytree(REPOSITORY / "config" / "aliases", config / "aliases")
    settings = {
        "SEGSTREAM_CONFIG": str(config),
        "SEGSTREAM_WEB__TOKEN": TOKEN,
        "SEGSTREAM_CLUSTERS__WARM_UP": "300",
        "SEGSTREAM_CLUSTERS__PUBLISH_EVERY": "600",
        "SEGSTREAM_CLUSTERS__SHARE": "0.5",
    }
    live = Live(broker, name, folder, partitions=2, settings=settings)
    try:
        live.run("topics")
        live.start_worker("worker")
        live.run("simulate", "--customers", "150", "--days", "60", "--seed", "5")
        found = wait_for("a web server", lambda: re.search(r"metrics at (http://[^/\s]+)", live.log("worker")))
        site = Site(live, found[1])
        site.send("clickstream", [b"no json", b'{"type": "track", "userId": "c1", "event": 7}'])
        wait_for("customers and clusters", lambda: is_filled(site))
        yield site
        site.sender.shutdown()
    finally:
        live.stop()


def is_filled(site: Site) -> bool:
    """Whether customers are there, clusters were learned, and the bad records were rejected."""
    dimensions = (site.ask("segments") or {}).get("dimensions", ())
    if not any(one["dimension"] == "lifecycle" and one["customers"] >= 150 for one in dimensions):
        return False
    versions = (site.ask("clusters") or {}).get("versions", ())
    return bool(versions) and len((site.ask("deadletters") or {}).get("reasons", ())) >= 1


class Visit:
    """One browser window on the page, which notes every mistake that the browser sees."""

    def __init__(self, context: BrowserContext, site: Site) -> None:
        self.context, self.site, self.mistakes = context, site, list[str]()
        self.page: Page = context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.mistakes.append(str(error)))
        self.page.set_default_timeout(PATIENCE_MS)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.mistakes.append(f"{message.text} ({message.location.get('url', '')})")

    def go(self, view: str) -> Page:
        """Open a view, and wait until nothing is asked for any more."""
        self.page.goto(f"{self.site.url}/#/{view}")
        self.settled()
        return self.page

    def settled(self) -> None:
        """Wait until each part of the view has been filled, and the typeface is there."""
        expect(self.page.locator("main h1")).to_be_visible()
        expect(self.page.locator("main .waiting, main [aria-busy=true]")).to_have_count(0)
        self.page.evaluate("document.fonts.ready")

    def findings(self) -> list[str]:
        """What axe finds that is serious or worse."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['impact']}: {one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    def too_wide(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.page.evaluate("Math.max(0, document.documentElement.scrollWidth - innerWidth)"))


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.fail("Chromium is missing: run scripts/install-chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@contextmanager
def visit(
    browser: Browser, site: Site, *, size: dict[str, int] | None = None, theme: str = "light", token: str | None = TOKEN
) -> Iterator[Visit]:
    """A new window of that size and theme, with the token already given unless it is None."""
    context = browser.new_context(
        viewport=size or WIDE,  # type: ignore[arg-type]
        color_scheme=theme,  # type: ignore[arg-type]
        device_scale_factor=2 if size == NARROW else 1,
        locale="en-GB",
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    if token is not None:
        context.add_init_script(f"sessionStorage.setItem('segstream-token', {json.dumps(token)})")
    try:
        yield Visit(context, site)
    finally:
        context.close()


@contextmanager
def prefix_proxy(target: str, prefix: str) -> Iterator[str]:
    """A reverse proxy that hands on what is below ``prefix``, and nothing else; its address with the prefix."""
    loop = asyncio.new_event_loop()

    async def hand_on(request: web.Request) -> web.StreamResponse:
        if not request.path.startswith(f"{prefix}/"):
            raise web.HTTPNotFound
        headers = {name: value for name, value in request.headers.items() if name not in ("Host", "Accept-Encoding")}
        path = request.rel_url.raw_path.removeprefix(prefix)
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        async with ClientSession() as session, session.get(f"{target}{path}{query}", headers=headers) as answer:
            kept = {"Content-Type", "Content-Security-Policy", "Location"}
            told = web.StreamResponse(
                status=answer.status, headers={name: value for name, value in answer.headers.items() if name in kept}
            )
            await told.prepare(request)
            async for part in answer.content.iter_any():
                await told.write(part)
            return told

    async def begin() -> tuple[web.AppRunner, int]:
        app = web.Application()
        app.router.add_get("/{path:.*}", hand_on)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner, runner.addresses[0][1]

    async def end(runner: web.AppRunner) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:  # answers that would never end by themselves
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner, port = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    try:
        yield f"http://127.0.0.1:{port}{prefix}"
    finally:
        asyncio.run_coroutine_threadsafe(end(runner), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
