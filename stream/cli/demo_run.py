"""What the demo starts, in which order, and what it says meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from stream.app.definition_files import read_definitions
from stream.cli.children import Child, Children
from stream.cli.view.order import shown_first
from stream.cli.view.show import Show, broker_gone
from stream.cli.view.source import reading
from stream.cli.view.state import View
from stream.errors import UserError
from stream.kafka.broker import free_port
from stream.kafka.topics import create_topics, delete_topics
from stream.settings import ENV_PREFIX, Settings

#: What a worker says when it is loaded; see `stream.cli.demo_worker`, which takes a second to import.
READY = "the definitions are compiled"
#: Simulated days; then the shop closes.
DAYS = 730
DAY_S = 86_400
#: Loading a compiled plan takes less than this, so more is compiling, in seconds.
PATIENCE_S = 6.0
#: Once all is running the first change must come within this, in seconds.
FIRST_CHANGE_S = 120.0
#: How long each child may take to end in good order, in seconds; a worker without Kafka cannot.
STOP_S, STOP_AFTER_FAULT_S = 15.0, 2.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line asks for; ``seconds`` count from the first change, None: until Ctrl-C.

    ``own_kafka``: the demo starts one; else it uses the one of the settings.
    """

    customers: int
    speed: float
    seed: int
    seconds: float | None
    plain: bool
    own_kafka: bool = True


async def run_demo(settings: Settings, options: DemoOptions, folder: Path) -> None:
    """Runs the demo in its own empty folder until it is stopped; nothing it started is left then.

    Raises `UserError` when a child ends by itself.
    """
    settings = _own_kafka(settings, folder) if options.own_kafka else _own_topics(settings, folder)
    demo = _Demo(settings, options, folder)
    with _stop_on_signal() as stop:
        seconds = STOP_AFTER_FAULT_S
        try:
            await _first_of(demo.play(), demo.children.fault(), _wait(stop))
            seconds = STOP_S
        finally:
            demo.say("Stopping" if demo.view.changes else "Stopping before the first change")
            await demo.children.stop(seconds)
            await demo.clear()
        demo.say(f"Stopped after {demo.view.changes:,} changes of {demo.view.customers:,} customers; logs: {folder}")


class _Demo:
    def __init__(self, settings: Settings, options: DemoOptions, folder: Path) -> None:
        self._settings, self._options, self._folder = settings, options, folder
        self._definitions = read_definitions(settings.config_dir / "segments", settings)
        self._began = time.monotonic()
        self.view = View(shown_first(self._definitions), zone=ZoneInfo(settings.time.zone))
        self._made: list[str] = []
        self.children = Children(_environment(settings), folder)

    def say(self, text: str) -> None:
        """One step, with the seconds since the start; beside the changes, not among them."""
        # Where the terminal is gone nobody is there to be told; stopping must go on.
        with contextlib.suppress(OSError):
            click.echo(f"[{time.monotonic() - self._began:5.1f} s] {text}", err=True)

    async def play(self) -> None:
        """From nothing to the end of the show."""
        _, worker = await asyncio.gather(self._kafka(), self._worker())
        web = f"http://{self._settings.web.host}:{self._settings.web.port}"
        self.say(f"The worker begins, and so do {self._options.customers:,} shoppers")
        self.say(f"The page: {web}/#/overview?within=30d")
        await worker.tell("begin")
        await self._shoppers()
        subtitle = f"{_pace(self._options.speed)}   the page: {web}/   Ctrl-C ends"
        async with reading(self._settings, "beginning") as source:
            show = Show(source, self.view, plain=self._options.plain, subtitle=subtitle)
            try:
                async with asyncio.timeout(FIRST_CHANGE_S):
                    await show.first_change()
            except TimeoutError as error:
                raise UserError(
                    f"no change came within {FIRST_CHANGE_S:.0f} s; see worker.log in {self._folder}", exit_code=1
                ) from error
            self.say("The first change is here")
            await _first_of(show.run(), broker_gone(self._settings), *self._time_limit())

    async def clear(self) -> None:
        """Delete the topics that were made on somebody's own Kafka."""
        if self._made and not self._options.own_kafka:
            await delete_topics(self._settings, self._made)
            self.say(f"{len(self._made)} topics deleted at {self._settings.kafka.brokers}")

    def _time_limit(self) -> list[Coroutine[Any, Any, object]]:
        return [] if self._options.seconds is None else [asyncio.sleep(self._options.seconds)]

    async def _kafka(self) -> None:
        address = self._settings.kafka.brokers
        if self._options.own_kafka:
            await self._start_kafka(address)
        reports = await create_topics(self._settings, self._definitions.topics())
        self._made = [report.spec.name for report in reports if report.created]
        self.say(f"Kafka is ready at {address}, {len(reports)} topics created")

    async def _start_kafka(self, address: str) -> None:
        kafka = self._settings.app.data_dir / "kafka"
        first_time = not any(kafka.glob("jars-*/"))
        self.say(
            "Fetching Apache Kafka by Maven, this first time only" if first_time else f"Starting Kafka at {address}"
        )
        port = address.rpartition(":")[2]
        arguments = ["broker", "--data", str(self._folder / "kafka"), "--port", port, *self._config]
        broker = await self.children.start("Kafka", [sys.executable, "-m", "stream", *arguments], log="kafka.log")
        await broker.said("Kafka is ready")

    async def _worker(self) -> Child:
        """A worker, loaded and with its definitions compiled, that waits to be told to begin."""
        arguments = ["--web-port", str(self._settings.web.port), *self._config]
        command = [sys.executable, "-m", "stream.cli.demo_worker", *arguments]
        worker = await self.children.start("the worker", command, log="worker.log", listens=True)
        compiled = asyncio.create_task(worker.said(READY))
        done, _ = await asyncio.wait([compiled], timeout=PATIENCE_S)
        if not done:
            self.say("Compiling the definitions: a minute or two, only where they or the program are new")
        await compiled
        self.say(f"The worker is loaded, {len(self._definitions.dimensions)} dimensions compiled")
        return worker

    async def _shoppers(self) -> None:
        options = self._options
        wanted = {"customers": options.customers, "days": DAYS, "seed": options.seed, "speed": options.speed}
        arguments = [part for name, value in wanted.items() for part in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "stream", "simulate", *arguments, *self._config]
        await self.children.start("the simulator", command, log="simulate.log", may_end=True)

    @property
    def _config(self) -> tuple[str, str]:
        return "--config", str(self._settings.config_dir.resolve())


