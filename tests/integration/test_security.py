"""A cluster with TLS and logins is reached by settings alone, and a refusal is one sentence."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from faust.auth import SASLCredentials, SSLCredentials

from stream.errors import UserError
from stream.kafka.broker import EmbeddedBroker, free_port
from stream.kafka.broker_config import Listener
from stream.kafka.client import (
    admin_client,
    broker_credentials,
    broker_urls,
    client_options,
    connect_or_explain,
    consumer_options,
    producer_options,
)
from stream.kafka.topics import create_topics
from stream.settings import Settings, Topics, load_settings
from tests.conftest import JARS
from tests.e2e.live import Live, read_topic, wait_for

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


@dataclass(frozen=True)
class Secured:
    """A broker with one address for each way in, and the files that clients need."""

    ports: dict[str, int]
    files: Path


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_certificates(folder: Path) -> None:
    """An authority, and a broker's and a client's certificate signed by it; the client's key has a password."""
    for name in ("ca", "stranger"):
        subject = ("-x509", "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
        openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", *subject)
    for name, locked in (("broker", ("-nodes",)), ("client", ("-passout", "pass:locked"))):
        request = ("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl(folder, "req", "-newkey", "rsa:2048", *locked, *request)
        (folder / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1\n")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem")
    (folder / "store.pem").write_text((folder / "broker.key").read_text() + (folder / "broker.pem").read_text())


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    make_certificates(folder)
    tls = {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(folder / "store.pem")}
    trust = {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(folder / "ca.pem")}
    plain = {"sasl.enabled.mechanisms": "PLAIN", "plain.sasl.jaas.config": f'{PLAIN} user_anna="sekret ü";'}
    scram = {"sasl.enabled.mechanisms": "SCRAM-SHA-256", "scram-sha-256.sasl.jaas.config": SCRAM}
    ports = {name: free_port() for name in ("tls", "mutual", "plain", "scram", "astray")}
    listeners = (
        Listener("SSL", ports["tls"], tls),
        Listener("SSL", ports["mutual"], {**tls, **trust, "ssl.client.auth": "required"}),
        Listener("SASL_PLAINTEXT", ports["plain"], plain),
        Listener("SASL_SSL", ports["scram"], {**tls, **scram}),
        Listener("PLAINTEXT", ports["astray"]),
    )
    port = free_port()
    told = [f"PLAINTEXT://127.0.0.1:{port}"]
    told += [f"L{at}://127.0.0.1:{ports[name] if name != 'astray' else 1}" for at, name in enumerate(ports)]
    options: dict[str, Any] = {"jars": JARS, "listeners": listeners, "scram_users": {"bert": "geheim"}}
    with EmbeddedBroker(folder / "data", port, 256, {"advertised.listeners": ",".join(told)}, **options):
        yield Secured({**ports, "open": port}, folder)


def make(**values: Any) -> Settings:
    """Settings from plain values, as a file gives them."""
    return Settings(**values)


def settings_for(secured: Secured, way: str, unique: str = "app", /, **security: Any) -> Settings:
    names = {field: f"{unique}-{field}" for field in Topics.model_fields}
    return make(
        app={"id": unique, "partitions": 1},
        kafka={"brokers": f"127.0.0.1:{secured.ports[way]}", "security": security},
        topics=names,
    )


def ways(secured: Secured) -> dict[str, dict[str, Any]]:
    ca = secured.files / "ca.pem"
    own = {
        "cert_file": secured.files / "client.pem",
        "key_file": secured.files / "client.key",
        "key_password": "locked",
    }
    scram = {"sasl_mechanism": "SCRAM-SHA-256", "username": "bert", "password": "geheim"}
    return {
        "tls": {"protocol": "SSL", "ca_file": ca},
        "mutual": {"protocol": "SSL", "ca_file": ca, **own},
        "plain": {"protocol": "SASL_PLAINTEXT", "username": "anna", "password": "sekret ü"},
        "scram": {"protocol": "SASL_SSL", "ca_file": ca, **scram},
    }


@pytest.mark.parametrize("way", ["tls", "mutual", "plain", "scram"])
def test_every_client_gets_in_by_settings_alone(secured: Secured, unique: str, way: str) -> None:
    """Topics are created, a record is written and read, and Faust's own client connects, all by one file."""
    settings = settings_for(secured, way, unique, **ways(secured)[way])

    async def round_trip() -> bytes:
        await create_topics(settings)
        topic = settings.topics.control
        async with AIOKafkaProducer(**producer_options(settings)) as producer:
            await producer.send_and_wait(topic, b"hello")
        options = {**consumer_options(settings), "auto_offset_reset": "earliest", "group_id": unique}
        async with AIOKafkaConsumer(topic, **options) as consumer:
            value: bytes = (await asyncio.wait_for(consumer.getone(), 30)).value
        app = faust.App(unique, broker=broker_urls(settings, "kafka"), broker_credentials=broker_credentials(settings))
        producer = app.transport.create_producer()
        await producer.start()
        await (await producer.send(topic, None, b"from faust", 0, None, None))
        await producer.stop()
        return value

    assert asyncio.run(round_trip()) == b"hello"


def test_variables_are_enough(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the environment has to change to reach a secured cluster."""
    monkeypatch.setenv("SEGSTREAM_KAFKA__BROKERS", f"127.0.0.1:{secured.ports['scram']}")
    for field, value in ways(secured)["scram"].items():
        monkeypatch.setenv(f"SEGSTREAM_KAFKA__SECURITY__{field.upper()}", str(value))
    asyncio.run(connect_or_explain(load_settings()))


def test_a_worker_runs_on_a_secured_cluster(secured: Secured, unique: str, tmp_path: Path) -> None:
    """Topics, loader, shards, broadcast reader, restoring and trainer: all of them log in, by variables alone."""
    security = {f"SEGSTREAM_KAFKA__SECURITY__{k.upper()}": str(v) for k, v in ways(secured)["scram"].items()}
    security["SEGSTREAM_CUTS__EVERY"] = "36500d"  # what is learned live comes at other instants than in a replay
    live = Live(f"127.0.0.1:{secured.ports['scram']}", unique, tmp_path, 1, security)
    events = tmp_path / "events.jsonl"
    try:
        live.run("simulate", "--customers", "20", "--days", "30", "--out", str(events))
        live.run("replay", str(events), "--out", str(tmp_path / "out.jsonl"))
        expected = len((tmp_path / "out.jsonl").read_text().splitlines())
        live.run("topics")
        live.start_worker("a")
        live.run("load", str(events))
        open_address = f"127.0.0.1:{secured.ports['open']}"
        assert len(read_topic(open_address, live.topic("changes"), 1, expected)) == expected
        live.stop_worker("a")
        live.start_worker("b")
        wait_for("the rows are back", lambda: live.ready_shards() == 1)
        assert live.metrics("b")["segstream_rows_restored_total"] > 0
        assert live.stop_worker("b") == 0
    finally:
        live.stop()


def refusal(settings: Settings, limit_s: float = 5.0) -> str:
    with pytest.raises(UserError) as caught:
        asyncio.run(connect_or_explain(settings, limit_s))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code != 0
    return str(caught.value)


@pytest.mark.parametrize(
    ("way", "changes", "expected"),
    [
        ("plain", {"password": "wrong"}, "refuses the login of 'anna' by PLAIN: mend username, password"),
        ("scram", {"password": "wrong"}, "refuses the login of 'bert' by SCRAM-SHA-256"),
        ("scram", {"username": "anna"}, "refuses the login of 'anna' by SCRAM-SHA-256"),
        ("scram", {"sasl_mechanism": "PLAIN"}, "refuses the login of 'bert' by PLAIN"),
        ("tls", {"ca_file": None}, "shows a certificate that is not trusted"),
        ("tls", {"ca_file": "stranger.pem"}, "shows a certificate that is not trusted"),
        ("mutual", {"cert_file": None, "key_file": None}, "see kafka.security.cert_file"),
        ("tls", {"protocol": "PLAINTEXT", "ca_file": None}, "is kafka.security.protocol (PLAINTEXT) what it speaks?"),
    ],
)
def test_a_refusal_is_one_sentence(
    secured: Secured, way: str, changes: dict[str, Any], expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong login, authority, certificate or protocol: which setting to mend, without aiokafka's log."""
    if isinstance(changes.get("ca_file"), str):
        changes = {"ca_file": secured.files / changes["ca_file"]}
    with caplog.at_level(logging.DEBUG):
        said = refusal(settings_for(secured, way, **{**ways(secured)[way], **changes}))
    assert expected in said
    assert f"127.0.0.1:{secured.ports[way]}" in said
    assert "geheim" not in said + caplog.text
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_the_name_in_the_certificate_counts(secured: Secured) -> None:
    """The certificate names 127.0.0.1 only; check_hostname false lets another name pass, but not another authority."""
    settings = settings_for(secured, "tls", **ways(secured)["tls"])
    kafka = settings.kafka.model_copy(update={"brokers": f"localhost:{secured.ports['tls']}"})
    assert "not trusted (Hostname mismatch" in refusal(settings.model_copy(update={"kafka": kafka}))
    for ca_file, passes in (("ca.pem", True), ("stranger.pem", False)):
        files = {"ca_file": secured.files / ca_file, "check_hostname": False}
        security = settings.kafka.security.model_copy(update=files)
        relaxed = settings.model_copy(update={"kafka": kafka.model_copy(update={"security": security})})
        if passes:
            asyncio.run(connect_or_explain(relaxed))
        else:
            assert "not trusted" in refusal(relaxed)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"ca_file": "none.pem"}, r"kafka\.security\.ca_file: .*none\.pem: No such file"),
        ({"ca_file": "ca.key"}, r"kafka\.security\.ca_file: .*ca\.key is not PEM that can be read"),
        (
            {"cert_file": "client.pem", "key_file": "client.key"},
            r"kafka\.security\.cert_file and key_file: .*client\.pem",
        ),
    ],
)
def test_files_that_cannot_be_used_are_named(secured: Secured, files: dict[str, str], expected: str) -> None:
    """A missing file, one that is no certificate, a key whose password is not set: the setting and the file."""
    paths = {key: secured.files / name for key, name in files.items()}
    with pytest.raises(UserError, match=expected):
        client_options(settings_for(secured, "tls", **{**ways(secured)["tls"], **paths}))


