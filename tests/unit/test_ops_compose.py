"""The files for containers hold what they promise, as far as it can be seen without a Docker engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click import Context

from stream.cli import COMMANDS, LazyGroup, cli
from stream.settings import Web, load_settings
from tests.conftest import REPOSITORY

COMPOSE = REPOSITORY / "docker-compose.yml"
PROMETHEUS = REPOSITORY / "config" / "prometheus" / "prometheus.yml"


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
    lasting = services.keys() - {"topics", "token", "simulator"}
    assert {name for name, service in services.items() if "healthcheck" in service} == lasting
    awaited = [item for service in services.values() for item in service.get("depends_on", {}).items()]
    assert {name for name, how in awaited if how["condition"] == "service_healthy"} <= lasting


def test_services_may_do_no_more_than_they_must(services: dict[str, dict[str, Any]]) -> None:
    """No capabilities and no way to more, but for Kafka, whose image changes its user; ours has a user of its own."""
    for name, service in services.items():
        if name != "kafka":
            assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"]), name
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    assert [line.split()[1] for line in lines if line.startswith("USER")] == ["segstream"]
    assert lines.index("USER segstream") > max(k for k, line in enumerate(lines) if line.startswith("FROM"))


def test_two_workers_can_be_reached(services: dict[str, dict[str, Any]]) -> None:
    """Each has a port of this machine to itself."""
    worker = services["worker"]
    (port,) = worker["ports"]
    host = re.fullmatch(r"127\.0\.0\.1:(\d+)-(\d+):(\d+)", port)
    assert host is not None
    first, last, inside = map(int, host.groups())
    assert (last - first + 1, inside) == (worker["deploy"]["replicas"], Web().port)
    assert worker["deploy"]["replicas"] == 2


def test_the_token_is_drawn_and_not_written_down(services: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """Everyone who needs it reads it from one volume; what draws it leaves one that is there alone."""
    path = services["worker"]["environment"]["SEGSTREAM_WEB__TOKEN_FILE"]
    folder = str(Path(path).parent)
    assert yaml.safe_load(PROMETHEUS.read_text())["scrape_configs"][0]["authorization"]["credentials_file"] == path
    for name in ("worker", "prometheus"):
        assert f"token:{folder}:ro" in services[name]["volumes"]
        assert services[name]["depends_on"]["token"] == {"condition": "service_completed_successfully"}
    assert services["token"]["volumes"] == [f"token:{folder}"]
    assert f" {folder}" in (REPOSITORY / "Dockerfile").read_text()
    (program,) = services["token"]["command"]
    drawn = []
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program.replace(folder, str(tmp_path))], check=True)
        drawn.append((tmp_path / "token").read_text())
    assert drawn[0] == drawn[1]
    assert Web(token_file=tmp_path / "token").secret() == drawn[0]


def test_variables_are_settings(services: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the containers are given by variables is what load_settings understands."""
    for name, value in services["worker"]["environment"].items():
        monkeypatch.setenv(name, str(value))
    settings = load_settings(REPOSITORY / "config")
    assert settings.kafka.brokers == "kafka:29092"
    assert (settings.web.host, settings.time.clock) == ("0.0.0.0", "event")  # noqa: S104


def test_commands_exist(services: dict[str, dict[str, Any]]) -> None:
    """Each container of ours runs a command that segstream has, and the simulator's options are its own."""
    ours = {name: service for name, service in services.items() if "build" in service and "entrypoint" not in service}
    commands = {name: service["command"] for name, service in ours.items()}
    assert {command[0] for command in commands.values()} <= COMMANDS.keys()
    name, *options = commands["simulator"]
    simulate = LazyGroup("segstream").get_command(Context(cli), name)
    assert simulate is not None
    assert simulate.make_context(name, options).params["speed"] == 86_400


def test_prometheus_asks_where_the_worker_answers() -> None:
    """The port is the default of the settings."""
    config = yaml.safe_load(PROMETHEUS.read_text())
    (job,) = config["scrape_configs"]
    assert job["dns_sd_configs"][0]["port"] == Web().port
