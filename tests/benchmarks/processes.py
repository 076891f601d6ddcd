"""Measured programs: started as children, watched from outside, ended in good order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stream.kafka.processes import bound_to

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")
#: How often memory is looked at, in seconds.
_EVERY_S = 0.25


class EndedError(Exception):
    """A measured program ended before its time."""


def _over_tree(pid: int, measure: Callable[[Path], float]) -> float:
    """The sum over a process and all below it."""
    total = 0.0
    todo = [pid]
    while todo:
        process = Path("/proc") / str(todo.pop())
        try:
            total += measure(process)
            for thread in (process / "task").iterdir():
                todo += [int(child) for child in (thread / "children").read_text().split()]
        except (OSError, IndexError):  # ended meanwhile
            continue
    return total


def resident(pid: int) -> int:
    """Bytes of resident memory of a process and all below it; what two of them share counts twice."""
    return int(_over_tree(pid, lambda process: int((process / "statm").read_text().split()[1]) * _PAGE))


def processor_seconds(pid: int) -> float:
    """Processor time that a process, all below it, and those of them that have ended have taken."""

    def ticks(process: Path) -> float:
        after_name = (process / "stat").read_text().rpartition(")")[2].split()
        return sum(int(ticks) for ticks in after_name[11:15]) / _TICK

    return _over_tree(pid, ticks)


class Program:
    """One child, from its start to its end; ``peak`` is the most memory its process tree had."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path, name: str) -> None:
        self.peak = 0
        self.log = folder / f"{name}.log"
        self._over = threading.Event()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=bound_to(os.getpid()),
            )
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def _look(self) -> None:
        while not self._over.wait(_EVERY_S):
            self.peak = max(self.peak, resident(self.process.pid))

    def alive(self) -> None:
        """Raise EndedError where it is not."""
        if self.process.poll() is not None:
            raise EndedError(f"it ended with {self.process.returncode}; it said last:\n{self.said()}")

    def said(self) -> str:
        """The last of what it said."""
        return self.log.read_text(errors="replace")[-3000:]

    def wait(self, seconds: float) -> None:
        """Wait until it ends by itself; EndedError where it fails."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise EndedError(f"it has not ended within {seconds:.0f} s; it said last:\n{self.said()}") from None
        if code:
            self.alive()

    def terminate(self) -> int:
        """SIGTERM, and its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._watch.join()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True)
class Told:
    """What a peer noted (`tests.benchmarks.peers.progress`): instants of the monotonic clock, and events until then."""

    started: float
    first: float
    warm: float
    warm_events: int
    warm_cpu: float
    end: float
    end_cpu: float
    events: int

    @property
    def rate(self) -> float:
        """Events a second after warming up."""
        return (self.events - self.warm_events) / max(self.end - self.warm, 1e-9)

    @property
    def cost(self) -> float:
        """Microseconds of processor time an event after warming up."""
        return (self.end_cpu - self.warm_cpu) / max(1, self.events - self.warm_events) * 1e6


def told(file: Path) -> Told:
    """Read what a peer noted."""
    found: dict[str, Any] = json.loads(file.read_text())
    return Told(**found)
