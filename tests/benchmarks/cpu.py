"""CPU time of an event, from Kafka's bytes in to Kafka's bytes out, by stage: `python -m tests.benchmarks.cpu`.

One shard of W3 (the shipped catalogue, the simulator's traffic) in this process, without a broker: record batches as a
fetch brings them are read, decoded, applied, and made into the record batches of a transaction, which are compressed
and get their checksums.  The shop is warmed up first; `--keep FOLDER` keeps it, so that the next run has its figures at
once.  Told is the time of the processor, which other programs on the machine disturb little.
"""

from __future__ import annotations

import argparse
import gc
import pickle
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from stream.app import bootstrap, live, outputs
from stream.app.definition_files import in_settings
from stream.app.metrics import Metrics
from stream.app.plans import Plans
from stream.app.wiring import Wiring
from stream.engine import memory, rest
from stream.engine.changes import Changes
from stream.engine.judge import Judge
from stream.engine.shard import Shard
from stream.events.raw import RawRecords
from stream.kafka.framed import framed
from stream.kafka.transaction import MAX_BATCH_BYTES, Payload
from stream.kafka.unframed import Unread
from stream.plan.plan import Kernels
from stream.settings import Settings, load_settings
from stream.simulate.event import SimulatedEvent
from tests.benchmarks.shop import Shop

CATALOGUE = Path(__file__).parents[2] / "config" / "segments"
#: Bytes of a record batch of a producer, and events of all topics between two polls.
BATCH_BYTES, POLL = 256 << 10, 8_000
LZ4 = 3
#: A poll: topic -> the record batches that it brought, and how many events these hold.
Poll = tuple[dict[str, bytes], int]


