"""The page in a real browser, where answers are not as they mostly are: from endpoints of this test, without Kafka."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from playwright.sync_api import Browser, expect

from stream.app.moves import WITHIN
from stream.web.endpoint import Endpoint, json
from stream.web.refusal import RefusalError
from stream.web.site import fill
from tests.e2e.browser import Site, chromium, visit

AT = "2026-01-01T00:00:00.000Z"
SEGMENT = {
    **{"segment": "active", "words": "orders > 0", "note": "", "name": None, "size": 3, "topic": None, "warning": None},
    **{"entered_hour": 0, "left_hour": 0, "entered_day": 0, "left_day": 0},
}
DIMENSION = {
    **{"dimension": "life", "description": "", "owner": "", "definition": "life@1", "learned": False},
    **{"minimum_size": None, "customers": 3, "segments": [SEGMENT]},
}
LEARNED = {
    **DIMENSION,
    **{"dimension": "kinds", "learned": True, "segments": [{**SEGMENT, "segment": "cluster-2", "name": "early birds"}]},
}
#: how often somebody came back for what is gone
GONE = web.AppKey("gone", list[bool])
#: how often somebody listened to who is silent
SILENT = web.AppKey("silent", list[bool])
DATED = {"as_of": AT, "since": AT, "missing": []}


async def segments(request: web.Request) -> web.Response:
    """Two dimensions with one segment each, one of them learned."""
    return json({**DATED, "dimensions": [DIMENSION, LEARNED]})


async def clusters(request: web.Request) -> web.Response:
    """A version with a cluster that is no more in the next one."""
    versions = [
        {"dimension": "kinds", "clusters": [{"id": number, "segment": f"cluster-{number}", "name": name}]}
        for number, name in ((2, "early birds"), (1, "night owls"))
    ]
    return json({"versions": versions})


async def moves(request: web.Request) -> web.Response:
    """Nobody moved, but from a cluster that is no more."""
    if request.query["within"] not in WITHIN:
        raise RefusalError(400, "within: there is no such time")
    if request.query["dimension"] == "kinds":
        flows = [{"from": "cluster-1", "to": "cluster-2", "changes": 3}]
        sizes = {"cluster-1": [3, 0], "cluster-2": [0, 3]}
        return json({**DATED, "flows": flows, "times": [AT, "2026-01-01T01:00:00.000Z"], "sizes": sizes})
    return json({**DATED, "flows": [], "times": [], "sizes": {}})


async def members(request: web.Request) -> web.Response:
    """The shards of the first worker have none, that of the second has one."""
    second = request.query.get("after") == "1"
    found = [{"customer": "ann", "since": AT}] if second else []
    return json({"dimension": "life", "segment": "active", "customers": found, "next": None if second else "1"})


async def changes(request: web.Request) -> web.StreamResponse:
    """One change of long ago and the end; then the place behind it is gone, and whoever begins anew is told another, of
    now."""
    if request.query.get("customer") == "silent":
        return await silence(request)
    if "Last-Event-ID" in request.headers:
        request.app[GONE].append(True)
        raise RefusalError(410, "Kafka no longer has all changes after this id")
    now = datetime.now(UTC).isoformat().encode()
    customer, at = (b"bo", now) if request.app[GONE] else (b"ann", AT.encode())
    return web.Response(body=b"retry: 2000\nid: 0-1\n\n" + told(customer, at), content_type="text/event-stream")


async def silence(request: web.Request) -> web.StreamResponse:
    """A connection on which nothing comes, as after a laptop's sleep; one change for whoever comes again."""
    request.app[SILENT].append(True)
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await answer.prepare(request)
    await answer.write(b"id: 0-1\n\n" if len(request.app[SILENT]) == 1 else told(b"silent", AT.encode()))
    await asyncio.Event().wait()
    return answer


def told(customer: bytes, at: bytes) -> bytes:
    """A change as it goes over the wire."""
    body = b'{"id":"%b","time":"%b","customer":"%b","dimension":"life","from":null,"to":"active","cause":"event",'
    body = body % (customer, at, customer) + b'"evidence":{},"sequence":1,"definition":"life@1"}'
    return b"id: 0-2\nevent: change\ndata: %b\n\n" % body


async def workers(request: web.Request) -> web.Response:
    """One worker with a shard that waits for another topic all the time."""
    shard = {
        **{"partition": 0, "state": "ready", "doing": None, "customers": 3, "clock": AT, "clock_age_seconds": 1.0},
        **{"lag": {"clicks": 1}, "blocked_by": "segstream-rekeyed", "definitions_version": None, "books": {}},
    }
    worker = {"url": "http://w:1", "ready": True, "why": [], "kafka_silent_seconds": 0.0, "shards": [shard]}
    return json({"workers": [worker], "missing": [], "rejects": {}})


