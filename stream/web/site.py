"""All that a worker's web server answers, put together."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from stream.app.app import App
from stream.app.health import Health
from stream.errors import UserError
from stream.kafka.reader import ReaderThread
from stream.plan.definitions import Definitions
from stream.settings import Settings, Web
from stream.web.clusters import Clusters
from stream.web.counting import counting
from stream.web.customers import Customers
from stream.web.endpoint import Endpoint, Handler
from stream.web.feed import Feed
from stream.web.guard import guard, is_loopback
from stream.web.history import History
from stream.web.home import Home
from stream.web.letters import Letters
from stream.web.members import Members
from stream.web.openapi import Description
from stream.web.operation import Operation
from stream.web.past import Past
from stream.web.peers import Peers
from stream.web.segments import Segments
from stream.web.workers import Workers

#: The page: files that are served as they are.
PAGE = (Path(__file__).parent / "page").resolve()
_PART = re.compile(r"\{(\w+)\}")


def check_reach(settings: Web) -> str | None:
    """The token that whoever asks must send, None for none; UserError where anybody could ask without one."""
    token = settings.secret()
    if token is None and not is_loopback(settings.host):
        raise UserError(
            f"web.host {settings.host} can be reached from other machines: set web.token (best by the variable "
            "SEGSTREAM_WEB__TOKEN) or web.token_file to what whoever asks must send, or listen on 127.0.0.1"
        )
    return token


class Site:
    """All parts of a worker's web server.  UserError as `check_reach` says."""

    def __init__(self, app: App, settings: Settings, definitions: Definitions) -> None:
        self._settings, self._token = settings, check_reach(settings.web)
        self._metrics = app.shards.metrics
        shards, peers = app.shards, Peers(app)
        self._peers = peers
        reader = ReaderThread({**shards.wiring.client_options, **shards.wiring.consumer_options})
        past = Past(shards, reader)
        health = Health(app, settings.web.ready_without_kafka / 1000)
        segments = Segments(shards, peers, past, definitions)
        self._feed = Feed(shards, reader, segments)
        shards.on_stop.extend((self._feed.stop, past.stop, reader.stop, peers.stop))
        shards.metrics.is_ready = lambda: health.ready()[1]["ready"] is True
        parts = (
            Customers(shards, peers),
            History(shards, reader),
            segments,
            Members(shards, peers, segments),
            Clusters(shards, peers, settings.topics.control, reader),
            self._feed,
            Workers(shards, peers, health, str(app.conf.canonical_url)),
            Letters(shards.wiring.dead_letters, reader),
            Operation(shards, health),
        )
        described = Description([one for part in parts for one in part.endpoints()], token=self._token is not None)
        #: everything that can be asked
        self.endpoints = described.endpoints

    def open(self, server: web.Application) -> None:
        """The web server is about to start."""
        server.middlewares.append(counting(self._metrics))
        home = Home()
        fill(server, self.endpoints, self._token, self._settings.web.rate, self._peers.are_at, home)
        server.on_shutdown.append(lambda _: home.run(self._feed.stop()))


def add_site(app: App, settings: Settings, definitions: Definitions) -> Site:
    """Give a worker its web server's answers.  ``definitions`` are those that it begins with."""
    site = Site(app, settings, definitions)
    app.site = site.open
    return site


async def _nowhere(address: str) -> bool:
    """There are no other workers."""
    return False


def fill(
    site: web.Application,
    endpoints: list[Endpoint],
    token: str | None,
    rate: float,
    is_peer: Callable[[str], Awaitable[bool]] = _nowhere,
    home: Home | None = None,
) -> None:
    """Add endpoints and the page to a web server, behind its guard (:func:`stream.web.guard.guard`).

    ``home`` is where handlers run; None: where the server does.
    """
    by_path = {one.path: one for one in endpoints}

    def costs(request: web.Request) -> tuple[float, bool]:
        resource = request.match_info.route.resource
        found = by_path.get(resource.canonical) if resource is not None else None
        return (1.0, True) if found is None else (found.cost, found.open)

    site.middlewares.extend(guard(token, rate, costs, is_peer))
    for one in endpoints:
        # Any text but a slash; without that, aiohttp takes none with braces.
        site.router.add_get(_PART.sub(r"{\1:[^/]+}", one.path), one.handler if home is None else _from(home, one))
    site.router.add_get("/{file:.*}", _page)


def _from(home: Home, endpoint: Endpoint) -> Handler:
    """Answers here where that can be done, else at home."""

    async def answered(request: web.Request) -> web.StreamResponse:
        found = await endpoint.here(request) if endpoint.here is not None else None
        return await home.run(endpoint.handler(request)) if found is None else found

    return answered


async def _page(request: web.Request) -> web.StreamResponse:
    """A file of the page."""
    try:
        path = (PAGE / (request.match_info["file"] or "index.html")).resolve()
        found = path.is_relative_to(PAGE) and path.is_file()
    except (ValueError, OSError):  # no name that a file can have
        found = False
    if not found:
        raise web.HTTPNotFound
    # Asked for anew each time, answered with 304: after an update nobody has half of the page from before.
    return web.FileResponse(path, headers={"Cache-Control": "no-cache"})
