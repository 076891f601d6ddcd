"""Counts what is asked of the web server, and how long answers take, by the route and never by what is in the path."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from stream.app.metrics import Metrics

#: Stands for an address that no route is for.
UNKNOWN = "unknown"


def counting(metrics: Metrics, clock: Callable[[], float] = time.perf_counter) -> Middleware:
    """The middleware that counts; put it before all others, so that refusals are counted too.

    ``clock`` in seconds.  How long a stream of changes lasts is up to whoever listens, so it is counted, not timed.
    """

    @web.middleware
    async def counted(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        began = clock()
        answer = await handler(request)
        resource = request.match_info.route.resource
        route = UNKNOWN if resource is None else resource.canonical
        metrics.web_requests.labels(route, str(answer.status)).inc()
        if answer.content_type != "text/event-stream":
            metrics.web_seconds.observe([clock() - began], route)
        return answer

    return counted
