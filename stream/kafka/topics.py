"""Which topics segstream needs, how they must be, and creating or checking them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from stream.durations import format_duration
from stream.errors import UserError
from stream.kafka.client import admin_client
from stream.settings import Settings

#: A changelog batch may be this large; a row's own limit is far below.
CHANGELOG_MAX_BYTES = 4 << 20
#: A compacted topic is compacted up to its newest segment, so small segments keep recovery short.
COMPACTED_SEGMENT_BYTES = 64 << 20
_VISIBLE_WITHIN_S = 30.0


class Rule(Protocol):
    """What one topic setting must be."""

    def holds(self, value: str) -> bool:
        """Whether this value will do."""

    def __str__(self) -> str:
        """What is expected, for people."""


@dataclass(frozen=True)
class OneOf:
    """One of several values; the first is what a new topic gets."""

    values: tuple[str, ...]

    def holds(self, value: str) -> bool:
        """Kafka lists policies with commas, in any order."""
        return value in self.values

    def __str__(self) -> str:
        return " or ".join(self.values)


@dataclass(frozen=True)
class AtLeast:
    """A number, no smaller than this one."""

    number: int

    def holds(self, value: str) -> bool:
        """Numbers come as text."""
        return int(value) >= self.number

    def __str__(self) -> str:
        return f"{self.number} or more"


@dataclass(frozen=True)
class Forever:
    """Retention without an end."""

    def holds(self, value: str) -> bool:
        """-1 is how Kafka says it."""
        return value == "-1"

    def __str__(self) -> str:
        return "-1 (for ever)"


@dataclass(frozen=True)
class TopicSpec:
    """One topic as it must be: ``new`` are the settings it is created with, ``rules`` what is checked of them."""

    name: str
    role: str
    partitions: int
    new: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """Something that is not as it must be; a ``serious`` one would give wrong results."""

    what: str
    expected: str
    found: str
    serious: bool = False

    def __str__(self) -> str:
        return f"{self.what}: {self.found}, expected {self.expected}"


@dataclass(frozen=True)
class TopicReport:
    """One topic as it is: ``settings`` are those that matter here, ``differences`` is empty where all is well."""

    spec: TopicSpec
    exists: bool
    created: bool
    partitions: int
    settings: Mapping[str, str]
    differences: tuple[Difference, ...]


_DELETE = OneOf(("delete",))
_COMPACT = OneOf(("compact",))
_COMPACTED = {"cleanup.policy": "compact", "segment.bytes": str(COMPACTED_SEGMENT_BYTES)}


def expected_topics(settings: Settings, extra_outputs: Iterable[str] = ()) -> list[TopicSpec]:
    """Every topic of this application; ``extra_outputs`` are those that definitions name."""
    names, all_parts = settings.topics, settings.app.partitions

    def plain(name: str, role: str, partitions: int = all_parts) -> TopicSpec:
        return TopicSpec(name, role, partitions, {"cleanup.policy": "delete"}, {"cleanup.policy": _DELETE})

    specs = [
        plain(names.clickstream, "events"),
        plain(names.purchases, "events"),
        plain(names.profiles, "events"),
        plain(names.rekeyed, "events under their right key"),
        plain(names.products, "prices and stock", 1),
        TopicSpec(
            names.control,
            "versions and clock",
            1,
            {"cleanup.policy": "delete", "retention.ms": "-1"},
            {"cleanup.policy": _DELETE, "retention.ms": Forever()},
        ),
        plain(names.vectors, "vectors for the trainer", 1),
        plain(names.questions, "questions for predictions", 1),
        plain(names.backfill, "rebuilt rows"),
        TopicSpec(names.summaries, "summaries for cuts", 1, _COMPACTED, {"cleanup.policy": _COMPACT}),
        TopicSpec(names.histories, "histories for lifetimes", 1, _COMPACTED, {"cleanup.policy": _COMPACT}),
        plain(names.changes, "segment changes"),
        TopicSpec(names.customers, "latest segments", all_parts, _COMPACTED, {"cleanup.policy": _COMPACT}),
        plain(names.forgotten, "receipts of who was forgotten"),
        plain(names.dead_letters, "dead letters"),
        TopicSpec(
            settings.changelog_topic,
            "customers' rows",
            all_parts,
            {**_COMPACTED, "compression.type": "zstd", "max.message.bytes": str(CHANGELOG_MAX_BYTES)},
            {
                "cleanup.policy": _COMPACT,
                "compression.type": OneOf(("zstd", "lz4")),
                "max.message.bytes": AtLeast(CHANGELOG_MAX_BYTES),
            },
        ),
    ]
    known = {spec.name for spec in specs}
    outputs = {settings.app.output_prefix + name for name in extra_outputs}
    own = outputs & known - {names.changes}
    if own:
        raise UserError(
            f"a definition names {', '.join(sorted(own))} for its changes, which is a topic of the system itself: "
            "choose another name in the definition"
        )
    return specs + [plain(name, "segment changes") for name in sorted(outputs - known)]


async def check_topics(settings: Settings, extra_outputs: Iterable[str] = ()) -> list[TopicReport]:
    """How every topic is, and what differs from what is expected. Changes nothing."""
    async with admin_client(settings) as admin:
        return await _reports(admin, expected_topics(settings, extra_outputs), settings.app.replication_factor, set())


async def create_topics(settings: Settings, extra_outputs: Iterable[str] = ()) -> list[TopicReport]:
    """Create the topics that are missing, then report as `check_topics` does. What exists is not touched."""
    specs = expected_topics(settings, extra_outputs)
    async with admin_client(settings) as admin:
        present = await _partitions(admin, specs)
        missing = [spec for spec in specs if spec.name not in present]
        if missing:
            await _create(admin, missing, settings.app.replication_factor)
            await _until_visible(admin, missing)
        return await _reports(admin, specs, settings.app.replication_factor, {spec.name for spec in missing})


async def delete_topics(settings: Settings, names: list[str]) -> None:
    """Delete these topics, with all that is in them."""
    async with admin_client(settings) as admin:
        await admin.delete_topics(names)


async def ensure_topics(settings: Settings, extra_outputs: Iterable[str] = ()) -> list[TopicReport]:
    """`check_topics` for a worker: raise `UserError` for what would make its results wrong, return the rest.

    A missing topic and an unequal partition count are such: Faust would split customers between workers without a word.
    """
    reports = await check_topics(settings, extra_outputs)
    missing = [report.spec.name for report in reports if not report.exists]
    if missing:
        raise UserError(f"missing topics: {', '.join(missing)}; `segstream topics` creates them", exit_code=1)
    unequal = [
        f"{report.spec.name} has {item.found}" for report in reports for item in report.differences if item.serious
    ]
    if unequal:
        raise UserError(
            f"{', '.join(unequal)} partitions, expected {settings.app.partitions} of the shared topics and 1 of "
            f"{', '.join(spec.name for spec in expected_topics(settings) if spec.partitions == 1)}: "
            "set app.partitions to fit, or use other topics",
            exit_code=1,
        )
    return reports


async def _create(admin: AIOKafkaAdminClient, specs: list[TopicSpec], copies: int) -> None:
    new = [NewTopic(spec.name, spec.partitions, copies, topic_configs=dict(spec.new)) for spec in specs]
    try:
        answer = await admin.create_topics(new)
    except KafkaError as error:
        raise UserError(f"topics cannot be created: {error}", exit_code=1) from error
    for name, code, message in answer.topic_errors:
        error_type = for_code(code)
        # Another worker may create the same topic at the same time.
        if code and error_type is not TopicAlreadyExistsError:
            raise UserError(f"topic {name} cannot be created: {message or error_type.description}", exit_code=1)


async def _until_visible(admin: AIOKafkaAdminClient, specs: list[TopicSpec]) -> None:
    """Creation is acknowledged by the controller; brokers learn of it a moment later."""
    async with asyncio.timeout(_VISIBLE_WITHIN_S):
        while len(await _partitions(admin, specs)) < len(specs):  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # the broker has no event for it


async def _reports(
    admin: AIOKafkaAdminClient, specs: list[TopicSpec], copies: int, created: set[str]
) -> list[TopicReport]:
    present = await _partitions(admin, specs)
    settings = await _settings(admin, [spec for spec in specs if spec.name in present])
    return [_report(spec, present.get(spec.name), settings.get(spec.name, {}), copies, created) for spec in specs]


def _report(
    spec: TopicSpec, replicas: list[int] | None, settings: Mapping[str, str], copies: int, created: set[str]
) -> TopicReport:
    if replicas is None:
        missing = Difference("topic", "one", "missing", serious=True)
        return TopicReport(spec, exists=False, created=False, partitions=0, settings={}, differences=(missing,))
    found = []
    if len(replicas) != spec.partitions:
        found.append(Difference("partitions", str(spec.partitions), str(len(replicas)), serious=True))
    if min(replicas) < copies:
        found.append(Difference("replication factor", f"{copies} or more", str(min(replicas))))
    found += [
        Difference(name, str(rule), settings[name])
        for name, rule in spec.rules.items()
        if not rule.holds(settings[name])
    ]
    return TopicReport(spec, True, spec.name in created, len(replicas), settings, tuple(found))


async def _partitions(admin: AIOKafkaAdminClient, specs: list[TopicSpec]) -> dict[str, list[int]]:
    """Of each topic that exists: the number of copies of each partition."""
    answer = await admin.describe_topics([spec.name for spec in specs])
    present: dict[str, list[int]] = {}
    for topic in answer:
        error_type = for_code(topic["error_code"])
        if error_type is UnknownTopicOrPartitionError:
            continue
        if topic["error_code"] and not topic["partitions"]:
            raise UserError(f"topic {topic['topic']} cannot be read: {error_type.description}", exit_code=1)
        present[topic["topic"]] = [len(partition["replicas"]) for partition in topic["partitions"]]
    return present


_SHOWN = ("cleanup.policy", "retention.ms", "compression.type", "max.message.bytes")


async def _settings(admin: AIOKafkaAdminClient, specs: list[TopicSpec]) -> dict[str, dict[str, str]]:
    wanted: dict[str, Any] = dict.fromkeys(_SHOWN)
    resources = [ConfigResource(ConfigResourceType.TOPIC, spec.name, dict(wanted)) for spec in specs]
    result: dict[str, dict[str, str]] = {}
    if not resources:
        return result
    for answer in await admin.describe_configs(resources):
        for code, message, _, name, entries in answer.resources:
            if code:
                reason = message or for_code(code).description
                raise UserError(f"settings of topic {name} cannot be read: {reason}", exit_code=1)
            result[name] = {entry[0]: entry[1] for entry in entries}
    return result


def describe_retention(settings: Mapping[str, str]) -> str:
    """How long a topic keeps what it has, for people."""
    if settings.get("cleanup.policy") == "compact":
        return "latest of each key"
    ms = int(settings.get("retention.ms", "-1"))
    return "for ever" if ms < 0 else format_duration(ms)
