"""What an event costs the processor with so many customers in one shard: `python -m tests.benchmarks.crowd 1000000`.

Shoppers of W3's traffic go through their first weeks, in a shard in this process, as `tests.benchmarks.cpu` has it.
Then a shard begins that reads each of their rows many times over, every time as another customer: doubles.  What the
shoppers do next is done by random doubles of theirs, so that each event is of another customer than the one before, the
worst case for caches; and time goes on as fast as with so many customers.  JSON on stdout: microseconds and changes an
event, resident bytes a customer.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import pickle
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from stream.engine import rest
from stream.events.instant import iso
from stream.settings import load_settings
from stream.simulate.event import SimulatedEvent
from tests.benchmarks.cpu import POLL, Poll, Worker, batches, polls
from tests.benchmarks.processes import resident
from tests.benchmarks.shop import WITH_PAGES, Shop

SHOPPERS = 5_000
#: Events of a shopper before the rows are taken.
WARM = 58
#: Records of a changelog that are read back at a time.
CHUNK = 50_000
DAY_MS = 86_400_000
Rows = dict[bytes, bytes | None]
_USER, _ANONYMOUS = re.compile(rb'"userId":"([^"]*)"'), re.compile(rb'"anonymousId":"([^"]*)"')


def warmed(keep: Path, shoppers: int, warm: int, more: int) -> tuple[Rows, list[SimulatedEvent]]:
    """The changelog of a shard after the first events, and what those in it do next; kept in a folder."""
    file = keep / f"crowd-{shoppers}-{warm}-{more}.pickle"
    if not file.exists():
        traffic = Shop(shoppers, warm + more, 1, pages=True).simulated()
        rows = _rows_after(islice(traffic, warm))
        known = [event for event in traffic if event.topic != "products" and rest.ROW + customer(event.value) in rows]
        file.write_bytes(pickle.dumps((rows, known)))
    found: tuple[Rows, list[SimulatedEvent]] = pickle.loads(file.read_bytes())  # noqa: S301  what this program wrote
    return found


def _rows_after(events: Iterator[SimulatedEvent]) -> Rows:
    worker, rows = Worker(load_settings(None)), Rows()
    for source in worker.shard.merge.inputs:
        worker.shard.start(source, 0)
    written = worker.payload

    def payload(out: Any) -> Any:
        rows.update(out.rows)
        return written(out)

    worker.payload = payload  # type: ignore[method-assign]
    for poll in polls(events):
        worker.take(poll)
    return rows


def restored(rows: Rows, doubles: int) -> Worker:
    """A worker that has read every customer's row so many times."""
    worker = Worker(load_settings(None))
    shard = worker.shard
    others = {key: value for key, value in rows.items() if key[:1] != rest.ROW}
    shard.restore(list(others), list(others.values()))
    mine = {key: value for key, value in rows.items() if key[:1] == rest.ROW}
    some = max(1, CHUNK // len(mine))
    for begin in range(0, doubles, some):
        numbers = range(begin, min(begin + some, doubles))
        shard.restore([key + b"-%d" % n for n in numbers for key in mine], [*mine.values()] * len(numbers))
    shard.restored()
    for source in shard.merge.inputs:
        shard.start(source, 0)
    return worker


def crowd_polls(events: list[SimulatedEvent], customers: int, doubles: int) -> Iterator[Poll]:
    """The events, each of a random double, as record batches; evenly over the time in which so many come."""
    random, places = Random(1), Counter[str]()
    every = DAY_MS / WITH_PAGES / customers
    for at in range(0, len(events), POLL):
        waiting: dict[str, list[tuple[bytes, bytes]]] = {}
        for k, event in enumerate(events[at : at + POLL], at):
            stamp = iso(events[0].instant_ms + int(k * every))
            pair = event.key, of_double(event.value, random.randrange(doubles), stamp)
            waiting.setdefault(event.topic, []).append(pair)
        yield {topic: batches(topic, pairs, places) for topic, pairs in waiting.items()}, len(events[at : at + POLL])


def _id_in(value: bytes) -> re.Match[bytes]:
    """Where an event says whose it is."""
    found = _USER.search(value) or _ANONYMOUS.search(value)
    if found is None:
        raise ValueError(f"an event of nobody: {value!r}")
    return found


def customer(value: bytes) -> bytes:
    """The customer of an event."""
    found = _id_in(value)
    return found[1] if found.re is _USER else b"anonymous:" + found[1]


def of_double(value: bytes, number: int, stamp: str) -> bytes:
    """The same event of a double, at another instant."""
    end = _id_in(value).end(1)
    value = b"%s-%d%s" % (value[:end], number, value[end:])
    return re.sub(rb'"timestamp":"[^"]*"', b'"timestamp":"%s"' % stamp.encode(), value, count=1)


def main() -> None:
    """Warm up, fill, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("customers", type=int)
    parser.add_argument("--shoppers", type=int, default=SHOPPERS, help="whose doubles they are [%(default)s]")
    parser.add_argument("--events", type=int, default=160_000, help="that are measured [%(default)s]")
    parser.add_argument("--keep", type=Path, default=Path(), help="folder for the shoppers' rows [.]")
    options = parser.parse_args()
    rows, events = warmed(options.keep, options.shoppers, options.shoppers * WARM, options.events)
    known = sum(key[:1] == rest.ROW for key in rows)
    doubles = max(1, round(options.customers / known))
    before = resident(os.getpid())
    worker = restored(rows, doubles)
    customers = len(worker.shard.rows)
    memory = (resident(os.getpid()) - before) / customers
    traffic = list(crowd_polls(events, customers, doubles))
    worker.take(traffic[0])
    gc.collect()
    gc.freeze()
    worker.changes = 0
    began = time.thread_time()
    for poll in traffic[1:]:
        worker.take(poll)
    measured = sum(count for _, count in traffic[1:])
    spent = time.thread_time() - began
    told = {
        "customers": customers,
        "expected": doubles * known,
        "cost": spent / measured * 1e6,
        "changes": worker.changes / measured,
        "resident": memory,
        "unknown": len(worker.shard.rows) - customers,
    }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
