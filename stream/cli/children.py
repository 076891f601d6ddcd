"""Child processes of a command: started together, watched, stopped in order, and none outlives its parent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from stream.errors import UserError
from stream.kafka.processes import bound_to

#: How many of its last lines are shown when a child ends by itself.
LAST_LINES = 12
_LONGEST_LINE = 1 << 20


class Child:
    """A running process. What it says goes to ``log_file``; ``may_end``: an end with exit code 0 is no fault."""

    def __init__(self, name: str, log_file: Path, process: asyncio.subprocess.Process, may_end: bool) -> None:
        self.name, self.log_file, self.may_end = name, log_file, may_end
        self._process = process
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._awaited: dict[str, asyncio.Event] = {}
        #: its exit code, once it has ended and all it said is in the log
        self.ended: asyncio.Task[int] = asyncio.create_task(self._follow(), name=name)

    async def said(self, text: str) -> None:
        """Returns when it says this, or has just said it."""
        if not any(text in line for line in self._last):
            await self._awaited.setdefault(text, asyncio.Event()).wait()

    async def tell(self, line: str) -> None:
        """Write a line to its standard input, which it must have been started with."""
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - the caller's mistake
        stdin.write(f"{line}\n".encode())
        # Where it has ended meanwhile, its end is the fault that is told.
        with contextlib.suppress(ConnectionError):
            await stdin.drain()

    def fault(self) -> UserError:
        """That it ended by itself, and what it said last."""
        said = "".join(f"\n  {line}" for line in self._last) or " nothing"
        return UserError(
            f"{self.name} ended by itself (exit code {self._process.returncode}); its log is {self.log_file}; "
            f"it said last:{said}",
            exit_code=1,
        )

    async def stop(self, seconds: float) -> None:
        """Ask it to end, and kill it if it has not after so long."""
        if not self.ended.done():
            # It may end between the look and the signal.
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            await asyncio.wait([self.ended], timeout=seconds)
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await asyncio.wait([self.ended])

    async def _follow(self) -> int:
        output = self._process.stdout
        assert output is not None  # noqa: S101 - it is started with a pipe
        with self.log_file.open("wb") as log:
            while line := await output.readline():
                log.write(line)
                log.flush()
                text = line.decode(errors="replace").rstrip()
                self._last.append(text)
                for awaited, event in self._awaited.items():
                    if awaited in text:
                        event.set()
        return await self._process.wait()


class Children:
    """All children of this process; ``environment`` is theirs, ``logs`` the folder of what they say."""

    def __init__(self, environment: Mapping[str, str], logs: Path) -> None:
        self._environment = dict(environment)
        self._logs = logs
        self._children: list[Child] = []
        self._changed = asyncio.Event()

    async def start(
        self, name: str, command: Sequence[str], *, log: str, may_end: bool = False, listens: bool = False
    ) -> Child:
        """Starts a child; it is killed when this process ends, however that happens. ``listens``: it can be told."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE if listens else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
            limit=_LONGEST_LINE,
            # Ctrl-C in a terminal reaches a whole process group; the order of stopping is ours to choose.
            start_new_session=True,
            preexec_fn=bound_to(os.getpid()),
        )
        child = Child(name, self._logs / log, process, may_end)
        self._children.append(child)
        self._changed.set()
        return child

    async def fault(self) -> None:
        """Returns never; raises `UserError` when a child ends that should not have."""
        changed: asyncio.Task[bool] | None = None
        try:
            while True:
                for child in self._children:
                    if child.ended.done() and not (child.may_end and child.ended.result() == 0):
                        raise child.fault()
                self._changed.clear()
                changed = asyncio.create_task(self._changed.wait())
                running = [child.ended for child in self._children if not child.ended.done()]
                await asyncio.wait([changed, *running], return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
        finally:
            if changed is not None:
                changed.cancel()

    async def stop(self, seconds: float) -> None:
        """Ends them all, the last started first, each given so long."""
        while self._children:
            await self._children[-1].stop(seconds)
            self._children.pop()
