"""New features filled at the switch: what live workers know then is what they had known had it been so from the first
event on, also where the backfill broke off and was resumed, and after a restart."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from stream.events.instant import iso, parse_iso
from tests.conftest import REPOSITORY
from tests.e2e.live import Live, wait_for
from tests.e2e.test_living_definitions import USAGE, live_sizes, sizes, write_definitions

SPENDING = """
dimension: spending
features:
  orders: {count: Order Completed}
  spend: {sum: total, of: Order Completed}
  views: {count: Product Viewed}
segments:
  - {segment: much, when: spend >= 500 and views >= 10}
  - {segment: some, when: orders >= 1}
otherwise: none yet
"""
WISHES = """
dimension: wishes
features:
  wishes: {bag: products, add: Product Added to Wishlist, remove: Product Removed from Wishlist, visit: Product Viewed}
segments:
  - {segment: many, when: wishes.size >= 4}
  - {segment: cheaper, when: wishes.cheaper >= 1}
  - {segment: some, when: wishes.size >= 1}
"""
PARTITIONS = 4


def test_new_features_know_the_past_at_the_switch(broker: str, unique: str, tmp_path: Path) -> None:
    """Sizes of the new dimensions equal those of a replay that had them from the first event on."""
    config = tmp_path / "config"
    config.mkdir()
    shutil.copy(REPOSITORY / "config" / "stream.yaml", config)
    write_definitions(config / "segments", {"usage.yaml": USAGE})
    changed = {"usage.yaml": USAGE, "spending.yaml": SPENDING, "wishes.yaml": WISHES}
    write_definitions(tmp_path / "changed", changed)
    settings = {"SEGSTREAM_CONFIG": str(config), "SEGSTREAM_APP__DATA_DIR": str(tmp_path / "data")}
    live = Live(broker, unique, tmp_path, PARTITIONS, settings)
    events = tmp_path / "events.jsonl"
    live.run("simulate", "--customers", "150", "--days", "100", "--seed", "8", "--out", str(events))
    lines = events.read_bytes().splitlines(keepends=True)
    (tmp_path / "first.jsonl").write_bytes(b"".join(lines[: len(lines) // 2]))
    (tmp_path / "second.jsonl").write_bytes(b"".join(lines[len(lines) // 2 :]))
    at = parse_iso(json.loads(lines[len(lines) * 6 // 10])["timestamp"]) + 1
    whole = ("replay", str(events), "--definitions", str(tmp_path / "changed"), "--snapshot", "customers.jsonl")
    live.run(*whole)
    expected = sizes([json.loads(line) for line in (tmp_path / "customers.jsonl").read_text().splitlines()])
    assert len({segment for segment in expected if segment[0] != "usage"}) == 6
    try:
        live.run("topics")
        live.start_worker("a")
        wait_for("worker a is ready", lambda: live.ready_shards() == PARTITIONS)
        live.run("load", "first.jsonl", "--no-closing-clock")
        broken_off = subprocess.Popen(
            [sys.executable, "-m", "stream", "backfill", "--definitions", "changed", "--at", iso(at)],
            env=live.environment,
            cwd=tmp_path,
        )
        try:
            wait_for("it is published", lambda: "compiling version 1 of the definitions" in live.log("a"))
        finally:
            broken_off.kill()
            broken_off.wait()
        live.run("load", "second.jsonl")
        waiting = {f'segstream_blocked{{partition="{p}",topic="definitions"}}' for p in range(PARTITIONS)}
        wait_for("all shards wait at the switch", lambda: waiting <= live.metrics("a").keys())
        said = live.run("backfill", "--resume").stdout
        assert "version 1 of the definitions" in said
        wait_for("sizes are those of the replay", lambda: live_sizes(live, "a") == expected)
        live.kill_worker("a")
        live.start_worker("b")
        wait_for("worker b has the same", lambda: live_sizes(live, "b") == expected)
        assert live.stop_worker("b") == 0
    finally:
        live.stop()
