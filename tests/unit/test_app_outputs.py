"""What a step decided becomes what a transaction writes: rules of outputs, dead letters, offsets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from stream.app.outputs import payload
from stream.app.wiring import Rule, Wiring, everything
from stream.engine.output import Asked
from stream.kafka.letter import PART_BYTES, Assembler, Letter
from tests.plain_changes import PlainChanges, headers_on_the_wire, told

DAY = 86_400_000
NOW = 100 * DAY


@dataclass(frozen=True)
class Change:
    at_ms: int = NOW
    cause: str = "event"
    topics: tuple[str, ...] = ()
    key: bytes = b"c1"
    dimension: str = "lifecycle"
    from_segment: str | None = "active"
    to_segment: str | None = "at-risk"
    caused_ms: int | None = NOW
    stayed_ms: int | None = DAY
    away_ms: int | None = None

    def topic_names(self) -> Sequence[str]:
        return self.topics

    def headers(self) -> list[tuple[str, bytes]]:
        return [("ce_id", b"1")]

    def data(self) -> bytes:
        return b"{}"


@dataclass(frozen=True)
class Dead:
    value: bytes | None
    reason: str = "json"
    topic: str = "clicks"
    partition: int = 2
    offset: int = 7
    key: bytes | None = None
    timestamp: int = 5
    detail: str = "not JSON"


@dataclass
class Counts:
    read: int = 3
    applied: int = 1
    duplicate: int = 0
    ignored: int = 1
    rekeyed: int = 0
    unknown_zones: int = 0
    rejected: Mapping[str, int] = field(default_factory=lambda: {"json": 1})

    def by_outcome(self) -> dict[str, int]:
        return {"applied": self.applied, "ignored": self.ignored, "rejected_json": 1}


@dataclass
class Step:
    changes: PlainChanges = field(default_factory=PlainChanges)
    rows: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    customers: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    forgotten: list[Any] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)
    rekeyed: list[Any] = field(default_factory=list)
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    vectors: Any = None
    vector_keys: list[bytes] = field(default_factory=list)
    vector_instants: list[int] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    unmatched: int = 0
    beyond: int = 0


def wiring(rule_of: Callable[[str], Rule] = everything) -> Wiring:
    """An app of one group topic and one that everyone reads."""

    def never(*args: Any) -> Any:
        raise NotImplementedError

    return Wiring(
        app_id="app",
        partitions=4,
        group_topics=("clicks",),
        broadcast_topics=("products",),
        changelog="log",
        changes="changes",
        customers="customers",
        dead_letters="dead",
        vectors="vectors",
        rekeyed="rekeyed",
        make_shard=never,
        decoder=never,  # type: ignore[arg-type]
        client_options={},
        rule_of=rule_of,
        encode_vector=lambda shard, instant, vector: (vector.tobytes(), [("instant", b"%d" % instant)]),
    )


def test_only_offsets_of_the_group_are_committed() -> None:
    """Cursors of topics that everyone reads are in the shard's own row: the group has no offsets for them."""
    out, _ = payload(Step(offsets={("clicks", 2): 9, ("products", 0): 4}), wiring(), NOW)
    assert dict(out.offsets) == {("clicks", 2): 9}


