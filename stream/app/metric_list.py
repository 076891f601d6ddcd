"""Every metric of a worker, in one typed list; the reference in the README is made from it.

Names go by the conventions of Prometheus: base units (seconds, bytes, ratios from 0 to 1) at the end of the name, and
``_total`` behind whatever only grows.  A label has few values, and `LABELS` says what bounds them: it never names a
customer, a product, or anything else that events carry.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge

from stream.app.histogram import BulkHistogram

Kind = Literal["counter", "gauge", "histogram"]
Made = Counter | Gauge | BulkHistogram

#: Before every name.
PREFIX = "segstream_"
#: Segments that are counted apart at a time, over all dimensions; the one untouched the longest makes room.
MOST_SEGMENTS = 2_000

#: Label -> what its values are, and so why they are few.
LABELS: Mapping[str, str] = {
    "candidate": "of `clusters.candidates`, published, or refined: the published ones where their customers are now",
    "cause": "event, deadline, definition, model, or forgotten",
    "clock": "wall or event",
    "dimension": f"of the definitions; with their segments at most {MOST_SEGMENTS:,}",
    "feature": "a part of the vector that clusters are learned from, or inertia",
    "judge": "model, or what it must beat: recency, alive, buys; before the first version draft",
    "outcome": "applied, duplicate, ignored, rekeyed, or rejected_ and a reason; of vectors: learned, skipped; "
    "of questions: learned (it answered the one before it), asked (there was none to answer), refused",
    "partition": "of the application",
    "prediction": "features of the definitions that are predictions",
    "reason": "asked or dormant",
    "route": "what the API is asked, as /openapi.json writes it, ids left out; unknown",
    "segment": "of the definitions, or cluster- and a number; none: in no segment",
    "status": "of HTTP",
    "state": "closed, opening, ready or held",
    "topic": "of the settings and definitions; in `blocked` also definitions",
    "version": "of this program",
    "why": "age or cause",
}

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_LATENCY = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
_HOUR = 3600.0
_DAY = 24 * _HOUR
_STAY = (60.0, 600.0, _HOUR, 6 * _HOUR, *(days * _DAY for days in (1, 3, 7, 14, 30, 60, 90, 180, 365)))
_RECORDS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)


@dataclass(frozen=True)
class Metric:
    """One metric: its name without prefix, what it is, its labels (all of them in `LABELS`), and its help."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    #: upper bounds, of a histogram
    buckets: tuple[float, ...] = ()
    #: what a histogram does not count because it is above this
    most: float = math.inf

    def make(self, registry: CollectorRegistry) -> Made:
        """The metric, registered."""
        name = PREFIX + self.name
        if self.kind == "counter":
            return Counter(name, self.help, self.labels, registry=registry)
        if self.kind == "gauge":
            return Gauge(name, self.help, self.labels, registry=registry)
        return BulkHistogram(name, self.help, self.labels, self.buckets, registry, self.most)

    def series(self) -> tuple[str, ...]:
        """The names under which Prometheus has it."""
        name = PREFIX + self.name
        return tuple(name + part for part in ("_bucket", "_sum", "_count")) if self.kind == "histogram" else (name,)


_EVENTS = (
    Metric("events_total", "counter", ("outcome",), "Events read, by what became of them."),
    Metric(
        "booked_records",
        "gauge",
        ("partition", "outcome"),
        "Records of a shard since its first, by what became of them (read: all); kept in its own row.",
    ),
    Metric(
        "refunds_unmatched_total", "counter", (), "Refunds and cancellations of orders not among a customer's latest."
    ),
    Metric(
        "unknown_zones_total",
        "counter",
        (),
        "Events that name a time zone that there is not; the customer's known one, or the default, holds on.",
    ),
    Metric("records_lost_total", "counter", ("topic",), "Records that Kafka deleted before they were read."),
    Metric("customers_forgotten_total", "counter", ("reason",), "Customers forgotten: asked, or dormant for too long."),
    Metric(
        "busiest_customer_ratio",
        "gauge",
        ("partition",),
        "Share of a shard's events, in the last full minute, that were about one customer: the busiest.",
    ),
)

_SEGMENTS = (
    Metric("customers", "gauge", ("dimension", "segment"), "Customers in each segment, of the shards of this worker."),
    Metric(
        "segment_entered_total",
        "counter",
        ("dimension", "segment", "cause"),
        "Customers who entered a segment; over all segments, none too: the segment changes written.",
    ),
    Metric(
        "segment_left_total",
        "counter",
        ("dimension", "segment", "cause"),
        "Customers who left a segment; entered less left is what its size grew by.",
    ),
    Metric(
        "segment_stay_seconds",
        "histogram",
        ("dimension", "segment"),
        "How long customers were in a segment when they left it, in event time.",
        _STAY,
    ),
    Metric(
        "segment_return_seconds",
        "histogram",
        ("dimension", "segment"),
        "How long customers were away from a segment when they came back, in event time; with `count_returns` only.",
        _STAY,
    ),
    Metric("changes_kept_back_total", "counter", ("topic", "why"), "Changes that the rules of an output kept from it."),
)

