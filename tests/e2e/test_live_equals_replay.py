"""The same events through replay and through live workers give the same changes for every customer, field by field."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.live import Change, Live, by_customer, read_changes, send, wait_for

#: What learns in a live worker, going on from the newest published versions, stays silent: every run uses the same.
#: (The first model of lifetimes is fitted when every shard has told once; it comes into force after the history.)
SILENT = {
    "SEGSTREAM_CLUSTERS__PUBLISH_EVERY": "1000000000",
    "SEGSTREAM_CUTS__EVERY": "36500d",
    "SEGSTREAM_PREDICT__EVERY": "36500d",
    "SEGSTREAM_PREDICT__LEAD": "36500d",
    "SEGSTREAM_PROPENSITY__PUBLISH_EVERY": "1000000000",
    "SEGSTREAM_PROPENSITY__WARM_UP": "1000000000",
}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[Change]]:
    """A simulated file, versions learned from it, and what replay makes of both."""
    folder = tmp_path_factory.mktemp("history")
    events, versions, out = folder / "events.jsonl", folder / "versions.jsonl", folder / "out.jsonl"
    live = Live("127.0.0.1:1", "history", folder)
    live.run("simulate", "--customers", "300", "--days", "150", "--seed", "11", "--out", str(events))
    live.run("replay", str(events), "--save-versions", str(versions))
    live.run("replay", str(events), "--versions", str(versions), "--out", str(out))
    changes = [json.loads(line) for line in out.read_text().splitlines()]
    assert {c["data"]["dimension"] for c in changes} >= {"lifecycle", "wishlist", "cart", "cluster", "usage"}
    assert {c["data"]["cause"] for c in changes} == {"event", "deadline", "model"}
    return events, versions, changes


def busy(live: Live, worker: str) -> bool:
    """Whether a worker is in the middle of its work."""
    return live.applied(worker) > 2_000


@pytest.mark.parametrize(("partitions", "workers"), [(4, 1), (4, 2), (8, 1), (8, 2)])
def test_live_workers_make_the_changes_that_replay_makes(
    broker: str,
    unique: str,
    tmp_path: Path,
    history: tuple[Path, Path, list[Change]],
    partitions: int,
    workers: int,
) -> None:
    """Partition count and number of workers do not show in any customer's changes, nor in their order."""
    events, versions, expected = history
    live = Live(broker, unique, tmp_path, partitions, SILENT)
    try:
        live.run("topics")
        send(broker, live.topic("control"), versions.read_bytes().splitlines())
        live.start_worker("a")
        wait_for("worker a is ready", lambda: live.ready_shards() == partitions)
        if workers == 2:  # joins while the first one works
            live.start_worker("b")
        live.run("load", str(events))
        found = read_changes(live, len(expected))
        if workers == 2:
            assert 0 < live.metrics("b")['segstream_shards{state="ready"}'] < partitions
        assert {live.stop_worker(worker) for worker in list(live.workers)} == {0}
    finally:
        live.stop()
    assert len(found) == len(expected)
    assert by_customer(found) == by_customer(expected)


def test_killed_workers_make_the_changes_that_replay_makes(
    broker: str, unique: str, tmp_path: Path, history: tuple[Path, Path, list[Change]]
) -> None:
    """kill -9 in the middle of the work, three times: the next worker goes on as if nothing had been."""
    events, versions, expected = history
    slow = {"SEGSTREAM_BATCH__MAX_RECORDS": "500"}
    live = Live(broker, unique, tmp_path, 4, {**SILENT, **slow})
    try:
        live.run("topics")
        send(broker, live.topic("control"), versions.read_bytes().splitlines())
        live.run("load", str(events))
        for worker in "abc":
            live.start_worker(worker)
            wait_for(f"worker {worker} works", partial(busy, live, worker), every=0.05)
            live.kill_worker(worker)
        live.start_worker("d")
        found = read_changes(live, len(expected))
        assert live.applied("d") > 0
        assert live.stop_worker("d") == 0
    finally:
        live.stop()
    assert len(found) == len(expected)
    assert by_customer(found) == by_customer(expected)
