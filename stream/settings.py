"""Settings of the live system: one typed file, ``config/stream.yaml``, and ``SEGSTREAM_`` variables over it.

A variable names its key as ``SEGSTREAM_<SECTION>__<FIELD>`` (``SEGSTREAM_KAFKA__SECURITY__PROTOCOL=SSL``). Every field
has a default, so an empty file is a valid one. Reading the file and explaining mistakes is in `stream.settings_file`.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from stream import settings_file
from stream.errors import UserError
from stream.events.names import IDENTIFY
from stream.features.own_zone import OwnZone
from stream.settings_kafka import Kafka
from stream.settings_kinds import Currency, Duration, Section, TopicName, Trait, Zone, addresses
from stream.settings_learning import Clusters, Cuts, Predict, Propensity

ENV_PREFIX = "SEGSTREAM_"

Cause = Literal["event", "deadline", "definition", "model"]
ALL_CAUSES: tuple[Cause, ...] = ("event", "deadline", "definition", "model")


class App(Section):
    """Who this application is in the cluster."""

    id: TopicName = Field(default="segstream", description="Name of the consumer group; first part of internal names.")
    partitions: int = Field(
        default=8, ge=1, le=10_000, description="Partitions of every co-partitioned topic; the most workers."
    )
    replication_factor: int = Field(
        default=1, ge=1, le=9, description="Copies of each partition of the topics that are created."
    )
    output_prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]*$",
        description="Put before the names of topics that definitions name, where applications share a cluster.",
    )
    data_dir: Path = Field(
        default=Path(".segstream"), description="Folder for the embedded broker and caches; may be deleted."
    )


class Topics(Section):
    """Names of the topics."""

    clickstream: TopicName = Field(
        default="clickstream", description="In: what customers look at and put in carts and wishlists."
    )
    purchases: TopicName = Field(default="purchases", description="In: orders and refunds.")
    profiles: TopicName = Field(default="profiles", description="In: what customers say of themselves.")
    products: TopicName = Field(
        default="products", description="In: prices, offers and stock, keyed by product; one partition."
    )
    control: TopicName = Field(
        default="control", description="Versions of definitions and models, clock records; one partition."
    )
    changes: TopicName = Field(default="segment-changes", description="Out: every segment change.")
    customers: TopicName = Field(
        default="customer-segments", description="Out, compacted: the latest segments of each customer."
    )
    forgotten: TopicName = Field(default="forgotten", description="Out: receipts of customers who were forgotten.")
    dead_letters: TopicName = Field(
        default="segstream-dead-letters", description="Out: what could not be read, with the reason."
    )
    vectors: TopicName = Field(
        default="segstream-vectors", description="Internal: sampled feature vectors for the trainer."
    )
    rekeyed: TopicName = Field(
        default="segstream-rekeyed", description="Internal: events that came in under another key."
    )
    backfill: TopicName = Field(
        default="segstream-backfill", description="Internal: rows that were rebuilt for definitions to come."
    )
    questions: TopicName = Field(
        default="segstream-questions",
        description="Internal: what was known of customers at their turns, for the trainers of predictions.",
    )
    summaries: TopicName = Field(
        default="segstream-summaries", description="Internal, compacted: what shards tell of their customers, for cuts."
    )
    histories: TopicName = Field(
        default="segstream-histories", description="Internal, compacted: the same of their purchases, for lifetimes."
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        owner: dict[str, str] = {}
        for field in type(self).model_fields:
            name = getattr(self, field)
            if name in owner:
                raise ValueError(f"{owner[name]} and {field} are both {name!r}: expected a topic of its own for each")
            owner[name] = field
        return self


class Output(Section):
    """Which segment changes reach one output topic."""

    max_age: Duration | None = Field(
        default=172_800_000, description="A change older than this is kept from it; null: none is."
    )
    causes: tuple[Cause, ...] = Field(
        default=("event", "deadline"), description="Only changes of these causes reach it."
    )


class Time(Section):
    """Zones and clocks."""

    zone: Zone = Field(default="UTC", description="Time zone in which times are shown, and of calendar features.")
    zone_trait: Trait = Field(
        default="",
        description="Trait that names each customer's own zone, for calendar features; empty: none does.",
    )
    disorder: Duration = Field(
        default=0, description="How late an event may come behind its topic; deadlines wait that long."
    )
    future_tolerance: Duration = Field(
        default=300_000, description="An event further ahead of its record's time is rejected."
    )
    clock: Literal["wall", "event"] = Field(
        default="wall",
        description="wall: a topic read to its end counts as now; event: time is what events say (compressed time).",
    )

    @property
    def calendar(self) -> str | OwnZone:
        """The zone of the calendar features of dimensions that name none."""
        return OwnZone(self.zone_trait, (IDENTIFY,), self.zone) if self.zone_trait else self.zone


class Money(Section):
    """One currency for all sums."""

    currency: Currency = Field(default="EUR", description="What all amounts are counted in.")
    rates: dict[Currency, Annotated[Decimal, Field(gt=0)]] = Field(
        default={},
        description="Other currencies: how much of `currency` one unit is worth. Without a rate they are rejected.",
    )


class Batch(Section):
    """How much work goes into one transaction."""

    max_records: int = Field(
        default=4_000,
        ge=1,
        le=1_000_000,
        description="The most events of a shard in one transaction, told holders of products, fired deadlines.",
    )
    commit_every: Duration = Field(default=25, description="The least time between two commits of a shard.")
    transaction_timeout: Duration = Field(
        default=10_000, description="The broker aborts a transaction left open this long."
    )
    session_timeout: Duration = Field(
        default=10_000, description="A worker silent this long loses its partitions (from 6s on)."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.transaction_timeout < 1_000:
            raise ValueError("transaction_timeout is too short: expected 1s or more")
        if self.commit_every >= self.transaction_timeout:
            raise ValueError("commit_every must be shorter than transaction_timeout")
        if self.session_timeout < 6_000:
            raise ValueError(
                "session_timeout is too short: expected 6s or more, which is what brokers allow by default"
            )
        return self


class Customers(Section):
    """When customers are forgotten: nothing is kept of them, and a receipt says so; and when they are told of."""

    forget_events: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=("User Deleted",), description="Names of events that ask to forget their customer."
    )
    dormant_after: Duration | None = Field(
        default=None, description="Who has done nothing for so long (event time) is forgotten; null: never."
    )
    hot_share: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="More of a shard's events in a minute about one customer are told in the log; the API says whom.",
    )

    @model_validator(mode="after")
    def _not_at_once(self) -> Self:
        if self.dormant_after is not None and self.dormant_after < 60_000:
            raise ValueError("dormant_after is too short: expected 1m or more, or null for never")
        return self


class Orders(Section):
    """Orders that are told twice."""

    once: tuple[str, ...] = Field(
        default=("Order Completed",), description="Events that count once, under however many message ids they come."
    )
    by: str = Field(default="order_id", description="The property that tells which one it is.")
    remember: int = Field(
        default=8, ge=1, le=64, description="Among how many of a customer's latest ones; kept of every customer."
    )

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if not self.by.isidentifier():
            raise ValueError(f"by: {self.by!r} is not a property that can be read: use letters, digits and _")
        return self


class Definitions(Section):
    """How published definitions take effect."""

    lead: Duration = Field(
        default=60_000, description="How far ahead `publish` puts the switch, so that all workers have compiled."
    )


class Web(Section):
    """The worker's web server: the page, the API, metrics and health."""

    host: str = Field(default="127.0.0.1", description="Address it listens on; 0.0.0.0 for all, which needs a token.")
    port: int = Field(default=6066, ge=0, le=65_535, description="Port it listens on; 0: any free one.")
    ready_without_kafka: Duration = Field(
        default=10_000, description="A worker that Kafka has not answered for longer says that it is not ready."
    )
    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/[^\s?#]*)?$")] | None = Field(
        default=None, description="Where other workers reach this one; null: its host (of 0.0.0.0: its name) and port."
    )
    token: Annotated[SecretStr, Field(min_length=16)] | None = Field(
        default=None,
        description="What whoever asks must send as a bearer token; better by its variable than in a file.",
    )
    token_file: Path | None = Field(default=None, description="File that holds the token, instead of it.")
    rate: float = Field(default=2_000, gt=0, description="Requests a second that one client (address) may make.")

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.token is not None and self.token_file is not None:
            raise ValueError("token and token_file are both set: expected one of them")
        return self

    def secret(self) -> str | None:
        """The token; None where none is asked for. UserError where its file cannot be read, or is too short."""
        if self.token_file is None:
            return None if self.token is None else self.token.get_secret_value()
        try:
            found = self.token_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"web.token_file {self.token_file} cannot be read: {error}") from error
        if len(found) < 16:
            raise UserError(f"web.token_file {self.token_file} holds no token: write one of 16 characters or more")
        return found


