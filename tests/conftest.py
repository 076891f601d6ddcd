"""What all tests share: one real Kafka, names nobody else uses, and who runs beside whom."""

from __future__ import annotations

import gc
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from stream.kafka.broker import EmbeddedBroker

REPOSITORY = Path(__file__).parents[1]
#: Kafka itself is fetched once for all tests and for the demo.
JARS = REPOSITORY / ".segstream" / "kafka"
#: Longest wait for what must come, in seconds: it guards against waiting for ever, however busy the machine is.
PATIENCE = 400.0


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Who runs beside whom where ``--numprocesses`` is asked for, as `make test` does: tests with a real Kafka go one
    after the other in one process, all others file by file in those that are free."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = _together
    return scheduler


def _together(nodeid: str) -> str:
    file = nodeid.split("::", 1)[0]
    return "kafka" if file.startswith(("tests/integration/", "tests/e2e/")) else file


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """No garbage is collected while a failure is put into words: CPython 3.11 breaks off with "AST constructor
    recursion depth mismatch" where the collector runs while a source is parsed (gh-106905), and the failure is lost."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return (yield)
    finally:
        if collects:
            gc.enable()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``host:port`` of a Kafka that lives as long as the session; tests share it, so they use names of their own.

    ``SEGSTREAM_TEST_BROKER`` names one that runs already.
    """
    running = os.environ.get("SEGSTREAM_TEST_BROKER")
    if running:
        yield running
        return
    with EmbeddedBroker(tmp_path_factory.mktemp("kafka"), port=0, jars=JARS) as embedded:
        yield embedded.address


@pytest.fixture
def unique() -> str:
    """A name for this test's app and topics: a valid topic name, never used before."""
    return f"t{uuid.uuid4().hex[:12]}"
