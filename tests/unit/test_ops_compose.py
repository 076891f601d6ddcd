"""The files for containers hold what they promise, as far as it can be seen without a Docker engine."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import yaml
from click import Context

from stream.cli import COMMANDS, LazyGroup, cli
from stream.settings import Web, load_settings
from tests.conftest import REPOSITORY

COMPOSE = REPOSITORY / "docker-compose.yml"


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return services


def test_the_file_follows_the_compose_specification() -> None:
    """Checked with the schema that check-jsonschema ships."""
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    run = subprocess.run(check, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_nothing_listens_beyond_this_machine(services: dict[str, dict[str, Any]]) -> None:
    """Every published port is bound to loopback."""
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_images_are_pinned(services: dict[str, dict[str, Any]]) -> None:
    """A version with a minor and a patch, here and in the Dockerfile; Kafka is of the line that the tests run on."""
    foreign = [service["image"] for service in services.values() if "build" not in service]
    bases = [
        line.split()[1] for line in (REPOSITORY / "Dockerfile").read_text().splitlines() if line.startswith("FROM")
    ]
    for image in [*foreign, *bases]:
        assert image.partition(":")[2].count(".") >= 2, image
    assert services["kafka"]["image"].startswith("apache/kafka:4.1.")
    assert "<kafka.version>4.1." in (REPOSITORY / "config/kafka/pom.xml").read_text()


def test_long_running_services_have_health_checks(services: dict[str, dict[str, Any]]) -> None:
    """Whoever depends on one can wait until it works."""
    assert {name for name, service in services.items() if "healthcheck" in service} == {"kafka", "worker", "prometheus"}


def test_variables_are_settings(services: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the containers are given by variables is what load_settings understands."""
    for name, value in services["worker"]["environment"].items():
        monkeypatch.setenv(name, str(value))
    settings = load_settings(REPOSITORY / "config")
    assert settings.kafka.brokers == "kafka:29092"
    assert (settings.web.host, settings.time.clock) == ("0.0.0.0", "event")  # noqa: S104


def test_commands_exist(services: dict[str, dict[str, Any]]) -> None:
    """Each container of ours runs a command that segstream has, and the simulator's options are its own."""
    commands = {name: service["command"] for name, service in services.items() if "build" in service}
    assert {command[0] for command in commands.values()} <= COMMANDS.keys()
    name, *options = commands["simulator"]
    simulate = LazyGroup("segstream").get_command(Context(cli), name)
    assert simulate is not None
    assert simulate.make_context(name, options).params["speed"] == 86_400


def test_prometheus_asks_where_the_worker_answers() -> None:
    """The port is the default of the settings."""
    config = yaml.safe_load((REPOSITORY / "config/prometheus/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert job["dns_sd_configs"][0]["port"] == Web().port
