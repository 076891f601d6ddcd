"""The real Prometheus over a live worker on a real Kafka: it reads the metrics, records, raises an alarm, and answers
every question of the dashboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.app.metric_list import METRICS, PREFIX
from tests.dashboard import queries
from tests.e2e.live import Live, send, small_config, wait_for
from tests.e2e.prometheus import Prometheus

CUSTOMERS = 20
#: Panels that must have something to show of what this test does.
SHOWN = {
    "Workers ready",
    "Shards without a worker",
    "Events a second",
    "Changes a second",
    "Event to change, p99",
    "Records waiting",
    "Customers in each segment",
    "Who enters, and who leaves (below)",
    "Why they enter",
    "Churn",
    "How long customers stayed, median",
    "Missed, of all",
    "Event to change",
    "Events by outcome",
    "Rejected, by reason",
    "Records waiting, by topic",
    "Shards by state",
    "Commits",
    "Events in a transaction",
    "Failures",
    "CPU",
    "Memory",
    "Definitions in force",
    "Workers",
}


@pytest.fixture
def live(broker: str, unique: str, tmp_path: Path) -> Iterator[Live]:
    settings = small_config(tmp_path) | {"SEGSTREAM_TIME__CLOCK": "wall"}
    live = Live(broker, unique, tmp_path, settings=settings)
    yield live
    live.stop()


def orders(number: int) -> list[bytes]:
    """An order of each customer, on the wrong partition for most; one line in ten is no event."""
    made = []
    for k in range(CUSTOMERS):
        event = {"type": "track", "event": "Order Completed", "userId": f"c{k}", "messageId": f"{number}-{k}"}
        made.append(json.dumps(event | {"timestamp": "2026-01-01T00:00:00Z"}).encode())
    return made + [b"nonsense"] * (CUSTOMERS // 10)


def test_prometheus_over_a_live_worker(live: Live, tmp_path: Path) -> None:
    """Sizes are recorded, a refused definition raises an alarm that says what to do, and no panel is broken."""
    live.run("topics")
    live.start_worker("a")
    wait_for("all shards ready", lambda: live.ready_shards() == live.partitions)
    address = re.search(r"metrics at http://([^/\s]+)", live.log("a"))
    assert address is not None
    prometheus = Prometheus(tmp_path, [address[1]])
    try:
        _watched(live, prometheus)
    finally:
        prometheus.stop()


def _watched(live: Live, prometheus: Prometheus) -> None:
    wait_for("the worker is scraped", lambda: prometheus.value("segstream_ready") == 1)
    for number in range(5):
        send(live.broker, live.topic("purchases"), orders(number))
    often = 'segstream:segment_customers:sum{dimension="buys", segment="often"}'
    wait_for("all are in the segment", lambda: prometheus.value(often) == CUSTOMERS)
    assert prometheus.value('segstream:segment_customers:sum{dimension="buys", segment="once"}') == 0
    entered = 'sum(segstream_segment_entered_total{segment="%s"}) - sum(segstream_segment_left_total{segment="%s"})'
    # a step is counted once it is committed
    wait_for("as many have entered", lambda: prometheus.value(entered % ("often", "often")) == CUSTOMERS)
    assert prometheus.value(entered % ("once", "once")) == 0

    assert "DefinitionsRefused" not in prometheus.firing()
    broken = {"type": "definitions", "version": 1, "effective": 0, "files": {"a.yaml": "dimension: a\n"}}
    send(live.broker, live.topic("control"), [json.dumps(broken).encode()])
    alarm = wait_for("the alarm", lambda: prometheus.firing().get("DefinitionsRefused"))
    assert "segstream check" in alarm["action"]

    _rules_are_well(prometheus)
    _nothing_is_missing(prometheus)
    wait_for("every panel has what it should", lambda: _shown(prometheus) >= SHOWN)


def _rules_are_well(prometheus: Prometheus) -> None:
    """No rule has failed; those looked at every two minutes may not have been yet."""
    for group in prometheus.ask("rules")["groups"]:
        known = {"ok", "unknown"} if group["interval"] > 60 else {"ok"}
        assert {rule["health"] for rule in group["rules"]} <= known, group


def _nothing_is_missing(prometheus: Prometheus) -> None:
    """Every metric without labels is there from the start, under the names that rules and panels use."""
    names = set(prometheus.ask("label/__name__/values"))
    plain = {name for metric in METRICS if not metric.labels for name in metric.series()}
    assert plain <= names
    listed = {name for metric in METRICS for name in metric.series()}
    assert {name for name in names if name.startswith(PREFIX)} <= listed


def _shown(prometheus: Prometheus) -> set[str]:
    """The panels that have something to show; each of their queries is one that Prometheus understands."""
    found: dict[str, bool] = {}
    for title, query in queries():
        found[title] = bool(prometheus.query(query)) or found.get(title, False)
    return {title for title, has in found.items() if has}
