"""Who may ask, and how often: token, addresses, rates, and the headers that browsers are told to go by."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from traceback import extract_tb

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from stream.web.endpoint import json
from stream.web.peers import from_worker
from stream.web.refusal import RefusalError

log = logging.getLogger(__name__)

#: On every answer.  Scripts, styles and pictures come from this server alone, and none stands inside a page.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: Clients whose rate is remembered; the one not heard of for longest is forgotten first.
MOST_CLIENTS = 10_000


def is_loopback(host: str) -> bool:
    """Whether an address, or the name of one, can be reached from its own machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Rates:
    """A token bucket for each client: ``per_second`` requests on average, twice as many at once.

    ``clock`` in seconds that only go forward.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = per_second, clock
        #: client -> requests left, and when that was
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str, cost: float) -> float:
        """Take ``cost`` requests from a client's bucket: 0 where it holds some, else how many seconds to wait."""
        now, most = self._clock(), 2 * self._rate
        left, since = self._buckets.pop(client, (most, now))
        left = min(most, left + (now - since) * self._rate)
        allowed = left >= min(cost, most)
        self._buckets[client] = (left - cost if allowed else left, now)
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (min(cost, most) - left) / self._rate


def guard(
    token: str | None,
    per_second: float,
    costs: Callable[[web.Request], tuple[float, bool]],
    is_peer: Callable[[str], Awaitable[bool]],
) -> list[Middleware]:
    """The middlewares, outermost first.

    ``token`` None: no token is asked for, and only who speaks to this machine by one of its loopback names is answered,
    so that no page from elsewhere can ask through a browser.  ``costs`` gives for a request how many it counts as, and
    whether it needs no token; ``is_peer`` whether another worker is at an address.
    """
    rates = Rates(per_second)

    @web.middleware
    async def told(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            answer = await handler(request)
        except RefusalError as refusal:
            answer = json({"error": refusal.sentence}, refusal.status, refusal.headers)
        except web.HTTPException as error:
            answer = json({"error": _sentence(request, error)}, error.status, _kept(error, ("Allow", "Location")))
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001  told below, and the worker goes on
            # What is in the request may be a customer's: of path and error only the kinds go into the log.
            places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in extract_tb(error.__traceback__)[-3:]]
            log.error("a request to %s failed: %s", _route(request), type(error).__name__, extra={"places": places})
            answer = json({"error": "this is a mistake of segstream's: the worker's log has it"}, 500)
        if not answer.prepared:
            answer.headers.update({name: value for name, value in HEADERS.items() if name not in answer.headers})
        return answer

    @web.middleware
    async def limited(request: web.Request, handler: Handler) -> web.StreamResponse:
        cost, _ = costs(request)
        client = request.remote or ""
        # What a worker asks was counted where it came in; that it is one, anybody could say.
        if from_worker(request) and await is_peer(client):
            cost /= 10
        wait = rates.wait(client, cost)
        if wait:
            seconds = max(1, round(wait + 0.5))
            said = f"more than {per_second:g} requests a second: wait {seconds} s, or raise web.rate"
            raise RefusalError(429, said, {"Retry-After": str(seconds)})
        return await handler(request)

    @web.middleware
    async def allowed(request: web.Request, handler: Handler) -> web.StreamResponse:
        _, is_open = costs(request)
        if token is None:
            if not is_loopback(_host(request)):
                raise RefusalError(403, f"asked as {_host(request)[:100]!r}: set web.token to be asked by other names")
        elif not is_open and not _same(request.headers.get("Authorization", ""), f"Bearer {token}"):
            said = "a token is needed: send the header `Authorization: Bearer TOKEN` with the web.token of the settings"
            raise RefusalError(401, said, {"WWW-Authenticate": 'Bearer realm="segstream"'})
        return await handler(request)

    return [told, limited, allowed]


def _same(given: str, expected: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())


def _host(request: web.Request) -> str:
    host = request.headers.get("Host", "")
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "an unknown path"


def _kept(error: web.HTTPException, names: Collection[str]) -> dict[str, str]:
    return {name: error.headers[name] for name in names if name in error.headers}


def _sentence(request: web.Request, error: web.HTTPException) -> str:
    match error.status:
        case 404:
            return "there is nothing under this address: /openapi.json lists what there is"
        case 405:
            return f"{request.method} is not for this address: use {error.headers.get('Allow', 'GET')}"
    return error.reason
