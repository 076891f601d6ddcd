"""``segstream simulate`` into files: repeatable in every process, and whole when it is stopped."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from stream.cli.simulate import command
from stream.errors import UserError

SMALL = ("--customers", "40", "--days", "20", "--seed", "9")


def simulate(folder: Path, *options: str, hash_seed: str = "0") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "stream", "simulate", *options],
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        timeout=60,
        check=True,
    )


def test_every_process_writes_the_same_bytes(tmp_path: Path) -> None:
    """Also packed, with another hash seed, and to stdout."""
    simulate(tmp_path, *SMALL, "--out", "one.jsonl.gz", hash_seed="1")
    simulate(tmp_path, *SMALL, "--out", "two.jsonl.gz", hash_seed="2")
    assert (tmp_path / "one.jsonl.gz").read_bytes() == (tmp_path / "two.jsonl.gz").read_bytes()
    done = simulate(tmp_path, *SMALL, "--out", "-")
    assert gzip.decompress((tmp_path / "one.jsonl.gz").read_bytes()) == done.stdout
    assert f"{len(done.stdout.splitlines()):,} events of 40 customers" in done.stderr.decode()


def test_the_truth_goes_to_its_own_file(tmp_path: Path) -> None:
    out, truth = tmp_path / "events.jsonl", tmp_path / "truth.jsonl"
    result = CliRunner().invoke(command, [*SMALL, "--out", str(out), "--truth", str(truth)])
    assert result.exit_code == 0
    told = [orjson.loads(line) for line in truth.read_bytes().splitlines()]
    assert len(told) == 40
    assert {frozenset(line) for line in told} == {frozenset({"customer", "persona"})}
    assert b"persona" not in out.read_bytes()


def test_the_number_of_events_and_the_start_are_those_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "events.jsonl"
    result = CliRunner().invoke(command, [*SMALL, "--out", str(out), "--events", "700", "--start", "2031-05-06T07:00Z"])
    assert result.exit_code == 0
    lines = out.read_bytes().splitlines()
    assert len(lines) == 700
    assert orjson.loads(lines[0])["timestamp"] == "2031-05-06T07:00:00.000Z"


def test_an_interrupt_leaves_a_whole_file_and_says_so(tmp_path: Path) -> None:
    out = tmp_path / "events.jsonl.gz"
    options = ("--customers", "2000", "--days", "3000", "--out", str(out))
    with subprocess.Popen([sys.executable, "-m", "stream", "simulate", *options], stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while not (out.exists() and out.stat().st_size > 0) and time.monotonic() < deadline:
            time.sleep(0.01)  # until it is writing; the file system has no event for it
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    lines = gzip.decompress(out.read_bytes()).splitlines()
    assert f"stopped; {len(lines):,} events".encode() in told
    assert orjson.loads(lines[-1])["messageId"]


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--out", str(tmp_path / "none" / "events.jsonl")])
    assert isinstance(result.exception, UserError)
    assert "cannot be written" in str(result.exception)


@pytest.mark.parametrize("wrong", [["--speed", "0"], ["--speed", "fast"], ["--start", "soon"], ["--broker", "a:1"]])
def test_wrong_options_are_told_with_exit_code_2(tmp_path: Path, wrong: list[str]) -> None:
    result = CliRunner().invoke(command, ["--out", str(tmp_path / "x"), *wrong])
    assert result.exit_code == 2


def test_a_share_of_a_drift_needs_its_day(tmp_path: Path) -> None:
    """No option is parsed and ignored."""
    options = [*SMALL, "--out", str(tmp_path / "out.jsonl"), "--drift-share", "0.5"]
    result = CliRunner().invoke(command, options)
    assert result.exit_code == 2
    assert "--drift-day" in result.output
    assert CliRunner().invoke(command, [*options, "--drift-day", "10"]).exit_code == 0
