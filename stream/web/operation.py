"""What whoever runs the workers asks: metrics and health."""

from __future__ import annotations

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from stream.app.health import Health
from stream.app.shards import ShardHost
from stream.web.endpoint import Endpoint, json


class Live(msgspec.Struct, omit_defaults=True):
    """``status`` is ``live``, or ``stuck`` with the reasons."""

    status: str
    why: list[str] = []


class Ready(msgspec.Struct, omit_defaults=True):
    """Whether the worker does its work now; if not, all reasons, and what each shard that is not ready is at."""

    ready: bool
    shards: int
    shards_ready: int
    kafka_silent_seconds: float
    why: list[str] = []
    not_ready: dict[str, str] = {}


class Operation:
    """Answers from this worker alone."""

    def __init__(self, shards: ShardHost, health: Health) -> None:
        self._shards, self._health = shards, health

    def endpoints(self) -> list[Endpoint]:
        """What can be asked."""
        return [
            Endpoint("/metrics", "All metrics of this worker, for Prometheus.", self.metrics, "text/plain", cost=5),
            Endpoint(
                "/health/live",
                "Whether a restart would mend anything.",
                self.live,
                Live,
                refusals={503: "a restart would help"},
                open=True,
            ),
            Endpoint(
                "/health/ready",
                "Whether this worker does its work now, and if not, why.",
                self.ready,
                Ready,
                refusals={503: "it does not"},
                open=True,
            ),
        ]

    async def metrics(self, request: web.Request) -> web.Response:
        """All metrics."""
        body = await self._shards.metrics.exposition(self._shards)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def live(self, request: web.Request) -> web.Response:
        """Whether a restart would mend anything."""
        status, told = await self._health.live()
        return json(told, status)

    async def ready(self, request: web.Request) -> web.Response:
        """Whether it does its work."""
        status, told = self._health.ready()
        return json(told, status)