_TIMES = (
    Metric(
        "event_to_change_seconds",
        "histogram",
        (),
        "From an event's record timestamp to its changes committed.",
        _LATENCY,
    ),
    Metric(
        "deadline_to_change_seconds",
        "histogram",
        (),
        # what was due more than a day ago is history that is being read, not a deadline told late
        "From when a change by time was due (its instant + time.disorder) to its commit; wall clock, up to a day.",
        _LATENCY,
        86_400.0,
    ),
    Metric("lag_records", "gauge", ("topic", "partition"), "Records of a source partition that are not yet committed."),
    Metric("clock_age_seconds", "gauge", ("partition",), "How far the clock of a shard is behind the wall clock."),
    Metric(
        "clock_timestamp_seconds", "gauge", ("partition",), "The clock of a shard (event time), since 1 January 1970."
    ),
    Metric("time_disorder_seconds", "gauge", (), "How far clocks stay behind by the settings (time.disorder)."),
    Metric(
        "blocked",
        "gauge",
        ("partition", "topic"),
        "1 where the shard waits to know more about that topic (definitions: to have them compiled).",
    ),
)

_WORK = (
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
    Metric("partitions", "gauge", (), "Shards that the application has, over all workers."),
    Metric("ready", "gauge", (), "1 where /health/ready says yes."),
    Metric("kafka_silent_seconds", "gauge", (), "How long Kafka has not answered this worker."),
    Metric("worker_info", "gauge", ("version", "clock"), "1, with what this worker is and which clock it goes by."),
)

_LEARNED = (
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
)

_WEB = (
    Metric("web_requests_total", "counter", ("route", "status"), "Requests answered, by what was asked."),
    Metric(
        "web_request_seconds",
        "histogram",
        ("route",),
        "From a request read to its answer made; without streams, which last as long as they are listened to.",
        _SECONDS,
    ),
)

_CLUSTERS = (
    Metric("cluster_vectors_total", "counter", ("outcome",), "Vectors that came to the trainer of the clusters."),
    Metric(
        "cluster_vectors_held_back_total",
        "counter",
        (),
        "Vectors that shards kept from the trainer, as a day has only so many (`clusters.most_vectors`).",
    ),
    Metric("cluster_version", "gauge", (), "Version of the clusters that this worker's trainer published last."),
    Metric(
        "cluster_inertia",
        "gauge",
        (),
        "Mean squared distance (scaled) of recent vectors to the centroid of their cluster.",
    ),
    Metric(
        "cluster_candidate_inertia",
        "gauge",
        ("candidate",),
        "The same for all that were compared when the newest version was made.",
    ),
    Metric("cluster_silhouette", "gauge", (), "How well the clusters are apart, from -1 to 1, on recent vectors."),
    Metric("cluster_learning_seconds_total", "counter", (), "Processor time spent on learning clusters."),
    Metric(
        "cluster_drift_total",
        "counter",
        ("feature",),
        "How often customers were seen to have become others, by what shows it.",
    ),
    Metric("cluster_share_ratio", "gauge", ("segment",), "Share of recent vectors that are of a cluster."),
    Metric("cluster_homogeneity_ratio", "gauge", ("segment",), "How alike the customers of a cluster are."),
)

_PREDICTIONS = (
    Metric(
        "propensity_questions_total",
        "counter",
        ("outcome",),
        "Customers at their turns, as they came to the trainers of predictions.",
    ),
    Metric("propensity_learning_seconds_total", "counter", (), "Processor time spent on learning predictions."),
    Metric("propensity_version", "gauge", ("prediction",), "Version that its trainer published last, 0: none yet."),
    Metric(
        "propensity_auc",
        "gauge",
        ("prediction", "judge"),
        "How often one who did it had been said to be likelier than one who did not, over the latest answers.",
    ),
    Metric(
        "propensity_miscalibration_ratio",
        "gauge",
        ("prediction",),
        "Of the tenths of the latest answers by what was said, the one farthest from what came: how far.",
    ),
)

_LIFETIMES = (
    Metric(
        "lifetime_version", "gauge", (), "Version of the model of lifetimes that this worker's trainer published last."
    ),
    Metric("lifetime_customers", "gauge", (), "Customers that it was fitted to, those that were forgotten too."),
    Metric("lifetime_repeat_buyers", "gauge", (), "Of these, who bought more than once."),
    Metric(
        "lifetime_correlation_ratio",
        "gauge",
        (),
        "Between how often they buy and what orders are worth, -1 to 1; the model takes it for 0.",
    ),
    Metric(
        "lifetime_change_ratio", "gauge", (), "By how much the latest fit would change what is predicted, as a share."
    ),
    Metric("lifetime_fits_total", "counter", (), "How often the model of lifetimes was fitted."),
    Metric(
        "lifetime_fit_seconds_total", "counter", (), "Processor time spent on that, in processes beside the worker."
    ),
)

METRICS: tuple[Metric, ...] = (
    *_EVENTS,
    *_SEGMENTS,
    *_TIMES,
    *_WORK,
    *_LEARNED,
    *_WEB,
    *_CLUSTERS,
    *_PREDICTIONS,
    *_LIFETIMES,
)


def reference() -> str:
    """The metrics as a table for the README; a test holds it against what the README says."""
    lines = ["| Metric | Kind | Labels | Meaning |", "|---|---|---|---|"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{PREFIX}{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join(lines)


def labels_reference() -> str:
    """What bounds the values of each label, as a table for the README, held likewise."""
    lines = ["| Label | Values |", "|---|---|"]
    return "\n".join(lines + [f"| `{label}` | {values} |" for label, values in LABELS.items()])
