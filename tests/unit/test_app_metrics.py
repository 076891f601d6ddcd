"""The metrics of a worker: what a committed step counts, and that there are never many series."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from stream.app.churn import CAUSES, Churn
from stream.app.histogram import BulkHistogram, Groups
from stream.app.metric_list import LABELS, METRICS, PREFIX
from stream.app.metrics import Metrics
from stream.app.runner import State
from tests.plain_changes import PlainChanges
from tests.unit.test_app_outputs import DAY, NOW, Change, Step

#: Segments of a crowded shard: telling them takes a while.
MANY = 1_500
UNITS = ("_seconds", "_bytes", "_ratio", "_info", "_records", "_version")


def counted(step: Any, **keys: Any) -> Metrics:
    """The metrics after one step."""
    metrics = Metrics()
    metrics.committed(step, {}, 0.001, 0.002, **keys)  # type: ignore[arg-type]
    metrics.churn.tell()
    return metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """One series."""
    return metrics.registry.get_sample_value(PREFIX + name, labels)


class Gone:
    """A customer who was forgotten."""

    reason, key = "asked", b"c2"
    segments = {"lifecycle": "active", "cart": None}  # noqa: RUF012


def test_events_are_counted_by_what_became_of_them() -> None:
    """Rejected ones by their reason."""
    metrics = counted(Step())
    assert value(metrics, "events_total", outcome="applied") == 1
    assert value(metrics, "events_total", outcome="rejected_json") == 1


def test_vectors_that_the_bound_holds_back_are_counted() -> None:
    """Else nobody sees that clusters are learned from a part of the customers only."""
    assert value(counted(Step(beyond=7)), "cluster_vectors_held_back_total") == 7


def test_a_change_is_one_who_leaves_and_one_who_enters() -> None:
    """In its dimension, with its cause; whoever had no segment leaves none."""
    metrics = counted(Step(changes=PlainChanges([Change(), Change(from_segment=None)])))
    assert value(metrics, "segment_entered_total", dimension="lifecycle", segment="at-risk", cause="event") == 2
    assert value(metrics, "segment_left_total", dimension="lifecycle", segment="active", cause="event") == 1
    assert value(metrics, "segment_left_total", dimension="lifecycle", segment="none", cause="event") is None


def test_the_forgotten_leave_the_segments_they_were_in() -> None:
    """So that entered less left stays the size."""
    metrics = counted(Step(forgotten=[Gone()]))
    assert value(metrics, "segment_left_total", dimension="lifecycle", segment="active", cause="forgotten") == 1
    assert value(metrics, "customers_forgotten_total", reason="asked") == 1


def test_stays_and_returns_are_in_seconds_by_segment() -> None:
    """A stay is of the segment that was left, a return of the one entered."""
    metrics = counted(Step(changes=PlainChanges([Change(stayed_ms=2 * DAY, away_ms=5 * DAY), Change(stayed_ms=None)])))
    stay = {"dimension": "lifecycle", "segment": "active"}
    assert value(metrics, "segment_stay_seconds_sum", **stay) == 2 * DAY / 1000
    assert value(metrics, "segment_stay_seconds_bucket", **stay, le="86400.0") == 0
    assert value(metrics, "segment_stay_seconds_bucket", **stay, le="259200.0") == 1
    assert value(metrics, "segment_return_seconds_count", dimension="lifecycle", segment="at-risk") == 1


def test_lateness_is_measured_of_deadlines_by_the_wall_clock_only() -> None:
    """In time that is compressed, the instant of a change says nothing of how late it is."""
    step = Step(changes=PlainChanges([Change(round(time.time() * 1000), "deadline", caused_ms=None), Change()]))
    assert value(counted(step), "deadline_to_change_seconds_count") == 1
    assert value(counted(step, behind_ms=None), "deadline_to_change_seconds_count") == 0


def test_a_clock_that_stays_behind_by_the_settings_is_not_late() -> None:
    """With ``time.disorder`` of five seconds no deadline can be told sooner: late is what comes after that."""
    due = round(time.time() * 1000) - 5_200
    step = Step(changes=PlainChanges([Change(at_ms=due, cause="deadline")]))
    assert value(counted(step, behind_ms=5_000), "deadline_to_change_seconds_bucket", le="1.0") == 1
    assert value(counted(step), "deadline_to_change_seconds_bucket", le="1.0") == 0


def test_a_deadline_of_long_ago_is_history_that_is_being_read() -> None:
    """A first start on a year of events would else miss every objective; an outage of an hour does miss it."""
    now = round(time.time() * 1000)
    changes = [Change(at_ms=now - ago, cause="deadline") for ago in (5_000, DAY // 24, 2 * DAY)]
    metrics = counted(Step(changes=PlainChanges(changes)))
    assert value(metrics, "deadline_to_change_seconds_count") == 2
    assert value(metrics, "deadline_to_change_seconds_bucket", le="1.0") == 0


def test_an_event_that_moves_someone_twice_counts_once() -> None:
    """Latency is of events, not of changes."""
    step = Step(changes=PlainChanges([Change(), Change(dimension="cart"), Change(key=b"c9")]))
    assert value(counted(step), "event_to_change_seconds_count") == 2


def churn(most: int) -> tuple[CollectorRegistry, Churn]:
    """What counts at most so many segments, in a registry of its own."""
    registry = CollectorRegistry()
    labels = ("dimension", "segment")
    counters = [Counter(name, "-", (*labels, "cause"), registry=registry) for name in ("entered", "left")]
    spans = [BulkHistogram(name, "-", labels, (1.0, 60.0), registry) for name in ("stay", "away")]
    return registry, Churn(counters[0], counters[1], spans[0], spans[1], most)


def test_series_are_bounded_however_many_segments_come_and_go() -> None:
    """Clusters are born with numbers that were never used before: the one untouched the longest makes room."""
    registry, counts = churn(most=10)
    for number in range(1_000):
        counts.moved(
            PlainChanges([Change(from_segment=f"cluster-{number}", to_segment=f"cluster-{number + 1}", away_ms=1)]), []
        )
    counts.tell()
    families = list(registry.collect())
    segments = {sample.labels["segment"] for family in families for sample in family.samples}
    assert segments == {f"cluster-{number}" for number in range(991, 1001)}
    assert sum(len(family.samples) for family in families) <= 10 * (2 * len(CAUSES) * 2 + 2 * 5)


def test_segments_that_someone_moves_between_stay_counted() -> None:
    """Whatever comes and goes beside them: what makes room is what has been untouched for the longest."""
    registry, counts = churn(most=10)
    for number in range(100):
        counts.moved(PlainChanges([Change(from_segment="active", to_segment="late")]), [])
        counts.moved(PlainChanges([Change(from_segment=None, to_segment=f"cluster-{number}")]), [])
    counts.tell()
    labels = {"dimension": "lifecycle", "segment": "late", "cause": "event"}
    assert registry.get_sample_value("entered_total", labels) == 100


def test_a_segment_has_series_before_anyone_moves() -> None:
    """Else the first to move make a series that begins, in which Prometheus sees no rise."""
    registry, counts = churn(most=10)
    counts.show([("lifecycle", "active")])
    for name in ("entered_total", "left_total"):
        for cause in ("event", "deadline"):
            labels = {"dimension": "lifecycle", "segment": "active", "cause": cause}
            assert registry.get_sample_value(name, labels) == 0


@pytest.mark.parametrize("values", [[], [0.5], [1.0, 1.0000001, 5.0], [0.0, 1e9], list(np.linspace(0, 9, 100))])
def test_many_values_at_once_are_counted_as_one_by_one(values: list[float]) -> None:
    """As prometheus_client's own histogram counts them, to the text that Prometheus reads."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    BulkHistogram("wait_seconds", "-", (), (1.0, 2.5, 5.0), ours).observe(values)
    one = Histogram("wait_seconds", "-", (), registry=theirs, buckets=(1.0, 2.5, 5.0))
    for each in values:
        one.observe(each)
    made, expected = ({s.name + str(s.labels): s.value for f in r.collect() for s in f.samples} for r in (ours, theirs))
    assert made == pytest.approx({k: v for k, v in expected.items() if not k.startswith("wait_seconds_created")})


