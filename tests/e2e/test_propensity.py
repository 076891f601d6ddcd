"""Predictions on several workers, whose trainer is killed: one sequence of versions, the same for every customer."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import msgspec
import orjson
import pytest

from stream.app.bootstrap import propensity_pace, propensity_settings
from stream.predict.learning import PropensityLearner
from stream.predict.propensity import PropensityModel
from stream.predict.questions import decode
from tests.e2e.learning import PARTITIONS, World, configure, in_parts, settings_and_plan
from tests.e2e.live import Live, read_topic, wait_for
from tests.e2e.web import address, get, headers

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
#: Days at which parts of the history begin, and its end: whatever day of the second part something is learned on, it
#: holds before the end.
DAYS = (0, 12, 33, 54, 58)

DIMENSION = """
dimension: looking
every: 2d
features:
  orders: {count: Order Completed}
  since_order: {since: Order Completed}
  since_seen: {since: [Page Viewed, Product Viewed, Order Completed]}
  since_mail: {since: Email Opened}
  mails: {rate: Email Opened, half_life: 4d}
  looking: {rate: Product Viewed, half_life: 7d}
  will_look: {predict: Product Viewed, within: 4d, from: [since_mail, mails, since_seen, since_order, orders, looking]}
segments:
  - {segment: soon, when: will_look >= 60%}
  - {segment: later, when: will_look < 60%}
"""
#: Longer than a part: what is learned from one holds only after it, when all shards know of it.
PACE = {
    "SEGSTREAM_PROPENSITY__WARM_UP": "100",
    "SEGSTREAM_PROPENSITY__PUBLISH_EVERY": "100",
    "SEGSTREAM_PROPENSITY__WINDOW": "300",
    "SEGSTREAM_PROPENSITY__LEAD": "22d",
    "SEGSTREAM_PROPENSITY__SHARE": "1",
    "SEGSTREAM_BATCH__MAX_RECORDS": "200",
}


def history(customers: int = 400, seed: int = 3) -> Iterator[tuple[float, dict[str, Any]]]:
    """Day and content of events. In the first part customers open mails and look at products as chance has it. From
    the first mail after it on they look three times in the eight days after each mail, and not otherwise: mails tell of
    nearly every look, and how long ago the last look was, of few."""
    random = Random(seed)
    for number in range(customers):
        for day, event, properties in a_customer(random):
            yield day, {"userId": f"c{number}", "event": event, "properties": properties}


def a_customer(random: Random) -> Iterator[tuple[float, str, dict[str, Any]]]:
    """Day, name and properties of one customer's events."""
    for _ in range(DAYS[-1]):
        yield random.uniform(0, DAYS[-1]), "Page Viewed", {}
    for _ in range(random.randrange(4)):
        yield random.uniform(0, DAYS[-1]), "Order Completed", {"order_id": str(random.random()), "total": 20}
    mail, look = random.uniform(0, 16), random.expovariate(1 / 7)
    while mail < DAYS[1]:
        yield mail, "Email Opened", {}
        mail += random.uniform(14, 18)
    while look < mail:
        yield look, "Product Viewed", {"product_id": "p1"}
        look += random.expovariate(1 / 7)
    while mail < DAYS[-1]:
        yield mail, "Email Opened", {}
        for soonest in (2, 4, 6):
            yield mail + random.uniform(soonest, soonest + 2), "Product Viewed", {"product_id": "p1"}
        mail += random.uniform(14, 18)


def lines() -> Iterator[tuple[float, bytes]]:
    """The history in the order of time: day and JSON."""
    found = sorted(history(), key=lambda one: one[0])
    for number, (day, content) in enumerate(one for one in found if one[0] < DAYS[-1]):
        at = (BEGIN + timedelta(days=day)).isoformat(timespec="milliseconds")
        yield day, orjson.dumps({"messageId": f"m{number}", "type": "track", "timestamp": at, **content}) + b"\n"


def undisturbed(live: Live) -> list[PropensityModel]:
    """The versions of one trainer that was never killed, on the questions there are."""
    settings, plan = settings_and_plan(live, DIMENSION)
    (how,) = propensity_settings(settings, plan)
    learner, found = PropensityLearner(how, propensity_pace(settings)), []
    for record in read_topic(live.broker, live.topic("questions"), 1, 0, quiet=0.5):
        asked = decode(record, len(how.features))
        assert asked is not None
        learner.take(asked, record.offset)
        if learner.due:
            found.append(learner.version())
    return [model for model in found if model is not None]


def settle(world: World) -> int:
    """Wait until all that is loaded is applied, and what is due is published; how many versions that is."""
    world.committed_all()
    due = len(undisturbed(world.live))
    wait_for(f"{due} versions are published", lambda: len(world.versions(PropensityModel)) >= due)
    return due


@pytest.fixture
def world(broker: str, unique: str, tmp_path: Path) -> Iterator[World]:
    live = Live(broker, unique, tmp_path, PARTITIONS)
    configure(live, DIMENSION, PACE)
    told = list(lines())
    yield in_parts(live, [line for _, line in told], [bisect_left(told, (day, b"")) for day in DAYS[1:-1]])
    live.stop()


@pytest.mark.timeout(900)
def test_a_trainer_that_is_killed_is_replaced_without_a_jump(world: World) -> None:
    """No answer is learned twice or left out, whoever learns; nothing is published that is no better than what is known
    without learning; all workers judge by the same versions from the same instants on, as a replay does that is given
    them, and say so of every customer."""
    live = world.live
    world.start_two()
    world.load(0)
    assert settle(world) == 0
    tried = "no version yet, no better on"
    wait_for("what is learned was tried", lambda: any(tried in live.log(worker) for worker in live.workers))
    world.killed_at_work(1, "c")
    first = settle(world)
    world.killed_at_work(2, "d")
    assert 0 < first < settle(world), "more than one trainer published"
    world.load(3)
    settle(world)
    versions = world.versions(PropensityModel)
    assert [bare(version) for version in versions] == [bare(version) for version in undisturbed(live)]
    assert all(earlier.effective < later.effective for earlier, later in pairwise(versions))
    loaded = (BEGIN + timedelta(days=DAYS[2])).timestamp() * 1000
    assert all(version.effective > loaded for version in versions[:first]), "a version came late for what was loaded"

    found = world.equals_replay("--snapshot", "customers.jsonl")
    assert {change["data"]["cause"] for change in found} >= {"event", "model"}
    scores = {}
    for one in map(json.loads, (live.folder / "customers.jsonl").read_text().splitlines()[:20]):
        scores[one["customer"]] = one["features"]["will_look"]
    assert sum(score is not None for score in scores.values()) > 10
    for worker in live.workers:
        for customer, score in scores.items():
            status, told = get(f"{address(live, worker)}/customers/{quote(customer, '')}", headers(live))
            assert (status, told["features"]["will_look"]) == (200, score), customer
    told = json.loads(live.run("predictions", "--json").stdout)["predictions"]
    assert [one["version"] for one in told] == [versions[-1].version]


def bare(model: PropensityModel) -> PropensityModel:
    """Without what only the trainer reads: when its state was written down is not of interest."""
    return msgspec.structs.replace(model, trainer=msgspec.Raw(b"null"))
