"""Rules and alarms of config/prometheus: they parse, name what there is, say what to do, go off when they should."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stream.app.metric_list import LABELS, METRICS
from tests.conftest import REPOSITORY

CONFIG = REPOSITORY / "config" / "prometheus"
TESTS = REPOSITORY / "tests" / "prometheus"
RULES = sorted((CONFIG / "rules").glob("*.yml"))
NAME = re.compile(r"\bsegstream[_:][a-z0-9_:]+")


def rules() -> Iterator[dict[str, Any]]:
    """All rules, in the order of their files."""
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
RECORDS = {rule["record"] for rule in rules() if "record" in rule}


def loaded() -> dict[str, Any]:
    """The configuration."""
    found: dict[str, Any] = yaml.safe_load((CONFIG / "prometheus.yml").read_text())
    return found


def promtool(*arguments: str, folder: Path = REPOSITORY) -> str:
    """What promtool says; it must be content."""
    found = shutil.which("promtool")
    assert found is not None, "scripts/install-prometheus brings promtool"
    done = subprocess.run([found, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_configuration_and_all_rules() -> None:
    """Its own checker and linter find nothing."""
    promtool("check", "config", "--syntax-only", str(CONFIG / "prometheus.yml"))  # the token is no file of ours
    taken = {path for pattern in loaded()["rule_files"] for path in CONFIG.glob(pattern)}
    assert taken == set(RULES)
    assert RULES
    promtool("check", "rules", "--lint=all", "--lint-fatal", *map(str, RULES))


@pytest.mark.parametrize("path", sorted(TESTS.glob("*.test.yml")), ids=lambda path: path.stem)
def test_alarms_go_off_when_they_should_and_only_then(path: Path) -> None:
    """The cases of tests/prometheus, run by promtool over simulated days."""
    promtool("test", "rules", path.name, folder=TESTS)


def test_alarms_name_the_job_that_is_scraped() -> None:
    """Or that no worker is there would never be told, or always."""
    jobs = {job["job_name"] for job in loaded()["scrape_configs"]}
    assert {job for rule in rules() for job in re.findall(r'\bjob="([^"]+)"', rule["expr"])} == jobs


def test_rules_name_metrics_and_labels_that_there_are() -> None:
    """A rule about a metric that was renamed is silent for ever."""
    series = {name for metric in METRICS for name in metric.series()}
    for rule in rules():
        names = set(NAME.findall(rule["expr"]))
        assert names <= series | RECORDS, rule
        grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"])
        labels = {label for group in grouped for label in group.split(", ") if label}
        assert labels <= {*LABELS, "job", "instance", "le", "slo"}, rule
    assert all(NAME.fullmatch(name) for name in RECORDS)


def test_bounds_in_rules_are_bounds_of_the_histograms() -> None:
    """Without that bucket an objective would be met by nobody."""
    for rule in rules():
        for name, bound in re.findall(r'(\w+)_bucket\{(?:[^\n]*?, )?le="([^"]+)"', rule["expr"]):
            (metric,) = [metric for metric in METRICS if f"segstream_{metric.name}" == name]
            assert float(bound) in metric.buckets, rule


@pytest.mark.parametrize("name", ALERTS)
def test_an_alarm_says_how_urgent_it_is_what_it_is_and_what_to_do(name: str) -> None:
    """Whoever is woken by it has never seen the system."""
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("page", "ticket", "info")
    told = rule["annotations"]
    assert told.keys() == {"summary", "description", "action"}
    assert len(told["summary"]) <= 100
    labels = set(re.findall(r"\$labels\.(\w+)", " ".join(told.values())))
    assert labels <= {*LABELS, "job", "instance", "slo"}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alarm_is_seen_going_off_and_being_quiet(name: str) -> None:
    """Every one has a case in which it must fire, and one in which it must not."""
    cases = [
        case
        for path in TESTS.glob("*.test.yml")
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test.get("promql_expr_test", [])
        if f'alertname="{name}"' in case["expr"] or case["expr"] == 'ALERTS{alertstate="firing"}'
    ]
    assert any(f'alertname="{name}"' in sample["labels"] for case in cases for sample in case.get("exp_samples", []))
    assert any(not case.get("exp_samples") for case in cases)


def test_every_alarm_is_in_the_readme() -> None:
    """With what it means, for whoever decides whom it wakes."""
    readme = (REPOSITORY / "README.md").read_text()
    assert [name for name in ALERTS if f"`{name}`" not in readme] == []
