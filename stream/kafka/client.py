"""From settings to Kafka clients: addresses, login, encryption, and one clear sentence when the broker says no."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import inspect
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaClient, AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn
from aiokafka.protocol.metadata import MetadataRequest
from faust.auth import SASLCredentials, SSLCredentials

from stream.errors import UserError
from stream.settings import Settings
from stream.settings_kafka import Security

_REFUSED_LOGIN = (
    kafka_errors.SaslAuthenticationFailed,
    kafka_errors.AuthenticationFailedError,
    kafka_errors.IllegalSaslStateError,
    kafka_errors.UnsupportedSaslMechanismError,
)


def ssl_context(security: Security) -> ssl.SSLContext | None:
    """What TLS connections trust and show; None where the protocol has no TLS."""
    if not security.tls:
        return None
    with _file_mistakes("ca_file", security.ca_file):
        context = ssl.create_default_context(cafile=security.ca_file)
    context.check_hostname = security.check_hostname
    if security.cert_file is not None:
        # An empty password, where none is set, makes a locked key an error; without one OpenSSL asks at the terminal.
        password = security.key_password.get_secret_value() if security.key_password else ""
        with _file_mistakes("cert_file and key_file", security.cert_file):
            context.load_cert_chain(security.cert_file, security.key_file, password)
    return context


def connection_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments that every aiokafka client takes: where the brokers are and how to get in."""
    security = settings.kafka.security
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka.brokers.split(","),
        "security_protocol": security.protocol,
    }
    if security.tls:
        options["ssl_context"] = ssl_context(security)
    if security.sasl and security.password is not None:
        options["sasl_mechanism"] = security.sasl_mechanism
        options["sasl_plain_username"] = security.username
        options["sasl_plain_password"] = security.password.get_secret_value()
    return options


def client_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of AIOKafkaClient."""
    return _with_passed(settings, AIOKafkaClient, {"client": settings.kafka.client})


def admin_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of AIOKafkaAdminClient."""
    return _with_passed(settings, AIOKafkaAdminClient, {"client": settings.kafka.client})


def consumer_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of AIOKafkaConsumer; what the settings pass through wins over what code adds by default."""
    passed = {"client": settings.kafka.client, "consumer": settings.kafka.consumer}
    return _with_passed(settings, AIOKafkaConsumer, passed)


def producer_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of AIOKafkaProducer."""
    passed = {"client": settings.kafka.client, "producer": settings.kafka.producer}
    return _with_passed(settings, AIOKafkaProducer, passed)


def broker_urls(settings: Settings, scheme: str = "segstream") -> list[str]:
    """The brokers as Faust wants them; the scheme chooses Faust's transport."""
    return [f"{scheme}://{address}" for address in settings.kafka.brokers.split(",")]


def broker_credentials(settings: Settings) -> SSLCredentials | SASLCredentials | None:
    """The same login and encryption for Faust's own clients (its setting ``broker_credentials``)."""
    security = settings.kafka.security
    context = ssl_context(security)
    if security.sasl and security.password is not None:
        return SASLCredentials(
            username=security.username,
            password=security.password.get_secret_value(),
            mechanism=security.sasl_mechanism,
            ssl_context=context,
        )
    return SSLCredentials(context) if context is not None else None


async def connect_or_explain(settings: Settings, timeout_s: float = 10.0) -> None:
    """Return when a broker lets us in and answers; otherwise raise one `UserError` sentence within about ``timeout_s``.

    Every command that needs Kafka calls this first: clients themselves retry for long and log without end.
    """
    options = client_options(settings)
    addresses = options.pop("bootstrap_servers")
    troubles = []
    with quiet_aiokafka():
        for address in addresses:
            trouble = await _trouble(address, options, settings, timeout_s / len(addresses))
            if trouble is None:
                return
            troubles.append(f"{address} {trouble}")
    raise UserError(f"no Kafka to work with: {'; '.join(troubles)}", exit_code=1)


