"""The dashboard and what Grafana needs to find it: it asks for metrics that there are, and says what it shows."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import pytest
import yaml

from stream.app.metric_list import LABELS, METRICS
from tests.conftest import REPOSITORY
from tests.dashboard import DASHBOARD, panels, queries
from tests.unit.test_prometheus_rules import NAME, RECORDS, rules

GRAFANA = REPOSITORY / "config" / "grafana"
SERIES = {name for metric in METRICS for name in metric.series()}
#: What Prometheus has of itself, and of every process.
OTHERS = {"ALERTS", "process_cpu_seconds_total", "process_resident_memory_bytes"}

#: Metrics that no panel and no rule is about: for whoever looks closer.
EXPLAINING = {"booked_records"}


@pytest.mark.parametrize(("title", "query"), list(queries()))
def test_every_query_names_metrics_and_labels_that_there_are(title: str, query: str) -> None:
    """A panel about a metric that was renamed is empty for ever, and nobody notices."""
    names = set(NAME.findall(query)) | (OTHERS & set(re.findall(r"\w+", query)))
    assert names, title
    assert names <= SERIES | RECORDS | OTHERS
    assert "$" not in query
    groups = re.findall(r"\b(?:by|on|group_left) \(([^)]*)\)", query)
    labels = {label for group in groups for label in group.split(", ") if label}
    labels |= set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", query))
    assert labels <= {*LABELS, "job", "instance", "le", "slo", "alertstate"}


def test_every_metric_that_is_counted_is_shown_somewhere() -> None:
    """In the dashboard, in a rule or both; but for those that only explain others."""
    shown = set(NAME.findall(" ".join(query for _, query in queries())))
    ruled = {name for rule in rules() for name in NAME.findall(rule["expr"])}
    missing = {metric.name for metric in METRICS if not set(metric.series()) & (shown | ruled)}
    assert missing == EXPLAINING


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_in_which_unit_and_from_where(panel: dict[str, Any]) -> None:
    """Whoever opens it has not read the code; the source is the one chosen above."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["datasource"]["uid"] == "${datasource}"
    assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
    if panel["type"] != "table":
        assert panel["fieldConfig"]["defaults"]["unit"]


def test_panels_do_not_overlap() -> None:
    """Each has a number and a place of its own on the grid of 24 columns."""
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in DASHBOARD["panels"]:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    for a, b in combinations((panel["gridPos"] for panel in DASHBOARD["panels"]), 2):
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (a, b)


def test_variables_are_those_that_queries_use() -> None:
    """And are looked up from metrics that there are."""
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    text = str(DASHBOARD["panels"])
    assert variables.keys() == {"datasource", *(set(re.findall(r"\$([a-z]+)\b", text)) - {"datasource"})}
    for variable in variables.values():
        if variable["type"] == "query":
            assert set(NAME.findall(variable["definition"])) <= SERIES
            assert variable["definition"] == variable["query"]["query"]


def test_grafana_finds_the_dashboard_and_prometheus() -> None:
    """What is provisioned are the files here, as docker-compose.yml puts them in place."""
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/segstream.yml").read_text())["providers"]
    services = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
    mounts = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in services
    assert mounts["./config/grafana/provisioning"] == "/etc/grafana/provisioning"
    assert mounts["./config/grafana/dashboards"] == provider["options"]["path"]
    scrape = yaml.safe_load((GRAFANA.parent / "prometheus/prometheus.yml").read_text())["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scrape
