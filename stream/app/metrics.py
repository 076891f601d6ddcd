"""The metrics of a worker (`stream.app.metric_list`): where each is counted, and how all of them are told."""

from __future__ import annotations

import asyncio
import time
from collections import Counter as TallyOf
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from stream.app.churn import Churn
from stream.app.histogram import BulkHistogram
from stream.app.metric_list import METRICS, Made
from stream.app.outputs import KeptBack
from stream.app.ports import Step
from stream.engine.kinds import CAUSES

if TYPE_CHECKING:
    from stream.app.shards import ShardHost

Kind = TypeVar("Kind", Counter, Gauge, BulkHistogram)

# Prometheus knows when a series began; of each histogram and counter that would be a gauge more.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics of one worker, in a registry of its own, beside those of its process (`process_...`)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        #: whether the worker does its work now
        self.is_ready: Callable[[], bool] = lambda: False
        self._made: dict[str, Made] = {metric.name: metric.make(self.registry) for metric in METRICS}
        self.events = self._of(Counter, "events_total")
        self.booked = self._of(Gauge, "booked_records")
        self.refunds_unmatched = self._of(Counter, "refunds_unmatched_total")
        self.unknown_zones = self._of(Counter, "unknown_zones_total")
        self.records_lost = self._of(Counter, "records_lost_total")
        self.forgotten = self._of(Counter, "customers_forgotten_total")
        self.busiest = self._of(Gauge, "busiest_customer_ratio")
        self.customers = self._of(Gauge, "customers")
        self.kept_back = self._of(Counter, "changes_kept_back_total")
        self.latency = self._of(BulkHistogram, "event_to_change_seconds")
        self.lateness = self._of(BulkHistogram, "deadline_to_change_seconds")
        self.lag = self._of(Gauge, "lag_records")
        self.clock_age = self._of(Gauge, "clock_age_seconds")
        self.clock = self._of(Gauge, "clock_timestamp_seconds")
        self.disorder = self._of(Gauge, "time_disorder_seconds")
        self.blocked = self._of(Gauge, "blocked")
        self.batch_records = self._of(BulkHistogram, "batch_records")
        self.step_seconds = self._of(BulkHistogram, "step_seconds")
        self.commit_seconds = self._of(BulkHistogram, "commit_seconds")
        self.transactions_failed = self._of(Counter, "transactions_failed_total")
        self.rows_restored = self._of(Counter, "rows_restored_total")
        self.poison = self._of(Counter, "poison_total")
        self.opening_seconds = self._of(BulkHistogram, "opening_seconds")
        self.shards = self._of(Gauge, "shards")
        self.partitions = self._of(Gauge, "partitions")
        self.ready = self._of(Gauge, "ready")
        self.kafka_silent = self._of(Gauge, "kafka_silent_seconds")
        self.worker_info = self._of(Gauge, "worker_info")
        self.definitions_version = self._of(Gauge, "definitions_version")
        self.definitions_refused = self._of(Counter, "definitions_refused_total")
        self.web_requests = self._of(Counter, "web_requests_total")
        self.web_seconds = self._of(BulkHistogram, "web_request_seconds")
        self.cluster_vectors = self._of(Counter, "cluster_vectors_total")
        self.vectors_held_back = self._of(Counter, "cluster_vectors_held_back_total")
        self.cluster_version = self._of(Gauge, "cluster_version")
        self.cluster_inertia = self._of(Gauge, "cluster_inertia")
        self.cluster_silhouette = self._of(Gauge, "cluster_silhouette")
        self.cluster_learning = self._of(Counter, "cluster_learning_seconds_total")
        self.cluster_candidate = self._of(Gauge, "cluster_candidate_inertia")
        self.cluster_drift = self._of(Counter, "cluster_drift_total")
        self.cluster_share = self._of(Gauge, "cluster_share_ratio")
        self.cluster_homogeneity = self._of(Gauge, "cluster_homogeneity_ratio")
        self.propensity_questions = self._of(Counter, "propensity_questions_total")
        self.propensity_learning = self._of(Counter, "propensity_learning_seconds_total")
        self.propensity_version = self._of(Gauge, "propensity_version")
        self.propensity_auc = self._of(Gauge, "propensity_auc")
        self.propensity_miscalibration = self._of(Gauge, "propensity_miscalibration_ratio")
        self.lifetime_version = self._of(Gauge, "lifetime_version")
        self.lifetime_customers = self._of(Gauge, "lifetime_customers")
        self.lifetime_repeat_buyers = self._of(Gauge, "lifetime_repeat_buyers")
        self.lifetime_correlation = self._of(Gauge, "lifetime_correlation_ratio")
        self.lifetime_change = self._of(Gauge, "lifetime_change_ratio")
        self.lifetime_fits = self._of(Counter, "lifetime_fits_total")
        self.lifetime_fit_seconds = self._of(Counter, "lifetime_fit_seconds_total")
        self.churn = Churn(
            self._of(Counter, "segment_entered_total"),
            self._of(Counter, "segment_left_total"),
            self._of(BulkHistogram, "segment_stay_seconds"),
            self._of(BulkHistogram, "segment_return_seconds"),
        )
        self._telling = asyncio.Lock()
        self.no_trainer()
        self.no_lifetimes()

    def _of(self, kind: type[Kind], name: str) -> Kind:
        made = self._made[name]
        if not isinstance(made, kind):
            raise TypeError(f"{name} is no {kind.__name__}")
        return made

    def committed(
        self,
        step: Step,
        kept_back: KeptBack,
        step_seconds: float,
        commit_seconds: float,
        *,
        behind_ms: int | None = 0,
    ) -> None:
        """Count a step, now that its transaction is committed; ``behind_ms``: how far behind the wall clock deadlines
        are due (``time.disorder``), None where they are due by another clock."""
        counts = step.counts
        for outcome, number in counts.by_outcome().items():
            self.events.labels(outcome).inc(number)
        self.unknown_zones.inc(counts.unknown_zones)
        now = time.time() * 1000
        self.churn.moved(step.changes, step.forgotten)
        for reason, number in TallyOf(one.reason for one in step.forgotten).items():
            self.forgotten.labels(reason).inc(number)
        changes = step.changes
        # an event that moves someone in several dimensions counts once
        self.latency.observe(np.maximum(0.0, now - changes.caused()) / 1000)
        if behind_ms is not None:
            due = changes.at_ms[changes.causes == CAUSES.index("deadline")]
            self.lateness.observe(np.maximum(0.0, now - behind_ms - due) / 1000)
        self.refunds_unmatched.inc(step.unmatched)
        self.vectors_held_back.inc(step.beyond)
        for (topic, why), number in kept_back.items():
            self.kept_back.labels(topic, why).inc(number)
        self.batch_records.observe(counts.read)
        self.step_seconds.observe(step_seconds)
        self.commit_seconds.observe(commit_seconds)

    def no_trainer(self) -> None:
        """This worker learns no clusters, or no longer: another one tells of them."""
        for gauge in (self.cluster_version, self.cluster_inertia, self.cluster_silhouette):
            gauge.set(float("nan"))
        self.cluster_candidate.clear()
        self.cluster_share.clear()
        self.cluster_homogeneity.clear()

    def no_predictions(self) -> None:
        """This worker learns no predictions, or no longer: another one tells of them."""
        for gauge in (self.propensity_version, self.propensity_auc, self.propensity_miscalibration):
            gauge.clear()

    def no_lifetimes(self) -> None:
        """This worker fits no lifetimes, or no longer: another one tells of them."""
        for gauge in (
            self.lifetime_version,
            self.lifetime_customers,
            self.lifetime_repeat_buyers,
            self.lifetime_correlation,
            self.lifetime_change,
        ):
            gauge.set(float("nan"))

    async def exposition(self, host: ShardHost) -> bytes:
        """All metrics as Prometheus reads them; what is a state rather than a count is looked up now.

        Sizes are counted over all rows, in a thread, shard by shard: a million customers take a third of a second. The
        text is made in one too: the catalogue has thousands of series. One after the other, or two who ask at a time
        would find the other's gauges cleared.
        """
        async with self._telling:
            await self._look(host)
            return await asyncio.to_thread(self._tell)

    def _tell(self) -> bytes:
        self.churn.tell()
        return generate_latest(self.registry)

    async def _look(self, host: ShardHost) -> None:
        sizes: dict[tuple[str, str], int] = {}
        for _, shard in list(host.ready_shards()):
            _add(sizes, await asyncio.to_thread(shard.sizes))
        self._of_shards(host)
        self.customers.clear()
        for (dimension, segment), number in sizes.items():
            self.customers.labels(dimension, segment).set(number)
        self.churn.show(sizes)
        self.partitions.set(host.wiring.partitions)
        self.ready.set(self.is_ready())
        self.kafka_silent.set(host.pulse.silent_for)
        self.disorder.set(host.wiring.disorder_ms / 1000)
        self.worker_info.labels(version("segstream"), "wall" if host.wiring.wall_clock else "event").set(1)

    def _of_shards(self, host: ShardHost) -> None:
        gauges = (self.booked, self.busiest, self.lag, self.clock_age, self.clock, self.blocked, self.shards)
        for gauge in (*gauges, self.definitions_version):
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
                self.clock.labels(runner.partition).set(shard.clock_ms / 1000)
            blocked = shard.blocked_by()
            if blocked is not None:
                self.blocked.labels(runner.partition, blocked[0]).set(1)
            if shard.compiling is not None:
                self.blocked.labels(runner.partition, "definitions").set(1)
            for source, lag in host.lag(runner).items():
                self.lag.labels(*source).set(lag)


def _add(sizes: dict[tuple[str, str], int], more: Mapping[str, Mapping[str, int]]) -> None:
    for dimension, segments in more.items():
        for segment, number in segments.items():
            sizes[dimension, segment] = sizes.get((dimension, segment), 0) + number
