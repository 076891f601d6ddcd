"""W1 in Bytewax: a stateful map in memory; each new state goes to a topic, which is the changelog."""

from __future__ import annotations

from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.testing import run_main

from tests.benchmarks.peers.progress import BROKER, OUT, TOPIC, Progress

Totals = tuple[int, float, str]
progress = Progress()


def parse(message: Any) -> tuple[str, Any]:
    """The customer, and the event."""
    event = orjson.loads(message.value)
    return event["userId"], event


def count(totals: Totals | None, event: Any) -> tuple[Totals, Totals]:
    """One more event of its customer."""
    number, spent, last = totals or (0, 0.0, "")
    if event["event"] == "Order Completed":
        spent += event["properties"]["total"]
    after = (number + 1, spent, max(last, event["timestamp"]))
    progress.handled()
    return after, after


def record(row: tuple[str, Totals]) -> Any:
    """The row for the changelog."""
    return KafkaSinkMessage(key=row[0].encode(), value=orjson.dumps(row[1]))


flow = Dataflow("totals")
source = kop.input("in", flow, brokers=[BROKER], topics=[TOPIC], tail=False, batch_size=1000)
rows = op.stateful_map("count", op.map("parse", source.oks, parse), count)
kop.output("out", op.map("record", rows, record), brokers=[BROKER], topic=OUT)

if __name__ == "__main__":
    run_main(flow)  # ends at the topic's end, with everything flushed
    progress.tell()
