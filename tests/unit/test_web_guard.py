"""Who may ask the web server, how often, and what it tells browsers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from stream.errors import UserError
from stream.settings import Settings
from stream.web.endpoint import Endpoint, json
from stream.web.guard import Rates, is_loopback
from stream.web.peers import ASKED_BY_WORKER, Peers
from stream.web.site import check_reach, fill

TOKEN = "a token of more than sixteen characters"  # noqa: S105
Ask = Callable[..., Awaitable[ClientResponse]]


async def fine(request: web.Request) -> web.Response:
    """Answers."""
    return json({"fine": True})


async def broken(request: web.Request) -> web.Response:
    """Trips over what it was asked."""
    raise ValueError(f"about {request.path}")


def site(token: str | None = None, rate: float = 1e6, workers: Collection[str] = ()) -> web.Application:
    """Four endpoints and the page; ``workers``: where there are others."""
    made = web.Application()
    endpoints = [
        Endpoint("/secret", "", fine, None),
        Endpoint("/open", "", fine, None, open=True),
        Endpoint("/dear", "", fine, None, cost=10),
        Endpoint("/broken/{name}", "", broken, None),
    ]

    async def is_peer(address: str) -> bool:
        return address in workers

    fill(made, endpoints, token, rate, is_peer)
    return made


def talk(made: web.Application, about: Callable[[Ask], Awaitable[None]]) -> None:
    """Ask a running server."""

    async def run() -> None:
        async with TestClient(TestServer(made)) as client:

            async def ask(path: str, **headers: str) -> ClientResponse:
                answer = await client.get(
                    URL(path, encoded=True), headers={name.replace("_", "-"): x for name, x in headers.items()}
                )
                await answer.read()
                return answer

            await about(ask)

    asyncio.run(run())


def test_without_the_token_only_what_tells_nothing_is_answered() -> None:
    """A wrong one, one of another kind and none are all refused; health and the page need none."""

    async def about(ask: Ask) -> None:
        for given in ({}, {"Authorization": "Bearer x"}, {"Authorization": TOKEN}, {"Authorization": "Bearer \u00e4"}):
            answer = await ask("/secret", **given)
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="segstream"')
            assert TOKEN not in await answer.text()
        assert (await ask("/secret", Authorization=f"Bearer {TOKEN}")).status == 200
        assert (await ask("/secret", Authorization=f"Bearer {TOKEN}", Host="segments.example")).status == 200
        assert [(await ask(path)).status for path in ("/open", "/", "/nothing")] == [200, 200, 404]

    talk(site(TOKEN), about)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:6066", 200),
        ("localhost", 200),
        ("[::1]:6066", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("10.0.0.1", 403),
        ("", 403),
    ],
)
def test_without_a_token_only_loopback_names_are_answered(host: str, status: int) -> None:
    """Else a page from elsewhere could have its own name point here, and read through its visitor's browser."""

    async def about(ask: Ask) -> None:
        assert (await ask("/secret", Host=host)).status == status

    talk(site(), about)


def test_every_answer_tells_browsers_what_to_go_by() -> None:
    """Also refusals: nothing from elsewhere, nothing inline, in no frame, no guessing of types."""

    async def about(ask: Ask) -> None:
        for path in ("/", "/open", "/secret", "/nothing"):
            headers = (await ask(path)).headers
            assert "script-src" not in headers["Content-Security-Policy"]
            assert "unsafe" not in headers["Content-Security-Policy"]
            assert headers["Content-Security-Policy"].startswith("default-src 'self';")
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert (headers["X-Content-Type-Options"], headers["X-Frame-Options"]) == ("nosniff", "DENY")

    talk(site(TOKEN), about)


@pytest.mark.parametrize(
    "path", ["/../site.py", "/..%2fsite.py", "/%2e%2e/site.py", "/%2Fetc%2Fhosts", "/x%00y", f"/{'x' * 5000}"]
)
def test_only_files_of_the_page_are_served(path: str) -> None:
    """No way leads out of its folder."""

    async def about(ask: Ask) -> None:
        answer = await ask(path)
        assert answer.status in (400, 404)
        assert not {"import", "localhost"} & set((await answer.text()).split())

    talk(site(), about)


