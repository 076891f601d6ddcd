"""What `publish` tells, and what the workers say once it counts."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from stream.app import bootstrap
from stream.app.live import InForce
from stream.cli import publish
from stream.engine.versions import DefinitionsVersion
from stream.errors import UserError

TEXT = """
dimension: buying
features:
  orders: {count: Order Completed}
segments:
  - {segment: buys, when: orders >= 1}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Definitions to publish, where time is what events say."""
    monkeypatch.setenv("SEGSTREAM_TIME__CLOCK", "event")
    monkeypatch.setenv("SEGSTREAM_APP__DATA_DIR", str(tmp_path / "data"))
    made = tmp_path / "definitions"
    made.mkdir()
    (made / "buying.yaml").write_text(TEXT)
    return made


def published(folder: Path, *options: str) -> Any:
    return CliRunner().invoke(
        publish.command, ["--definitions", str(folder), "--at", "2026-01-05", *options], standalone_mode=False
    )


def test_definitions_that_cannot_be_compiled_are_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not a traceback through the compiler; nothing is written."""

    def fail(*_: Any) -> None:
        raise OverflowError("int too big to convert")

    monkeypatch.setattr(bootstrap, "_warm_plan", fail)
    error = published(folder).exception
    assert isinstance(error, UserError)
    assert str(error) == (
        "these definitions cannot be compiled, though no mistake was found in them: "
        "OverflowError: int too big to convert"
    )


def test_what_the_machine_lacks_is_no_fault_of_the_definitions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory, also where the compiler wraps it, and files."""
    for lacking in (MemoryError(), OSError(28, "No space left on device")):

        def fail(*_: Any, lacking: Exception = lacking) -> None:
            if isinstance(lacking, OSError):
                raise lacking
            raise RuntimeError("lowering") from lacking

        monkeypatch.setattr(bootstrap, "_warm_plan", fail)
        assert not isinstance(published(folder).exception, UserError)


def test_with_the_event_clock_a_past_instant_is_noted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows here how far the stream has come; a version that is late takes effect when it arrives."""

    async def write(settings: Any, plan: Any, files: Any, effective: int, note: str) -> DefinitionsVersion:
        return DefinitionsVersion(3, effective, dict(files), note)

    monkeypatch.setattr(bootstrap, "make_plan", lambda *_: None)
    monkeypatch.setattr(publish, "publish_files", write)
    said = published(folder).output
    assert "version 3 of the definitions takes effect at 2026-01-05T00:00:00.000Z" in said
    assert "takes it when it arrives" in said


def test_a_worker_says_once_that_a_version_is_in_force(caplog: pytest.LogCaptureFixture) -> None:
    """One line a version, not one a shard."""
    shards = {
        p: SimpleNamespace(shard=SimpleNamespace(versions=SimpleNamespace(definitions=DefinitionsVersion(n, 5, {}))))
        for p, n in enumerate([1, 1, 2, 1, 2])
    }
    host: Any = SimpleNamespace(runners=shards)
    telling = InForce(host)
    with caplog.at_level(logging.INFO):
        for partition in shards:
            telling.adopted(partition)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        f"version {n} of the definitions is in force" for n in (1, 2)
    ]
