"""What a clumsy hand can do at the command line: one sentence, the right exit code, and no file lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

EVENT = (
    '{"messageId": "m", "type": "track", "userId": "c", "event": "Order Completed", '
    '"timestamp": "2026-01-01T00:00:00Z", "properties": {"total": 1}}\n'
)


#: A catalogue that is compiled in no time.
ONE = "dimension: one\nfeatures: {orders: {count: Order Completed}}\nsegments:\n  - {segment: a, when: orders >= 1}\n"


def one(folder: Path) -> tuple[str, str]:
    """The option that names a folder of one small definition."""
    (folder / "segments").mkdir()
    (folder / "segments" / "one.yaml").write_text(ONE)
    return "--definitions", "segments"


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command, in a folder of its own, with the plans of the repository's cache."""
    environment = {
        **os.environ,
        "SEGSTREAM_CONFIG": str(REPOSITORY / "config"),
        "SEGSTREAM_APP__DATA_DIR": str(REPOSITORY / ".segstream"),
        **variables,
    }
    command = [sys.executable, "-m", "stream", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("option", ["--out", "--snapshot", "--summary", "--save-versions"])
def test_an_output_is_never_an_input(tmp_path: Path, option: str) -> None:
    """Opening it would empty it before it is read."""
    events = tmp_path / "events.jsonl"
    events.write_text(EVENT)
    done = run(tmp_path, "replay", "events.jsonl", option, "./events.jsonl")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is also an input" in done.stderr
    assert events.read_text() == EVENT


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    """Not a traceback, and not success."""
    (tmp_path / "events.jsonl").write_text(EVENT * 3)
    done = run(tmp_path, "replay", "events.jsonl", *one(tmp_path), "--out", "/dev/full")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_forgotten_mapping_is_not_success(tmp_path: Path) -> None:
    """All lines were rejected: the exit code says so, and what was probably meant."""
    (tmp_path / "events.csv").write_text("a,b\n1,2\n")
    done = run(tmp_path, "replay", "events.csv", *one(tmp_path))
    assert done.returncode == 1
    assert "--mapping" in done.stderr


@pytest.mark.parametrize("damage", [b"", b"\0garbage"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, damage: bytes) -> None:
    """As a power cut leaves it: what can be made again must not be in the way."""
    (tmp_path / "events.jsonl").write_text(EVENT)
    arguments = ("replay", "events.jsonl", *one(tmp_path), "--out", "out.jsonl")
    data = {"SEGSTREAM_APP__DATA_DIR": str(tmp_path / "data")}
    assert run(tmp_path, *arguments, **data).returncode == 0
    expected = (tmp_path / "out.jsonl").read_text()
    cache = tmp_path / "data" / "plans"
    files = [file for name in ("plan_*", "part_*") for file in cache.rglob(name) if file.is_file()]
    assert len(files) > 5
    for file in files:
        file.write_bytes(damage)
    done = run(tmp_path, *arguments, **data)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "out.jsonl").read_text() == expected


def test_a_definition_may_not_write_to_a_topic_of_the_system(tmp_path: Path) -> None:
    """Its changes would come in as events."""
    (tmp_path / "one.yaml").write_text(
        "dimension: one\nfeatures: {orders: {count: Order Completed}}\n"
        "segments:\n  - {segment: a, when: orders >= 1, topic: purchases}\n"
    )
    done = run(tmp_path, "check", "--definitions", str(tmp_path))
    assert done.returncode == 2
    assert "purchases" in done.stderr
