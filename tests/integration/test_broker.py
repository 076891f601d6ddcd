"""The embedded broker: keeps its data, ends with its parent, and says what is wrong in one sentence."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.errors import UserError
from stream.kafka.broker import EmbeddedBroker, free_port
from tests.conftest import JARS, REPOSITORY


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A broker that this test may stop and kill."""
    broker = EmbeddedBroker(tmp_path / "data", port=0, heap_mb=256, jars=JARS)
    try:
        yield broker.start()
    finally:
        broker.kill()


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether it becomes true in that time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def gone(pid: int) -> bool:
    """Whether the process has ended; one that waits to be collected has."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


async def write(address: str, topic: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=address, transactional_id=f"{topic}-writer")
    async with producer, producer.transaction():
        await producer.send_and_wait(topic, value)


async def read(address: str, topic: str) -> bytes | None:
    options = {"group_id": topic, "auto_offset_reset": "earliest", "isolation_level": "read_committed"}
    async with AIOKafkaConsumer(topic, bootstrap_servers=address, **options) as consumer:
        record = await asyncio.wait_for(consumer.getone(), 30)
        value: bytes | None = record.value
        return value


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_committed_records_survive_a_restart(own: EmbeddedBroker, unique: str, ending: str) -> None:
    """After a clean stop and after a crash, the same data answers at the same address, transactions and groups too."""
    address = own.address
    asyncio.run(write(address, unique, b"kept"))
    getattr(own, ending)()
    assert not own.running
    assert own.pid is None
    own.start()
    assert own.address == address
    assert asyncio.run(read(address, unique)) == b"kept"


def test_a_second_broker_on_the_same_data_is_refused(own: EmbeddedBroker) -> None:
    """Two brokers would destroy each other's data; the first one goes on."""
    with pytest.raises(UserError, match=r"another broker runs on .*: stop it, or choose another folder"):
        EmbeddedBroker(own.data, port=0, jars=JARS).start()
    assert own.running


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """One sentence with the number, before Java starts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port} cannot be used \(Address already in use\)"):
            EmbeddedBroker(tmp_path, port=port, jars=JARS).start()


def test_what_kafka_refuses_is_one_sentence(tmp_path: Path) -> None:
    """Kafka's own complaint, and where its log is; the folder is free again."""
    with pytest.raises(UserError, match=r"num\.io\.threads") as caught:
        EmbeddedBroker(tmp_path, port=0, jars=JARS, extra={"num.io.threads": "none"}).start()
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"could not start: .*heap.*; its log is"):
        EmbeddedBroker(tmp_path, port=0, jars=JARS, heap_mb=1).start()


def test_a_broker_outlives_the_thread_that_started_it(tmp_path: Path, unique: str) -> None:
    """The kernel ends a child with the thread that forked it; the broker must not end before its process or a stop."""
    broker = EmbeddedBroker(tmp_path / "data", port=0, heap_mb=256, jars=JARS)
    try:
        starter = threading.Thread(target=broker.start)
        starter.start()
        starter.join()
        asyncio.run(write(broker.address, unique, b"there"))
        assert asyncio.run(read(broker.address, unique)) == b"there"
    finally:
        broker.stop()


def test_a_broker_that_dies_is_reported(own: EmbeddedBroker) -> None:
    """`wait` returns only because the broker ended, and says so."""
    assert own.pid
    os.kill(own.pid, signal.SIGKILL)
    with pytest.raises(UserError, match=r"stopped by itself.*broker\.log"):
        own.wait()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'openjdk version \"11.0.2\" 2019-01-15' >&2", r"is Java 11: .* needs 17 or newer.*apt-get install"),
        ("echo 'java version \"1.8.0_292\"' >&2", r"is Java 8: "),
        ("exit 1", r"does not say its version"),
        (None, r"no java in JAVA_HOME .* needs Java 17 or newer; on Debian: apt-get install"),
    ],
)
def test_java_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, expected: str) -> None:
    """A missing or old Java is one sentence with the line that mends it."""
    (tmp_path / "bin").mkdir()
    if script:
        java = tmp_path / "bin" / "java"
        java.write_text(f"#!/bin/sh\n{script}\n")
        java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(UserError, match=expected):
        EmbeddedBroker(tmp_path / "data", port=0, jars=JARS).start()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (None, r"Maven is missing: .*apt-get install"),
        ("echo '[ERROR] no route to the repository'; exit 1", r"could not fetch Apache Kafka .*no route"),
        ("exit 0", r"could not fetch Apache Kafka .*no jars came"),
    ],
)
def test_maven_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, expected: str) -> None:
    """Where the jars cannot be had, one sentence says why, and no half set of them is left behind."""
    commands, jars = tmp_path / "bin", tmp_path / "jars"
    commands.mkdir()
    java = commands / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
    java.chmod(0o755)
    if script:
        (commands / "mvn").write_text(f"#!/bin/sh\n{script}\n")
        (commands / "mvn").chmod(0o755)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(commands))
    with pytest.raises(UserError, match=expected):
        EmbeddedBroker(tmp_path / "data", port=0, jars=jars).start()
    assert [path.name for path in jars.iterdir()] == ["jars.lock"]


def segstream_broker(folder: Path, port: int, *options: str) -> list[str]:
    data = ["--data", str(folder), "--port", str(port), "--heap", "256", "--config", str(REPOSITORY / "config")]
    return [sys.executable, "-m", "stream", "broker", *data, *options]


def java_of(pid: int) -> int:
    """The process id of the one child of that process."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split() or [
        child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return int(child)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_ends_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    """It says its address when it is ready; SIGTERM and Ctrl-C end it with code 0 and leave no process behind."""
    port = free_port()
    environment = {**os.environ, "SEGSTREAM_APP__DATA_DIR": str(JARS.parent)}
    with subprocess.Popen(
        segstream_broker(tmp_path / "data", port), stdout=subprocess.PIPE, text=True, env=environment
    ) as command:
        assert command.stdout is not None
        assert command.stdout.readline().startswith(f"Kafka is ready at 127.0.0.1:{port} ")
        java = java_of(command.pid)
        command.send_signal(number)
        assert command.stdout.read() == "Kafka has stopped.\n"
        assert command.wait(30) == 0
    assert gone(java)
    assert "shut down completed" in (tmp_path / "data" / "broker.log").read_text()


def test_the_broker_ends_with_a_killed_command_and_the_command_with_its_parent(tmp_path: Path) -> None:
    """kill -9 anywhere above leaves no Java behind: not of the command, nor, with --with-parent, of its starter."""
    environment = {**os.environ, "SEGSTREAM_APP__DATA_DIR": str(JARS.parent)}
    start = segstream_broker(tmp_path / "data", 0, "--with-parent")
    starter = f"import subprocess, time; print(subprocess.Popen({start!r}).pid, flush=True); time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        command = int(parent.stdout.readline())
        assert parent.stdout.readline().startswith("Kafka is ready")
        java = java_of(command)
        parent.kill()
    assert eventually(lambda: gone(command) and gone(java))

    with subprocess.Popen(start[:-1], stdout=subprocess.PIPE, text=True, env=environment) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline().startswith("Kafka is ready")
        java = java_of(killed.pid)
        killed.kill()
    assert eventually(lambda: gone(java))


def test_a_wrong_option_of_the_command_is_explained(tmp_path: Path) -> None:
    """Exit code 2 and one line."""
    run = subprocess.run(segstream_broker(tmp_path, 0, "--set", "x"), capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.strip() == "segstream: --set x: expected KEY=VALUE, such as log.segment.bytes=1048576"