def _own_kafka(settings: Settings, folder: Path) -> Settings:
    """The settings with the demo's own broker and web server, on free ports, and the clock of compressed time."""
    if settings.kafka.security.protocol != "PLAINTEXT":
        raise UserError(
            f"the demo's own Kafka has no logins, but kafka.security.protocol is {settings.kafka.security.protocol}: "
            "use another folder with --config"
        )
    kafka_port = _free_or_other("127.0.0.1", int(settings.kafka.brokers.split(",")[0].rpartition(":")[2]))
    changes = {
        "app": {"data_dir": folder.parent, "replication_factor": 1},
        "kafka": {"brokers": f"127.0.0.1:{kafka_port}"},
        "time": {"clock": "event"},
        "web": {"port": _free_or_other(settings.web.host, settings.web.port)},
    }
    return settings.model_copy(
        update={section: getattr(settings, section).model_copy(update=values) for section, values in changes.items()}
    )


def _own_topics(settings: Settings, folder: Path) -> Settings:
    """The settings with topics and a group of the demo's own, on somebody's Kafka."""
    name = f"segstream-demo-{int(time.time())}"
    changes = {
        "app": {"id": name, "output_prefix": f"{name}-", "data_dir": folder.parent},
        "topics": {role: f"{name}-{topic}" for role, topic in settings.topics.model_dump().items()},
        "time": {"clock": "event"},
        "web": {"port": _free_or_other(settings.web.host, settings.web.port)},
    }
    return settings.model_copy(
        update={section: getattr(settings, section).model_copy(update=values) for section, values in changes.items()}
    )


def _environment(settings: Settings) -> dict[str, str]:
    """The variables by which the children get the demo's settings."""
    values: dict[str, object] = {
        "APP__ID": settings.app.id,
        "APP__OUTPUT_PREFIX": settings.app.output_prefix,
        "APP__DATA_DIR": settings.app.data_dir,
        "APP__REPLICATION_FACTOR": settings.app.replication_factor,
        "KAFKA__BROKERS": settings.kafka.brokers,
        "TIME__CLOCK": settings.time.clock,
        "WEB__PORT": settings.web.port,
        **{f"TOPICS__{role.upper()}": topic for role, topic in settings.topics.model_dump().items()},
    }
    # Python's own variable: what a child says is in its log at once.
    ours = {f"{ENV_PREFIX}{name}": str(value) for name, value in values.items()}
    return {**os.environ, **ours, "PYTHONUNBUFFERED": "1"}


def _free_or_other(host: str, port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return free_port()
        return port or free_port()


def _pace(speed: float) -> str:
    days = speed / DAY_S
    return "a day a second" if days == 1 else f"{days:.3g} days a second" if days >= 1 else f"{speed:g} times life"


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()


async def _first_of(*works: Coroutine[Any, Any, object]) -> None:
    """Until one is done or raises; then none of them runs any more."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    # The last one that failed tells most: of work that fails and the child that failed it, the child.
    for task in reversed(tasks):
        if not task.cancelled():
            task.result()


@contextlib.contextmanager
def _stop_on_signal() -> Iterator[asyncio.Event]:
    """An event set by Ctrl-C, SIGTERM, or the terminal going away; a second signal ends the process at once."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def halt(number: signal.Signals) -> None:
        stop.set()
        for each in numbers:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        if number == signal.SIGHUP:
            # The terminal is gone: what is still said must not fail.
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nowhere, stream)
            os.close(nowhere)

    for number in numbers:
        loop.add_signal_handler(number, halt, number)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
