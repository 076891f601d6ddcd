"""A real Apache Kafka in a child process: one KRaft node for the demo, the tests and a first look."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from stream.errors import UserError
from stream.kafka import broker_jars
from stream.kafka.broker_config import Listener, server_properties
from stream.kafka.processes import bound_to
from stream.settings_file import shipped_config

_STARTED = "Kafka Server started"


class EmbeddedBroker:
    """One broker over the folder ``data``, reached at ``address``; it ends when this process ends, however that ends.

    ``port`` 0 takes a free one, and keeps it when the broker is started again. ``extra`` are lines for
    server.properties. ``jars`` is the folder that keeps Kafka itself (default: ``data``), shared by many brokers.
    ``listeners`` are further addresses with TLS or a login; ``scram_users`` (name -> password) are made known when the
    data folder is first used. ``config`` holds pom.xml and log4j2.properties.
    """

    def __init__(
        self,
        data: Path,
        port: int = 9092,
        heap_mb: int = 512,
        extra: Mapping[str, str] | None = None,
        *,
        jars: Path | None = None,
        listeners: Sequence[Listener] = (),
        scram_users: Mapping[str, str] | None = None,
        config: Path | None = None,
    ) -> None:
        self.data = data.resolve()
        self.port = port or free_port()
        self.log_file = self.data / "broker.log"
        self._heap_mb = heap_mb
        self._extra = dict(extra or {})
        self._jars = (jars or data).resolve()
        self._listeners = tuple(listeners)
        self._scram_users = dict(scram_users or {})
        self._config = config or shipped_config() / "kafka"
        self._child: _Child | None = None
        self._lock: IO[bytes] | None = None

    @property
    def address(self) -> str:
        """``host:port`` of the plain listener."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the running broker, or None."""
        return self._child.process.pid if self.running and self._child else None

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._child is not None and not self._child.ended.is_set()

    def start(self, timeout_s: float = 60.0) -> Self:
        """Start, and return once the broker has answered a request for metadata.

        Raises `UserError` when something is missing, the port or the folder is taken, or Kafka gives up.
        """
        if self.running:
            return self
        java = broker_jars.java()
        jars = broker_jars.fetch_jars(self._config / "pom.xml", self._jars)
        self.data.mkdir(parents=True, exist_ok=True)
        self._take_folder()
        try:
            for port in (self.port, *(listener.port for listener in self._listeners)):
                _require_free(port)
            command = self._prepare(java, jars)
            self._child = _Child(command, self.data)
            self._await_ready(self._child, time.monotonic() + timeout_s)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self, timeout_s: float = 20.0) -> None:
        """End in good order, so that the next start has nothing to repair; kill what does not end in time."""
        try:
            if self._child is not None:
                self._child.process.send_signal(signal.SIGTERM)
                self._child.ended.wait(timeout_s)
        finally:
            self.kill()

    def kill(self) -> None:
        """End at once, as a crash would; what was acknowledged is still there at the next start."""
        if self._child is not None:
            self._child.process.kill()
            self._child.ended.wait()
            self._child = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def wait(self) -> None:
        """Block while the broker runs; raise `UserError` if it ends by itself."""
        if self._child is not None:
            self._child.ended.wait()
            raise UserError(f"the broker stopped by itself: {self._reason()}; its log is {self.log_file}", exit_code=1)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take_folder(self) -> None:
        """Hold the folder for this process; the kernel lets go of it when the process ends."""
        lock = (self.data / "lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise UserError(
                f"another broker runs on {self.data}: stop it, or choose another folder with --data"
            ) from error
        self._lock = lock

    def _prepare(self, java: Path, jars: Path) -> list[str]:
        """Write server.properties, format new storage; the command that runs the broker."""
        scratch = self.data / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        jvm = [
            str(java),
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            # Native libraries are unpacked here: a killed broker leaves nothing behind in /tmp.
            f"-Djava.io.tmpdir={scratch}",
            f"-Dlog4j2.configurationFile={(self._config / 'log4j2.properties').as_uri()}",
            f"-Dsegstream.broker.log={self.log_file}",
            "-cp",
            f"{jars}/*",
        ]
        storage, controller_port = self.data / "log", free_port()
        if not storage.is_dir():
            new = scratch / "log"
            self._write_properties(scratch / "format.properties", new, controller_port)
            self._format(jvm, scratch / "format.properties")
            # Half a format cannot be told from a broken disk, so it appears whole or not at all.
            new.rename(storage)
        properties = self.data / "server.properties"
        self._write_properties(properties, storage, controller_port)
        return [jvm[0], f"-Xmx{self._heap_mb}m", *jvm[1:], "kafka.Kafka", str(properties)]

    def _write_properties(self, file: Path, log_dir: Path, controller_port: int) -> None:
        file.touch(mode=0o600)  # logins of test listeners are in it
        file.write_text(server_properties(log_dir, self.port, controller_port, self._listeners, self._extra))

    def _format(self, jvm: list[str], properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        users = [f"SCRAM-SHA-256=[name={name},password={word}]" for name, word in self._scram_users.items()]
        run = subprocess.run(  # noqa: S603
            [
                *(jvm[0], "-XX:TieredStopAtLevel=1", *jvm[1:], "kafka.tools.StorageTool", "format"),
                *(f"--cluster-id={cluster}", f"--config={properties}"),
                *(part for user in users for part in ("--add-scram", user)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            raise UserError(f"Kafka cannot use {self.data}: {_complaint(run.stdout.splitlines())}")

    def _await_ready(self, child: _Child, deadline: float) -> None:
        """Wait until Kafka says that it started, then until it answers as a client sees it."""
        child.started.wait(max(0.0, deadline - time.monotonic()))
        while not child.ended.is_set() and time.monotonic() < deadline:
            if child.started.is_set() and _in_own_loop(self.port):
                return
            child.ended.wait(0.05)
        if child.ended.is_set():
            raise UserError(f"the broker could not start: {self._reason()}; its log is {self.log_file}", exit_code=1)
        raise UserError(f"the broker did not become ready in time; its log is {self.log_file}", exit_code=1)

    def _reason(self) -> str:
        return _complaint(list(self._child.output)) if self._child else "it is not running"


class _Child:
    """The broker's process, what it said last, and whether it has started or ended."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.output: deque[str] = deque(maxlen=100)
        self.started = threading.Event()
        self.ended = threading.Event()
        self._failure: OSError | None = None
        launched = threading.Event()
        # The kernel watches the thread that forked, not the process: so a thread that lives as long as the child forks.
        watcher = threading.Thread(target=self._watch, args=(command, folder, launched), name="broker", daemon=True)
        watcher.start()
        launched.wait()
        if self._failure is not None:
            raise UserError(f"{command[0]} cannot be run: {self._failure.strerror}") from self._failure

    def _watch(self, command: list[str], folder: Path, launched: threading.Event) -> None:
        try:
            self.process = subprocess.Popen(  # noqa: S603
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                # Ctrl-C in a terminal reaches a whole process group: the broker must outlast those who still use it.
                start_new_session=True,
                preexec_fn=bound_to(os.getpid()),
            )
        except OSError as error:
            self._failure = error
            return
        finally:
            launched.set()
        with self.process:
            for line in self.process.stdout or ():
                self.output.append(line.rstrip())
                if _STARTED in line:
                    self.started.set()
        self.started.set()
        self.ended.set()


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        # As Kafka itself does: connections of an earlier broker that still linger are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(
                f"port {port} cannot be used ({error.strerror}): stop what uses it, or choose another with --port"
            ) from error


def _in_own_loop(port: int) -> bool:
    """Whether the broker tells of itself; asked in a thread, since the caller may be inside an event loop."""
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(asyncio.run(_answers(port))))
    thread.start()
    thread.join()
    return answers == [True]


async def _answers(port: int) -> bool:
    with contextlib.suppress(OSError, KafkaError, asyncio.TimeoutError):
        connection = await create_conn("127.0.0.1", port, request_timeout_ms=5_000)
        try:
            metadata = await connection.send(MetadataRequest([]))
            return any(broker[2] == port for broker in metadata.brokers)
        finally:
            connection.close()
    return False


def _complaint(lines: Sequence[str]) -> str:
    """The first line of what Kafka or Java said that names the trouble, short enough for one sentence."""
    said = [line for line in lines if line and "occurred during initialization of VM" not in line]
    trouble = [line for line in said if re.search(r"ERROR|FATAL|Error|Exception", line)] or said or ["it said nothing"]
    text = re.sub(r"^(ERROR|FATAL) ", "", trouble[0]).strip()
    return text if len(text) <= 300 else text[:297] + "..."
