"""W1 in Quix Streams: a stateful function over the customer's state, in RocksDB with its changelog; at least once."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.peers.progress import TOPIC, Progress
from tests.benchmarks.peers.quix_app import new_app

progress = Progress()


def count(event: dict[str, Any], state: Any) -> None:
    """One more event of its customer."""
    number, spent, last = state.get("totals") or (0, 0.0, "")
    if event["event"] == "Order Completed":
        spent += event["properties"]["total"]
    state.set("totals", [number + 1, spent, max(last, event["timestamp"])])
    if progress.handled():
        app.stop()


app = new_app()
rows = app.dataframe(app.topic(TOPIC, value_deserializer="json", key_deserializer="str"))
rows = rows.apply(count, stateful=True)

if __name__ == "__main__":
    app.run()
    progress.tell()