def test_everything_of_a_step_has_its_topic() -> None:
    """Nothing that a step decided is left out of its transaction, and an empty part names no topic."""
    step = Step(
        changes=PlainChanges([Change(topics=("at-risk",))]),
        rows=[(b"r", b"1"), (b"s", None)],
        customers=[(b"c1", b"{}")],
        vectors=np.ones((1, 2)),
        vector_keys=[b"c1"],
        vector_instants=[NOW],
    )
    out, kept_back = payload(step, wiring(), NOW)
    many = {topic: some[0] for topic, some in out.many.items()}
    assert {topic: len(rows) for topic, rows in (out.rows | many).items()} == {
        "changes": 1,
        "at-risk": 1,
        "log": 2,
        "customers": 1,
        "vectors": 1,
    }
    assert out.records == 6
    assert told(*many["changes"]) == [(b"c1", b"{}", headers_on_the_wire([("ce_id", b"1")]))]
    assert told(*many["log"]) == [(b"r", b"1", b"\0"), (b"s", None, b"\0")]
    assert not kept_back


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (Change(NOW - 2 * DAY, topics=("mail",)), None),
        (Change(NOW - 2 * DAY - 1, topics=("mail",)), "age"),
        (Change(cause="model", topics=("mail",)), "cause"),
    ],
)
def test_old_news_and_other_causes_are_kept_from_an_output(change: Change, why: str | None) -> None:
    """A first start on a year of history must not mail everyone; the main topic gets all the same."""

    def rule_of(topic: str) -> Rule:
        return Rule(2 * DAY, frozenset({"event", "deadline"})) if topic == "mail" else everything(topic)

    out, kept_back = payload(Step(changes=PlainChanges([change])), wiring(rule_of), NOW)
    assert len(out.many["changes"][0]) == 1
    assert ("mail" in out.many) is (why is None)
    assert dict(kept_back) == ({("mail", why): 1} if why else {})


def test_a_dead_letter_tells_where_it_came_from() -> None:
    """The reason, and the place, so that the record can be found and sent again."""
    out, _ = payload(Step(dead=[Dead(b"y", key=b"k")]), wiring(), NOW)
    ((key, value, headers),) = out.rows["dead"]
    told = dict(headers)
    assert (key, value) == (b"k", b"y")
    assert (told["reason"], told["topic"], told["partition"], told["offset"]) == (b"json", b"clicks", b"2", b"7")


@dataclass(frozen=True)
class Stored:
    """A record of the dead letters' topic, as it is read."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def stored(*dead: Dead) -> list[Stored]:
    """What a transaction with these letters leaves in the topic."""
    rows = payload(Step(dead=list(dead)), wiring(), NOW)[0].rows["dead"]
    return [Stored(k, key, value, tuple(headers)) for k, (key, value, headers) in enumerate(rows)]


def letters(records: list[Stored]) -> list[Letter]:
    """What a reader makes of them."""
    reader = Assembler(3)
    return [letter for record in records if (letter := reader.take(record)) is not None]


@pytest.mark.parametrize("value", [None, b"", b"v", b"v" * PART_BYTES, b"v" * (PART_BYTES + 1), b"1234567" * 750_000])
@pytest.mark.parametrize("key", [None, b"", b"k", b"k" * PART_BYTES, b"k" * 1_000_001])
def test_a_dead_letter_keeps_all_bytes_and_always_fits(key: bytes | None, value: bytes | None) -> None:
    """Found: a key of a megabyte made a letter that no broker takes, again and again; a long value was cut.

    Key and value come back as they were, whatever their length, null apart from empty; every record is far below the
    broker's limit.
    """
    records = stored(Dead(b"before"), Dead(value, key=key, detail="é" * 5000), Dead(b"after"))
    assert max(len(r.key or b"") + len(r.value or b"") for r in records) <= PART_BYTES
    assert max(sum(len(value or b"") for _, value in r.headers) for r in records) < 10_000
    before, letter, after = letters(records)
    assert (before.value, after.value) == (b"before", b"after")
    assert (letter.key, letter.value, letter.cut) == (key, value, False)
    assert (letter.topic, letter.partition, letter.offset, letter.reason) == ("clicks", 2, 7, "json")
    assert letter.place == (3, records[-2].offset)


def test_a_dead_letter_whose_beginning_is_gone_says_so() -> None:
    """Retention may delete the first parts: the rest is shown, and is not sent again."""
    records = stored(Dead(b"v" * 2 * PART_BYTES, key=b"k"), Dead(b"after"))
    cut, after = letters(records[1:])
    assert (cut.cut, after.cut, after.value) == (True, False, b"after")


def test_anything_in_the_topic_of_dead_letters_can_be_read() -> None:
    """Whoever else writes there."""
    strange = [("partition", b"x"), ("offset", None), ("part", b"1/x"), ("reason", b"\xff"), ("topic", None)]
    (letter,) = letters([Stored(0, None, None, tuple(strange))])
    assert (letter.topic, letter.partition, letter.offset, letter.key, letter.value) == ("", 0, 0, None, None)
