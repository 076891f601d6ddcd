"""What a worker answers over HTTP: metrics, health, and one customer at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faust.types import TP
from prometheus_client import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from stream.app.app import App


def add_views(app: App) -> None:
    """Declare the pages of the worker."""
    shards = app.shards

    @app.page("/metrics")
    async def metrics(view: Any, request: Any) -> Any:
        """All metrics, for Prometheus."""
        return view.bytes(shards.metrics.exposition(shards), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @app.page("/health/live")
    async def live(view: Any, request: Any) -> Any:
        """The process runs and its event loop turns."""
        return view.json({"status": "live"})

    @app.page("/health/ready")
    async def ready(view: Any, request: Any) -> Any:
        """200 once this worker is in the group and all its shards are ready, 503 before; a worker may have none."""
        done, all_of_them = len(shards.ready()), len(shards.runners)
        is_ready = shards.joined and done == all_of_them
        return view.json(
            {"ready": is_ready, "shards": all_of_them, "shards_ready": done}, status=200 if is_ready else 503
        )

    @app.page("/customers/{customer_id}")
    async def customer(view: Any, request: Any, customer_id: str) -> Any:
        """Segments and features of a customer; a customer of another worker is redirected there."""
        try:
            found = shards.describe(customer_id)
        except KeyError:
            owner = app.owner_url(TP(shards.wiring.changelog, shards.partition_of(customer_id)))
            if owner is None:
                return view.json({"error": "the customer's shard is not ready"}, status=503)
            url = f"{owner}/customers/{customer_id}"
            return view.json({"owner": url}, status=307, headers={"Location": url})
        if found is None:
            return view.json({"error": "no such customer"}, status=404)
        return view.json(found)
