"""Time at scale, in one shard: `python -m tests.benchmarks.midnight [--customers 1000000 --due 100000 --rate 2000]`.

All customers have left a cart, some of them at one instant, so that these are due at one instant, while others go on
looking at products at a steady rate.  Told are how late each of the deadlines is decided, how long an event waits
meanwhile, and what looking for who is due costs at rest, here and with five times the customers.  The shard steps, and
what each transaction would write is built, as in a worker; Kafka is left out (`make bench ARGS="--only deadlines"`).
"""

from __future__ import annotations

import argparse
import gc
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from stream.app import outputs
from stream.app.wiring import Wiring
from stream.compiled import compile_framing, compile_plan
from stream.engine import teller
from stream.engine.kinds import CAUSES
from stream.engine.rows import Rows
from stream.features.base import FOREVER
from stream.kafka import framing
from stream.kafka.framed import framed
from stream.kafka.transaction import MAX_BATCH_BYTES, Payload
from stream.plan.plan import Plan
from tests.conftest import REPOSITORY
from tests.shards import CONTROL, DOOMSDAY, Driver, Record, definitions, event, logs, wire_time

CART = {
    "dimension": "cart",
    "features": {"added": {"since": "Product Added"}, "ordered": {"since": "Order Completed"}},
    "segments": [{"segment": "abandoned", "when": "added >= 1h and not (ordered < added)"}],
    "otherwise": "shopping",
}
HOUR = 3_600_000
PLANS = Path(REPOSITORY) / ".segstream" / "plans"

Frame = Callable[..., tuple[int, int]]
#: When those who are due put something into their carts, and when the others did (ms).
FIRST, SECOND = 1_000, 3_000_000
CHUNK = 20_000
SOURCE = ("clickstream", 0)
#: Steps a second of a shard that has something to do all the time.
STEPS = 40


def carts(driver: Driver, customers: int, due: int) -> None:
    """Everyone leaves a cart."""
    for lo in range(0, customers, CHUNK):
        at = FIRST if lo < due else SECOND
        events = (event(f"c{k}", "Product Added", at, product_id="p", id=f"m{k}") for k in range(lo, lo + CHUNK))
        feed(driver, [orjson.dumps(one) for one in events], at)
        while driver.shard.step(CHUNK, None):
            pass


def feed(driver: Driver, values: list[bytes], known: int) -> None:
    """The next records of the topic; nothing earlier is to come in any other."""
    lo = driver.shard.expected(SOURCE)
    records = [Record(lo + k, value) for k, value in enumerate(values)]
    driver.shard.offer(driver.decoder.decode(*SOURCE, records, lo, lo + len(records)))
    driver.shard.merge.known_until(known)


def at_rest(rows: Rows) -> float:
    """Seconds that one look for who is due takes, where nobody is."""
    began = time.process_time()
    for _ in range(1000):
        rows.is_due(FIRST)
    return (time.process_time() - began) / 1000


def five_times(plan: Plan, customers: int) -> Rows:
    """Rows of five times as many customers, as far as looking for who is due goes."""
    rows, count = Rows(plan), 5 * customers
    deadline = np.random.default_rng(1).integers(HOUR, 1000 * HOUR, count)
    coarse = np.full(-(-count // 1024), FOREVER)
    rows.table = rows.table._replace(deadline=deadline, coarse=coarse)
    rows.keys = [b""] * count
    rows.bounded()
    return rows


def built(payload: Payload, frame: Frame) -> int:
    """The record batches of a transaction; their size in bytes."""
    size = 0
    for parts in payload.many.values():
        for batch in framed(frame, parts, MAX_BATCH_BYTES):
            size += len(batch._build())
    for records in payload.rows.values():
        plain = DefaultRecordBatchBuilder(2, 0, 1, 1, 1, 0, 1 << 30)
        for k, (key, value, headers) in enumerate(records):
            plain.append(k, None, key, value, headers)
        size += len(plain.build())
    return size


def flood(driver: Driver, due: int, rate: int, limit: int) -> tuple[list[float], list[float], float]:
    """Seconds: of each deadline from its instant, of each event from its arrival, and until all were decided."""
    wiring = Wiring("x", 1, (SOURCE[0],), ("products",), "rows", "changes", "customers", "dead", "vectors", "re",
                    lambda *_: driver.shard, driver.decoder, {})  # fmt: skip
    frame = compile_framing(PLANS)
    framing.warm(frame)
    waiting: deque[float] = deque()
    late: list[float] = []
    waits: list[float] = []
    clock = orjson.dumps({"type": "clock", "timestamp": wire_time(FIRST + HOUR)})
    driver.log[CONTROL, 0].append(Record(0, clock))
    driver.offer((CONTROL, 0), 1)
    began = time.perf_counter()
    sent = 0
    while len(late) < due or waiting:
        now = time.perf_counter() - began
        arrived = int(now * rate) - sent if len(late) < due else 0
        if arrived:
            view = [event(f"w{(sent + k) % 1000}", "Product Viewed", FIRST + HOUR, id=f"w{sent + k}")
                    for k in range(arrived)]  # fmt: skip
            feed(driver, [orjson.dumps(one) for one in view], FIRST + HOUR)
            waiting += [(sent + k) / rate for k in range(arrived)]
            sent += arrived
        for source in driver.log:
            driver.shard.prove(source, driver.shard.expected(source), DOOMSDAY)
        out = driver.shard.step(limit, None)
        if out is None:
            continue
        built(outputs.payload(out, wiring, None)[0], frame)
        done = time.perf_counter() - began
        late += [done] * int(np.count_nonzero(out.changes.causes == CAUSES.index("deadline")))
        while len(waiting) > driver.shard.waiting(SOURCE):
            waits.append(done - waiting.popleft())
    return late, waits, time.perf_counter() - began


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--due", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=2_000)
    parser.add_argument("--limit", type=int, default=4_000, help="batch.max_records")
    options = parser.parse_args()
    plan = compile_plan(definitions(CART), PLANS)
    driver = Driver(plan, logs([]), limit=options.limit)
    teller.warm(driver.shard.rows)
    carts(driver, options.customers, options.due)
    gc.collect()
    gc.freeze()
    for rows in (driver.shard.rows, five_times(plan, options.customers)):
        seconds = at_rest(rows)
        print(f"{len(rows):,} customers, nobody due: {seconds * 1e6:.1f} us a look, "
              f"{3 * STEPS * seconds:.3%} of a core at {STEPS} steps a second")  # fmt: skip
    cpu = time.process_time()
    late, waits, wall = flood(driver, options.due, options.rate, options.limit)
    cpu = time.process_time() - cpu
    print(f"{len(late):,} due at once, {options.rate:,} events/s meanwhile: {wall:.2f} s, {cpu:.2f} s of a core")
    for what, found in (("deadlines late by", late), ("events waited", waits)):
        print(f"{what}: p50 {np.percentile(found, 50) * 1e3:.0f} ms, p99 {np.percentile(found, 99) * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
