"""What a worker answers about a customer: itself, or what the worker that has the customer answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from stream.app.runner import ShardRunner, State
from stream.web.customers import Customers
from stream.web.peers import Peers
from stream.web.site import fill
from tests.integration.counting_worker import counting_app

CUSTOMERS = ["ann", "b/o", "cy", "di"]


class App:
    """One of two workers: this one has ann, ``other`` has b/o; nobody has cy yet, and di is no customer."""

    def __init__(self, own: str, other: str | None) -> None:
        self.own, self.other = own, other
        self.shards = SimpleNamespace(
            wiring=SimpleNamespace(changelog="changelog", partitions=4),
            partition_of=CUSTOMERS.index,
            describe=lambda name: self.found(name, "described"),
            placed=self.placed,
            explain=self.explain,
        )

    def owner_url(self, tp: Any) -> str | None:
        """The other worker, where it has the partition."""
        return self.other if CUSTOMERS[tp.partition] == "b/o" else None

    async def placed(self, name: str) -> Any:
        """Where the shard says they are."""
        return self.found(name, "placed")

    async def explain(self, name: str, horizon: int) -> Any:
        """What the shard says of why."""
        return self.found(name, f"explained for {horizon}")

    def found(self, name: str, what: str) -> Any:
        """What the shard says."""
        if name not in (self.own, "di"):
            raise KeyError(name)
        return {"is": f"{name} {what}"} if name == self.own else None

    def site(self, token: str | None = None, rate: float = 1e6) -> web.Application:
        """Its web server."""
        site, peers = web.Application(), Peers(cast(Any, self))
        fill(site, Customers(cast(Any, self.shards), peers).endpoints(), token, rate)
        site.on_cleanup.append(lambda _: peers.stop())
        return site


Ask = Callable[..., Awaitable[tuple[int, Any]]]


def asked(talk: Callable[[Ask], Awaitable[None]], *, token: str | None = None, rate: float = 1e6) -> None:
    """Talk to the first of two workers."""

    async def run() -> None:
        async with TestServer(App("b/o", None).site(token, rate)) as other:
            address = str(other.make_url("/")).rstrip("/")
            async with TestClient(TestServer(App("ann", address).site(token, rate))) as client:

                async def ask(path: str, **headers: str) -> tuple[int, Any]:
                    async with client.get(path, headers=headers) as answer:
                        return answer.status, await answer.json()

                await talk(ask)

    asyncio.run(run())


def test_a_customer_of_this_worker_is_told_at_once() -> None:
    """All three questions; how far to look ahead can be asked for."""

    async def talk(ask: Ask) -> None:
        assert await ask("/customers/ann") == (200, {"is": "ann described", "partition": 0})
        assert await ask("/customers/ann/segments") == (200, {"is": "ann placed"})
        assert await ask("/customers/ann/explain?ahead=5") == (200, {"is": "ann explained for 5"})
        assert await ask("/customers/ann/explain") == (200, {"is": f"ann explained for {400 * 86_400_000}"})

    asked(talk)


@pytest.mark.parametrize("token", [None, "sixteen characters"])
def test_a_customer_of_another_worker_is_asked_for_there(token: str | None) -> None:
    """The question is handed on as it came, with its token, and an id with a slash stays one part of the path."""
    known = {} if token is None else {"Authorization": f"Bearer {token}"}

    async def talk(ask: Ask) -> None:
        assert await ask("/customers/b%2Fo", **known) == (200, {"is": "b/o described", "partition": 1})
        assert await ask("/customers/b%2Fo/explain?ahead=5", **known) == (200, {"is": "b/o explained for 5"})

    asked(talk, token=token)


def test_what_a_worker_asks_is_not_handed_on() -> None:
    """Else two workers that each take the other for the owner would ask each other for ever."""

    async def talk(ask: Ask) -> None:
        status, told = await ask("/customers/b%2Fo", **{"X-Segstream-Worker": "1"})
        assert (status, "is not ready" in told["error"]) == (503, True)

    asked(talk)


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("cy", 503, "not ready"),
        ("di", 404, "no such customer"),
        ("ann/explain?ahead=-5", 400, "ahead: expected a whole number >= 0"),
        ("ann/explain?ahead=" + "9" * 20, 400, "ahead"),
        ("ann/explain?ahead=" + "9" * 5_000, 400, "ahead"),
        ("ann/explain?ahead=%D9%A3", 400, "ahead: expected a whole number"),
        ("ann/explain?ahead=", 400, "ahead: expected a whole number"),
        ("ann/explain?ahaed=5", 400, "ahaed is unknown: what can be asked for here is ahead"),
        ("ann/explain?ahead=5&ahead=6", 400, "ahead stands twice"),
        ("ann?features=1", 400, "what can be asked for here is nothing"),
        ("ann/nothing", 404, "/openapi.json"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(path: str, status: int, said: str) -> None:
    """Not ready, unknown, or asked wrongly; a mistyped word is not passed over."""

    async def talk(ask: Ask) -> None:
        got, told = await ask(f"/customers/{path}")
        assert (got, list(told)) == (status, ["error"])
        assert said in told["error"]

    asked(talk)


@pytest.mark.parametrize(
    "name",
    [
        "a/b",
        "a%2Fb",
        "a+b@c.d",
        "{x}",
        "a{b",
        "}",
        "%",
        "a b",
        "a?b#c",
        "a\\b",
        "\U0001f600",
        "a\nb\0c",
        "../../x",
        "c;d",
    ],
)
def test_any_id_can_be_asked_for(name: str) -> None:
    """Whatever stands in it, here and through another worker, once it is written as addresses have it."""

    class Anybody:
        """Two workers of whom the other has everybody."""

        def __init__(self, other: str | None) -> None:
            self.other = other
            self.shards = SimpleNamespace(
                wiring=SimpleNamespace(changelog="c", partitions=1), partition_of=lambda _: 0, placed=self.placed
            )

        def owner_url(self, tp: Any) -> str | None:
            return self.other

        async def placed(self, name: str) -> Any:
            if self.other is not None:
                raise KeyError(name)
            return {"is": name}

    def site(other: str | None) -> web.Application:
        made, app = web.Application(), cast(Any, Anybody(other))
        peers = Peers(app)
        fill(made, Customers(app.shards, peers).endpoints(), None, 1e6)
        made.on_cleanup.append(lambda _: peers.stop())
        return made

    async def run() -> None:
        async with TestServer(site(None)) as other:
            address = str(other.make_url("/")).rstrip("/")
            async with TestClient(TestServer(site(address))) as client:
                path = URL(f"/customers/{quote(name, '')}/segments", encoded=True)
                async with client.get(path) as answer:
                    assert (answer.status, await answer.json()) == (200, {"is": name})

    asyncio.run(run())


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (b"http://elsewhere/customers/b%2Fo", b"b/o described"),
        (b"http://elsewhere:99/customers/ann", b"ann described"),
    ],
)
def test_a_whole_address_is_asked_for_by_its_path(target: bytes, said: bytes) -> None:
    """Where it stands in the place of a path, as proxies get it, it is no part of the owner's address."""

    async def run() -> None:
        async with TestServer(App("b/o", None).site()) as other:
            address = str(other.make_url("/")).rstrip("/")
            async with TestServer(App("ann", address).site()) as server:
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" % target)
                answer = await reader.read()
                writer.close()
                assert (answer.split()[1], said in answer) == (b"200", True), answer

    asyncio.run(run())