@pytest.mark.parametrize(
    ("brokers", "expected"),
    [
        ("127.0.0.1:{free}", "127.0.0.1:{free} refuses connections: start Kafka there"),
        ("localhost:{free}", "localhost:{free} refuses connections"),
        ("127.0.0.1:{silent}", "127.0.0.1:{silent} does not answer within"),
        ("no-such-host.invalid:9092", "no-such-host.invalid:9092 is not a known host: mend kafka.brokers"),
        ("127.0.0.1:{free},127.0.0.1:{silent}", "refuses connections"),
    ],
)
def test_a_broker_out_of_reach_is_one_sentence_within_the_time(brokers: str, expected: str) -> None:
    """Nothing there, silence, an unknown name: said for each address, without waiting for ever."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        ports = {"free": free_port(), "silent": silent.getsockname()[1]}
        settings = make(kafka={"brokers": brokers.format(**ports)})
        assert expected.format(**ports) in refusal(settings, 1.0)


def test_one_good_address_of_several_is_enough(broker: str) -> None:
    """The first address may be down."""
    settings = make(kafka={"brokers": f"127.0.0.1:{free_port()},{broker}"})
    asyncio.run(connect_or_explain(settings))


def test_a_broker_that_sends_clients_astray_is_explained(secured: Secured) -> None:
    """It answers, but nobody listens at the address that it tells clients: both are named."""
    said = refusal(settings_for(secured, "astray"))
    assert "tells clients to use 127.0.0.1:1, which cannot be reached: mend its advertised.listeners" in said


def test_options_pass_through_and_unknown_ones_are_mistakes() -> None:
    """What stands under client, consumer and producer reaches those clients; typing mistakes do not."""
    values = {"client": {"client_id": "me"}, "consumer": {"fetch_max_wait_ms": 50}, "producer": {"linger_ms": 9}}
    settings = make(kafka=values)
    assert consumer_options(settings)["fetch_max_wait_ms"] == 50
    assert producer_options(settings)["linger_ms"] == 9
    assert producer_options(settings)["client_id"] == client_options(settings)["client_id"] == "me"
    assert "linger_ms" not in consumer_options(settings)
    with pytest.raises(
        UserError, match=r"kafka\.producer\.linger: aiokafka has no such option, did you mean linger_ms\?"
    ):
        producer_options(make(kafka={"producer": {"linger": 9}}))
    with pytest.raises(UserError, match=r"kafka\.client\.bootstrap_servers: expected in kafka\.brokers"):
        client_options(make(kafka={"client": {"bootstrap_servers": "x"}}))


def test_credentials_for_faust() -> None:
    """None without security, a context for TLS, name and mechanism for a login, with a context where both are asked."""
    login = {"username": "a", "password": "b", "sasl_mechanism": "SCRAM-SHA-512"}
    plain = make(kafka={"brokers": "a:1,b:2"})
    assert broker_credentials(plain) is None
    assert broker_urls(plain) == ["segstream://a:1", "segstream://b:2"]
    tls = broker_credentials(make(kafka={"security": {"protocol": "SSL"}}))
    assert isinstance(tls, SSLCredentials)
    assert tls.context.verify_mode is ssl.CERT_REQUIRED
    both = broker_credentials(make(kafka={"security": {"protocol": "SASL_SSL", **login}}))
    assert isinstance(both, SASLCredentials)
    assert both.ssl_context is not None
    assert (both.username, both.mechanism.value) == ("a", "SCRAM-SHA-512")


def test_an_admin_client_needs_a_broker() -> None:
    """It does not start on an address where nobody listens."""

    async def use() -> None:
        async with admin_client(make(kafka={"brokers": f"127.0.0.1:{free_port()}"})):
            pytest.fail("there is nobody to administer")

    with pytest.raises(UserError, match="refuses connections"):
        asyncio.run(use())
