"""Memory: what a customer of the simulator's traffic costs with the whole catalogue, at rest and in the worker."""

from __future__ import annotations

from typing import Any

import numpy as np

from stream.engine import rest
from tests.benchmarks import kafka
from tests.benchmarks.ground import Ground
from tests.benchmarks.ours import Ours
from tests.benchmarks.processes import resident
from tests.benchmarks.results import OURS
from tests.benchmarks.shop import Shop, fill_shop

PART = "memory"


def run(ground: Ground) -> None:
    """Two workers that read their rows back: one with few customers, one with many; what the others cost."""
    few = Shop(1_000, 10_000)
    many = Shop(ground.size(100_000, 2_000), ground.size(1_000_000, 20_000))
    low, some, _ = _restored(ground, few)
    high, all_of_them, on_disk = _restored(ground, many)
    resident_each = (high - low) / max(1, len(all_of_them) - len(some))
    sizes = np.array(all_of_them)
    ground.results.add(PART, OURS, "bytes a customer at rest, median", float(np.median(sizes)))
    ground.results.add(PART, OURS, "bytes a customer at rest, mean", float(sizes.mean()))
    ground.results.add(PART, OURS, "bytes a customer at rest, p99", float(np.percentile(sizes, 99)))
    ground.results.add(PART, OURS, "bytes a row as the broker keeps it, compressed", on_disk)
    ground.results.add(PART, OURS, "bytes a customer resident", resident_each, high)


def _restored(ground: Ground, shop: Shop) -> tuple[int, list[int], float]:
    """Resident bytes of a worker that has just read its rows; bytes of each latest row; mean bytes on the disk."""
    filled = fill_shop(ground, shop)
    ours = Ours(ground, ground.name("segstream-memory"), inputs=filled.topics)
    ours.prepare()
    ground.say(f"memory: {shop.customers:,} customers")
    with ours.worker("first") as worker:
        kafka.follow(ground.broker, ours.name, filled.shared, [filled.events], worker.program.alive)
    with ours.worker("second") as worker:
        worker.ready(ours.partitions)
        bytes_now = resident(worker.program.process.pid)
    changelog = ours.changelog
    sizes: dict[bytes, int] = {}
    written = 0

    def take(record: Any) -> None:
        nonlocal written
        if record.key[:1] == rest.ROW:
            written += 1
            sizes[record.key] = len(record.key) + len(record.value)

    kafka.each(ground.broker, [changelog], take)
    found = list(sizes.values())
    on_disk = sum(file.stat().st_size for file in ground.logs.glob(f"{changelog}-*/*.log")) / max(1, written)
    fine = 0.5 * shop.customers < len(found) <= shop.customers
    ground.results.check(PART, OURS, None if fine else f"{len(found):,} rows of {shop.customers:,} customers")
    ours.finish()
    return bytes_now, found, on_disk
