"""What a worker answers over HTTP: metrics, health, and one customer at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from faust.types import TP
from prometheus_client import CONTENT_TYPE_LATEST

from stream.engine.foresee import HORIZON_MS, LONGEST_MS

if TYPE_CHECKING:
    from stream.app.app import App
    from stream.app.health import Health


def add_views(app: App, health: Health) -> None:
    """Declare the pages of the worker."""
    shards = app.shards

    @app.page("/metrics")
    async def metrics(view: Any, request: Any) -> Any:
        """All metrics, for Prometheus."""
        return view.bytes(await shards.metrics.exposition(shards), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @app.page("/health/live")
    async def live(view: Any, request: Any) -> Any:
        """Whether a restart would mend anything."""
        status, told = await health.live()
        return view.json(told, status=status)

    @app.page("/health/ready")
    async def ready(view: Any, request: Any) -> Any:
        """Whether this worker does its work now, and if not, why."""
        status, told = health.ready()
        return view.json(told, status=status)

    async def answer(view: Any, customer_id: str, path: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        """What ``ask`` gives, or where else to ask: of the worker that has the customer, under ``path``."""
        try:
            found = await ask()
        except KeyError:
            owner = app.owner_url(TP(shards.wiring.changelog, shards.partition_of(customer_id)))
            if owner is None:
                return view.json({"error": "the customer's shard is not ready: see /health/ready"}, status=503)
            url = f"{owner}{path}"
            return view.json({"owner": url}, status=307, headers={"Location": url})
        if found is None:
            return view.json({"error": "no such customer"}, status=404)
        return view.json(found)

    @app.page("/customers/{customer_id}")
    async def customer(view: Any, request: Any, customer_id: str) -> Any:
        """Segments and features of a customer; a customer of another worker is redirected there."""

        async def described() -> Any:
            return shards.describe(customer_id)

        return await answer(view, customer_id, f"/customers/{quote(customer_id, '')}", described)

    @app.page("/customers/{customer_id}/explain")
    async def explained(view: Any, request: Any, customer_id: str) -> Any:
        """Why a customer is where they are, and what comes within ``?ahead=`` milliseconds; redirected likewise."""
        ahead = milliseconds(request.query.get("ahead", str(HORIZON_MS)))
        if ahead is None:
            said = f"ahead: expected milliseconds, such as 2592000000 for 30 days, at most {LONGEST_MS} (100 years)"
            return view.json({"error": said}, status=400)
        path = f"/customers/{quote(customer_id, '')}/explain?ahead={ahead}"
        return await answer(view, customer_id, path, lambda: shards.explain(customer_id, ahead))


def milliseconds(text: str) -> int | None:
    """How far ahead is asked for; None where that is no number, or beyond all reason."""
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(LONGEST_MS)):
        return None
    return int(text) if int(text) <= LONGEST_MS else None
