"""Drives a shard as a worker would, in as many ways as there are: any batches, any order of polling, restarts anywhere.

Definitions are written as Python mappings, events as mappings on the wire; what comes back is the list of changes.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any

import orjson
import yaml

from stream.engine.backfill import Backfill
from stream.engine.change import Change
from stream.engine.output import Counts, Output
from stream.engine.shard import Shard, Source
from stream.engine.versions import DefinitionsVersion
from stream.events.batch import Batch
from stream.events.decode import Decoder
from stream.events.instant import parse_iso
from stream.events.routing import topic_of
from stream.features.base import NEVER
from stream.learners.control import read_model, read_version
from stream.plan.definitions import Definitions, parse_definitions
from stream.plan.plan import Plan, twin_plan

CONTROL = "control"
TOPICS = (CONTROL, "clickstream", "products", "profiles", "purchases")
#: Events that ask to forget their customer.
FORGET = ("User Deleted",)
#: A wall instant later than all others: a proof given then holds for whatever arrived before.
DOOMSDAY = 1 << 50


@dataclass(frozen=True)
class Record:
    """A record as the decoder reads it."""

    offset: int
    value: bytes | None
    key: bytes | None = None
    timestamp: int | None = None


Log = dict[Source, list[Record]]


def files_of(*dimensions: Mapping[str, Any]) -> dict[str, str]:
    """Definition files from mappings, one a dimension."""
    return {f"{d['dimension']}.yaml": yaml.safe_dump(dict(d), sort_keys=False) for d in dimensions}


def definitions(*dimensions: Mapping[str, Any]) -> Definitions:
    """Definitions from mappings, one a dimension."""
    return parse_definitions(files_of(*dimensions))


def plan_of(*dimensions: Mapping[str, Any]) -> Plan:
    """The uncompiled plan of these dimensions."""
    return twin_plan(definitions(*dimensions))


def event(customer: str, name: str, t: int, **properties: Any) -> dict[str, Any]:
    """One event on the wire at ``t`` ms; its message id is its content, so that it is the same in every test."""
    made: dict[str, Any] = {"type": "track", "event": name, "timestamp": wire_time(t), "properties": properties}
    if customer:
        made["userId"] = customer
    made["messageId"] = properties.pop("id", None) or f"{customer}/{name}/{t}/{orjson.dumps(properties).decode()}"
    return made


def wire_time(t: int) -> str:
    """ISO 8601 of an instant, worked out without the engine's help."""
    seconds, ms = divmod(t, 1000)
    days, rest = divmod(seconds, 86_400)
    day = datetime.date(1970, 1, 1) + datetime.timedelta(days=days)
    return f"{day.isoformat()}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}.{ms:03d}Z"


def logs(events: Iterable[Mapping[str, Any]], until: int | None = None, partition: int = 0) -> Log:
    """Events as the records of their topics, in the order given; ``until``: a clock record ends the control topic."""
    found: Log = {(topic, partition): [] for topic in TOPICS}
    for one in events:
        into = found[topic_of(str(one["event"])), partition]
        into.append(Record(len(into), orjson.dumps(one)))
    if until is not None:
        clock = orjson.dumps({"type": "clock", "timestamp": wire_time(until)})
        found[CONTROL, partition].append(Record(len(found[CONTROL, partition]), clock))
    return found


def read_control(value: bytes) -> tuple[int, Any]:
    """A record of the control topic, as the app reads it."""
    version = read_version(value)
    if version is not None:
        return NEVER, version
    return parse_iso(orjson.loads(value)["timestamp"]), None


@lru_cache(maxsize=512)
def plan_of_files(files: tuple[tuple[str, str], ...]) -> Plan:
    """The uncompiled plan of files (name, text)."""
    return twin_plan(parse_definitions(dict(files)))


@dataclass
class Published:
    """The plans of published definitions, each there when it was asked for more than ``delay`` times."""

    delay: int = 0
    asked: Counter[int] = field(default_factory=Counter)

    def plan_of(self, version: DefinitionsVersion) -> Plan | None:
        """The plan, or None: still being compiled."""
        self.asked[version.version] += 1
        early = self.asked[version.version] <= self.delay
        return None if early else plan_of_files(tuple(sorted(version.files.items())))

    def backfill_of(self, version: DefinitionsVersion, partition: int) -> Backfill | None:
        """There is none."""
        return None

    def decoder_of(self, plan: Plan) -> Decoder:
        """What decodes for a plan."""
        return Decoder(plan.inputs, control=read_control, forget=FORGET)


