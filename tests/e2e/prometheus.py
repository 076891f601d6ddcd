"""The real Prometheus, from Debian's package, over one or more workers."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import REPOSITORY
from tests.e2e.live import wait_for

RULES = REPOSITORY / "config" / "prometheus" / "rules" / "*.yml"


class Prometheus:
    """Scrapes these workers (host:port) every second, and judges the rules of config/prometheus as often."""

    def __init__(self, folder: Path, targets: Sequence[str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        found = shutil.which("prometheus")
        assert found is not None, "scripts/install-prometheus brings it"
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "segstream", "static_configs": [{"targets": list(targets)}]}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._log = folder / "prometheus.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    found,
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'prometheus'}",
                    f"--web.listen-address={self.address}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for("Prometheus is ready", self._is_ready)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def ask(self, path: str, **parameters: str) -> Any:
        """What the API answers to a request; a refusal fails."""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                told = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error
        assert told["status"] == "success", (parameters, told)
        return told["data"]

    def query(self, query: str) -> list[tuple[dict[str, str], float]]:
        """The series of an instant query, labels and value."""
        return [(one["metric"], float(one["value"][1])) for one in self.ask("query", query=query)["result"]]

    def value(self, query: str) -> float | None:
        """The value of a query with one series; None while it has none."""
        found = self.query(query)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def firing(self) -> dict[str, dict[str, str]]:
        """Alarms going off now, with their annotations."""
        return {
            alert["labels"]["alertname"]: alert["annotations"]
            for alert in self.ask("alerts")["alerts"]
            if alert["state"] == "firing"
        }

    def stop(self) -> None:
        """End it, and wait."""
        self._process.terminate()
        self._process.wait(20)
