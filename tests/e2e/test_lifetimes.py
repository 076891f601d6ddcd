"""The model of lifetimes on several workers, whose trainer is killed: one version for all, and churn told on time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from stream.learners.gathering import Gathered
from stream.predict.lifetime_model import LifetimeModel
from stream.predict.telling import ShardHistories
from tests.e2e.learning import PARTITIONS, World, make_world
from tests.e2e.live import Live, read_topic, wait_for

SIZE = ("--customers", "300", "--days", "90", "--seed", "3")
DAY = 86_400_000

DIMENSION = """
dimension: churn
features:
  orders: {count: Order Completed}
  alive: {alive: Order Completed}
segments:
  - {segment: likely-to-churn, when: orders >= 2 and alive < 0.5}
  - {segment: staying, when: orders >= 2}
otherwise: unknown
"""
#: Weeks pass in a second here: a version is known long before it holds, and each fit is one.
PACE = {
    "SEGSTREAM_PREDICT__EVERY": "10d",
    "SEGSTREAM_PREDICT__LEAD": "35d",
    "SEGSTREAM_PREDICT__LEAST_CHANGE": "0",
    "SEGSTREAM_PREDICT__SHARE": "1",
    "SEGSTREAM_BATCH__MAX_RECORDS": "200",
}


def nothing_due(live: Live) -> bool:
    """Whether what the shards have told last is fitted, and there is a version."""
    gathered = Gathered(PARTITIONS, ShardHistories.decode)
    for record in read_topic(live.broker, live.topic("histories"), 1, 0, quiet=0.5):
        gathered.take(record.key, record.value)
    return len(gathered.latest) == PARTITIONS and not gathered.due() and bool(gathered.used)


def settle(world: World) -> None:
    """Wait until all that is loaded is applied, and what is due is published."""
    world.committed_all()
    wait_for("what shards told is fitted", lambda: nothing_due(world.live))


def who_tells(live: Live) -> list[str]:
    """The workers that show a version of lifetimes: the one beside which they are fitted."""
    return [name for name in live.workers if live.metrics(name).get("segstream_lifetime_version", 0.0) > 0]


@pytest.fixture
def world(broker: str, unique: str, tmp_path: Path) -> Iterator[World]:
    live = Live(broker, unique, tmp_path, PARTITIONS)
    yield make_world(live, DIMENSION, PACE, SIZE, 1 / 3, 2 / 3, 1)
    live.stop()


@pytest.mark.timeout(900)
def test_a_killed_trainer_is_replaced_and_churn_is_told_on_time(world: World) -> None:
    """Versions count on, whoever fits them; all workers judge by the same ones from the same instants on, as a replay
    does that is given them; who falls silent is told of to the millisecond while nothing comes in."""
    live = world.live
    world.start_two()
    world.load(0)
    settle(world)
    before = world.versions(LifetimeModel)
    assert before
    assert who_tells(live) == [world.trainers_worker()]

    victim = world.killed_at_work(1, "c")
    settle(world)
    assert len(world.versions(LifetimeModel)) > len(before)
    assert who_tells(live) == [world.trainers_worker()] != [victim]
    world.load(2)
    settle(world)

    lines = [json.loads(line) for line in world.events.read_bytes().splitlines()]
    last = instant(lines[-1]["timestamp"])
    until = iso_day(last + 200 * DAY)
    world.load(3, "--until", until)
    versions = world.versions(LifetimeModel)
    assert [version.version for version in versions] == list(range(1, len(versions) + 1))
    assert all(earlier.effective < later.effective for earlier, later in pairwise(versions))

    found = world.equals_replay("--until", until)
    # Whom a version itself moves goes by when it was fitted, which no two runs have in common.
    assert {change["data"]["cause"] for change in found} >= {"event", "deadline"}

    silent = [one for one in found if instant(one["time"]) > last and one["data"]["cause"] == "deadline"]
    assert len(silent) > 10
    for change in silent:
        assert change["data"]["to"] == "likely-to-churn"
        at, orders = instant(change["time"]), ordered(lines, change["subject"])
        model = next(v for v in reversed(versions) if v.effective <= at).purchases
        days = len({one // DAY for one in orders})
        chance = [
            float(model.p_alive(days - 1, orders[-1] - orders[0], now - orders[0])[()]) for now in (at - 2, at + 2)
        ]
        assert chance[0] >= 0.5 > chance[1] or chance == pytest.approx([0.5, 0.5], abs=1e-9)
    told = json.loads(live.run("predictions", "--json").stdout)
    assert told["version"] == world.versions(LifetimeModel)[-1].version


def ordered(lines: list[Any], customer: str) -> list[int]:
    """The instants of a customer's orders."""
    found = []
    for line in lines:
        who = line.get("userId") or f"anonymous:{line.get('anonymousId')}"
        if who == customer and line.get("event") == "Order Completed":
            found.append(instant(line["timestamp"]))
    return sorted(found)


def instant(text: str) -> int:
    """Milliseconds of a time as it is written."""
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def iso_day(at: int) -> str:
    """The day of an instant."""
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%Y-%m-%d")
