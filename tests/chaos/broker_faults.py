"""What is done to the broker."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from tests.chaos.stage import PATIENCE, Stage, pause
from tests.e2e.live import wait_for

#: Size of the disk that is filled up, in MiB.
DISK_MB = 600


def kill_broker(stage: Stage, random: Random, number: int) -> None:
    """kill -9 of the broker, and a start on its data."""
    stage.load()
    pause(random.uniform(0.0, 3.0))
    stage.broker.kill()
    pause(random.uniform(0.0, 3.0))
    stage.broker.start(PATIENCE)


def silence(stage: Stage, random: Random, number: int, seconds: float = 60.0) -> None:
    """Nobody answers for a minute."""
    stage.load()
    pid = stage.broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        pause(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)
    stage.settle()
    stage.load()


def fill_disk(stage: Stage, random: Random, number: int) -> None:
    """Not a byte is left where the broker writes: it ends, is given room, and starts on what it had written."""
    stage.load()
    pause(random.uniform(0.0, 2.0))
    filler = stage.broker.data / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 16)):
            pass
    wait_for("the broker ends", lambda: not stage.broker.running, PATIENCE)
    filler.unlink()
    stage.broker.kill()
    stage.broker.start(PATIENCE)
    stage.load()


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own in a folder, in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "chaos", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def why_no_disk(folder: Path) -> str | None:
    """Why no file system can be made here, or None."""
    try:
        with small_disk(folder):
            return None
    except (OSError, subprocess.CalledProcessError):
        return "a small file system cannot be mounted here (needs root)"