@contextlib.asynccontextmanager
async def admin_client(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client, after `connect_or_explain`."""
    await connect_or_explain(settings)
    admin = AIOKafkaAdminClient(**admin_options(settings))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


@contextlib.contextmanager
def quiet_aiokafka() -> Iterator[None]:
    """Keep aiokafka's own log silent while we explain its errors ourselves."""
    logger = logging.getLogger("aiokafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


async def _trouble(address: str, options: dict[str, Any], settings: Settings, limit_s: float) -> str | None:
    """Why this address is of no use, or None; a broker must also be reachable at the address it tells clients."""
    known = {name: value for name, value in options.items() if name in inspect.signature(create_conn).parameters}
    known["request_timeout_ms"] = max(1, int(limit_s * 1000))
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(limit_s):
            brokers = await _brokers(host.strip("[]"), int(port), known)
            if not any([await _opens(host, port, known) for host, port in brokers]):
                told = ", ".join(f"{host}:{port}" for host, port in brokers) or "no broker at all"
                return (
                    f"answers, but tells clients to use {told}, which cannot be reached: mend its advertised.listeners"
                )
    except (OSError, kafka_errors.KafkaError, TimeoutError) as error:
        return _explained(error, settings.kafka.security, limit_s)
    return None


async def _brokers(host: str, port: int, options: dict[str, Any]) -> list[tuple[str, int]]:
    connection = await create_conn(host, port, **options)
    try:
        answer = await connection.send(MetadataRequest([]))
    finally:
        connection.close()
    return [(broker[1], broker[2]) for broker in answer.brokers]


async def _opens(host: str, port: int, options: dict[str, Any]) -> bool:
    try:
        (await create_conn(host, port, **options)).close()
    except OSError:
        return False
    return True


def _explained(error: Exception, security: Security, limit_s: float) -> str:
    """The reason in words, with the setting to look at."""
    protocol = f"is kafka.security.protocol ({security.protocol}) what it speaks?"
    match error:
        case TimeoutError():
            return f"does not answer within {limit_s:g} s: {protocol}"
        case socket.gaierror():
            return "is not a known host: mend kafka.brokers"
        case OSError() if f"[Errno {errno.ECONNREFUSED}]" in str(error):  # of one address, or of each that a name has
            return "refuses connections: start Kafka there (`segstream broker`), or mend kafka.brokers"
        case ssl.SSLCertVerificationError():
            return f"shows a certificate that is not trusted ({error.verify_message}): see kafka.security.ca_file"
        case ssl.SSLError():
            return f"cannot agree on TLS ({error.reason}): {protocol}"
    if isinstance(error, _REFUSED_LOGIN):
        login = f"{security.username!r} by {security.sasl_mechanism}"
        return f"refuses the login of {login}: mend username, password or sasl_mechanism in kafka.security"
    if isinstance(error, kafka_errors.KafkaConnectionError | ConnectionError):
        certificate = " Or it wants a certificate of the client: see kafka.security.cert_file" if security.tls else ""
        return f"closes the connection: {protocol}{certificate}"
    return f"cannot be used: {error}"


def _with_passed(settings: Settings, client: Callable[..., Any], passed: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Connection options and the settings' own for this client; options it does not have are mistakes."""
    options = connection_options(settings)
    reserved = {*options, "loop", "ssl_context", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password"}
    possible = inspect.signature(client).parameters.keys() - reserved
    for section, values in passed.items():
        for name in values:
            if name in reserved:
                raise UserError(f"kafka.{section}.{name}: expected in kafka.brokers or kafka.security, not here")
            if name not in possible:
                close = get_close_matches(name, possible, n=1)
                hint = f", did you mean {close[0]}?" if close else ""
                raise UserError(f"kafka.{section}.{name}: aiokafka has no such option{hint}")
        options |= values
    return options


@contextlib.contextmanager
def _file_mistakes(key: str, file: Path | None) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        raise UserError(f"kafka.security.{key}: {file} is not PEM that can be read ({error.reason})") from error
    except OSError as error:
        raise UserError(f"kafka.security.{key}: {file}: {error.strerror}") from error
