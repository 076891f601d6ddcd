"""Settings of the connection to Kafka: addresses, login, encryption, and options of the clients."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator

from stream.settings_kinds import Addresses, Section


class Security(Section):
    """How clients prove who they are, and how they know the broker."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="What the broker's listener speaks."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="PLAIN", description="How the login is made, with a SASL protocol."
    )
    username: str | None = Field(default=None, description="Name of the login, with a SASL protocol.")
    password: SecretStr | None = Field(
        default=None, description="Password of the login; better set by its variable than in a file."
    )
    ca_file: Path | None = Field(
        default=None,
        description="PEM file of the authority that signed the broker's certificate; default: the system's.",
    )
    cert_file: Path | None = Field(
        default=None, description="PEM file of the client's own certificate, where the broker asks for one."
    )
    key_file: Path | None = Field(
        default=None, description="PEM file of the private key of cert_file, where it is a file of its own."
    )
    key_password: SecretStr | None = Field(default=None, description="Password of key_file.")
    check_hostname: bool = Field(
        default=True, description="Whether the broker's certificate must name the host connected to."
    )

    @property
    def sasl(self) -> bool:
        """Whether clients log in by name and password."""
        return self.protocol.startswith("SASL_")

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.protocol.endswith("SSL")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.sasl and (not self.username or self.password is None):
            raise ValueError(f"protocol {self.protocol} needs username and password")
        if not self.sasl and self.username:
            raise ValueError(f"username is set but protocol is {self.protocol}: expected SASL_SSL or SASL_PLAINTEXT")
        if not self.tls and (self.ca_file or self.cert_file or self.key_file):
            raise ValueError(f"certificate files are set but protocol is {self.protocol}: expected SSL or SASL_SSL")
        if self.key_file and not self.cert_file:
            raise ValueError("key_file is set without cert_file: expected both, or neither")
        return self


class Kafka(Section):
    """Where Kafka is and how to speak to it."""

    brokers: Addresses = Field(
        default="127.0.0.1:9092", description="Some brokers of the cluster, host:port, with commas between."
    )
    security: Security = Field(default=Security(), description="Login and encryption.")
    client: dict[str, Any] = Field(default={}, description="Options passed to every aiokafka client as they are.")
    consumer: dict[str, Any] = Field(default={}, description="Options passed to aiokafka consumers as they are.")
    producer: dict[str, Any] = Field(default={}, description="Options passed to aiokafka producers as they are.")