def test_who_asks_too_often_waits() -> None:
    """Twice a second's worth at once, then as many as the rate; what costs more counts more."""

    async def about(ask: Ask) -> None:
        assert [(await ask("/secret")).status for _ in range(6)] == [200] * 6
        answer = await ask("/dear")
        assert (answer.status, int(answer.headers["Retry-After"]) >= 1) == (429, True)
        assert "web.rate" in (await answer.json())["error"]

    talk(site(rate=3), about)


def test_what_workers_ask_each_other_counts_little() -> None:
    """It was counted where it came in."""

    async def about(ask: Ask) -> None:
        asked = [(await ask("/secret", **{ASKED_BY_WORKER: "1"})).status for _ in range(20)]
        assert asked == [200] * 20

    talk(site(rate=2, workers=["127.0.0.1"]), about)


def test_who_only_says_to_be_a_worker_pays_in_full() -> None:
    """Else a header would be worth ten times the rate to anybody."""

    async def about(ask: Ask) -> None:
        asked = [(await ask("/secret", **{ASKED_BY_WORKER: "1"})).status for _ in range(5)]
        assert asked == [200] * 4 + [429]

    talk(site(rate=2, workers=["10.0.0.1"]), about)


def test_workers_are_known_by_the_addresses_that_their_names_stand_for() -> None:
    """As the assignment names them; a name that is unknown is nobody's."""

    async def run() -> None:
        urls = ["http://localhost:6066", "http://no-such-host.invalid:6066", None]
        app = SimpleNamespace(
            shards=SimpleNamespace(wiring=SimpleNamespace(changelog="c", partitions=3)),
            owner_url=lambda tp: urls[tp.partition],
        )
        peers = Peers(cast(Any, app))
        known = [await peers.are_at(address) for address in ("127.0.0.1", "::ffff:127.0.0.1", "10.0.0.1", "")]
        assert known == [True, True, False, False]
        urls[0] = None
        assert not await peers.are_at("127.0.0.1"), "it has left"

    asyncio.run(run())


def test_a_bucket_fills_with_time_and_holds_no_more_than_two_seconds() -> None:
    """By a clock of the test's."""
    now = 0.0
    rates = Rates(10, lambda: now)
    assert [rates.wait("a", 1) for _ in range(20)] == [0.0] * 20
    assert rates.wait("a", 1) == pytest.approx(0.1)
    assert rates.wait("b", 1) == 0.0, "another client has a bucket of its own"
    now = 0.1
    assert rates.wait("a", 1) == 0.0
    now = 1_000.0
    assert [rates.wait("a", 1) for _ in range(21)][-1] > 0
    assert rates.wait("c", 50) == 0.0, "who asks for more than a bucket holds gets all of it, not nothing for ever"


def test_a_mistake_of_ours_is_told_without_what_was_asked(caplog: pytest.LogCaptureFixture) -> None:
    """The answer and the log line name no customer."""

    async def about(ask: Ask) -> None:
        answer = await ask("/broken/ann@example.org")
        assert answer.status == 500
        assert "ann@" not in await answer.text()

    with caplog.at_level(logging.ERROR):
        talk(site(), about)
    assert [record.getMessage() for record in caplog.records] == ["a request to /broken/{name} failed: ValueError"]
    assert "ann@" not in caplog.text


REACH = {"127.0.0.1": True, "::1": True, "localhost": True, "0.0.0.0": False, "10.1.2.3": False, "::": False}  # noqa: S104


@pytest.mark.parametrize(("host", "expected"), REACH.items())
def test_listening_beyond_this_machine_needs_a_token(host: str, expected: bool, tmp_path: Path) -> None:
    """A worker that anybody could ask does not start; a file can hold the token."""
    assert is_loopback(host) is expected
    plain = Settings.model_validate({"web": {"host": host}}).web
    if expected:
        assert check_reach(plain) is None
    else:
        with pytest.raises(UserError, match=r"set web\.token"):
            check_reach(plain)
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert check_reach(Settings.model_validate({"web": {"host": host, "token_file": str(file)}}).web) == TOKEN
    file.write_text("short")
    with pytest.raises(UserError, match="holds no token"):
        check_reach(Settings.model_validate({"web": {"host": host, "token_file": str(file)}}).web)


def test_the_token_is_not_shown() -> None:
    """Settings that are printed or logged do not have it."""
    settings = Settings.model_validate({"web": {"token": TOKEN}})
    assert TOKEN not in repr(settings)
    assert settings.web.secret() == TOKEN
