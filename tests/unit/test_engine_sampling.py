"""What the trainer learns from: vectors that stand for customers by time, whatever the batches, and not too many."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest

from stream.engine.sampling import DAY_MS, Bound
from stream.plan.source import WEIGHED
from tests.shards import CONTROL, Driver, event, logs, plan_of
from tests.shop import WISH

EVERY = 20
#: Not a multiple of how often anyone comes.
UNTIL = 3_000
CLUSTER: dict[str, Any] = {
    "dimension": "cluster",
    "features": {"ago": {"since": "Product Viewed"}, "views": {"count": "Product Viewed"}},
    "learn": {"clusters": 2, "every": f"{EVERY}ms", "vector": {"ago": "ago / 1ms", "views": "views"}},
}


def visits(customers: dict[str, int], until: int = UNTIL) -> list[dict[str, Any]]:
    """Each of these customers comes again and again after so many ms."""
    found = [(t, who) for who, gap in customers.items() for t in range(1 + hash_of(who) % gap, until, gap)]
    return [event(who, "Product Viewed", t, product_id="p") for t, who in sorted(found)]


def hash_of(who: str) -> int:
    """Something that differs from one to the next, and not from run to run."""
    return sum(map(ord, who)) * 31


def taken(driver: Driver) -> list[tuple[bytes, int, tuple[float, ...]]]:
    """Customer, instant and vector of each sample."""
    return [
        (key, instant, tuple(vector))
        for out in driver.outputs
        if out.vectors is not None
        for key, instant, vector in zip(out.vector_keys, out.vector_instants, out.vectors.tolist(), strict=True)
    ]


def test_everyone_weighs_by_time_and_not_by_visits() -> None:
    """Who comes forty times as often is learned from no more often, and everyone as they are at a random moment."""
    often, seldom = {f"o{k}": 5 for k in range(12)}, {f"s{k}": 200 for k in range(12)}
    driver = Driver(plan_of(CLUSTER), logs(visits(often | seldom), UNTIL)).finish()
    found = taken(driver)
    ago = {kind: [vector[0] for key, _, vector in found if key.startswith(kind)] for kind in (b"o", b"s")}
    expected = 12 * UNTIL / (WEIGHED * EVERY)
    assert 0.7 * expected < len(ago[b"o"]) < 1.2 * expected
    assert 0.7 * expected < len(ago[b"s"]) < 1.2 * expected
    assert 1 <= np.mean(ago[b"o"]) <= 4
    assert 80 <= np.mean(ago[b"s"]) <= 120
    assert np.percentile(ago[b"s"], 10) < 40
    assert np.percentile(ago[b"s"], 90) > 160


def test_who_stays_away_is_learned_from_ever_less() -> None:
    """At each look, which come at ever longer intervals: they are in the sample, and do not outweigh all others."""
    events = [event(f"c{k}", "Product Viewed", 5, product_id="p", id=str(k)) for k in range(30)]
    found = taken(Driver(plan_of(CLUSTER), logs(events, 5 + EVERY * 1024)).finish())
    late = [vector[0] for _, _, vector in found]
    assert max(late) > EVERY * 500
    assert len(found) < 30 * 11
    assert all(instant - 5 in [EVERY * 2**k for k in range(11)] for _, instant, _ in found)


@pytest.mark.parametrize("seed", range(4))
def test_samples_do_not_depend_on_batches_or_restarts(seed: int) -> None:
    """None is lost, none comes twice, at most one of a customer in the time between two."""
    log = logs(visits({f"c{k}": 3 + 7 * k for k in range(6)}, 500), 1200)
    plan = plan_of(CLUSTER, WISH)
    plain = taken(Driver(plan, log).finish())
    driver = Driver(plan, log, limit=5)
    driver.offer((CONTROL, 0), 1)
    assert sorted(taken(driver.wander(Random(seed), restarts=0.03, most=20))) == sorted(plain)
    for who in {key for key, _, _ in plain}:
        instants = sorted(instant for key, instant, _ in plain if key == who)
        assert all(b - a >= EVERY for a, b in pairwise(instants))


def test_a_day_has_only_so_many() -> None:
    """From all its hours, once it is known how many a day brings; wherever batches are cut."""
    random = np.random.default_rng(1)
    customers = random.integers(-(1 << 62), 1 << 62, 8_000)
    instants = np.sort(random.integers(0, 4 * DAY_MS, 8_000))
    bound, cut = Bound(500), Bound(500)
    found = bound.pick(customers, instants)
    again = np.concatenate([cut.pick(customers[k : k + 37], instants[k : k + 37]) for k in range(0, 8_000, 37)])
    assert (found == again).all()
    assert cut.state == bound.state
    per_day = np.bincount(instants[found] // DAY_MS, minlength=4)
    assert per_day[0] == 500
    assert (per_day[1:] <= 500).all()
    assert (per_day[1:] > 400).all()
    hours = np.bincount(instants[found & (instants > DAY_MS)] % DAY_MS // (DAY_MS // 4), minlength=4)
    assert hours.min() > 0.6 * hours.max()
    assert Bound(None).pick(customers, instants).all()


def test_each_counts_as_of_its_own_day_however_many_days_come_at_once() -> None:
    """Row by row, as a clock that leaps over four days brings them, or in the order of time, and in pieces."""
    random = np.random.default_rng(2)
    customers = random.integers(-(1 << 62), 1 << 62, 8_000)
    instants = random.integers(0, 4 * DAY_MS, 8_000)
    leap, steady = Bound(500), Bound(500)
    order = np.argsort(instants)
    pieces = np.split(order, range(100, 8_000, 100))
    found = leap.pick(customers, instants)
    again = np.concatenate([steady.pick(customers[k], instants[k]) for k in pieces])
    assert (found[order] == again).all()
    assert leap.state == steady.state
    assert np.bincount(instants[found] // DAY_MS).min() > 400


@pytest.mark.parametrize("limit", [7, 1000])
def test_what_passes_does_not_depend_on_how_far_a_clock_leaps(limit: int) -> None:
    """Hour by hour, or over ten days at once, in slices of few rows."""
    rule = {**CLUSTER, "learn": {**CLUSTER["learn"], "every": "6h"}}
    events = [event(f"c{k}", "Product Viewed", 1 + k, product_id="p", id=str(k)) for k in range(40)]
    leap, steady = logs(events, 10 * DAY_MS), logs(events)
    for hour in range(1, 241):
        steady[CONTROL, 0] += [replace(logs([], hour * DAY_MS // 24)[CONTROL, 0][0], offset=hour - 1)]
    drivers = [Driver(plan_of(rule), log, limit=size) for log, size in ((leap, limit), (steady, 1000))]
    for driver in drivers:
        driver.shard.bound.most = 11
    drivers[0].finish()
    for source in steady:
        drivers[1].offer(source, 0 if source[0] == CONTROL else 1000)
        drivers[1].prove(source)
    for _ in range(240):
        drivers[1].offer((CONTROL, 0), 1)
        drivers[1].drain()
    drivers[1].finish()
    first, second = (sorted(taken(driver), key=lambda one: one[:2]) for driver in drivers)
    assert len({instant // DAY_MS for _, instant, _ in first}) > 2
    assert first == second
    assert drivers[0].shard.bound.state == drivers[1].shard.bound.state
    assert sum(out.beyond for out in drivers[0].outputs) > 0


def test_what_an_earlier_release_kept_of_the_bound_is_read() -> None:
    bound = Bound(10, (20, 6, 5, 40))
    day = np.full(100, 20 * DAY_MS, np.int64) + np.arange(100)
    assert np.count_nonzero(bound.pick(np.arange(100), day)) == 5
    assert bound.state == (19, 40, 40, 20, 106, 10)


def test_the_bound_goes_on_after_a_restart() -> None:
    """Else a worker that restarts often would send a day's share each time."""
    log = logs(visits({f"c{k}": 5 for k in range(10)}, 1500), 1500)
    driver = Driver(plan_of(CLUSTER), log, limit=40)
    driver.shard.bound.most = 7
    for source in log:
        driver.offer(source, 10_000)
        driver.prove(source)
    for _ in range(30):
        driver.step()
    before = driver.shard.bound.state
    driver.open()
    assert driver.shard.bound.state == before
    assert len(before) == 3
    assert before[2] == len(taken(driver)) == 7
    assert sum(out.beyond for out in driver.outputs) == before[1] - 7
