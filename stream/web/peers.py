"""Asking the other workers: for a customer of theirs, or for what their shards say to a question about all."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import aiohttp
import msgspec
from aiohttp import web
from faust.types import TP
from yarl import URL

from stream.app.app import App
from stream.web.refusal import RefusalError

#: Header of a question that one worker asks another: it is answered from what that one has, or not at all.
ASKED_BY_WORKER = "X-Segstream-Worker"
#: How long another worker may take to answer, in seconds.
PATIENCE = 10.0
#: For how many seconds it is remembered which addresses a worker's name stands for.
ADDRESSES_SECONDS = 30.0
P = TypeVar("P")


class Peers:
    """The workers of the group, as the latest assignment names them."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._session: aiohttp.ClientSession | None = None
        #: worker -> its network addresses, and until when they will do
        self._addresses: dict[str, tuple[set[str], float]] = {}

    async def stop(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def owner(self, partition: int) -> str | None:
        """The address of the worker that has a shard; None where it is not known, or this one."""
        return self._app.owner_url(TP(self._app.shards.wiring.changelog, partition))

    def others(self) -> list[str]:
        """The addresses of all other workers that have shards."""
        owners = {self.owner(partition) for partition in range(self._app.shards.wiring.partitions)}
        return sorted(owner for owner in owners if owner is not None)

    async def are_at(self, address: str) -> bool:
        """Whether one of the other workers that have shards is at a network address."""
        # how an IPv4 one comes in where IPv6 is listened to
        address, others = address.removeprefix("::ffff:"), self.others()
        self._addresses = {worker: known for worker, known in self._addresses.items() if worker in others}
        for worker in others:
            if worker not in self._addresses or time.monotonic() >= self._addresses[worker][1]:
                self._addresses[worker] = await _addresses(worker), time.monotonic() + ADDRESSES_SECONDS
        return any(address in self._addresses[worker][0] for worker in others if worker in self._addresses)

    async def forward(self, request: web.Request, partition: int) -> web.Response:
        """What the owner of a shard answers to the same question.  `RefusalError` 503 where it cannot be asked."""
        owner = self.owner(partition)
        if owner is None or from_worker(request):
            raise RefusalError(503, f"shard {partition}, which has it, is not ready: see /health/ready, and ask again")
        try:
            async with self._ask(owner, request) as answer:
                body = await answer.read()
                return web.Response(
                    body=body, status=answer.status, content_type=answer.content_type, charset=answer.charset
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RefusalError(503, f"the worker that has shard {partition} does not answer: ask again") from error

    async def gather(self, request: web.Request, own: Mapping[int, P], kind: type[P]) -> dict[int, P]:
        """What all shards say: ``own`` and what the other workers answer, by partition; a shard that is not ready, or
        whose worker does not answer, is not in it."""
        parts = dict(own)
        found: list[dict[int, P]] = await self.each(request, cast(Any, dict[int, kind]))  # type: ignore[valid-type]
        for one in found:
            parts = {**one, **parts}
        return parts

    async def each(self, request: web.Request, kind: type[P]) -> list[P]:
        """What the other workers answer to the same question, as far as they do."""
        found = await asyncio.gather(*(self._answer(owner, request, kind) for owner in self.others()))
        return [one for one in found if one is not None]

    async def _answer(self, owner: str, request: web.Request, kind: type[P]) -> P | None:
        try:
            async with self._ask(owner, request) as answer:
                return msgspec.json.decode(await answer.read(), type=kind) if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError):
            return None

    def _ask(self, owner: str, request: web.Request) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE, connect=2.0))
        headers = {ASKED_BY_WORKER: "1"}
        if "Authorization" in request.headers:
            headers["Authorization"] = request.headers["Authorization"]
        # The path as it came: a slash inside a customer's id must stay %2F.  What came may be a whole address.
        return self._session.get(URL(owner + request.rel_url.raw_path_qs, encoded=True), headers=headers)

    def missing(self, parts: Mapping[int, Any]) -> list[int]:
        """The shards that said nothing."""
        return [partition for partition in range(self._app.shards.wiring.partitions) if partition not in parts]


async def _addresses(worker: str) -> set[str]:
    """The network addresses of a worker; none where its name is unknown."""
    host = URL(worker).host
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {str(address[0]) for *_, address in found}


def from_worker(request: web.Request) -> bool:
    """Whether another worker asks."""
    return ASKED_BY_WORKER in request.headers
