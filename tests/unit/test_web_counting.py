"""What is asked of the web server is counted by its route: never by what is in an address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from stream.app.metric_list import PREFIX
from stream.app.metrics import Metrics
from stream.web.counting import counting
from stream.web.endpoint import Endpoint, json
from stream.web.site import fill

TOKEN = "a token of more than sixteen characters"  # noqa: S105


async def fine(request: web.Request) -> web.Response:
    """Answers."""
    return json({"fine": True})


async def events(request: web.Request) -> web.StreamResponse:
    """Answers for as long as it is listened to."""
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await answer.prepare(request)
    await answer.write(b": here\n\n")
    return answer


def counted(*paths: str) -> Callable[..., float | None]:
    """The series of a server that was asked these."""
    metrics = Metrics()

    async def run() -> None:
        site = web.Application(middlewares=[counting(metrics)])
        endpoints = [
            Endpoint("/customers/{customer_id}", "", fine, None, open=True),
            Endpoint("/secret", "", fine, None),
        ]
        fill(site, [*endpoints, Endpoint("/changes", "", events, None, open=True)], TOKEN, 1e6)
        async with TestClient(TestServer(site)) as client:
            for path in paths:
                await (await client.get(path)).read()
            await (await client.post("/customers/c1")).read()

    asyncio.run(run())
    return lambda name, **labels: metrics.registry.get_sample_value(f"{PREFIX}web_{name}", labels)


def test_requests_are_counted_by_route_and_status() -> None:
    """Refusals too; a thousand ids, or addresses that there are not, are one series."""
    told = counted(*(f"/customers/c{k}" for k in range(1_000)), *(f"/no-such/{k}" for k in range(9)), "/secret")
    assert told("requests_total", route="/customers/{customer_id}", status="200") == 1_000
    assert told("request_seconds_count", route="/customers/{customer_id}") == 1_000
    assert told("requests_total", route="/{file}", status="404") == 9
    assert told("requests_total", route="/secret", status="401") == 1
    assert told("requests_total", route="unknown", status="405") == 1


def test_a_stream_is_counted_and_not_timed() -> None:
    """It lasts as long as it is listened to."""
    told = counted("/changes")
    assert told("requests_total", route="/changes", status="200") == 1
    assert told("request_seconds_count", route="/changes") is None