class Stages:
    """Time of this thread by stage; a stage within another one is not counted there."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._open: list[float] = []

    def wrap(self, owner: Any, name: str, stage: str) -> None:
        """Count the time in a function or method."""
        setattr(owner, name, self.timed(getattr(owner, name), stage))

    def timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        """The function, its time counted."""

        def call(*args: Any, **more: Any) -> Any:
            began = time.thread_time()
            self._open.append(0.0)
            try:
                return function(*args, **more)
            finally:
                spent = time.thread_time() - began
                self.seconds[stage] = self.seconds.get(stage, 0.0) + spent - self._open.pop()
                if self._open:
                    self._open[-1] += spent

        return call


def polls(events: Iterable[SimulatedEvent], size: int = POLL, warm: int = 0) -> Iterator[Poll]:
    """Events as record batches, poll by poll; the first so many of another size than is asked for."""
    places: Counter[str] = Counter()
    waiting: dict[str, list[tuple[bytes, bytes]]] = {}
    count = 0
    for event in events:
        waiting.setdefault(event.topic, []).append((event.key, event.value))
        count += 1
        if count == (POLL if warm > 0 else size):
            warm -= count
            yield {topic: batches(topic, pairs, places) for topic, pairs in waiting.items()}, count
            waiting, count = {}, 0


def batches(
    topic: str, pairs: list[tuple[bytes, bytes]], places: Counter[str], size: int = BATCH_BYTES, codec: int = LZ4
) -> bytes:
    """Record batches from where the topic ends."""
    done, at = bytearray(), 0
    while at < len(pairs):
        builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, 0, size)
        begun = at
        while at < len(pairs) and builder.append(at - begun, 1_800_000_000_000, *pairs[at], []):
            at += 1
        data = bytearray(builder.build())
        data[:8] = places[topic].to_bytes(8, "big")
        done += data
        places[topic] += at - begun
    return bytes(done)


def records_of(topic: str, data: bytes, start: int, unframe: Callable[..., int]) -> tuple[RawRecords, int]:
    """The records of an answer about a partition from an offset on, and the offset behind them."""
    partition, batches = TopicPartition(topic, 0), MemoryRecords(data)
    found = PartitionRecords(partition, batches, [], start, None, None, True, READ_COMMITTED)
    return Unread(found, data, unframe).take(), found.next_fetch_offset


class Worker:
    """One shard with all that is around it in a worker but Kafka."""

    def __init__(self, settings: Settings) -> None:
        texts = {file.name: file.read_text() for file in CATALOGUE.glob("*.yaml")}
        plan = bootstrap.make_plan(in_settings(texts, settings), settings)
        self.plans = Plans(settings)
        self.wiring: Wiring = live.wire(settings, plan, self.plans)
        self.topics = settings.topics.model_dump()
        topics = self.wiring
        sources = [(name, 0) for name in (*topics.group_topics, *topics.broadcast_topics)]
        self.shard: Shard = bootstrap.make_shard(settings, plan, 0, sources, everyone=True, plans=self.plans)
        self.metrics = Metrics()
        self.limit = settings.batch.max_records
        self.answers = 0
        self.written = self.changes = self.rows = 0

    def fetch(self, topic: str, data: bytes) -> tuple[Any, int]:
        """What is made of a fetch of one partition."""
        return records_of(topic, data, self.shard.expected((topic, 0)), self.wiring.unframe)

    def decode(self, topic: str, lo: int, found: Any, hi: int) -> Any:
        """Records to columns."""
        batch = self.wiring.decoder.decode(topic, 0, found, lo, hi)
        batch.answer = (1, self.answers)
        return batch

    def take(self, poll: Poll) -> None:
        """Read what a poll brought, then step until all of it is applied."""
        self.answers += 1
        for role, data in poll[0].items():
            topic = self.topics[role]
            lo = self.shard.expected((topic, 0))
            found, hi = self.fetch(topic, data)
            self.offer(self.decode(topic, lo, found, hi))
        for source in self.shard.merge.inputs:
            self.shard.prove(source, self.shard.expected(source), 0, (1, self.answers))
        while (out := self.step()) is not None:
            payload, kept_back = self.payload(out)
            self.build(payload)
            self.told(out, kept_back)

    def offer(self, batch: Any) -> None:
        self.shard.offer(batch)

    def step(self) -> Any:
        return self.shard.step(self.limit, None)

    def payload(self, out: Any) -> Any:
        return outputs.payload(out, self.wiring, self.shard.clock_ms, self.shard)

    def build(self, payload: Payload) -> None:
        """The record batches of a transaction, compressed as the settings say."""
        compression = LZ4 if self.wiring.producer_options.get("compression_type") == "lz4" else 0
        for parts in payload.many.values():
            for batch in framed(self.wiring.frame, parts, MAX_BATCH_BYTES, compression):
                self.written += len(batch._build())
        for rows in payload.rows.values():
            plain = DefaultRecordBatchBuilder(2, compression, 1, 1, 1, 0, 1 << 30)
            for k, (key, value, headers) in enumerate(rows):
                plain.append(k, None, key, value, headers)
            self.written += len(plain.build())

    def told(self, out: Any, kept_back: Any) -> None:
        """What the worker counts of a transaction."""
        self.metrics.committed(out, kept_back, 0.0, 0.0, behind_ms=None)
        self.changes += len(out.changes)
        self.rows += len(out.rows)


def watched(worker: Worker) -> Stages:
    """Have the stages of a worker counted."""
    stages = Stages()
    for name, stage in (
        ("take", "the rest"),
        ("fetch", "fetch: records of batches"),
        ("decode", "decode"),
        ("offer", "step: merge, order, columns"),
        ("step", "step: merge, order, columns"),
        ("payload", "payload: which changes go where"),
        ("build", "build: batches, compression, checksum"),
        ("told", "metrics"),
    ):
        stages.wrap(worker, name, stage)
    for owner, name, stage in (
        (Judge, "_events", "step: events of the kernel, rows found"),
        (Judge, "_changes", "changes"),
        (Judge, "_count", "books"),
        (Kernels, "apply", "kernel"),
        (Kernels, "fire", "kernel: deadlines"),
        (Shard, "_advance", "deadlines: who is due"),
        (memory.Memory, "_latest", "changes: latest segments"),
        (Changes, "records", "changes: records"),
        (rest, "pack", "rows: packed"),
    ):
        stages.wrap(owner, name, stage)
    return stages


def shop_of(options: argparse.Namespace) -> Iterator[Poll]:
    """The polls, from the folder where they are kept."""
    shop = Shop(options.customers, options.warm + options.events, 1, pages=True)
    if options.keep is None:
        yield from polls(shop.simulated(), options.poll, options.warm)
        return
    file = options.keep / f"pages-{options.customers}-{options.warm + options.events}-{options.poll}.pickle"
    if not file.exists():
        with file.with_suffix(".tmp").open("wb") as into:
            for poll in polls(shop.simulated(), options.poll, options.warm):
                pickle.dump(poll, into)
        file.with_suffix(".tmp").rename(file)
    with file.open("rb") as kept:
        while True:
            try:
                yield pickle.load(kept)  # noqa: S301  what this program wrote
            except EOFError:
                return


def main() -> None:
    """Warm up, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=50_000, help="of one of the four shards of W3")
    parser.add_argument("--warm", type=int, default=2_904_000, help="events before what is measured")
    parser.add_argument("--events", type=int, default=160_000)
    parser.add_argument("--poll", type=int, default=POLL, help="events of a poll; few: what a step costs by itself")
    parser.add_argument("--keep", type=Path, help="folder for the traffic, and the shard once it is warm")
    options = parser.parse_args()
    worker = Worker(load_settings(None))
    traffic = shop_of(options)
    warm_up(worker, traffic, options)
    gc.collect()
    gc.freeze()
    stages = watched(worker)
    worker.written = worker.changes = worker.rows = 0
    events = 0
    for poll in traffic:
        worker.take(poll)
        events += poll[1]
    tell(worker, stages, events)