@given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.floats(0, 10), max_size=5)), max_size=8))
def test_groups_of_values_are_counted_as_one_after_the_other(told: list[tuple[str, list[float]]]) -> None:
    """Whether together or each by itself; a group without values has no series; what is beyond the most is left out."""
    registries = CollectorRegistry(), CollectorRegistry()
    together, apart = (BulkHistogram("wait", "-", ("who",), (1.0, 5.0), one, 8.0) for one in registries)
    groups = Groups(together, 3)
    for who, values in told:
        groups.observe(np.full(len(values), "abc".index(who)), np.array(values, np.float64))
        if any(value <= 8.0 for value in values):
            apart.observe(values, who)
    for number in groups.found().tolist():
        groups.tell(number, ("abc"[number],))
    found, expected = ({s.name + str(s.labels): s.value for f in r.collect() for s in f.samples} for r in registries)
    assert found == pytest.approx(expected)


def test_a_segment_that_made_room_is_counted_anew_when_someone_comes() -> None:
    """Nothing goes on counting into a series that is no longer told."""
    registry, counts = churn(most=2)
    for target in ("late", "late", "lost", "gone", "late"):
        counts.moved(PlainChanges([Change(from_segment=None, to_segment=target, away_ms=1000)]), [])
    counts.tell()
    labels = {"dimension": "lifecycle", "segment": "late"}
    assert registry.get_sample_value("entered_total", {**labels, "cause": "event"}) == 1
    assert registry.get_sample_value("away_count", labels) == 1