@contextmanager
def served() -> Iterator[str]:
    """The page over these endpoints, in a thread; its address."""
    loop = asyncio.new_event_loop()
    made = web.Application()
    made[GONE], made[SILENT] = [], []
    paths = {
        **{"/segments": segments, "/flows": moves, "/sizes": moves, "/changes": changes},
        "/clusters": clusters,
        "/segments/{dimension}/{segment}/customers": members,
        "/workers": workers,
    }
    fill(made, [Endpoint(path, "", handler, None) for path, handler in paths.items()], None, 1e6)
    runner = web.AppRunner(made, access_log=None, shutdown_timeout=0.1)

    async def begin() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{asyncio.run_coroutine_threadsafe(begin(), loop).result(10)}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The page."""
    with served() as url:
        yield cast(Any, SimpleNamespace(url=url))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all."""
    with chromium() as found:
        yield found


def test_the_feed_begins_anew_where_its_place_is_gone(browser: Browser, site: Site) -> None:
    """It would else ask for what Kafka has deleted until somebody loads the page again."""
    with visit(browser, site, token=None) as seen:
        page = seen.go("overview?dimension=life")
        for customer in ("ann", "bo"):
            expect(page.locator(".changes .change .who", has_text=customer)).to_be_visible()
        # What was not today says when it was.
        days = [line.locator(".day").all_inner_texts() for line in page.locator(".changes .change").all()]
        assert len(days) == 2
        assert days[0] == []
        assert re.fullmatch(r"1 Jan( 2026)?", days[1][0])


def test_a_connection_that_has_fallen_silent_is_opened_again(browser: Browser, site: Site) -> None:
    """Signs of life come every 10 s, so half a minute without any is a connection that is no more."""
    with visit(browser, site, token=None) as seen:
        seen.page.clock.install()
        page = seen.go("overview?dimension=life&customer=silent")
        expect(page.locator(".feed .state")).to_have_text("Live")
        expect(page.locator(".changes .change")).to_have_count(0)
        page.clock.fast_forward(26_000)
        expect(page.locator(".changes .change .who")).to_have_text("silent")
        expect(page.locator(".feed .state")).to_have_text("Live")


def test_a_short_wait_for_another_topic_is_nothing_to_tell(browser: Browser, site: Site) -> None:
    """Every shard waits for moments; one whose clock stands meanwhile is held back, and by what."""
    with visit(browser, site, token=None) as seen:
        seen.page.clock.install()
        page = seen.go("health")
        row = page.locator("section.card").first.locator("tbody tr")
        expect(row).to_contain_text("ready")
        expect(row).not_to_contain_text("waits")
        for _ in range(3):
            with page.expect_response("**/workers"):
                page.clock.fast_forward(6_000)
            seen.settled()
        expect(row).to_contain_text("waits for more of segstream-rekeyed, for")


def test_a_cluster_that_is_no_more_has_the_name_that_it_had(browser: Browser, site: Site) -> None:
    """Whoever moved out of it is shown, and so is how large it was: by a name, as nobody knows clusters by numbers."""
    with visit(browser, site, token=None) as seen:
        page = seen.go("overview?dimension=kinds")
        expect(page.locator(".bars li")).to_have_count(1)
        for title, row in (("Who moved where", 0), ("Over time", 1)):
            card = page.locator("section.card", has=page.get_by_role("heading", name=title))
            expect(card.locator("canvas, svg").first).to_be_visible()
            card.get_by_text("Show as a table").click()
            expect(card.locator("table")).to_contain_text("Night owls (former)")
            expect(card.locator("tbody tr").nth(row)).to_contain_text("3")
            expect(card.locator("table")).not_to_contain_text(re.compile("cluster.?1", re.IGNORECASE))
        assert [one for one in seen.mistakes if "/changes" not in one] == []


@pytest.mark.parametrize("view", ["toString", "constructor?dimension=life", "overview?within=toString"])
def test_an_address_of_nothing_is_the_overview(browser: Browser, site: Site, view: str) -> None:
    """Also where it is a name that every object has something under."""
    with visit(browser, site, token=None) as seen:
        page = seen.go(view)
        expect(page.locator(".bars li")).to_have_count(1)
        expect(page.locator(".failed")).to_have_count(0)


def test_members_are_looked_for_until_some_are_found(browser: Browser, site: Site) -> None:
    """An answer without any is not the end where it says what comes next: other workers have other shards."""
    with visit(browser, site, token=None) as seen:
        page = seen.go("segments?dimension=life&segment=active")
        expect(page.locator(".people li")).to_contain_text("ann")
