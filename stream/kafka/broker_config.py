"""The ``server.properties`` of the embedded broker: one KRaft node on this machine, with little memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: Everything but addresses and folders. One node holds one copy of each partition, and few partitions are enough.
ONE_NODE: dict[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    # A mistyped topic must be an error, not a new topic with a partition count of its own.
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # What a killed worker left open must not hold up readers much longer than its own timeout.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # After a crash the node must first be taken for dead before it may register again; by default that takes 9 s.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "group.coordinator.threads": "1",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.cleaner.threads": "1",
    "log.cleaner.dedupe.buffer.size": str(16 << 20),
    "log.cleaner.io.buffer.size": str(128 << 10),
    # A partition's index files are made at this size, sparse; the default is five times it.
    "log.index.size.max.bytes": str(2 << 20),
}


@dataclass(frozen=True)
class Listener:
    """One more address of the broker, besides the plain one that is always there.

    ``properties`` are the listener's own keys, such as ``ssl.keystore.location``, without the prefix that names it.
    """

    protocol: str
    port: int
    properties: Mapping[str, str] = field(default_factory=dict)


def server_properties(
    log_dir: Path, port: int, controller_port: int, listeners: Sequence[Listener], extra: Mapping[str, str]
) -> str:
    """The file's text; ``extra`` wins over everything else."""
    named = [("PLAINTEXT", "PLAINTEXT", port)]
    named += [(f"L{index}", listener.protocol, listener.port) for index, listener in enumerate(listeners)]
    public = ",".join(f"{name}://127.0.0.1:{number}" for name, _, number in named)
    properties = {
        **ONE_NODE,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"{public},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": public,
        "listener.security.protocol.map": ",".join(
            ["CONTROLLER:PLAINTEXT", *(f"{name}:{protocol}" for name, protocol, _ in named)]
        ),
        "log.dirs": str(log_dir),
    }
    for index, listener in enumerate(listeners):
        properties |= {f"listener.name.l{index}.{key}": value for key, value in listener.properties.items()}
    properties |= extra
    return "".join(f"{key}={_escaped(value)}\n" for key, value in properties.items())


def _escaped(value: str) -> str:
    """A value as a Java properties file has it: ASCII, with backslashes and line ends written out."""
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n")
    units = escaped.encode("utf-16-be")
    codes = [int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
    return "".join(chr(code) if code < 128 else f"\\u{code:04x}" for code in codes)
