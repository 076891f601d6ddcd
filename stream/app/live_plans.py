"""Published definitions in a running worker: compiled in a child process, so that the shards are never held up."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable

from stream.app import bootstrap
from stream.app.bootstrap import UncompilableError
from stream.app.compiling import REFUSED
from stream.app.filling import Filling
from stream.app.metrics import Metrics
from stream.app.plans import Plans, Texts, texts_of
from stream.engine.backfill import Backfill
from stream.engine.versions import DefinitionsVersion
from stream.errors import UserError
from stream.kafka.processes import bound_to
from stream.plan.plan import Plan
from stream.plan.problems import DefinitionError
from stream.settings import Settings

log = logging.getLogger(__name__)

#: How often compiling is tried before the worker ends, where the fault is this machine's and not the definitions'.
ATTEMPTS = 3
#: Pause after a failed attempt, in seconds.
PAUSE = 2.0
#: How much of what the child said is shown where it fails, in characters.
SAID = 2_000


class LivePlans(Plans):
    """Plans of a worker: `plan_of` answers None at first, and has the plan compiled.

    Parameters
    ----------
    settings
        Of the worker.
    metrics
        Where refused definitions are counted.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        super().__init__(settings)
        #: where rebuilt rows come from
        self.filling: Filling | None = None
        #: called where a plan cannot be compiled on this machine
        self.crashed: Callable[[BaseException], None] = _ignore
        #: called when a plan has become ready
        self.on_ready: list[Callable[[], None]] = []
        self._metrics = metrics
        #: what shards wait for, and the newest that was seen, of those that are not compiled yet
        self._asked: dict[Texts, DefinitionsVersion] = {}
        self._newest: DefinitionsVersion | None = None
        self._refused: dict[Texts, UserError] = {}
        self._task: asyncio.Task[None] | None = None

    def plan_of(self, version: DefinitionsVersion) -> Plan | None:
        """The compiled plan of a version; None: it is being compiled.  `UserError` where it has mistakes, or cannot be
        compiled."""
        if texts_of(version) in self._refused:
            raise self._refused[texts_of(version)]
        plan = self._plans.get(texts_of(version))
        if plan is None:
            self.check(version)
            self._asked[texts_of(version)] = version
            self._begin()
        return plan

    def backfill_of(self, version: DefinitionsVersion, partition: int) -> Backfill | None:
        """The rows that fill a shard's new features; None: they are awaited."""
        plan = self.plan_of(version)
        return None if plan is None or self.filling is None else self.filling.of(version, plan, partition)

    def load(self, version: DefinitionsVersion) -> None:
        """Compile a version at once; for before the worker starts.  One that cannot be is refused."""
        try:
            self._plans[texts_of(version)] = bootstrap.make_plan(self.check(version), self.settings)
        except UncompilableError as error:
            self.refused(version, error)

    def seen(self, version: DefinitionsVersion) -> None:
        """Compile the newest version ahead of its instant; older ones only where a shard asks for them."""
        if self._newest is None or version.version > self._newest.version:
            self._newest = version
            self._begin()

    def refused(self, version: DefinitionsVersion, error: UserError) -> None:
        """Count and tell once what is never adopted."""
        if texts_of(version) not in self._refused:
            self._refused[texts_of(version)] = error
            self._metrics.definitions_refused.inc()
            log.error(
                "version %d of the definitions %s and is not adopted; all goes on by those before it:\n%s",
                version.version,
                "has mistakes" if isinstance(error, DefinitionError) else "cannot be compiled",
                error,
            )

    async def stop(self) -> None:
        """End compiling, and reading what was rebuilt."""
        if self.filling is not None:
            await self.filling.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._compile_all(), name="compiling")

    def _next(self) -> DefinitionsVersion | None:
        waiting = next(iter(self._asked.values()), None) or self._newest
        known = waiting is None or texts_of(waiting) in self._plans or texts_of(waiting) in self._refused
        return None if known else waiting

    async def _compile_all(self) -> None:
        while (version := self._next()) is not None:
            try:
                await self._compile(version)
                # Loading takes a second; in a thread, so that shards and heartbeats go on.
                plan = await asyncio.to_thread(bootstrap.make_plan, self.check(version), self.settings)
            except (DefinitionError, UncompilableError) as error:  # on every machine alike: all shards go on without it
                self.refused(version, error)
            except Exception as error:  # noqa: BLE001  whatever it is, shards would wait for ever
                self.crashed(error)
                return
            else:
                self._plans[texts_of(version)] = plan
                log.info("version %d of the definitions is compiled", version.version)
            self._asked.pop(texts_of(version), None)
            for ready in self.on_ready:
                ready()

    async def _compile(self, version: DefinitionsVersion) -> None:
        """Have a child process fill the cache.  `UncompilableError` where it says that the definitions are at fault."""
        log.info("compiling version %d of the definitions beside the running ones", version.version)
        for attempt in range(1, ATTEMPTS + 1):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "stream.app.compiling",
                str(self.settings.config_dir),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                preexec_fn=bound_to(os.getpid()),
            )
            try:
                _, said = await process.communicate(version.to_json())
            finally:
                if process.returncode is None:
                    process.kill()
            if process.returncode == 0:
                return
            tail = said.decode(errors="replace")[-SAID:].strip()
            if process.returncode == REFUSED:
                raise UncompilableError(tail.rsplit("found in them: ", 1)[-1])
            log.error("compiling version %d failed (attempt %d of %d): %s", version.version, attempt, ATTEMPTS, tail)
            await asyncio.sleep(PAUSE)
        raise UserError(
            f"version {version.version} of the definitions cannot be compiled on this machine; the log has the reason",
            exit_code=1,
        )


def _ignore(error: BaseException) -> None:
    """Until the app is built nothing is compiled."""
