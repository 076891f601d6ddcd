"""Lookups: how long a worker takes to tell the segments of a customer while it applies events at a steady rate.

The shop is that of the latency: its customers have done as much as in W3 before anything is measured, and each page
that they load is an event, so that they come back rather than begin: a first visit makes many changes.  What they do
while it is measured bears the instants at which it is sent: time passes as it does in life.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from stream.simulate.event import SimulatedEvent
from tests.benchmarks import kafka
from tests.benchmarks.ground import Ground
from tests.benchmarks.latency import QUANTILES, Probe
from tests.benchmarks.ours import Ours, Worker
from tests.benchmarks.results import OURS
from tests.benchmarks.shop import Shop
from tests.benchmarks.traffic import DATED, Traffic

PART = "lookups"
#: Events and questions a second.
EVENTS, ASKED = 10_000, 500
#: Different customers that are asked for in turn.
CUSTOMERS = 5_000
#: Customers of the shop, and events of each until what is measured begins.
SHOPPERS, WARM = 20_000, 58


def run(ground: Ground) -> None:
    """A worker that has seen most customers before; in every round the same questions beside new events."""
    seconds, shoppers = ground.size(20, 2), ground.size(SHOPPERS, 500)
    before = shoppers * ground.size(WARM, 10)
    shop = Shop(shoppers, before + ground.rounds * seconds * EVENTS, pages=True)
    known: dict[str, None] = {}

    def seen(event: SimulatedEvent, partition: int) -> None:
        if event.topic != "products" and len(known) < CUSTOMERS:
            known.setdefault(_customer(event.value))

    traffic = Traffic(ground, shop, DATED, seen)
    ours = Ours(ground, ground.name("segstream-lookups"), inputs=traffic.topics)
    ours.prepare()
    traffic.write(traffic.next(before))
    with ours.worker() as worker:
        kafka.follow(ground.broker, ours.name, traffic.shared, [traffic.read], worker.program.alive)
        for _ in range(ground.rounds):
            ground.say(f"{ASKED:,} lookups/s beside {EVENTS:,} events/s")
            sent, probe = traffic.to_send(EVENTS * seconds, EVENTS), Probe(traffic, ours.topic("changes"))
            with _asking(worker, seconds, known) as asker:
                asyncio.run(probe.run(sent, EVENTS))
                told, _ = asker.communicate(timeout=120)
            kafka.follow(ground.broker, ours.name, traffic.shared, [traffic.read], worker.program.alive)
            _note(ground, probe, json.loads(told), seconds)
    ours.finish()


def _customer(value: bytes) -> str:
    """The customer of an event, as they are asked for."""
    event = json.loads(value)
    user = event.get("userId")
    return str(user) if user is not None else f"anonymous:{event['anonymousId']}"


def _asking(worker: Worker, seconds: int, known: Iterable[str]) -> subprocess.Popen[str]:
    program = str(Path(__file__).with_name("asking.py"))
    asker = subprocess.Popen(
        [sys.executable, program, worker.base, str(ASKED), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert asker.stdin is not None
    asker.stdin.write("".join(f"{name}\n" for name in known))
    asker.stdin.close()
    asker.stdin = None
    return asker


def _note(ground: Ground, probe: Probe, waits: dict[str, list[float]], seconds: int) -> None:
    answered = waits.get("200", [])
    measured = answered[len(answered) // 10 :]  # connections are opened first
    for quantile in QUANTILES if measured else ():
        ground.results.add(PART, OURS, f"p{quantile:g}, ms", float(np.percentile(measured, quantile)))
    ground.results.add(PART, OURS, "lookups a second", len(answered) / seconds)
    ground.results.add(PART, OURS, "events sent a second", probe.rate)
    others = {status: len(found) for status, found in waits.items() if status != "200"}
    wrong = f"not every lookup was answered: {others}" if others else None
    ground.results.check(PART, OURS, wrong if len(answered) != ASKED * seconds else None)