def test_a_histogram_refuses_labels_that_it_does_not_have() -> None:
    """A mistake in the program is seen where it is made."""
    with pytest.raises(ValueError, match="labels"):
        BulkHistogram("wait_seconds", "-", ("dimension",), (1.0,), CollectorRegistry()).observe([1.0])


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_and_labels_follow_the_conventions(metric: Any) -> None:
    """Counters end in _total and nothing else does, times are in seconds, every label has a bound that is told."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*[a-z]", metric.name)
    assert metric.name.endswith("_total") is (metric.kind == "counter")
    assert not re.search(r"_(ms|millis|minutes|hours|percent)(_|$)", metric.name)
    assert metric.kind != "histogram" or metric.name.endswith(UNITS)
    assert list(metric.buckets) == sorted(metric.buckets)
    assert set(metric.labels) <= LABELS.keys()
    assert not {"customer", "customer_id", "key", "product", "user", "session", "message"} & set(metric.labels)
    assert metric.help.endswith(".")


def test_every_label_that_is_told_is_used() -> None:
    """The table of labels is that of the metrics."""
    assert {label for metric in METRICS for label in metric.labels} == LABELS.keys()


class Host:
    """A worker without shards."""

    class wiring:  # noqa: N801
        partitions, wall_clock, disorder_ms = 8, True, 600_000

    class pulse:  # noqa: N801
        silent_for = 0.5

    runners: dict[int, Any] = {}  # noqa: RUF012

    @staticmethod
    def ready_shards() -> Iterable[Any]:
        return ()


def exposition(metrics: Metrics) -> bytes:
    """What a worker without shards tells."""
    return asyncio.run(metrics.exposition(Host()))  # type: ignore[arg-type]


def test_the_exposition_is_clean_by_prometheus_own_linter() -> None:
    """`promtool check metrics` finds nothing."""
    metrics = counted(Step(changes=PlainChanges([Change(stayed_ms=DAY, away_ms=DAY)]), forgotten=[Gone()]))
    promtool = shutil.which("promtool")
    assert promtool is not None, "scripts/install-prometheus brings promtool"
    done = subprocess.run([promtool, "check", "metrics"], input=exposition(metrics), capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_the_exposition_has_what_the_list_has_and_the_process() -> None:
    """Nothing is told that the README does not; beside it only what the client library says of the process."""
    families = text_string_to_metric_families(exposition(counted(Step(changes=PlainChanges([Change()])))).decode())
    names = {family.name for family in families}
    listed = {PREFIX + metric.name.removesuffix("_total") for metric in METRICS}
    assert {name for name in names if not name.startswith("process_")} == listed
    assert "process_resident_memory_bytes" in names


def test_a_worker_that_does_not_train_says_nothing_of_clusters() -> None:
    """Or a dashboard would have two versions of them."""
    metrics = Metrics()
    metrics.cluster_share.labels("cluster-1").set(0.5)
    metrics.cluster_version.set(7)
    metrics.no_trainer()
    assert value(metrics, "cluster_share_ratio", segment="cluster-1") is None
    assert np.isnan(value(metrics, "cluster_version") or 0)


def test_nothing_of_what_events_carry_is_told() -> None:
    """A customer's id is in no series: each would be one of its own, and a leak."""
    told = generate_latest(counted(Step(changes=PlainChanges([Change(key=b"c1-secret")]), forgotten=[Gone()])).registry)
    assert b"secret" not in told
    assert NOW


class Runner:
    """The runner of the one shard of a worker."""

    partition, state = 0, State.READY

    class hot:  # noqa: N801
        share = 0.1


class Crowded:
    """A shard of very many segments."""

    definitions_version, clock_ms, compiling = 3, NOW, None
    books = {"read": 7}  # noqa: RUF012

    @staticmethod
    def sizes() -> dict[str, dict[str, int]]:
        return {"big": {f"segment-{k}": k for k in range(MANY)}}

    @staticmethod
    def blocked_by() -> None:
        return None


class CrowdedHost(Host):
    """A worker of that shard."""

    runners = {0: Runner()}  # noqa: RUF012

    @staticmethod
    def ready_shards() -> Iterable[Any]:
        return [(Runner(), Crowded())]

    @staticmethod
    def lag(runner: Any) -> dict[tuple[str, int], int]:
        return {("clicks", 0): 5}


def test_all_who_ask_at_a_time_are_told_all() -> None:
    """What is a state is looked up and told in one go, though both take threads."""

    async def many() -> list[bytes]:
        metrics = Metrics()
        return await asyncio.gather(*(metrics.exposition(CrowdedHost()) for _ in range(5)))  # type: ignore[arg-type]

    for told in asyncio.run(many()):
        assert told.count(b"segstream_customers{") == MANY
        assert told.count(b"segstream_lag_records{") == told.count(b"segstream_clock_age_seconds{") == 1
