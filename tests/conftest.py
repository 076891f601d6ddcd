"""What all tests share: one real Kafka, names nobody else uses, and who runs beside whom."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.kafka.broker import EmbeddedBroker

REPOSITORY = Path(__file__).parents[1]
#: Kafka itself is fetched once for all tests and for the demo.
JARS = REPOSITORY / ".segstream" / "kafka"


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run two at a time: those with a real Kafka one after the other in one process, meanwhile the others, file by
    file, in the other."""
    for item in items:
        real = {"integration", "e2e"} & set(item.path.parts) or "broker" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("kafka" if real else item.path.stem))


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