def warm_up(worker: Worker, traffic: Iterator[Poll], options: argparse.Namespace) -> None:
    """Take the first polls; or fill the shard with the rows that they came to when that was done before."""
    file = None if options.keep is None else options.keep / f"warm-pages-{options.customers}-{options.warm}.pickle"
    first = [next(traffic) for _ in range(options.warm // POLL)] if file is not None and file.exists() else None
    shard = worker.shard
    if first is not None and file is not None:
        keys, values, offsets = pickle.loads(file.read_bytes())  # noqa: S301  what this program wrote
        shard.restore(keys, values)
        shard.restored()
        for source in shard.merge.inputs:
            shard.start(source, offsets.get(source, 0))
        return
    for source in shard.merge.inputs:
        shard.start(source, 0)
    latest: dict[bytes, bytes | None] = {}
    written = worker.payload

    def payload(out: Any) -> Any:
        if file is not None:
            latest.update(out.rows)
        return written(out)

    worker.payload = payload  # type: ignore[method-assign]
    for n in range(options.warm // POLL):
        worker.take(next(traffic))
        if n % 10 == 0:
            print(f"\rwarm: {(n + 1) * POLL:,} events", end="", flush=True)
    print()
    worker.payload = written  # type: ignore[method-assign]
    if file is not None:
        offsets = {source: one.expected for source, one in shard.merge.inputs.items()}
        file.write_bytes(pickle.dumps((list(latest), list(latest.values()), offsets)))


def tell(worker: Worker, stages: Stages, events: int) -> None:
    """The table."""
    seconds = sum(stages.seconds.values())
    print(
        f"{events:,} events, {len(worker.shard.rows):,} customers: {seconds / events * 1e6:.2f} us an event "
        f"({events / seconds:,.0f}/s of one core); {worker.changes / events:.3f} changes, {worker.rows / events:.3f} "
        f"rows and {worker.written / events:.0f} bytes written an event"
    )
    for stage, spent in sorted(stages.seconds.items(), key=lambda item: -item[1]):
        print(f"{spent / events * 1e6:8.2f} us  {spent / seconds:6.1%}  {stage}")


if __name__ == "__main__":
    main()
