"""Every metric of a worker, in one list; and where each is counted."""

from __future__ import annotations

import asyncio
import time
from collections import Counter as TallyOf
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from stream.app.outputs import KeptBack
from stream.app.ports import Step

if TYPE_CHECKING:
    from stream.app.shards import ShardHost

Kind = Literal["counter", "gauge", "histogram"]

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_LATENCY = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
_RECORDS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)


@dataclass(frozen=True)
class Metric:
    """One metric: its name without prefix, what it is, its labels, and its help. No label names a customer."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    def make(self, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
        """The metric, registered."""
        name = f"segstream_{self.name}"
        if self.kind == "counter":
            return Counter(name, self.help, self.labels, registry=registry)
        if self.kind == "gauge":
            return Gauge(name, self.help, self.labels, registry=registry)
        return Histogram(name, self.help, self.labels, registry=registry, buckets=self.buckets)


METRICS: tuple[Metric, ...] = (
    Metric("events_total", "counter", ("outcome",), "Events read, by what became of them."),
    Metric(
        "booked_records",
        "gauge",
        ("partition", "outcome"),
        "Records of a shard since its first, by what became of them (read: all); kept in its own row.",
    ),
    Metric(
        "changes_total", "counter", ("dimension", "segment", "cause"), "Segment changes written, by segment entered."
    ),
    Metric(
        "refunds_unmatched_total", "counter", (), "Refunds and cancellations of orders not among a customer's latest."
    ),
    Metric("changes_kept_back_total", "counter", ("topic", "why"), "Changes that the rules of an output kept from it."),
    Metric("customers_forgotten_total", "counter", ("reason",), "Customers forgotten: asked, or dormant for too long."),
    Metric("customers", "gauge", ("dimension", "segment"), "Customers in each segment, of the shards of this worker."),
    Metric(
        "event_to_change_seconds",
        "histogram",
        (),
        "From an event's record timestamp to its changes committed.",
        _LATENCY,
    ),
    Metric("lag_records", "gauge", ("topic", "partition"), "Records of a source partition that are not yet committed."),
    Metric("clock_age_seconds", "gauge", ("partition",), "How far the clock of a shard is behind the wall clock."),
    Metric(
        "blocked",
        "gauge",
        ("partition", "topic"),
        "1 where the shard waits to know more about that topic (definitions: to have them compiled).",
    ),
    Metric(
        "busiest_customer_share",
        "gauge",
        ("partition",),
        "Share of a shard's events, in the last full minute, that were about one customer: the busiest.",
    ),
    Metric("batch_records", "histogram", (), "Events applied in one transaction.", _RECORDS),
    Metric("step_seconds", "histogram", (), "Time in the engine for one transaction.", _SECONDS),
    Metric("commit_seconds", "histogram", (), "From begin to committed, of one transaction.", _SECONDS),
    Metric("transactions_failed_total", "counter", (), "Transactions after which a shard was read again from Kafka."),
    Metric("rows_restored_total", "counter", (), "Changelog records read back into shards."),
    Metric(
        "poison_total",
        "counter",
        (),
        "Changelog records that could not be read back; they are copied to the dead letters, reason poison.",
    ),
    Metric("opening_seconds", "histogram", (), "From the start of a shard's opening to ready.", _SECONDS),
    Metric("shards", "gauge", ("state",), "Shards of this worker, by state."),
    Metric(
        "definitions_version",
        "gauge",
        ("partition",),
        "Version of the published definitions that a shard goes by; 0: those in the worker's files.",
    ),
    Metric(
        "definitions_refused_total",
        "counter",
        (),
        "Published definitions that have mistakes or cannot be compiled: never adopted.",
    ),
    Metric(
        "unknown_zones_total",
        "counter",
        (),
        "Events that name a time zone that there is not; the customer's known one, or the default, holds on.",
    ),
    Metric("records_lost_total", "counter", ("topic",), "Records that Kafka deleted before they were read."),
)


def reference() -> str:
    """The metrics as a table for the README; a test holds it against what the README says."""
    lines = ["| Metric | Kind | Labels | Meaning |", "|---|---|---|---|"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `segstream_{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join(lines)


class Metrics:
    """The metrics of one worker, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        made = {metric.name: metric.make(self.registry) for metric in METRICS}
        self.events = cast(Counter, made["events_total"])
        self.booked = cast(Gauge, made["booked_records"])
        self.changes = cast(Counter, made["changes_total"])
        self.refunds_unmatched = cast(Counter, made["refunds_unmatched_total"])
        self.kept_back = cast(Counter, made["changes_kept_back_total"])
        self.forgotten = cast(Counter, made["customers_forgotten_total"])
        self.customers = cast(Gauge, made["customers"])
        self.latency = cast(Histogram, made["event_to_change_seconds"])
        self.lag = cast(Gauge, made["lag_records"])
        self.clock_age = cast(Gauge, made["clock_age_seconds"])
        self.blocked = cast(Gauge, made["blocked"])
        self.busiest = cast(Gauge, made["busiest_customer_share"])
        self.batch_records = cast(Histogram, made["batch_records"])
        self.step_seconds = cast(Histogram, made["step_seconds"])
        self.commit_seconds = cast(Histogram, made["commit_seconds"])
        self.transactions_failed = cast(Counter, made["transactions_failed_total"])
        self.rows_restored = cast(Counter, made["rows_restored_total"])
        self.poison = cast(Counter, made["poison_total"])
        self.opening_seconds = cast(Histogram, made["opening_seconds"])
        self.shards = cast(Gauge, made["shards"])
        self.definitions_version = cast(Gauge, made["definitions_version"])
        self.definitions_refused = cast(Counter, made["definitions_refused_total"])
        self.unknown_zones = cast(Counter, made["unknown_zones_total"])
        self.records_lost = cast(Counter, made["records_lost_total"])

    def committed(self, step: Step, kept_back: KeptBack, step_seconds: float, commit_seconds: float) -> None:
        """Count a step, now that its transaction is committed."""
        counts = step.counts
        for outcome, number in counts.by_outcome().items():
            self.events.labels(outcome).inc(number)
        self.unknown_zones.inc(counts.unknown_zones)
        now = time.time() * 1000
        entered = TallyOf((change.dimension, change.to_segment or "none", change.cause) for change in step.changes)
        for labels, number in entered.items():
            self.changes.labels(*labels).inc(number)
        for reason, number in TallyOf(one.reason for one in step.forgotten).items():
            self.forgotten.labels(reason).inc(number)
        causes = {(change.key, change.caused_ms) for change in step.changes if change.caused_ms is not None}
        for _, caused_ms in causes:  # an event that moves someone in several dimensions counts once
            self.latency.observe(max(0.0, now - caused_ms) / 1000)
        self.refunds_unmatched.inc(step.unmatched)
        for (topic, why), number in kept_back.items():
            self.kept_back.labels(topic, why).inc(number)
        self.batch_records.observe(counts.read)
        self.step_seconds.observe(step_seconds)
        self.commit_seconds.observe(commit_seconds)

    async def exposition(self, host: ShardHost) -> bytes:
        """All metrics as Prometheus reads them; what is a state rather than a count is looked up now.

        Sizes are counted over all rows, in a thread, shard by shard: a million customers take a third of a second.
        """
        sizes: dict[tuple[str, str], int] = {}
        for _, shard in list(host.ready_shards()):
            _add(sizes, await asyncio.to_thread(shard.sizes))
        gauges = (self.customers, self.lag, self.clock_age, self.blocked, self.shards, self.definitions_version)
        for gauge in (self.booked, self.busiest, *gauges):
            gauge.clear()
        now = time.time() * 1000
        for runner in host.runners.values():
            self.shards.labels(runner.state.value).inc()
        for runner, shard in host.ready_shards():
            self.busiest.labels(runner.partition).set(runner.hot.share)
            self.definitions_version.labels(runner.partition).set(shard.definitions_version)
            for outcome, number in shard.books.items():
                self.booked.labels(runner.partition, outcome).set(number)
            if shard.clock_ms is not None:
                self.clock_age.labels(runner.partition).set((now - shard.clock_ms) / 1000)
            blocked = shard.blocked_by()
            if blocked is not None:
                self.blocked.labels(runner.partition, blocked[0]).set(1)
            if shard.compiling is not None:
                self.blocked.labels(runner.partition, "definitions").set(1)
            for source, lag in host.lag(runner).items():
                self.lag.labels(*source).set(lag)
        for (dimension, segment), number in sizes.items():
            self.customers.labels(dimension, segment).set(number)
        return generate_latest(self.registry)


def _add(sizes: dict[tuple[str, str], int], more: Mapping[str, Mapping[str, int]]) -> None:
    for dimension, segments in more.items():
        for segment, number in segments.items():
            sizes[dimension, segment] = sizes.get((dimension, segment), 0) + number
