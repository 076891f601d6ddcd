"""A fit beside the stream: latency of events while lifetimes are fitted to 100,000 customers, and while they are not.

Shards tell of purchases when the clock passes a day; here the histories of as many customers are on the topic already,
and those that were told last are written again, so that one fit follows another for as long as is measured.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import numpy as np
from aiokafka import AIOKafkaProducer

from stream.learners.gathering import key_of
from stream.plan.definitions import parse_definitions
from stream.plan.plan import twin_plan
from stream.predict.telling import DAY, ShardHistories, tell
from tests.benchmarks import kafka
from tests.benchmarks.ground import PARTITIONS, Ground
from tests.benchmarks.latency import Probe
from tests.benchmarks.ours import DEFINITIONS, Ours, Worker, wait_for
from tests.benchmarks.results import OURS
from tests.benchmarks.shop import Shop
from tests.benchmarks.traffic import DATED, Traffic

PART = "fit"
RATE = 5_000
CUSTOMERS = 100_000
QUANTILES = (50.0, 99.0)
#: A fit that is due begins within this many seconds, and takes no longer.
REST_S = 5.0


def run(ground: Ground) -> None:
    """In every round the same rate twice: without a fit, and with one after the other."""
    seconds, before = ground.size(20, 5), ground.size(500_000, 5_000)
    shop = Shop(ground.size(50_000, 500), before + 2 * ground.rounds * seconds * RATE)
    traffic = Traffic(ground, shop, DATED)
    # Shards themselves tell once, when they open; after that only this program does.
    every = {"SEGSTREAM_PREDICT__EVERY": "36500d", "SEGSTREAM_PREDICT__SHARE": "1"}
    ours = Ours(ground, ground.name("segstream-fit"), DEFINITIONS / "fit", inputs=traffic.topics, settings=every)
    ours.prepare()
    traffic.write(traffic.next(before))
    histories = drawn(ground.size(CUSTOMERS, 2_000), ours)
    with ours.worker() as worker:
        kafka.follow(ground.broker, ours.name, traffic.shared, [traffic.read], worker.program.alive)
        with _fitting(ground, ours, histories, active=True):  # the first one is a version, by which all are judged
            wait_for("a first fit", lambda: _version(worker) > 0)
        _rested(worker)
        for _ in range(ground.rounds):
            for what in ("without a fit", "beside fits"):
                ground.say(f"latency at {RATE:,} events/s {what}")
                probe = Probe(traffic, ours.topic("changes"))
                part, fits = traffic.to_send(RATE * seconds), _fits(worker)
                with _fitting(ground, ours, histories, active=what == "beside fits"):
                    asyncio.run(probe.run(part, RATE))
                fits = _rested(worker) - fits
                kafka.follow(ground.broker, ours.name, traffic.shared, [traffic.read], worker.program.alive)
                _note(ground, what, probe, fits)
        metrics = worker.metrics()
        spent, fits = metrics.get("segstream_lifetime_fit_seconds_total", 0.0), _fits(worker)
        ground.results.add(PART, OURS, "processor time of a fit, s", spent / max(1.0, fits))
    ours.finish()


def _fits(worker: Worker) -> float:
    return worker.metrics().get("segstream_lifetime_fits_total", 0.0)


def _rested(worker: Worker) -> float:
    """How many fits there were, once no more comes."""
    fits = -1.0
    while fits != (fits := _fits(worker)):
        time.sleep(REST_S)
    return fits


def _version(worker: Worker) -> float:
    return worker.metrics().get("segstream_lifetime_version", 0.0)


def _note(ground: Ground, what: str, probe: Probe, fits: float) -> None:
    waits = probe.waits()
    for quantile in QUANTILES if len(waits) else ():
        ground.results.add(PART, OURS, f"{what}: p{quantile:g}, ms", float(np.percentile(waits, quantile)))
    ground.results.add(PART, OURS, f"{what}: fits", fits)
    ground.results.check(PART, OURS, None if len(waits) else f"no event made a change {what}")
    fitted = (fits > 0) == (what == "beside fits")
    ground.results.check(PART, OURS, None if fitted else f"{what} there were {fits:.0f} fits")


def drawn(customers: int, ours: Ours) -> list[ShardHistories]:
    """What all shards tell of customers who buy and leave as BG/NBD says."""
    rng = np.random.default_rng(7)
    at = 25_000 * DAY  # after what the shards tell of their own
    plan = twin_plan(parse_definitions({file.name: file.read_text() for file in ours.definitions.glob("*.yaml")}))
    assert plan.lifetime is not None
    found = []
    for partition in range(PARTITIONS):
        mine = customers // PARTITIONS
        age, rate, leaves = rng.uniform(30, 730, mine), rng.gamma(0.5, 1 / 40.0, mine), rng.beta(0.8, 2.4, mine)
        x, last = np.zeros(mine, np.int64), np.zeros(mine)
        active = np.ones(mine, np.bool_)
        while active.any():
            after = last + rng.exponential(1.0, mine) / rate
            active &= after < age
            x[active] += 1
            last[active] = after[active]
            active &= rng.random(mine) >= leaves
        first = at - (age * DAY).astype(np.int64)
        columns = (x + 1, first, first + (last * DAY).astype(np.int64))
        found.append(tell(partition, at, plan.lifetime.of, columns, x * rng.lognormal(17.0, 0.5, mine)))
    return found


@contextmanager
def _fitting(ground: Ground, ours: Ours, histories: list[ShardHistories], *, active: bool) -> Iterator[None]:
    """Write what shards tell, a little later each time, as long as the context lasts: each time makes a fit due."""
    ended = threading.Event()

    async def write() -> None:
        async with AIOKafkaProducer(bootstrap_servers=ground.broker) as producer:
            while not ended.is_set():
                for number, one in enumerate(histories):
                    histories[number] = one = msgspec.structs.replace(one, at=one.at + 1)
                    await producer.send_and_wait(ours.topic("histories"), one.encode(), key=key_of(one), partition=0)
                await asyncio.to_thread(ended.wait, 1.0)

    thread = threading.Thread(target=lambda: asyncio.run(write()))
    if active:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if active:
            thread.join()
