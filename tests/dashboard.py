"""The dashboard of config/grafana, as the tests look at it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.conftest import REPOSITORY

DASHBOARD: dict[str, Any] = json.loads((REPOSITORY / "config/grafana/dashboards/segstream.json").read_text())

#: What Grafana puts in place of a variable.
VARIABLES = {"$__rate_interval": "10s", "$job": ".+", "$dimension": ".+"}


def panels() -> list[dict[str, Any]]:
    """All panels but the headings of rows."""
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    """Title of a panel (or annotation) and a query of it, its variables replaced."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], replaced(target["expr"])
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], replaced(annotation["expr"])


def replaced(query: str) -> str:
    """A query as Prometheus is asked it."""
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    return query