class Logging(Section):
    """What the worker writes to standard error."""

    format: Literal["text", "json"] = Field(
        default="text", description="text: short lines for people; json: one object a line, with fields."
    )
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="How much is written.")
    repeat_after: Duration = Field(
        default=60_000, description="Warnings and errors like an earlier one are counted for so long, and told as one."
    )


class Settings(BaseSettings):
    """All settings. Get them from `load_settings`, which explains mistakes."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=False,
    )

    app: App = Field(default=App(), description="Name, partitions, folders.")
    kafka: Kafka = Field(default=Kafka(), description="Brokers, security, client options.")
    topics: Topics = Field(default=Topics(), description="Names of the topics.")
    outputs: dict[TopicName, Output] = Field(default={}, description="Per output topic: which changes reach it.")
    time: Time = Field(default=Time(), description="Zone, lateness, clock.")
    money: Money = Field(default=Money(), description="Currency and rates.")
    orders: Orders = Field(default=Orders(), description="Orders that are told twice.")
    batch: Batch = Field(default=Batch(), description="Size and pace of transactions.")
    customers: Customers = Field(default=Customers(), description="When customers are forgotten.")
    clusters: Clusters = Field(default=Clusters(), description="How clusters are learned.")
    propensity: Propensity = Field(default=Propensity(), description="How predictions are learned.")
    definitions: Definitions = Field(default=Definitions(), description="How published definitions take effect.")
    cuts: Cuts = Field(default=Cuts(), description="How cuts by share are learned.")
    predict: Predict = Field(default=Predict(), description="How the models that predict are learned.")
    web: Web = Field(default=Web(), description="The worker's web server.")
    logging: Logging = Field(default=Logging(), description="What the worker writes to standard error.")

    _config_dir: Path = PrivateAttr(default_factory=settings_file.shipped_config)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables come before the file, which arrives as keyword arguments."""
        return env_settings, init_settings

    @property
    def config_dir(self) -> Path:
        """The folder these settings were read from; segments/, mappings/ and aliases/ lie beside the file."""
        return self._config_dir

    @property
    def changelog_topic(self) -> str:
        """The compacted topic that holds the customers' rows; Faust names it so."""
        return f"{self.app.id}-customers-changelog"

    def output(self, topic: str) -> Output:
        """Which changes reach that output topic: as set, else all for the two main topics, else the defaults."""
        if topic in self.outputs:
            return self.outputs[topic]
        if topic in (self.topics.changes, self.topics.customers):
            return Output(max_age=None, causes=ALL_CAUSES)
        return Output()


def load_settings(config_dir: Path | None = None, *, brokers: str | None = None) -> Settings:
    """Read ``stream.yaml`` and the environment; ``brokers``, where given (``--broker``), wins over both.

    The folder is the one given, else ``$SEGSTREAM_CONFIG``, else ``./config``, else the copy that comes with the
    package. All mistakes are raised at once as one `UserError`; each names the file, the key and what is expected.
    """
    folder = settings_file.find_config(config_dir)
    settings = settings_file.read_settings(Settings, folder / settings_file.FILE_NAME, ENV_PREFIX)
    if brokers is not None:
        try:
            kafka = settings.kafka.model_copy(update={"brokers": addresses(brokers)})
        except ValueError as error:
            raise UserError(f"--broker {brokers}: {error}") from error
        settings = settings.model_copy(update={"kafka": kafka})
    settings._config_dir = folder
    return settings