@dataclass
class Driver:
    """One shard, its changelog, and where each source stands."""

    plan: Plan
    log: Log
    disorder: int = 0
    wall_clock: bool = False
    limit: int = 1000
    plans: Published | None = None
    dormant_after: int | None = None
    changes: list[Change] = field(default_factory=list)
    changelog: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    outputs: list[Output] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.decoder = Decoder(self.plan.inputs, control=read_control, forget=FORGET)
        self.open()

    def open(self, plan: Plan | None = None) -> None:
        """A new shard from what was committed; with ``plan``, under other definitions."""
        if plan is not None:
            self.plan, self.decoder = plan, Decoder(plan.inputs, control=read_control, forget=FORGET)
        self.shard = Shard(
            self.plan,
            0,
            list(self.log),
            disorder=self.disorder,
            read_model=read_model,
            plans=self.plans,
            dormant_after=self.dormant_after,
        )
        self.shard.restore([k for k, _ in self.changelog], [v for _, v in self.changelog])
        while not self.shard.restored():
            pass
        for source in self.log:
            self.shard.start(source, self.shard.next_offset(source) or 0)

    def batch(self, source: Source, lo: int, hi: int, at_ms: int = 0) -> Batch:
        """The records between two offsets, decoded."""
        batch = self.decoder.decode(*source, self.log[source][lo:hi], lo, hi)
        batch.at_ms = at_ms
        return batch

    def offer(self, source: Source, count: int, at_ms: int = 0) -> None:
        """The next records of a source."""
        lo = self.shard.expected(source)
        hi = min(lo + count, len(self.log[source]))
        if hi > lo:
            self.shard.offer(self.batch(source, lo, hi, at_ms))

    def prove(self, source: Source, at_ms: int = DOOMSDAY) -> None:
        """Prove the source read to its end, if it is."""
        self.shard.prove(source, len(self.log[source]), at_ms)

    def step(self, limit: int | None = None) -> bool:
        """One step; what it gives is committed."""
        out = self.shard.step(limit or self.limit, 0 if self.wall_clock else None)
        if out is None:
            return False
        self.outputs.append(out)
        self.changes += out.changes
        self.changelog += out.rows
        self.counts.add(out.counts)
        return True

    def drain(self) -> None:
        """Steps until there is nothing left to do, nor any plan waited for."""
        while self.step() or self.shard.compiling is not None:
            pass

    def finish(self) -> Driver:
        """Everything offered, proven and applied."""
        for source, records in self.log.items():
            self.offer(source, len(records))
        for source in self.log:
            self.prove(source)
        self.drain()
        return self

    def wander(self, random: Random, restarts: float = 0.1, most: int = 7) -> Driver:
        """The same, in a random order of offers, proofs, steps and restarts."""
        while any(self.shard.expected(s) < len(r) for s, r in self.log.items()):
            source = random.choice(list(self.log))
            what = random.random()
            if what < restarts:
                self.open()
            elif what < 0.7:
                self.offer(source, random.randint(1, most))
            elif what < 0.8:
                self.prove(source)
            else:
                self.step(random.randint(1, most))
        return self.finish()


def told(changes: Sequence[Change], customer: str | None = None) -> list[tuple[Any, ...]]:
    """Changes field by field, by customer, in each one's order."""
    mine = [c for c in changes if customer is None or c.subject == customer]
    rows = [
        (c.subject, c.sequence, c.dimension, c.from_segment, c.to_segment, c.at_ms, c.cause, c.definition,
         orjson.dumps(c.evidence, option=orjson.OPT_SORT_KEYS), c.topics, c.id)
        for c in mine
    ]  # fmt: skip
    return sorted(rows, key=lambda row: row[:2])


def run(plan: Plan, events: Iterable[Mapping[str, Any]], until: int | None = None) -> list[Change]:
    """The changes of a history, fed in the plainest way."""
    return Driver(plan, logs(events, until)).finish().changes
