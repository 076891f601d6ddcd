"""The demo as a user runs it: changes come, and however it ends no process is left behind."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.kafka.broker_jars import fetch_jars
from stream.settings_file import shipped_config
from tests.conftest import JARS

#: Waiting for a slow machine, not for the program: a cold start compiles the definitions.
PATIENCE_S = 240.0
#: The variable that marks every process of one demo.
MARK = "DEMO_UNDER_TEST"
CHANGE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  \S+  [\w-]+  \S+ -> \S+  (event|deadline|model)  .+\n")


class Demo:
    """A running demo, marked, with its folder."""

    def __init__(self, folder: Path, mark: str) -> None:
        self.folder, self.mark = folder, mark
        self.said = folder / "stderr"
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *options: str) -> list[str]:
        """Few shoppers: a test needs no more."""
        return [sys.executable, "-m", "stream", "demo", "--customers", "50", "--data", str(self.folder), *options]

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Without a terminal; it leads a process group of its own, as a shell would have it."""
        with self.said.open("wb") as stderr:
            self.process = subprocess.Popen(
                self.command(*options),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, MARK: self.mark},
                process_group=0,
            )
        return self.process

    def processes(self) -> dict[int, str]:
        """Id -> command line of every process with our mark."""
        found = {}
        wanted = f"{MARK}={self.mark}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # it has ended meanwhile, or belongs to somebody else
        return found

    def await_process(self, part: str) -> int:
        """Id of the process whose command line has that part, once it is there."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for pid, line in self.processes().items():
                if part in line:
                    return pid
            time.sleep(0.05)
        raise AssertionError(f"no process {part}: {self.said.read_text()}")

    def none_left(self, within_s: float = 0.0) -> bool:
        """Whether no process is left; the kernel may need a moment where a parent was killed."""
        deadline = time.monotonic() + within_s
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self.processes()


@pytest.fixture
def demo(tmp_path: Path, unique: str) -> Iterator[Demo]:
    """A demo in a folder of its own; Kafka itself and compiled definitions are shared with all other tests."""
    fetch_jars(shipped_config() / "kafka" / "pom.xml", JARS)
    plans = JARS.parent / "plans"
    plans.mkdir(exist_ok=True)
    (tmp_path / "kafka").symlink_to(JARS)
    (tmp_path / "plans").symlink_to(plans)
    demo = Demo(tmp_path, unique)
    yield demo
    if demo.process is not None:
        demo.process.kill()
        demo.process.wait()
    for pid in demo.processes():
        os.kill(pid, signal.SIGKILL)


def first_line(process: subprocess.Popen[bytes], demo: Demo) -> str:
    """The first line it writes to its output."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
    assert ready, demo.said.read_text()
    return process.stdout.readline().decode()


def test_changes_flow_until_ctrl_c_and_nothing_is_left(demo: Demo) -> None:
    """The main job: also the worker's web server answers where the demo says it does, and a second demo keeps away."""
    process = demo.start("--plain")
    line = first_line(process, demo)
    assert CHANGE.fullmatch(line), line + demo.said.read_text()

    web = re.search(r"http://[\d.]+:\d+", demo.said.read_text())
    assert web is not None
    customer = line.split("  ")[1]
    with urllib.request.urlopen(f"{web[0]}/customers/{customer}", timeout=30) as answer:  # noqa: S310
        assert "lifecycle" in json.load(answer)["segments"]

    second = subprocess.run(demo.command("--plain"), capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 2
    assert f"another demo runs on {demo.folder}" in second.stderr

    # The demo, the broker's command, Kafka, the worker, the simulator; and now and then a fit beside the worker.
    assert len([line for line in demo.processes().values() if "stream.learners.fit" not in line]) == 5
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0, demo.said.read_text()
    assert "Stopped after" in demo.said.read_text()
    assert demo.none_left()


def test_a_child_that_ends_by_itself_is_named_with_its_last_words(demo: Demo) -> None:
    """Not only that something went wrong: what, and where to read on. The rest is stopped."""
    process = demo.start("--plain")
    first_line(process, demo)
    os.kill(demo.await_process("demo_worker"), signal.SIGKILL)
    process.communicate(timeout=60)
    said = demo.said.read_text()
    assert process.returncode == 1, said
    assert "the worker ended by itself (exit code -9)" in said
    assert str(demo.folder / "demo" / "worker.log") in said
    assert "all 8 shards ready" in said
    assert demo.none_left()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_can_be_stopped_while_it_starts(demo: Demo, number: signal.Signals) -> None:
    """Also with half of it running."""
    process = demo.start("--plain")
    demo.await_process("kafka.Kafka")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 0, demo.said.read_text()
    assert demo.none_left()


def test_children_end_with_a_demo_that_is_killed(demo: Demo) -> None:
    """Nothing can be done in order then, but nothing may be left."""
    process = demo.start("--plain")
    demo.await_process("kafka.Kafka")
    demo.await_process("demo_worker")
    process.kill()
    process.communicate()
    assert demo.none_left(within_s=10)


def test_in_a_terminal_it_is_a_picture_and_it_ends_after_its_time(demo: Demo) -> None:
    """The terminal is left as it was: the picture is on the alternate screen."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {MARK: demo.mark, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
        os.execv(sys.executable, demo.command("--seconds", "3"))  # noqa: S606
    shown = b""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 1)[0]:
            try:
                shown += os.read(terminal, 1 << 16)
            except OSError:  # all who had it open have ended
                break
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown.decode(errors="replace")
    picture = shown[shown.index(b"\x1b[?1049h") : shown.rindex(b"\x1b[?1049l")].decode()
    assert "changes in the last minute" in picture
    assert "prospect" in picture
    assert "latest changes" in picture
    assert demo.none_left()


def test_it_empties_no_folder_that_it_did_not_make(demo: Demo) -> None:
    """A folder called demo may be anybody's."""
    (demo.folder / "demo").mkdir()
    (demo.folder / "demo" / "thesis.txt").write_text("years of work")
    run = subprocess.run(demo.command("--plain"), capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2
    assert "was not made by a demo" in run.stderr
    assert (demo.folder / "demo" / "thesis.txt").exists()
