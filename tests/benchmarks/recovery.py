"""Processor time of reading a row back, by stage: `python -m tests.benchmarks.recovery [--customers 250000]`.

A small shop is simulated and run through the engine under the shipped catalogue; its rows at rest, under other keys,
become a changelog of so many customers, in record batches as the broker keeps them (zstd).  One shard reads these as a
start does: records are found in the batches, the latest of each customer is picked, rows are unpacked and placed, and
at the end it is worked out when each customer changes next.  What a start waits for besides (the broker, its group,
the plan from the cache) is in the part ``million`` of `make bench`.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
from collections import Counter
from collections.abc import Iterator

from stream.app import bootstrap
from stream.app.plans import Plans
from stream.engine import growing, rest
from stream.engine.shard import Shard
from stream.history.replay import SOURCES
from stream.kafka.transaction import MAX_BATCH_BYTES
from stream.kafka.unframed import Unread
from stream.settings import Settings, load_settings
from tests.benchmarks.cpu import Stages, Worker, batches, records_of
from tests.benchmarks.processes import resident
from tests.benchmarks.reevaluate import definitions, small_shop

ZSTD = 4
#: Bytes of record batches in an answer, before compression.
ANSWER_BYTES = 4 << 20


def changelog(rows: list[tuple[bytes, bytes]], customers: int) -> Iterator[tuple[bytes, int]]:
    """Answers of the broker with so many customers' rows, and the records in each; what is nobody's comes first."""
    mine = [(key, value) for key, value in rows if key[:1] == rest.ROW]
    others = [(key, value) for key, value in rows if key[:1] != rest.ROW]
    copies = (
        (b"%b%d/%b" % (rest.ROW, copy, key[1:]), value)
        for copy in range(-(-customers // len(mine)))
        for key, value in mine
    )
    waiting, size, places = list[tuple[bytes, bytes]](), 0, Counter[str]()
    for pair in itertools.chain(others, itertools.islice(copies, customers)):
        waiting.append(pair)
        size += len(pair[0]) + len(pair[1])
        if size >= ANSWER_BYTES:
            yield batches("changelog", waiting, places, MAX_BATCH_BYTES, ZSTD), len(waiting)
            waiting, size = [], 0
    if waiting:
        yield batches("changelog", waiting, places, MAX_BATCH_BYTES, ZSTD), len(waiting)


def shop_rows(settings: Settings, customers: int, days: int) -> list[tuple[bytes, bytes]]:
    """The changelog of a small shop, the latest record of each key."""
    plans = Plans(settings, replay=True)
    plan = bootstrap.make_plan(definitions(settings, changed=False), settings)
    shard = bootstrap.make_shard(settings, plan, 0, SOURCES, everyone=True, plans=plans)
    return small_shop(settings, shard, plans, customers, days)


def watched() -> Stages:
    """Have the stages of reading back counted."""
    stages = Stages()
    for owner, name, stage in (
        (Unread, "take", "records found in the batches, and these decompressed"),
        (Shard, "read_back", "the rest"),
        (Shard, "restored", "when each customer changes next"),
        (rest.Restorer, "_sorted", "the latest record of each customer"),
        (rest.Restorer, "_place", "rows placed"),
        (rest, "unpack_within", "rows unpacked"),
        (growing.Growing, "grown", "memory for more rows"),
    ):
        stages.wrap(owner, name, stage)
    return stages


def main() -> None:
    """Make the changelog, read it back, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=250_000)
    parser.add_argument("--simulated", type=int, default=2_000, help="customers whose rows are multiplied")
    parser.add_argument("--days", type=int, default=90)
    options = parser.parse_args()
    settings = load_settings(None)
    answers = list(changelog(shop_rows(settings, options.simulated, options.days), options.customers))
    worker = Worker(settings)
    gc.collect()
    gc.freeze()
    stages, before = watched(), resident(os.getpid())
    read_back(worker, answers)
    tell(worker, stages, options.customers, resident(os.getpid()) - before)


def read_back(worker: Worker, answers: list[tuple[bytes, int]]) -> None:
    """As a start does, without the broker."""
    start = 0
    for data, count in answers:
        found, start = records_of("changelog", data, start, worker.wiring.unframe)
        assert len(found) == count
        worker.shard.read_back(found)
    worker.shard.restored()


def tell(worker: Worker, stages: Stages, customers: int, grown: int) -> None:
    """The table."""
    assert len(worker.shard.rows) == customers, f"{len(worker.shard.rows):,} rows"
    seconds = sum(stages.seconds.values())
    print(f"{customers:,} rows: {seconds / customers * 1e6:.2f} us each, {grown / customers:,.0f} bytes resident each")
    for stage, spent in sorted(stages.seconds.items(), key=lambda item: -item[1]):
        print(f"{spent / customers * 1e6:8.2f} us  {spent / seconds:6.1%}  {stage}")


if __name__ == "__main__":
    main()
