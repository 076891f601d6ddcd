"""W2 in Quix Streams: a stateful function, and timers in memory.

Quix has no timer. Its session windows can close for a whole partition, but then walk all customers whenever one is due.
A function sees the state of its own customer only: what a timer changed is worked out again at the next event.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from quixstreams import message_context

from tests.benchmarks.peers import lifecycle
from tests.benchmarks.peers.progress import OUT, TOPIC, Progress
from tests.benchmarks.peers.quix_app import new_app

progress = Progress()
timers: defaultdict[int, lifecycle.Timers] = defaultdict(lifecycle.Timers)
#: the segment that a customer with a timer leaves when it fires
leaves: dict[str, str] = {}


def judge(event: dict[str, Any], state: Any) -> list[dict[str, Any]]:
    """Timers that are due, then the event itself."""
    customer, now = event["userId"], lifecycle.instant(event)
    mine = timers[message_context().partition]
    found = [lifecycle.move(absent, leaves.pop(absent), "at-risk", at) for at, absent in mine.due(now)]
    known = state.get("customer") or lifecycle.new_state()
    if lifecycle.absent_since(known, now) is not None:
        known["segment"] = "at-risk"
    change = lifecycle.apply(known, customer, event, now)
    state.set("customer", known)
    if event["event"] == "Order Completed":
        mine.set(customer, now + lifecycle.ABSENCE_MS)
        leaves[customer] = known["segment"]
    if change is not None:
        found.append(change)
    if progress.handled():
        app.stop()
    return found


app = new_app()
rows = app.dataframe(app.topic(TOPIC, value_deserializer="json", key_deserializer="str"))
rows = rows.apply(judge, stateful=True, expand=True)
rows.to_topic(app.topic(OUT, value_serializer="json", key_serializer="str"), key=lambda move: move["customer"])

if __name__ == "__main__":
    app.run()
    progress.tell()