def test_a_long_answer_does_not_hold_the_loop() -> None:
    """Who asks far ahead waits; heartbeats and shards do not: the loop turns all the while, and one asks at a time."""

    class Slow:
        """A shard that takes ten thousand parts to say why."""

        asked = 0

        def explaining(self, customer: str, horizon: int) -> Iterator[Any]:
            self.asked += 1
            assert self.asked == 1, "two at a time"
            for _ in range(10_000):
                sum(range(50))
                yield None
            self.asked -= 1
            yield {"is": customer}

    async def run() -> None:
        host = counting_app("t", "127.0.0.1:1", 1).shards
        runner = host.runners[0] = ShardRunner(0, host)
        runner.shard, runner.state = cast(Any, Slow()), State.READY
        asked = [asyncio.create_task(host.explain(name, 1)) for name in ("ann", "bo")]
        turns = 0
        while not all(task.done() for task in asked):
            await asyncio.sleep(0)
            turns += 1
        assert [task.result() for task in asked] == [{"is": "ann"}, {"is": "bo"}]
        assert turns > 10
        leaving = asyncio.create_task(host.explain("ann", 1))
        await asyncio.sleep(0)
        runner.state = State.HELD
        with pytest.raises(KeyError):
            await leaving

    asyncio.run(run())
