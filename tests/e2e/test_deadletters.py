"""What was rejected is kept with its reason, and is applied once when it is sent again after the fix."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from tests.e2e.live import Live, send, small_config, wait_for

APPLIED = 'segstream_events_total{outcome="applied"}'


def order(customer: str, currency: str) -> bytes:
    """An order without a messageId."""
    event = {
        "type": "track",
        "userId": customer,
        "event": "Order Completed",
        "timestamp": "2026-01-01T00:00:00Z",
        "properties": {"total": 10, "currency": currency},
    }
    return json.dumps(event).encode()


def rejected(live: Live, worker: str) -> float:
    """Events that a worker rejected, whatever the reason."""
    rejects = 'segstream_events_total{outcome="rejected'
    return sum(value for name, value in live.metrics(worker).items() if name.startswith(rejects))


def test_dead_letters_are_told_and_sent_again_once(broker: str, unique: str, tmp_path: Path) -> None:
    """An order in a currency without a rate waits as a dead letter; with the rate it counts, however often one asks."""
    live = Live(broker, unique, tmp_path, partitions=1, settings=small_config(tmp_path))
    mended = dataclasses.replace(
        live, settings={**live.settings, "SEGSTREAM_MONEY__RATES": '{"USD": "0.5"}'}, workers={}
    )
    try:
        live.run("topics")
        send(broker, live.topic("purchases"), [order("a", "USD"), b"no json", order("b", "EUR"), order("a", "USD")])
        live.start_worker("before")
        wait_for("three are rejected", lambda: (rejected(live, "before"), live.applied("before")) == (3, 1))

        letters = [json.loads(line) for line in live.run("deadletters", "--list").stdout.splitlines()]
        assert [(x["reason"], x["offset"]) for x in letters] == [("currency", 0), ("not-json", 1), ("currency", 3)]
        assert letters[0]["value"].encode() == order("a", "USD")
        assert letters[0]["topic"] == live.topic("purchases")
        told = live.run("deadletters").stdout
        assert "currency" in told
        assert "not-json" in told

        assert live.stop_worker("before") == 0
        mended.start_worker("after")
        assert "2 sent again" in mended.run("deadletters", "--resend", "--reason", "currency").stderr
        assert "0 sent again" in mended.run("deadletters", "--resend", "--reason", "currency").stderr
        wait_for("both are applied", lambda: mended.applied("after") == 2)
        left = [json.loads(line)["reason"] for line in mended.run("deadletters", "--list").stdout.splitlines()]
        assert left == ["not-json"]
        assert len(mended.run("deadletters", "--list", "--all").stdout.splitlines()) == 3
        assert rejected(mended, "after") == 0
        assert mended.stop_worker("after") == 0
    finally:
        live.stop()
        mended.stop()
